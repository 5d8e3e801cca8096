import { appsOf, putKey } from "@psn/app/api-keys.ts";
import { sealCredentials } from "@psn/app/session.ts";
import { sql } from "drizzle-orm";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { newId } from "../db/stage.ts";
import { serverDatabases, type TestDatabase } from "../support/databases.ts";
import { sealedBefore } from "../support/former-seal.ts";
import { openStage, refusalOf, type Sample, type Stage } from "./token-stage.ts";

/*
 * A thief who may write the database, by the program's own login, and has no key: every token arrives where it was
 * given for and nowhere else, whatever the rows say (ADR 19).
 */

const TAMPERED = ["VAULT_TAMPERED", "psn connect"];

describe.each(serverDatabases)("tokens on $driver", ({ open }) => {
  let db: TestDatabase;
  let stage: Stage;
  beforeAll(async () => {
    db = await open();
    stage = await openStage(db);
  });
  afterEach(() => stage.forget());
  afterAll(() => db.close());

  /** Uses every account once it was tampered with: nothing secret arrives anywhere, and its user is told. */
  const nothingOpens = async (tamper: (id: string, sample: Sample) => Promise<unknown>) => {
    for (const sample of stage.samples) {
      const account = await stage.connect(sample);
      const [check, post] = await stage.use(account, () => tamper(account.id, sample));
      expect([sample.name, stage.arrived(), refusalOf(check), post]).toEqual([
        sample.name,
        [],
        TAMPERED,
        "held VAULT_TAMPERED",
      ]);
      await stage.forget();
    }
  };

  test("arrive where they were given for, and nowhere else", async () => {
    for (const sample of stage.samples) {
      const account = await stage.connect(sample);
      await stage.use(account);
      const arrived = stage.arrived();
      expect(arrived.length, sample.name).toBeGreaterThan(0);
      expect(arrived.filter((where) => !sample.allowed.includes(where))).toEqual([]);
      await stage.forget();
    }
  });

  test("do not open at another home", () =>
    nothingOpens((id) => stage.steal(sql`UPDATE psn.accounts SET home = 'https://evil.example' WHERE id = ${id}`)));

  test("do not open at a home that only begins the same, or that leaves https", async () => {
    await nothingOpens((id) =>
      stage.steal(sql`UPDATE psn.accounts SET home = home || '.evil.example' WHERE id = ${id}`),
    );
    await nothingOpens((id) =>
      stage.steal(sql`UPDATE psn.accounts SET home = replace(home, 'https:', 'http:') WHERE id = ${id}`),
    );
  });

  test("do not open for another platform", () =>
    nothingOpens((id, { platform }) =>
      stage.steal(sql`UPDATE psn.accounts SET platform = ${platform === "x" ? "threads" : "x"} WHERE id = ${id}`),
    ));

  test("do not open for another subject", () =>
    nothingOpens((id) => stage.steal(sql`UPDATE psn.accounts SET subject = 'did:plc:eve' WHERE id = ${id}`)));

  test("do not open in another row or column", async () => {
    await nothingOpens((id) =>
      stage.steal(sql`UPDATE psn.oauth_tokens SET id = ${newId()}::uuid WHERE account_id = ${id}`),
    );
    await nothingOpens((id) =>
      stage.steal(
        sql`UPDATE psn.oauth_tokens SET refresh_token = access_token, secret = access_token WHERE account_id = ${id}`,
      ),
    );
  });

  test("do not open when two accounts of a server change homes, or their rows", async () => {
    const [one, two] = stage.samples;
    if (!one || !two) throw new Error("two samples");
    for (const swap of [
      (a: string, b: string) =>
        sql`UPDATE psn.accounts a SET home = b.home FROM psn.accounts b
          WHERE a.id IN (${a}, ${b}) AND b.id IN (${a}, ${b}) AND a.id <> b.id`,
      // A token under the other account's row, where it would post in another name.
      (a: string, b: string) =>
        sql`WITH gone AS (DELETE FROM psn.oauth_tokens WHERE account_id = ${a} RETURNING *) UPDATE psn.oauth_tokens t
          SET id = g.id, version = g.version, access_token = g.access_token, refresh_token = g.refresh_token,
            secret = g.secret
          FROM gone g WHERE t.account_id = ${b}`,
    ]) {
      const [first, second] = [await stage.connect(one), await stage.connect(two)];
      const [check, post] = await stage.use(second, () => stage.steal(swap(first.id, second.id)));
      expect([stage.arrived(), refusalOf(check), post]).toEqual([[], TAMPERED, "held VAULT_TAMPERED"]);
      await stage.forget();
    }
  });

  test("an older token does not open once it was exchanged, or connected again", async () => {
    const { world, engine } = stage;
    const { userId } = engine;
    for (const sample of stage.samples) {
      const account = await stage.connect(sample);
      const old = await world.stores.accounts.credentials(userId, account.id);
      const { id, version } = old ?? { id: "", version: 0 };
      const fresh = sealCredentials(world, {
        userId,
        row: { id, version: version + 1 },
        account,
        credentials: sample.credentials,
      });
      expect(
        old &&
          (await world.stores.accounts.refreshed(userId, {
            accountId: account.id,
            previous: old,
            credentials: fresh,
            restMs: 0,
          })),
      ).toBe(true);
      const [check, post] = await stage.use(account, () =>
        stage.steal(
          sql`UPDATE psn.oauth_tokens
            SET access_token = ${old?.access}, refresh_token = ${old?.refresh}, secret = ${old?.secret}
            WHERE account_id = ${account.id}`,
        ),
      );
      expect([sample.name, stage.arrived(), refusalOf(check), post]).toEqual([
        sample.name,
        [],
        TAMPERED,
        "held VAULT_TAMPERED",
      ]);
      // Connected again, it has a row of its own, in which nothing older opens.
      const again = await stage.connect(sample);
      expect((await world.stores.accounts.credentials(userId, again.id))?.id).not.toBe(id);
      await stage.forget();
    }
  });

  test("what was sealed before tokens were bound does not open any more", () =>
    nothingOpens(async (id, { credentials }) => {
      const { userId, world } = stage.engine;
      const row = await world.stores.accounts.credentials(userId, id);
      const sealed = (column: string, text: string | undefined) =>
        text === undefined
          ? null
          : sealedBefore(stage.key, { table: "oauth_tokens", column, rowId: row?.id ?? "", userId }, text);
      const { access, refresh, secret } = credentials;
      const former = [
        sealed("access_token", access),
        sealed("refresh_token", refresh),
        sealed("secret", secret),
      ] as const;
      await stage.steal(
        sql`UPDATE psn.oauth_tokens
          SET access_token = ${former[0]}, refresh_token = ${former[1]}, secret = ${former[2]}
          WHERE account_id = ${id}`,
      );
    }));

  test("an address that was sealed rightly must be https all the same, or this machine", async () => {
    const homes = stage.samples.filter(({ platform }) => ["mastodon", "bluesky", "webhook"].includes(platform));
    for (const sample of homes) {
      // As a member seals it, who has a key of her own and may write her own rows.
      const home = sample.profile.home.replace("https:", "http:");
      const account = await stage.connect({ ...sample, profile: { ...sample.profile, home } });
      const [check, post] = await stage.use(account);
      const arrived = stage.arrived();
      // Where the session began is another server, and is asked over https.
      expect(arrived.filter((where) => !sample.allowed.includes(where))).toEqual([]);
      // A webhook is checked by nobody: it would take the question for a post.
      const told = sample.platform === "webhook" ? [undefined, undefined] : ["AUTH_REVOKED", "psn connect"];
      expect([sample.name, refusalOf(check), post]).toEqual([sample.name, told, "held AUTH_REVOKED"]);
      await stage.forget();
    }
  });

  test("an app's secret does not open under the name of another platform's", async () => {
    const { world, engine } = stage;
    for (const name of ["X_CLIENT_ID", "X_CLIENT_SECRET"])
      await putKey(world, { userId: engine.userId, name, value: `canary of ${name}` });
    const apps = appsOf(() => undefined, world.stores, world.vault);
    const found = () => apps.find(engine.userId, { id: "LINKEDIN_CLIENT_ID", secret: "LINKEDIN_CLIENT_SECRET" });
    expect(await found()).toBeUndefined();
    await stage.steal(sql`UPDATE psn.api_keys SET name = replace(name, 'X_', 'LINKEDIN_')`);
    await expect(found()).rejects.toMatchObject({ code: "VAULT_TAMPERED" });
  });
});
