import { createHash, hkdfSync } from "node:crypto";
import { PsnError } from "@psn/core/errors.ts";
import type { Place } from "@psn/core/ports/outside.ts";
import { decrypt, encrypt, KEY_BYTES, type Key, keyFromBytes } from "@psn/core/utils/crypto.ts";

/*
 * Tokens in, sealed values out. A sealed value reads `v2.<key id>.<payload>`; `scripts/vault-vectors.ts` writes the
 * format out a second time, from the words below and node:crypto alone, and `tests/fixtures/vault-vectors.json` keeps
 * it as it is.
 *
 * - key id: the first 8 hex characters of SHA-256("psn vault key id v1" ‖ 0x00 ‖ hub key). It tells which hub key
 *   sealed a value, so that a rotation can count what is left. It is no secret.
 * - user key: HKDF-SHA256 (RFC 5869) of the hub key, salt "psn vault user key v1", info = user id in UTF-8, 32 bytes.
 *   The salt is fixed: the hub key is random already, and a member must arrive at the same key on every machine.
 * - payload: AES-256-GCM under the user key, see `utils/crypto.ts`.
 * - aad: the UTF-8 of the JSON array ["psn vault v2", table, column, row id, user id, version, [audience, …]] without
 *   spaces, the version as a number. JSON quotes what it holds, so that no two places have the same aad.
 *
 * Version 1 of the format had the aad ["psn vault v1", table, column, row id, user id]. It said nothing of where a
 * token may go, so that nothing opens it any more but the one migration that seals it again (`createFormerVault`).
 */

/** Of `v2.`, the key id and the dot behind it. */
const PREFIX_CHARS = 12;
const FORMAT = "v2";
const FORMER = "v1";
const USER_KEY_SALT = "psn vault user key v1";
const KEY_ID_LABEL = "psn vault key id v1\0";
const KEY_ID_CHARS = 8;

/** Seals what must not be read from a stolen database. */
export interface Vault {
  /**
   * The sealed form of a plaintext, for this place alone.
   *
   * @throws PsnError INPUT_INVALID when the plaintext is not well-formed Unicode; VAULT_LOCKED when this vault has no
   * key for the user.
   */
  readonly seal: (place: Place, plaintext: string) => string;
  /**
   * The plaintext of what was sealed for this place.
   *
   * @throws PsnError VAULT_TAMPERED when it, or what it was sealed for, was changed, and for version 1 of the format;
   * VAULT_LOCKED when the key that sealed it is not here.
   */
  readonly open: (place: Place, sealed: string) => string;
  /** Id of the key that seals; a value with another `keyIdOf` waits to be sealed again. */
  readonly keyId: string;
}

/**
 * The vault of the hub's owner and of its tasks: any user's values.
 *
 * @param options.keys the current key, then older ones that still open.
 * @param options.reload the keys as they are now, where they can change while this vault is in use: asked before every
 * seal, which is rare, and before a value of an unknown key counts as locked. What it throws leaves the keys as they
 * were. A key that was here once opens for as long as the vault lives: a value read before a rotation may be opened
 * after it.
 * @throws PsnError VAULT_LOCKED when there is no key.
 */
export function createVault(options: { readonly keys: readonly Key[]; readonly reload?: () => readonly Key[] }): Vault {
  const known = new Map<string, Ring>();
  const ringsOf = (keys: readonly Key[]): readonly Ring[] => {
    const now = keys.map((key) => {
      const id = keyId(key);
      const ring =
        known.get(id) ??
        ringOf(
          id,
          remember((userId) => userKey(key, userId)),
        );
      known.set(id, ring);
      return ring;
    });
    return [...now, ...[...known.values()].filter((ring) => !now.includes(ring))];
  };
  const { reload } = options;
  return vaultOf(ringsOf(options.keys), reload && (() => ringsOf(reload())));
}

/** The part of a place that version 1 of the format bound. */
export type FormerPlace = Pick<Place, "table" | "column" | "rowId" | "userId">;

/**
 * Opens what was sealed in version 1 of the format, for the migration that seals it again. Nothing else may: such a
 * value opens for whatever address its account's row names.
 *
 * @param keys the current key, then older ones that still open.
 */
export function createFormerVault(keys: readonly Key[]): {
  readonly open: (place: FormerPlace, sealed: string) => string;
} {
  const rings = keys.map((key) => ringOf(keyId(key), (userId) => userKey(key, userId), FORMER));
  return {
    open(place, sealed) {
      const ring =
        rings.find(({ prefix }) => sealed.startsWith(prefix)) ?? missing(place, { sealed, rings, format: FORMER });
      const aad = JSON.stringify(["psn vault v1", place.table, place.column, place.rowId, place.userId]);
      return decrypted(place, { sealed, ring, aad });
    },
  };
}

/**
 * The vault of one member, who has only keys derived for them: it neither opens nor seals anybody else's values.
 *
 * @param options.keys what `deriveUserKey` gave: the current one, then older ones.
 * @throws PsnError VAULT_LOCKED when there is no key, or one is not of that form.
 */
export function createMemberVault(options: { readonly userId: string; readonly keys: readonly string[] }): Vault {
  const rings = options.keys.map((text) => {
    const { id, key } = parseMemberKey(text);
    const mine = (userId: string) =>
      userId === options.userId ? key : locked("This member's key opens only the member's own values.");
    return ringOf(id, mine);
  });
  return vaultOf(rings);
}

/**
 * What a member is given in place of the hub's key: 72 hex characters, the hub key's id and then the user's own key.
 * The id lets the member seal values that a rotation counts rightly; neither part leads back to the hub's key.
 */
export function deriveUserKey(hubKey: Key, userId: string): string {
  return keyId(hubKey) + userKey(hubKey, userId).secret.export().toString("hex");
}

/** The public name of a hub key: 8 hex characters. */
export function keyId(key: Key): string {
  return createHash("sha256").update(KEY_ID_LABEL).update(key.secret.export()).digest("hex").slice(0, KEY_ID_CHARS);
}

/**
 * Id of the key that sealed a value.
 *
 * @throws PsnError VAULT_TAMPERED when it is not a sealed value.
 */
export function keyIdOf(sealed: string): string {
  return sealedBy(sealed);
}

interface Ring {
  readonly id: string;
  /** How every value sealed by this key begins. */
  readonly prefix: string;
  readonly userKey: (userId: string) => Key;
}

function ringOf(id: string, userKeyOf: (userId: string) => Key, format = FORMAT): Ring {
  return { id, prefix: `${format}.${id}.`, userKey: userKeyOf };
}

function vaultOf(first: readonly Ring[], reload?: () => readonly Ring[]): Vault {
  let rings = first;
  const current = (): Ring =>
    rings[0] ?? locked("The hub has no key: HUB_ENCRYPTION_KEY is not set.", "put the hub's key into config/hub.env");
  const ringFor = (sealed: string) => rings.find((candidate) => sealed.startsWith(candidate.prefix));
  const lookAgain = () => {
    if (!reload) return;
    try {
      rings = reload();
    } catch (error) {
      // Keys that cannot be read just now take nothing away from those that are here.
      if (!(error instanceof PsnError)) throw error;
    }
  };
  current();
  return {
    get keyId() {
      return current().id;
    },
    seal(place, plaintext) {
      // UTF-8 has no form for half a character: it would come back as another string.
      if (!plaintext.isWellFormed())
        throw new PsnError("INPUT_INVALID", `The value for ${nameOf(place)} is not well-formed Unicode text.`);
      lookAgain();
      const ring = current();
      return ring.prefix + encrypt(plaintext, ring.userKey(place.userId), utf8.encode(associatedData(place)));
    },
    open(place, sealed) {
      let ring = ringFor(sealed);
      if (ring === undefined) {
        lookAgain();
        ring = ringFor(sealed);
      }
      return decrypted(place, { sealed, ring: ring ?? missing(place, { sealed, rings }), aad: associatedData(place) });
    },
  };
}

function decrypted(
  place: FormerPlace,
  { sealed, ring, aad }: { readonly sealed: string; readonly ring: Ring; readonly aad: string },
): string {
  const key = ring.userKey(place.userId);
  try {
    return decrypt(sealed.slice(PREFIX_CHARS), key, utf8.encode(aad)).toString("utf8");
  } catch (error) {
    if (error instanceof PsnError) throw tampered(place);
    throw error;
  }
}

/** Throws VAULT_LOCKED for a value that another key has sealed, VAULT_TAMPERED for what is no value of this format. */
function missing(
  place: FormerPlace,
  {
    sealed,
    rings,
    format = FORMAT,
  }: { readonly sealed: string; readonly rings: readonly Ring[]; readonly format?: string | undefined },
): never {
  const ids = rings.map((one) => one.id).join(", ");
  return locked(
    `The value in ${nameOf(place)} was sealed by key ${sealedBy(sealed, place, format)}, and this hub has only ${ids}.`,
  );
}

function sealedBy(sealed: string, place?: FormerPlace, format = FORMAT): string {
  const [, of, id] = /^(v[12])\.([0-9a-f]{8})\.[A-Za-z0-9+/]+={0,2}$/.exec(sealed) ?? [];
  if (of !== format || id === undefined) throw tampered(place);
  return id;
}

function parseMemberKey(text: string): { readonly id: string; readonly key: Key } {
  const hex = text.trim().toLowerCase();
  if (!/^[0-9a-f]+$/.test(hex) || hex.length !== KEY_ID_CHARS + 2 * KEY_BYTES) {
    return locked(
      `A member's key is ${KEY_ID_CHARS + 2 * KEY_BYTES} hex characters; this one is not.`,
      "ask the hub's owner for a new invite",
    );
  }
  return { id: hex.slice(0, KEY_ID_CHARS), key: keyFromBytes(Buffer.from(hex.slice(KEY_ID_CHARS), "hex")) };
}

function userKey(hubKey: Key, userId: string): Key {
  return keyFromBytes(new Uint8Array(hkdfSync("sha256", hubKey.secret, USER_KEY_SALT, userId, KEY_BYTES)));
}

const utf8 = new TextEncoder();

function associatedData({ table, column, rowId, userId, version, audience }: Place): string {
  return JSON.stringify(["psn vault v2", table, column, rowId, userId, version, audience]);
}

function remember(make: (userId: string) => Key): (userId: string) => Key {
  const made = new Map<string, Key>();
  return (userId) => {
    const known = made.get(userId);
    if (known !== undefined) return known;
    const key = make(userId);
    made.set(userId, key);
    return key;
  };
}

function nameOf(place: FormerPlace): string {
  return `${place.table}.${place.column}`;
}

function tampered(place?: FormerPlace): PsnError {
  const what = place === undefined ? "A sealed value" : `The value in ${nameOf(place)}`;
  const details = place === undefined ? {} : { table: place.table, column: place.column, rowId: place.rowId };
  return new PsnError(
    "VAULT_TAMPERED",
    `${what} does not open: it was changed or moved, or what it was sealed for was changed.`,
    {
      details,
    },
  );
}

function locked(message: string, hint?: string): never {
  throw new PsnError("VAULT_LOCKED", message, hint === undefined ? {} : { hint });
}
