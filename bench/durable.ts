import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { openDurable } from "@psn/core/db/drivers/durable-files.ts";
import { type Figure, pairwise, perSecond } from "./report.ts";

const ROUNDS = 9;
const COMMITS = 300;

/** What it costs the embedded database to be durable: the same commits as psn opens it and as PGlite does by itself, in turns. */
export default async function durable(): Promise<readonly Figure[]> {
  const folder = await mkdtemp(join(tmpdir(), "psn-bench-"));
  const [synced, plain] = [await openDurable(join(folder, "synced"), () => undefined), await PGlite.create(join(folder, "plain"))];
  try {
    for (const db of [synced, plain]) await db.exec("CREATE TABLE one (n integer, said text)");
    const commits = (db: PGlite) => async () => {
      for (let n = 0; n < COMMITS; n += 1) await db.query("INSERT INTO one VALUES ($1, $2)", [n, "x".repeat(200)]);
    };
    const { a, b, ratio } = await pairwise(ROUNDS, commits(synced), commits(plain));
    return [
      {
        name: "commits, embedded, one connection",
        value: perSecond(COMMITS, a),
        ratio,
        against: "the time of one that is not synced",
        aim: "≤ 1.6x",
        met: ratio <= 1.6,
      },
      { name: "the same, not synced", value: perSecond(COMMITS, b) },
    ];
  } finally {
    await synced.close();
    await plain.close();
    await rm(folder, { recursive: true, force: true });
  }
}
