import { createDecipheriv } from "node:crypto";
import { PsnError } from "@psn/core/errors.ts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { thrown } from "../../../tests/support/thrown.ts";
import {
  decrypt,
  encrypt,
  encryptWithIv,
  generateKey,
  IV_BYTES,
  keyFromBytes,
  keyFromHex,
  TAG_BYTES,
} from "./crypto.ts";

/*
 * McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)", the submission SP 800-38D was made from, appendix B:
 * test cases 13 to 16, those with a 256-bit key and a 96-bit iv.
 */
const KEY = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308";
const PLAINTEXT =
  "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5" +
  "aa0de657ba637b391aafd255";
const CIPHERTEXT =
  "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e63" +
  "93ba7a0abcc9f662898015ad";
const zeros = (bytes: number) => "00".repeat(bytes);

const CASES = [
  {
    name: "13",
    key: zeros(32),
    iv: zeros(12),
    aad: "",
    plaintext: "",
    ciphertext: "",
    tag: "530f8afbc74536b9a963b4f1c4cb738b",
  },
  {
    name: "14",
    key: zeros(32),
    iv: zeros(12),
    aad: "",
    plaintext: zeros(16),
    ciphertext: "cea7403d4d606b6e074ec5d3baf39d18",
    tag: "d0d1c8a799996bf0265b98b5d48ab919",
  },
  {
    name: "15",
    key: KEY,
    iv: "cafebabefacedbaddecaf888",
    aad: "",
    plaintext: PLAINTEXT,
    ciphertext: CIPHERTEXT,
    tag: "b094dac5d93471bdec1a502270e3cc6c",
  },
  {
    name: "16",
    key: KEY,
    iv: "cafebabefacedbaddecaf888",
    aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
    plaintext: PLAINTEXT.slice(0, 120),
    ciphertext: CIPHERTEXT.slice(0, 120),
    tag: "76fc6ece0f4e1768cddf8853bb2d551b",
  },
] as const;

const hex = (text: string) => Buffer.from(text, "hex");
const bytes = fc.uint8Array({ maxLength: 300 });

describe("the published test cases", () => {
  for (const { name, key, iv, aad, plaintext, ciphertext, tag } of CASES) {
    test(`case ${name} both ways`, () => {
      const payload = hex(iv + tag + ciphertext).toString("base64");
      expect(encryptWithIv(hex(plaintext), { key: keyFromHex(key), aad: hex(aad), iv: hex(iv) })).toBe(payload);
      expect(decrypt(payload, keyFromHex(key), hex(aad)).toString("hex")).toBe(plaintext);
    });

    test(`case ${name} with any bit of the tag changed, the tag of nulls and every shorter tag`, () => {
      for (let bit = 0; bit < TAG_BYTES * 8; bit++) {
        const wrong = hex(tag);
        wrong.writeUInt8(wrong.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
        const payload = Buffer.concat([hex(iv), wrong, hex(ciphertext)]).toString("base64");
        expect(thrown(() => decrypt(payload, keyFromHex(key), hex(aad))).code).toBe("VAULT_TAMPERED");
      }
      for (const other of [zeros(16), ...Array.from({ length: TAG_BYTES }, (_, length) => tag.slice(0, 2 * length))]) {
        const payload = hex(iv + other + ciphertext).toString("base64");
        expect(thrown(() => decrypt(payload, keyFromHex(key), hex(aad))).code).toBe("VAULT_TAMPERED");
      }
    });
  }
});

test("a payload is base64 of iv, tag and ciphertext in this order, as bare node:crypto reads it", () => {
  const raw = generateKey();
  const aad = Buffer.from("place");
  const payload = Buffer.from(encrypt("a secret", keyFromHex(raw), aad), "base64");
  const decipher = createDecipheriv("aes-256-gcm", hex(raw), payload.subarray(0, IV_BYTES));
  decipher.setAAD(aad).setAuthTag(payload.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  expect(decipher.update(payload.subarray(IV_BYTES + TAG_BYTES), undefined, "utf8") + decipher.final("utf8")).toBe(
    "a secret",
  );
});

test("whatever is encrypted comes back, and under no other key or aad", () => {
  return fc.assert(
    fc.property(bytes, bytes, bytes, (plaintext, aad, other) => {
      const key = keyFromHex(generateKey());
      const payload = encrypt(plaintext, key, aad);
      expect(new Uint8Array(decrypt(payload, key, aad))).toEqual(plaintext);
      expect(() => decrypt(payload, keyFromHex(generateKey()), aad)).toThrow(PsnError);
      if (Buffer.compare(aad, other) !== 0) expect(() => decrypt(payload, key, other)).toThrow(PsnError);
    }),
  );
});

test("every changed bit of the payload's text is seen, also where base64 would forgive it", () => {
  const key = keyFromHex(generateKey());
  const aad = Buffer.from("place");
  for (const plaintext of ["", "a", "ab", "abc"]) {
    const payload = encrypt(plaintext, key, aad);
    for (let at = 0; at < payload.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed =
          payload.slice(0, at) + String.fromCharCode(payload.charCodeAt(at) ^ (1 << bit)) + payload.slice(at + 1);
        expect(thrown(() => decrypt(changed, key, aad)).code).toBe("VAULT_TAMPERED");
      }
    }
    for (const changed of [`${payload}\n`, ` ${payload}`, `${payload}=`, `${payload.replace(/=+$/, "")}A`]) {
      expect(() => decrypt(changed, key, aad)).toThrow(PsnError);
    }
  }
});

test("no iv comes twice, over many refills", () => {
  const key = keyFromHex(generateKey());
  const aad = new Uint8Array();
  const ivs = Array.from({ length: 2000 }, () => encrypt("", key, aad).slice(0, 16));
  expect(new Set(ivs).size).toBe(ivs.length);
});

describe("keys", () => {
  test("a generated key is 64 hex characters and another each time", () => {
    expect(generateKey()).toMatch(/^[0-9a-f]{64}$/);
    expect(generateKey()).not.toBe(generateKey());
  });

  test("case and spaces around it do not matter", () => {
    const raw = generateKey();
    const payload = encrypt("x", keyFromHex(` ${raw.toUpperCase()}\r\n`), new Uint8Array());
    expect(decrypt(payload, keyFromHex(raw), new Uint8Array()).toString()).toBe("x");
  });

  test("a key of another form is refused, by name and with the fix, and never repeated", () => {
    const almost = `canary${"0".repeat(58)}`;
    for (const wrong of [
      "",
      "canary",
      almost,
      "0".repeat(63),
      "0".repeat(65),
      `0x${"0".repeat(62)}`,
      `${"0".repeat(32)} ${"0".repeat(31)}`,
    ]) {
      const error = thrown(() => keyFromHex(wrong));
      expect(error.code).toBe("VAULT_LOCKED");
      expect(error.message).toContain("HUB_ENCRYPTION_KEY");
      expect(error.hint).toContain("config/hub.env");
      expect(JSON.stringify(error) + String(error.stack)).not.toContain("canary");
      expect(JSON.stringify(error)).not.toContain("00000");
    }
    expect(thrown(() => keyFromBytes(new Uint8Array(16))).code).toBe("VAULT_LOCKED");
  });

  test("a key shows nothing of itself", () => {
    const raw = "ca".repeat(32);
    const key = keyFromHex(raw);
    const shown = JSON.stringify(key) + Bun.inspect(key) + String(key);
    expect(shown).not.toContain(raw);
    expect(shown).not.toContain(Buffer.from(raw, "hex").toString("base64"));
  });
});
