import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  sign as signWith,
} from "node:crypto";
import { PsnError } from "@psn/core/errors.ts";

/*
 * Signatures by the Standard Webhooks specification (spec/standard-webhooks.md, Signature scheme, 2026-11): `v1` is
 * HMAC-SHA256 by a `whsec_` secret that both sides have, `v1a` is ed25519 by a `whsk_` key of which the receiver has
 * the `whpk_` half alone.
 */

/** "At least 24 bytes (192 bits, 512 maximum)", of a `whsec_` secret. */
export const SECRET_BYTES = { least: 24, most: 64 } as const;
/**
 * An ed25519 seed, and a public key (RFC 8032, 5.1.5). A `whsk_` key is the seed, or the seed and its public key as
 * libsodium keeps them.
 */
const ED25519_BYTES = 32;

export const SECRET_HINT =
  'create one with: echo "whsec_$(openssl rand -base64 32)", and give it to the receiver too; ' +
  "or let psn create a key pair: --secret-new";

type Key = { readonly scheme: "v1"; readonly bytes: Buffer } | { readonly scheme: "v1a"; readonly key: KeyObject };

/**
 * Throws INPUT_REQUIRED, and INPUT_INVALID for what a receiver's library could read as another key or not at all. Never
 * says what was given.
 */
export function keyOf(secret: string): Key {
  if (secret === "") throw new PsnError("INPUT_REQUIRED", "a webhook needs a signing secret", { hint: SECRET_HINT });
  const { prefix, bytes } = decoded(secret);
  if (prefix === "whsk") return { scheme: "v1a", key: privateKeyOf(bytes) };
  if (prefix === "whsec" && bytes.length >= SECRET_BYTES.least && bytes.length <= SECRET_BYTES.most)
    return { scheme: "v1", bytes };
  if (prefix === "whpk")
    throw new PsnError(
      "INPUT_INVALID",
      "a whpk_ key is the public half, which the receiver has; psn signs with the whsk_ half",
      {
        hint: "enter the whsk_ key, or let psn create a key pair: --secret-new",
      },
    );
  throw new PsnError(
    "INPUT_INVALID",
    `a signing secret is whsec_ and standard base64 of ${SECRET_BYTES.least} to ${SECRET_BYTES.most} bytes, or a ` +
      "whsk_ key",
    { hint: SECRET_HINT },
  );
}

/**
 * Only what base64 gives back as it was written: verifiers refuse missing or extra padding, and the alphabet of
 * addresses.
 */
function decoded(secret: string): { readonly prefix: string; readonly bytes: Buffer } {
  const [, prefix = "", encoded = ""] = /^(whsec|whsk|whpk)_([A-Za-z0-9+/]+={0,2})$/.exec(secret) ?? [];
  const bytes = Buffer.from(encoded, "base64");
  return bytes.toString("base64") === encoded ? { prefix, bytes } : { prefix: "", bytes };
}

/**
 * A stored secret as base64 writes it. An earlier psn also took a `whsec_` secret without its padding or with too much
 * of it, and signed with the bytes that it stands for: the receiver checks by these, so they go on to sign.
 */
export function paddedSecret(stored: string): string {
  const [, bare] = /^whsec_([A-Za-z0-9+/]+)={0,2}$/.exec(stored) ?? [];
  return bare === undefined ? stored : `whsec_${bare.padEnd(Math.ceil(bare.length / 4) * 4, "=")}`;
}

function privateKeyOf(bytes: Buffer): KeyObject {
  const seed = bytes.subarray(0, ED25519_BYTES);
  const key = seed.length === ED25519_BYTES ? ed25519Of(seed) : undefined;
  const half = bytes.subarray(ED25519_BYTES);
  if (key && (half.length === 0 || half.equals(rawPublicKey(key)))) return key;
  throw new PsnError(
    "INPUT_INVALID",
    "a whsk_ key is base64 of an ed25519 key: 32 bytes, or 64 of which the second half is its public key",
    {
      hint: "let psn create a key pair: --secret-new",
    },
  );
}

/** PKCS #8 of ed25519 before the seed (RFC 8410, 7). */
const PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");

function ed25519Of(seed: Buffer): KeyObject {
  return createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: "der", type: "pkcs8" });
}

function rawPublicKey(key: KeyObject): Buffer {
  // The key itself stands at the end of its DER form (RFC 8410, 4).
  return createPublicKey(key).export({ format: "der", type: "spki" }).subarray(-ED25519_BYTES);
}

/** What the receiver checks a `whsk_` key's signatures with; undefined for a secret that both sides have. */
export function publicKeyOf(secret: string): string | undefined {
  const key = keyOf(paddedSecret(secret));
  return key.scheme === "v1a" ? `whpk_${rawPublicKey(key.key).toString("base64")}` : undefined;
}

/** A new `whsk_` key, as 64 bytes. */
export function newKeyPair(): string {
  const { privateKey } = generateKeyPairSync("ed25519");
  const seed = privateKey.export({ format: "der", type: "pkcs8" }).subarray(-ED25519_BYTES);
  return `whsk_${Buffer.concat([seed, rawPublicKey(privateKey)]).toString("base64")}`;
}

/** The `webhook-signature` header: one signature by each secret, "space delimited", the newest first. */
export function signaturesOf(
  secrets: readonly string[],
  { id, timestamp, body }: { readonly id: string; readonly timestamp: number; readonly body: string },
): string {
  const content = `${id}.${timestamp}.${body}`;
  const signature = (key: Key) =>
    key.scheme === "v1"
      ? createHmac("sha256", key.bytes).update(content).digest("base64")
      : signWith(null, Buffer.from(content), key.key).toString("base64");
  return secrets
    .map((secret) => keyOf(paddedSecret(secret)))
    .map((key) => `${key.scheme},${signature(key)}`)
    .join(" ");
}
