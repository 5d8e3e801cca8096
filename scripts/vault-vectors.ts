/*
 * Writes tests/fixtures/vault-vectors.json: `bun run scripts/vault-vectors.ts > tests/fixtures/vault-vectors.json`.
 *
 * It was run once for each version. The file is the format's guard: values sealed years ago must open, so the vectors
 * of a version are never written again; a new version of the format gets new ones beside them. Version 1 opens only in
 * the migration that seals it again. The format is spelled out here from node:crypto alone and shares no code with
 * src/, so that a mistake there cannot repeat itself here.
 */

import { createCipheriv, createHash, hkdfSync } from "node:crypto";

/** The seal of one plaintext, with every step on the way to it. */
interface VaultVector {
  readonly name: string;
  readonly hubKey: string;
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
  readonly userId: string;
  /** Of version 2: which values of the row these are, and what they may be used for. */
  readonly version?: number;
  readonly audience?: readonly string[];
  readonly iv: string;
  readonly plaintext: string;
  readonly userKey: string;
  readonly memberKey: string;
  readonly aad: string;
  readonly keyId: string;
  readonly sealed: string;
}

/** A sealed text that must not open at the place and with the hub key of the first valid vector. */
interface InvalidVaultVector {
  readonly name: string;
  readonly code: "VAULT_TAMPERED" | "VAULT_LOCKED";
  readonly table: string;
  readonly column: string;
  readonly rowId: string;
  readonly userId: string;
  readonly version?: number;
  readonly audience?: readonly string[];
  readonly sealed: string;
}

interface VaultVectors {
  readonly about: string;
  /** Of version 1. */
  readonly valid: readonly VaultVector[];
  readonly invalid: readonly InvalidVaultVector[];
  readonly v2: {
    readonly about: string;
    readonly valid: readonly VaultVector[];
    readonly invalid: readonly InvalidVaultVector[];
  };
}

type Input = Omit<VaultVector, "userKey" | "memberKey" | "aad" | "keyId" | "sealed">;

function seal(input: Input): VaultVector {
  const hubKey = Buffer.from(input.hubKey, "hex");
  const keyId = createHash("sha256").update("psn vault key id v1\0").update(hubKey).digest("hex").slice(0, 8);
  const userKey = Buffer.from(hkdfSync("sha256", hubKey, "psn vault user key v1", input.userId, 32));
  const { table, column, rowId, userId, version, audience } = input;
  const format = version === undefined ? "v1" : "v2";
  const place = [`psn vault ${format}`, table, column, rowId, userId];
  const aad = JSON.stringify(version === undefined ? place : [...place, version, audience]);
  const iv = Buffer.from(input.iv, "hex");
  const cipher = createCipheriv("aes-256-gcm", userKey, iv).setAAD(Buffer.from(aad));
  const ciphertext = Buffer.concat([cipher.update(input.plaintext, "utf8"), cipher.final()]);
  const payload = Buffer.concat([iv, cipher.getAuthTag(), ciphertext]).toString("base64");
  const userHex = userKey.toString("hex");
  return {
    ...input,
    userKey: userHex,
    memberKey: keyId + userHex,
    aad,
    keyId,
    sealed: `${format}.${keyId}.${payload}`,
  };
}

const ada = "01930b1e-7c00-7000-8000-0000000000a1";
const ben = "01930b1e-7c00-7000-8000-0000000000b2";
const row = "01930b1e-7c00-7000-8000-000000000001";
const otherRow = "01930b1e-7c00-7000-8000-000000000002";
const keyA = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const keyB = "f".repeat(64);
const token = { hubKey: keyA, table: "oauth_tokens", column: "access_token", rowId: row, userId: ada };

const valid = [
  seal({
    name: "an access token",
    ...token,
    iv: "cafebabefacedbaddecaf888",
    plaintext: "example-access-token-of-the-vault-vectors",
  }),
  seal({ name: "nothing", ...token, iv: "000000000000000000000000", plaintext: "" }),
  seal({ name: "one byte, so the base64 is padded", ...token, iv: "000000000000000000000001", plaintext: "a" }),
  seal({
    name: "characters of one to four bytes",
    ...token,
    iv: "000000000000000000000002",
    plaintext: "aé€😀\u0000\n\u2028",
  }),
  seal({ name: "several blocks", ...token, iv: "000000000000000000000003", plaintext: "0123456789abcdef".repeat(17) }),
  seal({ name: "another row", ...token, rowId: otherRow, iv: "000000000000000000000004", plaintext: "row" }),
  seal({
    name: "another column",
    ...token,
    column: "refresh_token",
    iv: "000000000000000000000005",
    plaintext: "column",
  }),
  seal({
    name: "another table",
    ...token,
    table: "api_keys",
    column: "value",
    iv: "000000000000000000000006",
    plaintext: "table",
  }),
  seal({ name: "another user", ...token, userId: ben, iv: "000000000000000000000007", plaintext: "user" }),
  seal({ name: "another hub key", ...token, hubKey: keyB, iv: "ffffffffffffffffffffffff", plaintext: "key" }),
  seal({
    name: "a place that needs quoting",
    ...token,
    column: 'a"b\\c,\u00e9',
    iv: "000000000000000000000008",
    plaintext: "quoted",
  }),
] as const;

const [first, , padded, , , , , , , foreign] = valid;
const [prefix, keyId, payload = ""] = first.sealed.split(".");
const bytes = Buffer.from(payload, "base64");
const withBit = (at: number) =>
  `${prefix}.${keyId}.${Buffer.from(bytes.map((byte, index) => (index === at ? byte ^ 1 : byte))).toString("base64")}`;
const at = { table: first.table, column: first.column, rowId: first.rowId, userId: first.userId };
const broken = (name: string, sealed: string) => ({ name, code: "VAULT_TAMPERED", ...at, sealed }) as const;

const invalid: readonly InvalidVaultVector[] = [
  broken("a bit of the iv", withBit(0)),
  broken("a bit of the tag", withBit(12)),
  broken("the last bit of the tag", withBit(27)),
  broken("a bit of the ciphertext", withBit(28)),
  broken("a bit of the last byte", withBit(bytes.length - 1)),
  broken("the last byte cut off", `v1.${keyId}.${bytes.subarray(0, -1).toString("base64")}`),
  broken("cut inside the tag", `v1.${keyId}.${bytes.subarray(0, 27).toString("base64")}`),
  broken("no ciphertext under the tag of another", `v1.${keyId}.${bytes.subarray(0, 28).toString("base64")}`),
  broken("a byte more", `v1.${keyId}.${Buffer.concat([bytes, Buffer.of(0)]).toString("base64")}`),
  broken("an empty payload", `v1.${keyId}.`),
  broken("no payload", `v1.${keyId}`),
  broken("no key id", `v1.${payload}`),
  broken("nothing", ""),
  broken("a plaintext", first.plaintext),
  broken("an unknown version", `v2.${keyId}.${payload}`),
  broken("a capital version", `V1.${keyId}.${payload}`),
  broken("a fourth field", `${first.sealed}.x`),
  broken("a line feed behind it", `${first.sealed}\n`),
  broken("a space before it", ` ${first.sealed}`),
  broken("the url-safe alphabet", `v1.${keyId}.${payload.replaceAll("+", "-").replaceAll("/", "_")}`),
  broken("padding left out", padded.sealed.replace(/=+$/, "")),
  broken(
    "loose last bits set",
    padded.sealed.replace(
      /(.)(=+)$/,
      (_, last: string, pad: string) => String.fromCharCode(last.charCodeAt(0) + 1) + pad,
    ),
  ),
  broken("a key id in capitals", first.sealed.replace(first.keyId, first.keyId.toUpperCase())),
  { name: "moved to another row", code: "VAULT_TAMPERED", ...at, rowId: otherRow, sealed: first.sealed },
  { name: "moved to another column", code: "VAULT_TAMPERED", ...at, column: "refresh_token", sealed: first.sealed },
  { name: "moved to another table", code: "VAULT_TAMPERED", ...at, table: "api_keys", sealed: first.sealed },
  { name: "moved to another user", code: "VAULT_TAMPERED", ...at, userId: ben, sealed: first.sealed },
  {
    name: "under another key's id",
    code: "VAULT_LOCKED",
    ...at,
    sealed: first.sealed.replace(first.keyId, foreign.keyId),
  },
  { name: "sealed by another hub key", code: "VAULT_LOCKED", ...at, sealed: foreign.sealed },
];

const about =
  "Sealed values of psn's vault, format v1. Valid: sealing the plaintext with this iv gives `sealed`, and it opens " +
  "to the plaintext. Invalid: must not open with the hub key of the first valid vector. userKey, aad and keyId are " +
  "the steps between. Never edit, never generate again.";

const mastodon = { version: 1, audience: ["mastodon", "1@mastodon.example", "https://mastodon.example"] };
const bound = { ...token, ...mastodon };
const second = [
  seal({
    name: "an access token",
    ...bound,
    iv: "cafebabefacedbaddecaf889",
    plaintext: "example-access-token-of-the-vault-vectors",
  }),
  seal({ name: "nothing", ...bound, iv: "000000000000000000000010", plaintext: "" }),
  seal({
    name: "characters of one to four bytes",
    ...bound,
    iv: "000000000000000000000011",
    plaintext: "aé€😀\u0000\n\u2028",
  }),
  seal({
    name: "exchanged a thousand times",
    ...bound,
    version: 1001,
    iv: "000000000000000000000012",
    plaintext: "later",
  }),
  seal({
    name: "a webhook, whose home is a whole address",
    ...bound,
    audience: ["webhook", "0123456789abcdef", 'https://hooks.example/a?b="c"&d=é'],
    iv: "000000000000000000000013",
    plaintext: "whsec_example",
  }),
  seal({
    name: "an app's key, bound to its name",
    ...bound,
    table: "api_keys",
    column: "value",
    audience: ["X_CLIENT_SECRET"],
    iv: "000000000000000000000014",
    plaintext: "table",
  }),
  seal({ name: "for nothing", ...bound, audience: [], iv: "000000000000000000000015", plaintext: "none" }),
  seal({ name: "another user", ...bound, userId: ben, iv: "000000000000000000000016", plaintext: "user" }),
  seal({ name: "another hub key", ...bound, hubKey: keyB, iv: "ffffffffffffffffffffffef", plaintext: "key" }),
] as const;

const [secondFirst] = second;
const there = { ...at, ...mastodon };
const elsewhere = (name: string, change: Partial<InvalidVaultVector>): InvalidVaultVector => ({
  name,
  code: "VAULT_TAMPERED",
  ...there,
  sealed: secondFirst.sealed,
  ...change,
});
const [platform, subject, home] = mastodon.audience;

const secondInvalid: readonly InvalidVaultVector[] = [
  elsewhere("moved to another row", { rowId: otherRow }),
  elsewhere("moved to another column", { column: "refresh_token" }),
  elsewhere("moved to another table", { table: "api_keys" }),
  elsewhere("moved to another user", { userId: ben }),
  elsewhere("put back into a later version of the row", { version: 2 }),
  elsewhere("put forward into an earlier one", { version: 0 }),
  elsewhere("another platform", { audience: ["bluesky", String(subject), String(home)] }),
  elsewhere("another subject", { audience: [String(platform), "2@mastodon.example", String(home)] }),
  elsewhere("another home", { audience: [String(platform), String(subject), "https://evil.example"] }),
  elsewhere("a home that begins the same", { audience: [String(platform), String(subject), `${home}.evil.example`] }),
  elsewhere("the same words, cut otherwise", { audience: [`${platform}${subject}`, String(home)] }),
  elsewhere("no audience", { audience: [] }),
  elsewhere("version 1 of the format at the same place", { sealed: first.sealed }),
  elsewhere("called version 1 of the format", { sealed: secondFirst.sealed.replace("v2.", "v1.") }),
  elsewhere("version 1 called version 2", { sealed: first.sealed.replace("v1.", "v2.") }),
  elsewhere("a third version", { sealed: secondFirst.sealed.replace("v2.", "v3.") }),
];

const secondAbout =
  "The same for format v2, whose aad also holds the version and the audience. A value of v1 does not open where v2 " +
  "is wanted, nor the other way round.";

if (import.meta.main) {
  const vectors: VaultVectors = {
    about,
    valid,
    invalid,
    v2: { about: secondAbout, valid: second, invalid: secondInvalid },
  };
  console.log(JSON.stringify(vectors, null, 2));
}
