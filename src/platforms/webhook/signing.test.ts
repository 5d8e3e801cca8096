import { createPublicKey, randomBytes, verify as verifyWith } from "node:crypto";
import { PsnError } from "@psn/core/errors.ts";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import { keyOf, newKeyPair, paddedSecret, publicKeyOf, signaturesOf } from "./signing.ts";

const whsec = (bytes: Uint8Array) => `whsec_${Buffer.from(bytes).toString("base64")}`;
const ID = "0199e3b2-7c00-7000-8000-000000000001";

function refused(secret: string): PsnError {
  try {
    keyOf(secret);
  } catch (error) {
    if (error instanceof PsnError) return error;
  }
  throw new Error("must be refused");
}

describe("a secret", () => {
  test("is taken exactly where base64 gives it back as it was written", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 64 }), (bytes) => {
        const secret = whsec(bytes);
        expect(keyOf(secret)).toMatchObject({ scheme: "v1", bytes: Buffer.from(bytes) });
        const bare = secret.replace(/=+$/, "");
        for (const padding of ["", "=", "==", "==="]) if (`${bare}${padding}` !== secret) refused(`${bare}${padding}`);
      }),
    );
  });

  const key = randomBytes(32);
  test.each([
    ["unpadded", `whsec_${key.toString("base64").replace(/=$/, "")}`],
    ["with one padding sign too many", `${whsec(key)}=`],
    ["in the alphabet of addresses", `whsec_${Buffer.alloc(33, 255).toString("base64url")}`],
    ["with bits left over", `whsec_${Buffer.alloc(32).toString("base64").replace("A=", "B=")}`],
    ["of 23 bytes", whsec(randomBytes(23))],
    ["of 65 bytes", whsec(randomBytes(65))],
    ["without its prefix", key.toString("base64")],
    ["with another prefix", `WHSEC_${key.toString("base64")}`],
    ["with a line break", `${whsec(key)}\n`],
    ["that is a public key", `whpk_${key.toString("base64")}`],
    ["that is a private key of 31 bytes", `whsk_${randomBytes(31).toString("base64")}`],
    ["that is a private key with another's public half", `whsk_${randomBytes(64).toString("base64")}`],
  ])("%s is refused, and is not in the message", (_, secret) => {
    const error = refused(secret);
    expect(error.code).toBe("INPUT_INVALID");
    expect(error.hint).toMatch(/--secret-new/);
    expect(JSON.stringify(error)).not.toContain(secret.replace(/^\w+?_/, "").trim());
  });
});

describe("a stored secret that an earlier psn took", () => {
  test.each([24, 25, 26, 32, 64])("signs by its %i bytes, however it is padded", (size) => {
    const secret = whsec(randomBytes(size));
    const bare = secret.replace(/=+$/, "");
    const expected = signaturesOf([secret], { id: ID, timestamp: 1, body: "{}" });
    for (const stored of [bare, `${bare}=`, `${bare}==`]) {
      expect(signaturesOf([stored], { id: ID, timestamp: 1, body: "{}" })).toBe(expected);
      expect(paddedSecret(stored)).toBe(secret);
      expect(publicKeyOf(stored)).toBeUndefined();
    }
  });

  test("is padded, and nothing else about it is changed", () => {
    for (const other of ["", "nonsense", newKeyPair(), `whsec_${"A".repeat(41)}`, "whsec_-_"])
      expect(paddedSecret(other).replace(/=+$/, "")).toBe(other.replace(/=+$/, ""));
    expect(() => signaturesOf([`whsec_${"A".repeat(41)}`], { id: ID, timestamp: 1, body: "{}" })).toThrow(PsnError);
  });
});

/**
 * By the specification's text alone: the signed content is `id.timestamp.body`, the key is the 32 bytes behind whpk_.
 */
function verifies(signature: string, publicKey: string, content: string): boolean {
  const raw = Buffer.from(publicKey.replace(/^whpk_/, ""), "base64");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: raw.toString("base64url") }, format: "jwk" });
  return verifyWith(null, Buffer.from(content), key, Buffer.from(signature.replace(/^v1a,/, ""), "base64"));
}

describe("a signature", () => {
  test("v1a holds for the whpk_ key, and for no other body, id or time", () => {
    const secret = newKeyPair();
    const publicKey = publicKeyOf(secret) ?? "";
    expect(publicKey).toMatch(/^whpk_[A-Za-z0-9+/]{43}=$/);
    const signature = signaturesOf([secret], { id: ID, timestamp: 1_793_620_800, body: '{"a":1}' });
    expect(signature).toMatch(/^v1a,/);
    expect(verifies(signature, publicKey, `${ID}.1793620800.{"a":1}`)).toBe(true);
    for (const other of [`${ID}.1793620801.{"a":1}`, `${ID}.1793620800.{"a":2}`, `x.1793620800.{"a":1}`])
      expect(verifies(signature, publicKey, other)).toBe(false);
    expect(verifies(signature, publicKeyOf(newKeyPair()) ?? "", `${ID}.1793620800.{"a":1}`)).toBe(false);
  });

  test("a seed of 32 bytes is the same key as its 64 bytes, and RFC 8032's first one signs as the RFC says", () => {
    const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
    const half = Buffer.from("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "hex");
    const [short, long] = [seed, Buffer.concat([seed, half])].map((bytes) => `whsk_${bytes.toString("base64")}`);
    expect([short, long].map((secret) => publicKeyOf(secret ?? ""))).toEqual(
      Array(2).fill(`whpk_${half.toString("base64")}`),
    );
    expect(signaturesOf([short ?? ""], { id: ID, timestamp: 1, body: "" })).toBe(
      signaturesOf([long ?? ""], { id: ID, timestamp: 1, body: "" }),
    );
  });

  test("several are separated by a space, and the specification's own library takes them with either secret", () => {
    const at = Math.floor(Date.now() / 1000);
    const [now, before, pair] = [whsec(randomBytes(32)), whsec(randomBytes(24)), newKeyPair()];
    const body = '{"type":"post.published"}';
    const headers = {
      "webhook-id": ID,
      "webhook-timestamp": String(at),
      "webhook-signature": signaturesOf([now, before, pair], { id: ID, timestamp: at, body }),
    };
    expect(headers["webhook-signature"].split(" ").map((one) => one.split(",")[0])).toEqual(["v1", "v1", "v1a"]);
    for (const secret of [now, before])
      expect(new Webhook(secret).verify(body, headers)).toEqual({ type: "post.published" });
    expect(() => new Webhook(whsec(randomBytes(32))).verify(body, headers)).toThrow();
  });
});
