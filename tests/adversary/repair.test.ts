import { openPg } from "@psn/core/db/drivers/pg.ts";
import { migrate } from "@psn/core/db/migrate.ts";
import { knownMigrations } from "@psn/core/db/migrations.ts";
import { createStores } from "@psn/core/db/stores/index.ts";
import { LEASE_MS } from "@psn/domain/delivery.ts";
import { expect, it } from "vitest";
import { newId } from "../db/stage.ts";
import { asOwner, newName, newPassword } from "../support/databases.ts";
import { sharedPostgres } from "../support/shared-postgres.ts";

const BEFORE = 14;

it("rows that a member has spoilt come within the bounds, also under the owner's own policies", async () => {
  const server = await sharedPostgres();
  const [name, password] = [newName(), newPassword()];
  const superuser = openPg(server.url);
  await asOwner(
    { owner: superuser },
    `CREATE ROLE ${name} LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD '${password}'`,
  );
  await asOwner({ owner: superuser }, `CREATE DATABASE ${name} OWNER ${name}`);
  const roles = await asOwner(
    { owner: superuser },
    "SELECT rolname FROM pg_roles WHERE rolname LIKE 'psn\\_%r' OR rolname LIKE 'psn\\_service'",
  );
  for (const role of roles)
    await asOwner({ owner: superuser }, `GRANT ${String(role["rolname"])} TO ${name} WITH ADMIN OPTION`);
  const at = (user?: string) => {
    const url = new URL(server.url);
    url.pathname = `/${name}`;
    if (user) Object.assign(url, { username: user, password });
    return openPg(url.href);
  };
  const [owner, above] = [at(name), at()];
  const rows = (text: string, values: readonly unknown[] = []) => asOwner({ owner: above }, text, values);
  try {
    await migrate(owner, knownMigrations().slice(0, BEFORE));
    const [userId, accountId] = [newId(), newId()];
    await rows("INSERT INTO psn.users (id, handle, time_zone) VALUES ($1, 'm', 'UTC')", [userId]);
    await rows(
      `INSERT INTO psn.accounts (id, user_id, platform, subject, handle, url, home, limits, paused_until)
       VALUES ($1, $2, 'idle', repeat('s', 100000), 'h', '', '', to_jsonb(repeat('x', 100000)), '-infinity')`,
      [accountId, userId],
    );
    const spoilt = async (columns: string, values: string, body = "'{}'", position = 0) => {
      const [post, id] = [newId(), newId()];
      await rows("INSERT INTO psn.posts (id, user_id, parts) VALUES ($1, $2, '[]')", [post, userId]);
      await rows(
        `INSERT INTO psn.deliveries (id, user_id, post_id, account_id, state, due_at, wake_at${columns})
         VALUES ('${id}', '${userId}', '${post}', $1, 'scheduled', now(), ${values})`,
        [accountId],
      );
      await rows(
        `INSERT INTO psn.delivery_units (id, user_id, delivery_id, position, body, text, length, media, needs_prepare)
         VALUES ($1, $2, $3, ${position}, ${body}, 'hello', -1, '{}', false)`,
        [newId(), userId, id],
      );
      return id;
    };
    const due = [
      await spoilt("", "'-infinity'"),
      await spoilt(", attempt", "now(), 2147483647"),
      await spoilt(", attempt", "now(), -5"),
      await spoilt(", fence", "now(), 9223372036854775807"),
      await spoilt(", published_at, worker", "now(), 'infinity', repeat('w', 100000)"),
    ];
    const never = [
      await spoilt("", "'infinity'"),
      // Stored small, and large in memory: what counts is what is written.
      await spoilt("", "now()", `(SELECT to_jsonb(string_agg(md5(n::text), '')) FROM generate_series(1, 200000) n)`),
      await spoilt("", "now()", "'{}'", 5_000),
    ];
    await rows(
      "INSERT INTO psn.media (id, user_id, post_id, kind, mime, bytes, sha256, content) SELECT $1, user_id, id, " +
        `'image', '', -1, '', '\\x01' FROM psn.posts LIMIT 1`,
      [newId()],
    );
    expect(await migrate(owner)).toBe(knownMigrations().length - BEFORE);

    const { deliveries } = createStores(above);
    const claims = await deliveries.claim({ worker: "w", most: 64, leaseMs: LEASE_MS, concurrency: { idle: 64 } });
    expect(claims.map(({ deliveryId }) => deliveryId).toSorted()).toEqual(due.toSorted());
    const states = await rows("SELECT state, code FROM psn.deliveries WHERE id = ANY ($1) ORDER BY id", [never]);
    expect(states).toEqual([
      { state: "scheduled", code: null },
      { state: "failed", code: "POST_INVALID" },
      { state: "failed", code: "POST_INVALID" },
    ]);
    expect(Number.isFinite(await deliveries.nextWake({ idle: 64 }))).toBe(true);
    expect(
      await rows(
        "SELECT count(*)::integer AS n FROM pg_class WHERE relnamespace = 'psn'::regnamespace AND " +
          "relrowsecurity AND NOT relforcerowsecurity",
      ),
    ).toEqual([{ n: 0 }]);
  } finally {
    await Promise.all([owner, above].map((each) => each.close()));
    await asOwner({ owner: superuser }, `DROP DATABASE ${name} WITH (FORCE)`);
    await superuser.close();
  }
});
