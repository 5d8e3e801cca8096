import { readFileSync } from "node:fs";
import { PsnError } from "@psn/core/errors.ts";
import type { Place } from "@psn/core/ports/outside.ts";
import { encryptWithIv, generateKey, type Key, keyFromHex } from "@psn/core/utils/crypto.ts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { thrown } from "../../tests/support/thrown.ts";
import {
  createFormerVault,
  createMemberVault,
  createVault,
  deriveUserKey,
  type FormerPlace,
  keyId,
  keyIdOf,
} from "./vault.ts";

/** Of a valid vector also every step between; see scripts/vault-vectors.ts, which wrote the file. */
type Vector<At> = At & { readonly name: string; readonly sealed: string };
interface Vectors<At> {
  readonly valid: readonly (Vector<At> &
    Readonly<Record<"hubKey" | "iv" | "plaintext" | "userKey" | "memberKey" | "aad" | "keyId", string>>)[];
  readonly invalid: readonly (Vector<At> & { readonly code: string })[];
}

const former: Vectors<FormerPlace> & { readonly v2: Vectors<Place> } = JSON.parse(
  readFileSync(new URL("../../tests/fixtures/vault-vectors.json", import.meta.url), "utf8"),
);

const vectors = former.v2;

const key = keyFromHex(generateKey());
const vault = createVault({ keys: [key] });
const place: Place = {
  table: "oauth_tokens",
  column: "access_token",
  rowId: "01930b1e-7c00-7000-8000-000000000001",
  userId: "01930b1e-7c00-7000-8000-0000000000a1",
  version: 1,
  audience: ["mastodon", "1@example.org", "https://example.org"],
};

const anyPlace: fc.Arbitrary<Place> = fc.record({
  table: fc.constantFrom("oauth_tokens", "api_keys"),
  column: fc.string(),
  rowId: fc.uuid(),
  userId: fc.uuid(),
  version: fc.integer({ min: 1, max: 2_147_483_647 }),
  audience: fc.array(fc.string(), { maxLength: 3 }),
});
// Every code point there is, not only the printable ones.
const text = fc.oneof(fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }), fc.string({ maxLength: 5000 }));

describe("the format, as tests/fixtures/vault-vectors.json keeps it for ever", () => {
  test("there are vectors of both kinds", () => {
    expect(vectors.valid.length).toBeGreaterThan(5);
    expect(vectors.invalid.length).toBeGreaterThan(10);
    expect(former.valid.length).toBeGreaterThan(5);
    expect(former.invalid.length).toBeGreaterThan(20);
  });

  for (const vector of vectors.valid) {
    test(`opens: ${vector.name}`, () => {
      const hubKey = keyFromHex(vector.hubKey);
      expect(keyId(hubKey)).toBe(vector.keyId);
      expect(keyIdOf(vector.sealed)).toBe(vector.keyId);
      expect(deriveUserKey(hubKey, vector.userId)).toBe(vector.memberKey);
      expect(createVault({ keys: [hubKey] }).open(vector, vector.sealed)).toBe(vector.plaintext);
      expect(createMemberVault({ userId: vector.userId, keys: [vector.memberKey] }).open(vector, vector.sealed)).toBe(
        vector.plaintext,
      );
      const payload = encryptWithIv(vector.plaintext, {
        key: keyFromHex(vector.userKey),
        aad: Buffer.from(vector.aad),
        iv: Buffer.from(vector.iv, "hex"),
      });
      expect(`v2.${vector.keyId}.${payload}`).toBe(vector.sealed);
    });
  }

  for (const vector of vectors.invalid) {
    test(`does not open: ${vector.name}`, () => {
      const hubKey = keyFromHex(vectors.valid[0]?.hubKey ?? "");
      expect(thrown(() => createVault({ keys: [hubKey] }).open(vector, vector.sealed)).code).toBe(vector.code);
    });
  }
});

describe("version 1 of the format opens for the migration that seals it anew, and for nothing else", () => {
  for (const vector of former.valid) {
    test(vector.name, () => {
      const hubKey = keyFromHex(vector.hubKey);
      expect(createFormerVault([hubKey]).open(vector, vector.sealed)).toBe(vector.plaintext);
      const bound = { ...vector, version: 1, audience: place.audience };
      expect(thrown(() => createVault({ keys: [hubKey] }).open(bound, vector.sealed)).code).toBe("VAULT_TAMPERED");
      const member = createMemberVault({ userId: vector.userId, keys: [vector.memberKey] });
      expect(thrown(() => member.open(bound, vector.sealed)).code).toBe("VAULT_TAMPERED");
      expect(thrown(() => keyIdOf(vector.sealed)).code).toBe("VAULT_TAMPERED");
    });
  }

  for (const vector of former.invalid) {
    test(`does not open: ${vector.name}`, () => {
      const hubKey = keyFromHex(former.valid[0]?.hubKey ?? "");
      expect(thrown(() => createFormerVault([hubKey]).open(vector, vector.sealed)).code).toBe(vector.code);
    });
  }

  test("and it opens nothing of version 2", () => {
    for (const vector of vectors.valid)
      expect(thrown(() => createFormerVault([keyFromHex(vector.hubKey)]).open(vector, vector.sealed)).code).toBe(
        "VAULT_TAMPERED",
      );
  });
});

describe("laws", () => {
  test("what was sealed opens again", () => {
    return fc.assert(
      fc.property(anyPlace, text, (where, plaintext) => {
        expect(vault.open(where, vault.seal(where, plaintext))).toBe(plaintext);
      }),
    );
  });

  test("the same plaintext is sealed differently each time", () => {
    expect(vault.seal(place, "token")).not.toBe(vault.seal(place, "token"));
  });

  test("any bit of the sealed text changed", () => {
    const sealed = fc.tuple(text, fc.nat(), fc.integer({ min: 0, max: 7 }));
    return fc.assert(
      fc.property(sealed, ([plaintext, position, bit]) => {
        const whole = vault.seal(place, plaintext);
        const at = position % whole.length;
        const changed =
          whole.slice(0, at) + String.fromCharCode(whole.charCodeAt(at) ^ (1 << bit)) + whole.slice(at + 1);
        expect(["VAULT_TAMPERED", "VAULT_LOCKED"]).toContain(thrown(() => vault.open(place, changed)).code);
      }),
      { numRuns: 1000 },
    );
  });

  test("any other text", () => {
    return fc.assert(
      fc.property(fc.oneof(text, fc.base64String()), (other) => {
        expect(() => vault.open(place, other)).toThrow(PsnError);
        expect(() => vault.open(place, `v2.${keyId(key)}.${other}`)).toThrow(PsnError);
      }),
    );
  });

  test("moved anywhere else", () => {
    return fc.assert(
      fc.property(anyPlace, anyPlace, text, (here, there, plaintext) => {
        const sealed = vault.seal(here, plaintext);
        for (const part of ["table", "column", "rowId", "userId", "version", "audience"] as const) {
          if (JSON.stringify(here[part]) === JSON.stringify(there[part])) continue;
          expect(thrown(() => vault.open({ ...here, [part]: there[part] }, sealed)).code).toBe("VAULT_TAMPERED");
        }
      }),
    );
  });

  test("no two places look alike, however their names are cut", () => {
    const sealed = vault.seal({ ...place, table: "a", column: 'b","c' }, "x");
    expect(() => vault.open({ ...place, table: 'a","b', column: "c" }, sealed)).toThrow(PsnError);
    expect(() => vault.open({ ...place, table: "ab", column: '","c' }, sealed)).toThrow(PsnError);
  });
});

test("what does not open is named by its place, so that its owner knows what to connect anew", () => {
  const error = thrown(() => vault.open({ ...place, rowId: "another" }, vault.seal(place, "token")));
  expect(error.message).toContain("oauth_tokens.access_token");
  expect(error.details).toEqual({ table: "oauth_tokens", column: "access_token", rowId: "another" });
});

test("half a character is refused rather than lost", () => {
  const error = thrown(() => vault.seal(place, "canary\ud83d"));
  expect(error.code).toBe("INPUT_INVALID");
  expect(JSON.stringify(error)).not.toContain("canary");
});

describe("rotation", () => {
  const old = keyFromHex(generateKey());
  const both = createVault({ keys: [key, old] });

  test("opens what the older key sealed, seals under the current one, and tells them apart", () => {
    const before = createVault({ keys: [old] }).seal(place, "token");
    expect(both.open(place, before)).toBe("token");
    const after = both.seal(place, both.open(place, before));
    expect(keyIdOf(before)).toBe(keyId(old));
    expect(keyIdOf(after)).toBe(keyId(key));
    expect(both.keyId).toBe(keyId(key));
    expect(vault.open(place, after)).toBe("token");
  });

  test("a hub that dropped the older key says which one is missing", () => {
    const error = thrown(() => vault.open(place, createVault({ keys: [old] }).seal(place, "token")));
    expect(error.code).toBe("VAULT_LOCKED");
    expect(error.message).toContain(keyId(old));
    expect(error.message).toContain(keyId(key));
  });

  test("a hub without a key", () => {
    expect(thrown(() => createVault({ keys: [] })).code).toBe("VAULT_LOCKED");
  });
});

describe("a member's vault", () => {
  const member = createMemberVault({ userId: place.userId, keys: [deriveUserKey(key, place.userId)] });
  const stranger: Place = { ...place, userId: "01930b1e-7c00-7000-8000-0000000000b2" };

  test("and the hub's open each other's values", () => {
    expect(member.open(place, vault.seal(place, "from the hub"))).toBe("from the hub");
    expect(vault.open(place, member.seal(place, "from the member"))).toBe("from the member");
    expect(member.keyId).toBe(vault.keyId);
  });

  test("knows nobody else's", () => {
    expect(thrown(() => member.open(stranger, vault.seal(stranger, "token"))).code).toBe("VAULT_LOCKED");
    expect(thrown(() => member.seal(stranger, "token")).code).toBe("VAULT_LOCKED");
    const posing = createMemberVault({ userId: stranger.userId, keys: [deriveUserKey(key, place.userId)] });
    expect(thrown(() => posing.open(stranger, vault.seal(stranger, "token"))).code).toBe("VAULT_TAMPERED");
  });

  test("opens what an older key sealed", () => {
    const old = keyFromHex(generateKey());
    const keys = [key, old].map((hubKey: Key) => deriveUserKey(hubKey, place.userId));
    expect(
      createMemberVault({ userId: place.userId, keys }).open(place, createVault({ keys: [old] }).seal(place, "x")),
    ).toBe("x");
  });

  test("refuses what is not a member's key, the hub's own among it, without repeating it", () => {
    for (const wrong of ["", "canary", "ab".repeat(32), "ab".repeat(37), `${"ab".repeat(35)}zz`]) {
      const error = thrown(() => createMemberVault({ userId: place.userId, keys: [wrong] }));
      expect(error.code).toBe("VAULT_LOCKED");
      expect(JSON.stringify(error)).not.toMatch(/canary|abab/);
    }
    expect(thrown(() => createMemberVault({ userId: place.userId, keys: [] })).code).toBe("VAULT_LOCKED");
  });
});

test("no error of the vault holds ciphertext, key or plaintext", () => {
  const raw = generateKey();
  const strange = keyFromHex(generateKey());
  const mine = createVault({ keys: [keyFromHex(raw)] });
  const sealed = mine.seal(place, "canary-plaintext");
  const errors = [
    thrown(() => mine.open({ ...place, rowId: "another" }, sealed)),
    thrown(() => mine.open(place, sealed.slice(0, -4))),
    thrown(() => mine.open(place, createVault({ keys: [strange] }).seal(place, "canary-plaintext"))),
    thrown(() => mine.open(place, "canary-plaintext")),
    thrown(() => keyIdOf("canary-plaintext")),
  ];
  for (const error of errors) {
    const said = JSON.stringify(error) + String(error.stack) + Bun.inspect(error.cause);
    expect(said).not.toContain("canary-plaintext");
    expect(said).not.toContain(raw);
    expect(said).not.toContain(sealed.slice(12, 40));
  }
});
