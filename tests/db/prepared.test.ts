import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openEmbedded } from "@psn/core/db/drivers/embedded.ts";
import { crc32c, readPrepared } from "@psn/core/db/drivers/prepared-data.ts";
import { afterAll, expect, test } from "vitest";
import { PGLITE_VERSION } from "../support/pglite-version.ts";

/*
 * The database that every new hub's is unpacked from. `bun run prepared --check` holds its files against those that
 * initdb makes.
 */

const root = mkdtempSync(join(tmpdir(), "psn-prepared-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

async function identityOf(folder: string): Promise<unknown> {
  const database = await openEmbedded(folder);
  try {
    const found = await database.asOwner?.((client) =>
      client.query("SELECT system_identifier FROM pg_control_system()"),
    );
    return found?.rows[0]?.["system_identifier"];
  } finally {
    await database.close();
  }
}

test("it is of the PGlite that is installed; else run: bun run prepared", () => {
  expect(readPrepared().listing.version).toBe(PGLITE_VERSION);
});

test("two new databases have identifiers of their own, and keep them", async () => {
  const [one, other] = [join(root, "one"), join(root, "other")];
  const first = await identityOf(one);
  expect(first).toMatch(/^[1-9]\d*$/);
  expect(await identityOf(other)).not.toBe(first);
  expect(await identityOf(one)).toBe(first);
});

test("a checksum is CRC-32C: RFC 3720, appendix B.4", () => {
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  expect(crc32c(new Uint8Array(32).fill(0xff))).toBe(0x62a8ab43);
});
