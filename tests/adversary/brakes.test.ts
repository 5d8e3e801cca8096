import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { makeDue, newId, schedule } from "../db/stage.ts";
import { asOwner, serverDatabases } from "../support/databases.ts";
import { claimAll, openPair, type Pair, tries, veraIsServed } from "./member.ts";

/** Permission denied, or a row that the policies do not take; and a row that its table does not take. */
const REFUSED = /^(42501|23514)$/;
const FAR = ["-infinity", "infinity", "0044-03-15 BC", "1969-12-31 23:59:59Z", "10000-01-01 00:00Z", "294276-12-31"];

describe.each(serverDatabases)("a member's rows are nobody's brake, on $driver", (driver) => {
  let pair: Pair;
  let mine: Awaited<ReturnType<typeof schedule>>;
  beforeAll(async () => {
    pair = await openPair(driver);
    mine = await schedule(pair.mallory);
  });
  afterAll(() => pair.db.close());

  it("what the engine counts with is not written by a member", async () => {
    const changes = [
      "attempt = 2147483647",
      "fence = 9223372036854775807",
      "lease_until = 'infinity'",
      "wake_at = '-infinity'",
      "worker = 'x', state = 'sending'",
      "state = 'published'",
      "due_at = now()",
    ];
    for (const change of changes)
      expect(await tries(pair, `UPDATE psn.deliveries SET ${change} WHERE id = '${mine.id}'`), change).toBe("42501");
    for (const change of ["state = 'published'", "sent_at = now()", "handle = '1'", "prepared = '1'", "ref_id = 'x'"])
      expect(await tries(pair, `UPDATE psn.delivery_units SET ${change}`), change).toBe("42501");
    expect(await veraIsServed(pair)).toBe(true);
  });

  it("a delivery is born scheduled and untouched, or not at all", async () => {
    const born = async (columns: string, values: string) => {
      const post = newId();
      await tries(
        pair,
        `INSERT INTO psn.posts (id, user_id, parts) VALUES ('${post}', '${pair.mallory.userId}', '[]')`,
      );
      return tries(
        pair,
        `INSERT INTO psn.deliveries (id, user_id, post_id, account_id, state, due_at, wake_at${columns})
         VALUES ('${newId()}', '${pair.mallory.userId}', '${post}', '${pair.mallory.accountId}', ${values})`,
      );
    };
    expect(await born("", "'scheduled', now(), now()")).toBe("done");
    expect(await born(", late", "'scheduled', now(), now(), 'drop'")).toBe("done");
    const wrong = [
      [", attempt", "'scheduled', now(), now(), 2147483647"],
      [", fence", "'scheduled', now(), now(), 9223372036854775807"],
      [", lease_until", "'scheduled', now(), now(), 'infinity'"],
      [", worker", "'scheduled', now(), now(), 'w'"],
      [", code", "'scheduled', now(), now(), 'LATE'"],
      ["", "'claimed', now(), now()"],
      ["", "'sending', now(), now()"],
      ["", "'pending', now(), now()"],
      ["", "'scheduled', now(), now() + interval '1 second'"],
      ...FAR.map((at) => ["", `'scheduled', '${at}', '${at}'`] as const),
      ...FAR.map((at) => [", updated_at", `'scheduled', now(), now(), '${at}'`] as const),
    ] as const;
    for (const [columns, values] of wrong) expect(await born(columns, values), values).toMatch(REFUSED);
    expect(await veraIsServed(pair)).toBe(true);
  });

  it("history has its order from the database: no number of a member's stands in a claim's way", async () => {
    const { id } = await schedule(pair.mallory);
    const insert = (columns: string, values: string) =>
      tries(
        pair,
        `INSERT INTO psn.delivery_events (delivery_id, user_id, event, attempt, actor${columns}) OVERRIDING SYSTEM VALUE
         SELECT '${id}', '${pair.mallory.userId}', 'x', 0, 'x'${values} FROM generate_series(1, 2000) n`,
      );
    const [next] = await asOwner<{ last: number }>(
      pair.db,
      "SELECT last_value::integer AS last FROM psn.delivery_events_sequence_seq",
    );
    expect(await insert(", sequence", `, ${next?.last ?? 0} + n`)).toBe("42501");
    expect(await veraIsServed(pair)).toBe(true);
  });

  it("no instant of any table is infinite or far, whoever writes it", async () => {
    const columns = await asOwner<{ name: string; col: string }>(
      pair.db,
      `SELECT c.relname::text AS name, a.attname::text AS col FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
       WHERE c.relnamespace = 'psn'::regnamespace AND c.relkind = 'r' AND c.relname <> 'migrations' AND a.attnum > 0
         AND NOT a.attisdropped
         AND a.atttypid IN ('timestamptz'::regtype, 'timestamp'::regtype)`,
    );
    expect(columns.length).toBeGreaterThan(25);
    const [{ text = "" } = {}] = await asOwner<{ text: string }>(
      pair.db,
      `SELECT string_agg(c.relname || ' ' || pg_get_constraintdef(k.oid), ' ') AS text
       FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
       WHERE k.connamespace = 'psn'::regnamespace AND k.contype = 'c' AND k.convalidated
         AND k.conname LIKE '%\\_instants'`,
    );
    for (const { name, col } of columns) {
      const own = text.split(new RegExp(`(?=\\b${name} CHECK)`)).find((part) => part.startsWith(`${name} CHECK`)) ?? "";
      for (const bound of [
        /LEAST\(([^)]*)\) >= to_timestamp\(\(0\)/,
        /GREATEST\(([^)]*)\) < to_timestamp\(\('253402300800'/,
      ])
        expect((bound.exec(own)?.[1] ?? "").split(", "), `${name}.${col}`).toContain(col);
    }
    for (const at of FAR)
      for (const col of ["due_at", "wake_at", "lease_until", "published_at", "created_at", "updated_at"])
        await expect(
          asOwner(pair.db, `UPDATE psn.deliveries SET ${col} = '${at}'`),
          `${col} ${at}`,
        ).rejects.toMatchObject({
          details: { code: "23514" },
        });
    for (const change of [`paused_until = '-infinity'`, "paused_until = 'infinity'"])
      expect(await tries(pair, `UPDATE psn.accounts SET ${change}`)).toBe("23514");
    expect(await tries(pair, "UPDATE psn.oauth_tokens SET expires_at = '-infinity'")).toBe("23514");
  });

  it("numbers and sizes have bounds", async () => {
    for (const change of ["attempt = -1", "attempt = 2147483647", "fence = -1", "fence = 9007199254740992"])
      await expect(asOwner(pair.db, `UPDATE psn.deliveries SET ${change}`), change).rejects.toMatchObject({
        details: { code: "23514" },
      });
    const unit = (position: number, body: string, text: string) =>
      tries(
        pair,
        `INSERT INTO psn.delivery_units (id, user_id, delivery_id, position, body, text, length, media, needs_prepare)
         VALUES ('${newId()}', '${pair.mallory.userId}', '${mine.id}', ${position}, ${body}, ${text}, 5, '{}', false)`,
      );
    expect(await unit(1, "'{}'", "'hello'")).toBe("done");
    expect(await unit(1000, "'{}'", "'hello'")).toBe("23514");
    expect(await unit(2, "to_jsonb(repeat('x', 3000000))", "'hello'")).toBe("23514");
    expect(await unit(3, "'{}'", "repeat('x', 3000000)")).toBe("23514");
    expect(await tries(pair, "UPDATE psn.accounts SET handle = repeat('x', 100000)")).toBe("23514");
    const media = (bytes: number) =>
      tries(
        pair,
        `INSERT INTO psn.media (id, user_id, post_id, kind, mime, bytes, sha256, content)
         VALUES ('${newId()}', '${pair.mallory.userId}', '${mine.postId}', 'image', 'image/png', ${bytes}, '00',
           '\\x0102')`,
      );
    expect(await Promise.all([media(2), media(1), media(-5)])).toEqual(["done", "23514", "23514"]);
  });

  it("a fence that cannot grow and an attempt that is the last stop nobody's claim", async () => {
    const [full, last] = [await schedule(pair.mallory), await schedule(pair.mallory)];
    await asOwner(pair.db, "UPDATE psn.deliveries SET fence = 9007199254740991 WHERE id = $1", [full.id]);
    await asOwner(pair.db, "UPDATE psn.deliveries SET attempt = 1000000 WHERE id = $1", [last.id]);
    const { id } = await schedule(pair.vera);
    const claimed = (await claimAll(pair)).map(({ deliveryId }) => deliveryId);
    expect(claimed).toContain(id);
    expect(claimed).toContain(last.id);
    expect(claimed).not.toContain(full.id);
    await asOwner(pair.db, "DELETE FROM psn.deliveries WHERE id = $1", [full.id]);
  });

  it("the next wake-up and the watchdog's are instants, whatever is there", async () => {
    const { id } = await schedule(pair.mallory, { dueInMs: 3_600_000 });
    await asOwner(pair.db, "UPDATE psn.deliveries SET wake_at = to_timestamp(0) WHERE id = $1", [id]);
    const { deliveries } = pair.vera.stores;
    expect(Number.isFinite(await deliveries.nextWake({ [pair.vera.platform]: 1 }))).toBe(true);
    const watched = { worker: "watch", version: "0", platforms: [pair.vera.platform], aheadMs: 60_000, most: 500 };
    for (const { at } of await deliveries.wakeUps(watched)) expect(Number.isNaN(at.getTime())).toBe(false);
    await makeDue(pair.mallory, id);
  });
});
