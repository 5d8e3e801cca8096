import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { generateKey, keyFromHex } from "@psn/core/utils/crypto.ts";
import { createVault } from "@psn/core/vault.ts";
import { type Figure, pairwise, perSecond } from "./report.ts";

const ROUND = 20_000;

/** A token's length, and a large one's. */
export default async function vaultBench(): Promise<readonly Figure[]> {
  const hex = generateKey();
  const vault = createVault({ keys: [keyFromHex(hex)] });
  const bound = { version: 1, audience: ["mastodon", "1@mastodon.example", "https://mastodon.example"] };
  const place = {
    table: "oauth_tokens",
    column: "access_token",
    rowId: Bun.randomUUIDv7(),
    userId: Bun.randomUUIDv7(),
    ...bound,
  };
  const bare = Buffer.from(hex, "hex");
  const aad = Buffer.from(Object.values(place).join());
  const figures: Figure[] = [];
  for (const size of [64, 2_048]) {
    const plaintext = randomBytes(size / 2).toString("hex");
    const sealOpen = () => {
      for (let i = 0; i < ROUND; i += 1) vault.open(place, vault.seal(place, plaintext));
    };
    const { a, ratio } = await pairwise(7, sealOpen, () => {
      for (let i = 0; i < ROUND; i += 1) bareRoundTrip(bare, aad, plaintext);
    });
    figures.push({
      name: `seal + open, ${size} bytes`,
      value: perSecond(ROUND, a),
      ratio: 1 / ratio,
      against: "bare node:crypto",
      aim: "≥ 0.8",
      met: 1 / ratio >= 0.8,
    });
  }
  return figures;
}

/** The same work with nothing around it: AES-256-GCM with AAD, to and from base64. */
function bareRoundTrip(key: Buffer, aad: Buffer, plaintext: string): string {
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, iv);
  cipher.setAAD(aad);
  const body = Buffer.concat([cipher.update(plaintext, "utf8"), cipher.final()]);
  const sealed = Buffer.concat([iv, cipher.getAuthTag(), body]).toString("base64");
  const back = Buffer.from(sealed, "base64");
  const decipher = createDecipheriv("aes-256-gcm", key, back.subarray(0, 12));
  decipher.setAAD(aad);
  decipher.setAuthTag(back.subarray(12, 28));
  return Buffer.concat([decipher.update(back.subarray(28)), decipher.final()]).toString("utf8");
}
