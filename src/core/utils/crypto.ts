import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  type KeyObject,
  randomBytes,
  randomFillSync,
} from "node:crypto";
import { PsnError } from "@psn/core/errors.ts";

/*
 * AES-256-GCM (NIST SP 800-38D) by node:crypto, and nothing about storage. A payload is base64(iv ‖ tag ‖ ciphertext).
 *
 * The iv is random. SP 800-38D, section 8.3, allows 2^32 random ivs under one key; the vault uses one key per user, who
 * will not store four thousand million tokens.
 */

const CIPHER = "aes-256-gcm";
/** 256 bits. */
export const KEY_BYTES = 32;
/** 96 bits, the length SP 800-38D recommends (section 5.2.1.1). */
export const IV_BYTES = 12;
/** 128 bits, the longest tag there is; a shorter one is never accepted. */
export const TAG_BYTES = 16;

const HEADER_BYTES = IV_BYTES + TAG_BYTES;
const STRICT = { lastChunkHandling: "strict" } as const;
const OPTIONS = { authTagLength: TAG_BYTES } as const;

/** A 256-bit key that is ready for use; it prints as nothing. */
export interface Key {
  readonly secret: KeyObject;
}

/** A new random key as 64 hex characters, as `HUB_ENCRYPTION_KEY` wants it. */
export function generateKey(): string {
  return randomBytes(KEY_BYTES).toString("hex");
}

/** A key from its 32 bytes. */
export function keyFromBytes(bytes: Uint8Array): Key {
  if (bytes.length !== KEY_BYTES)
    throw new PsnError("VAULT_LOCKED", `An encryption key is ${KEY_BYTES} bytes long, not ${bytes.length}.`);
  return { secret: createSecretKey(bytes) };
}

/**
 * A key from its 64 hex characters in either case, spaces around them forgiven.
 *
 * @throws PsnError VAULT_LOCKED when it is anything else; the message never repeats it.
 */
export function keyFromHex(hex: string): Key {
  const text = hex.trim();
  if (!/^[0-9a-f]{64}$/i.test(text)) {
    throw new PsnError(
      "VAULT_LOCKED",
      `HUB_ENCRYPTION_KEY must be 64 hex characters (0-9, a-f); ${whatIsWrong(text)}.`,
      {
        hint:
          "restore the hub's own key in config/hub.env, from your backup or a machine that has it; a new key " +
          "cannot decrypt what is already sealed",
      },
    );
  }
  return keyFromBytes(Buffer.from(text, "hex"));
}

function whatIsWrong(text: string): string {
  if (text === "") return "it is empty";
  return text.length === 64 ? "it has other characters" : `it has ${text.length} characters`;
}

// Taking random bytes for one iv costs as much as the rest of sealing a token; taking them for many at once does not.
const ivs = Buffer.alloc(IV_BYTES * 256);
let used = ivs.length;

function freshIv(): Uint8Array {
  if (used === ivs.length) {
    randomFillSync(ivs);
    used = 0;
  }
  const iv = ivs.subarray(used, used + IV_BYTES);
  used += IV_BYTES;
  return iv;
}

/**
 * The payload of a plaintext under a new random iv. A string is taken as UTF-8; one that is not well-formed loses its
 * lone surrogates, so the caller refuses it first.
 *
 * @param aad what the payload is bound to: it is not stored, and decrypting wants the same again.
 */
export function encrypt(plaintext: Uint8Array | string, key: Key, aad: Uint8Array): string {
  return encryptWithIv(plaintext, { key, aad, iv: freshIv() });
}

/**
 * As `encrypt`, with the iv given: for test vectors alone. The same iv twice under one key gives both plaintexts away
 * and lets anybody forge (SP 800-38D, appendix A).
 */
export function encryptWithIv(
  plaintext: Uint8Array | string,
  { key, aad, iv }: { readonly key: Key; readonly aad: Uint8Array; readonly iv: Uint8Array },
): string {
  const cipher = createCipheriv(CIPHER, key.secret, iv, OPTIONS);
  cipher.setAAD(aad);
  const ciphertext = typeof plaintext === "string" ? cipher.update(plaintext, "utf8") : cipher.update(plaintext);
  cipher.final(); // GCM holds nothing back: this only makes the tag.
  const payload = Buffer.allocUnsafe(HEADER_BYTES + ciphertext.length);
  payload.set(iv, 0);
  payload.set(cipher.getAuthTag(), IV_BYTES);
  payload.set(ciphertext, HEADER_BYTES);
  return payload.toString("base64");
}

/**
 * The plaintext of a payload, whole or not at all.
 *
 * @throws PsnError VAULT_TAMPERED when the payload, the key or the aad is not the one it was made with.
 */
export function decrypt(payload: string, key: Key, aad: Uint8Array): Buffer {
  const bytes = decode(payload);
  const decipher = createDecipheriv(CIPHER, key.secret, bytes.subarray(0, IV_BYTES), OPTIONS);
  decipher.setAAD(aad);
  decipher.setAuthTag(bytes.subarray(IV_BYTES, HEADER_BYTES));
  const plaintext = decipher.update(bytes.subarray(HEADER_BYTES));
  try {
    decipher.final();
  } catch {
    throw tampered();
  }
  return plaintext;
}

/** One payload has one spelling: what a lenient decoder forgives would let a change go unseen. */
function decode(payload: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = Uint8Array.fromBase64(payload, STRICT);
  } catch (error) {
    // Anything else is a runtime without fromBase64 (Bun has it, Node from 25 on), and no fault of the value.
    if (error instanceof SyntaxError) throw tampered();
    throw error;
  }
  // Strict decoding still skips white space, which shows in the length.
  if (bytes.length < HEADER_BYTES || payload.length !== 4 * Math.ceil(bytes.length / 3)) throw tampered();
  return bytes;
}

function tampered(): PsnError {
  return new PsnError("VAULT_TAMPERED", "A sealed value cannot be decrypted: it was changed, cut or moved.");
}
