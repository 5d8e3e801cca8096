import { encrypt, keyFromBytes, keyFromHex } from "@psn/core/utils/crypto.ts";
import { deriveUserKey, type FormerPlace, keyId } from "@psn/core/vault.ts";

/** Seals as psn did before version 2 of the format: bound to its place, and to nothing else. */
export function sealedBefore(hubKey: string, { table, column, rowId, userId }: FormerPlace, plaintext: string): string {
  const key = keyFromHex(hubKey);
  const userKey = keyFromBytes(Buffer.from(deriveUserKey(key, userId).slice(keyId(key).length), "hex"));
  const aad = new TextEncoder().encode(JSON.stringify(["psn vault v1", table, column, rowId, userId]));
  return `v1.${keyId(key)}.${encrypt(plaintext, userKey, aad)}`;
}
