import { createHash, randomBytes } from "node:crypto";
import { connectAccount } from "@psn/app/connect-account.ts";
import { openSession, refreshSession } from "@psn/app/session.ts";
import type { Database } from "@psn/core/db/connection.ts";
import { openNeonHttp } from "@psn/core/db/drivers/neon-http.ts";
import { openNeonWs } from "@psn/core/db/drivers/neon-ws.ts";
import { openPg } from "@psn/core/db/drivers/pg.ts";
import { makeServiceLogin } from "@psn/core/db/logins.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import type { FaultPoint } from "@psn/core/ports/fault-points.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { Credentials } from "@psn/core/types/account.ts";
import type { Fetch, Platform, Session } from "@psn/core/types/platform.ts";
import { definePlatform } from "@psn/platforms/kit/define.ts";
import { call } from "@psn/platforms/kit/http.ts";
import { authorizationUrl, exchangeCode, exchangeRefresh, revokeToken } from "@psn/platforms/kit/oauth.ts";
import type { Tokens } from "@psn/platforms/kit/oauth-answer.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { type AuthorizationServer, type Awkward, startAuthorizationServer } from "../support/authorization-server.ts";
import {
  asOwner,
  newName,
  newPassword,
  sharedGateway,
  type TestDatabase,
  testDatabases,
  urlAs,
} from "../support/databases.ts";
import { sharedPostgres } from "../support/shared-postgres.ts";
import { until } from "../support/until.ts";
import { createWorld, newKey, type TestWorld } from "../support/world.ts";
import { type Stage, stageOn } from "./stage.ts";

/*
 * Refreshing against a real authorisation server, whose refresh tokens work once: a second use ends the whole grant.
 * What is told of here of workers, crashes and lost answers is what a mistake would cost: the account.
 */

let as: AuthorizationServer;
beforeAll(async () => {
  as = await startAuthorizationServer();
});
afterEach(() => as.calm());
afterAll(() => as.stop());

const credentialsOf = ({ access, refresh, expiresAt, scopes }: Tokens): Credentials => ({
  access,
  ...(refresh ? { refresh } : {}),
  ...(expiresAt ? { expiresAt } : {}),
  scopes,
});

/** A platform whose tokens are the server's, and whose posts are looks at its guarded page. */
function granted(out: string[]): Platform {
  const server = as.server("basic");
  const me = async (session: Pick<Session, "credentials" | "fetch" | "now" | "signal">, effect: "publish" | "none") => {
    const headers = { authorization: `Bearer ${session.credentials.access}` };
    const { text } = await call(session, `${as.origin}/me`, { effect, headers });
    const { sub }: { sub: string } = JSON.parse(text);
    return { subject: sub, handle: sub, url: `${as.origin}/${sub}`, home: as.origin };
  };
  const platform: Platform = {
    id: "granted",
    name: "Granted",
    docs: "https://example.com",
    capabilities: {
      text: { max: 500, unit: "grapheme" },
      altText: false,
      thread: "reply-chain",
      visibilities: ["public"],
      contentWarning: false,
      duplicates: "ask-human",
      concurrency: 2,
    },
    auth: [
      {
        kind: "oauth",
        fields: [],
        app: { page: "https://example.com", steps: [], keys: { id: "GRANTED_ID", secret: "GRANTED_SECRET" } },
      },
    ],
    authorize: async (request) => authorizationUrl(server, request),
    exchange: async (request, net) => {
      const credentials = credentialsOf(await exchangeCode(server, request, net));
      return { credentials, profile: await me({ ...net, credentials }, "none") };
    },
    identify: (session) => me(session, "none"),
    compose: ({ parts: [{ text }] }) => ({
      ok: true,
      units: [{ body: { text }, text, length: text.length, media: [], prepare: false }],
    }),
    publish: async ({ unit }, session) => {
      const { url } = await me(session, "publish");
      out.push(unit.text);
      return { status: "published", ref: { id: String(out.length), url: `${url}/${out.length}` } };
    },
    refresh: async (session) => credentialsOf(await exchangeRefresh(server, session)),
    revoke: (session) => revokeToken(server, session, session.credentials.refresh ?? session.credentials.access),
    remove: async () => undefined,
  };
  return definePlatform(platform);
}

interface Ground {
  readonly db: TestDatabase;
  readonly stage: Stage;
  readonly platform: Platform;
  readonly world: World;
  readonly out: readonly string[];
  /** Consents in the browser, at first or again. */
  connect(): Promise<Account>;
  /** Consents, and waits until the access token has ended. */
  connectLate(): Promise<Account>;
  /** Makes the guarded page refuse the access token that is stored now, without the wait. */
  refuse(account: Account): Promise<void>;
  /** As somebody has it who has just been told that the token is not accepted. */
  session(account: Account, world?: World): Promise<Session>;
  refresh(account: Account, session: Session, world?: World): Promise<Session>;
  stored(account: Account): Promise<Credentials>;
  account(): Promise<Account>;
  /** Another process: connections, clock and waits of its own. */
  another(): Promise<TestWorld>;
  /** Lets the lease of whoever is refreshing end. */
  endLease(): Promise<void>;
}

type Way = "pg" | "neon-http" | "neon-ws";
const EXPIRED = new PsnError("AUTH_EXPIRED", "the platform no longer accepts this token");

/** The way into this database by a login and connections of one's own, as often as one likes. */
function doorTo(db: TestDatabase, driver: Way): () => Promise<Database> {
  let known: Promise<string> | undefined;
  const login = async () => {
    const [row] = await asOwner<{ name: string }>(db, "SELECT current_database() AS name");
    const url = new URL((await sharedPostgres()).url);
    url.pathname = `/${row?.name}`;
    const [name, password] = [newName(), newPassword()];
    await makeServiceLogin(db.owner, name, password);
    return urlAs(url.href, name, password);
  };
  return async () => {
    known ??= login();
    const url = await known;
    if (driver === "pg") return openPg(url);
    const named = (await sharedGateway()).urlFor(url);
    return driver === "neon-http" ? openNeonHttp(named) : openNeonWs(named);
  };
}

async function openGround(driver: Way = "pg", shorten = (ms: number) => Math.min(ms, 20)): Promise<Ground> {
  const db = await testDatabases.find((one) => one.driver === driver)?.open();
  if (!db) throw new Error("no such driver");
  const out: string[] = [];
  const platform = granted(out);
  const refused = new Set<string>();
  const fetch: Fetch = async (url, init) =>
    refused.has(new Headers(init?.headers).get("authorization") ?? "")
      ? Response.json({ error: "invalid_token" }, { status: 401 })
      : globalThis.fetch(url, init);
  const options = { platforms: [platform], fetch, key: newKey(), shorten };
  const withApp = (world: World): World => ({ ...world, apps: { find: async () => as.apps.basic } });
  const stage = await stageOn(db, options);
  const [world, { userId }] = [withApp(stage.world), stage];
  const door = doorTo(db, driver);
  const ground: Ground = {
    db,
    stage,
    platform,
    world,
    out,
    connect: async () => {
      const verifier = randomBytes(32).toString("base64url");
      const challenge = createHash("sha256").update(verifier).digest("base64url");
      const request = { form: {}, app: as.apps.basic, redirectUri: as.redirectUri, state: "state", challenge };
      const answer = await as.consent(authorizationUrl(as.server("basic"), request).url);
      const exchange = { ...request, answer, code: answer["code"] ?? "", verifier };
      await connectAccount(world, {
        userId,
        platformId: "granted",
        consent: { answer: exchange },
        signal: new AbortController().signal,
      });
      return ground.account();
    },
    connectLate: async () => {
      // In seconds; connecting itself must be done within them.
      as.lives.access = 4;
      try {
        const account = await ground.connect();
        await Bun.sleep(4_100);
        return account;
      } finally {
        as.lives.access = 3600;
      }
    },
    refuse: async (account) => void refused.add(`Bearer ${(await ground.stored(account)).access}`),
    session: async (account, by = world) =>
      openSession(by, { userId, account, sealed: (await by.stores.accounts.credentials(userId, account.id)) ?? null }),
    refresh: (account, session, by = world) =>
      refreshSession(by, { userId, account, platform, session, reason: EXPIRED }),
    stored: async (account) => (await ground.session(account)).credentials,
    account: async () => {
      const [account] = await world.stores.accounts.list(userId);
      if (!account) throw new Error("no account");
      return account;
    },
    another: async () => {
      const database = await door();
      onTestFinished(() => database.close());
      const made = createWorld(database, options);
      return { ...made, world: withApp(made.world) };
    },
    endLease: async () => {
      await asOwner(db, "UPDATE psn.oauth_tokens SET refresh_lease_until = now() - interval '1 millisecond'");
    },
  };
  return ground;
}

/** How often the server was asked to renew, and did, since this was made. */
function counting() {
  const [asked, gave] = [as.asked.refresh_token, as.granted];
  return { asked: () => as.asked.refresh_token - asked, gave: () => as.granted - gave };
}
const at = (point: FaultPoint, act: () => Promise<unknown> | never): NonNullable<World["fault"]> => {
  let passed = false;
  return async (here) => {
    if (here !== point || passed) return;
    passed = true;
    await act();
  };
};
const leaseLeft = async ({ db }: Ground) =>
  (await asOwner<{ held: boolean | null }>(db, "SELECT refresh_lease_until > now() AS held FROM psn.oauth_tokens"))[0]
    ?.held ?? false;

/** Ten minutes have passed since the last exchange. */
const rested = ({ db }: Ground) => asOwner(db, "UPDATE psn.oauth_tokens SET refresh_rest_until = NULL");

describe.each(["pg", "neon-http", "neon-ws"] as const)("ten workers at once (%s)", (driver) => {
  test("exchange a token that works once by one request, and all go on with what it gave", async () => {
    const ground = await openGround(driver);
    const account = await ground.connect();
    const workers: TestWorld[] = [];
    for (let n = 0; n < 10; n += 1) workers.push(await ground.another());
    const sessions = await Promise.all(workers.map(({ world }) => ground.session(account, world)));
    const count = counting();
    as.slowMs = 200;
    try {
      const ended = await Promise.all(
        workers.map(({ world }, n) => ground.refresh(account, sessions[n] ?? (sessions[0] as Session), world)),
      );
      expect([count.asked(), count.gave()]).toEqual([1, 1]);
      const stored = await ground.stored(account);
      expect(ended).toHaveLength(10);
      expect(new Set(ended.map(({ credentials }) => credentials.access))).toEqual(new Set([stored.access]));
      expect(new Set(ended.map(({ credentials }) => credentials.refresh))).toEqual(new Set([stored.refresh]));
      expect(stored.access).not.toBe(sessions[0]?.credentials.access);
      expect(await as.works(stored.access)).toBe(true);
    } finally {
      as.slowMs = 0;
    }
    // Not at once, whoever asks and for whatever reason.
    await expect(ground.session(account).then((session) => ground.refresh(account, session))).rejects.toMatchObject({
      code: "PLATFORM_DOWN",
    });
    expect(count.asked()).toBe(1);
    await rested(ground);
    // It is the newest of both: what was stored renews in its turn.
    const next = await ground.refresh(account, await ground.session(account));
    expect(count.asked()).toBe(2);
    expect(await as.works(next.credentials.access)).toBe(true);
    expect(await ground.account()).toMatchObject({ health: "ok" });
    expect(await leaseLeft(ground)).toBe(false);
  });
});

describe("a worker that dies between the answer and the store", () => {
  let ground: Ground;
  beforeEach(async () => {
    ground = await openGround();
  });
  const deaths: Readonly<Record<string, () => Promise<unknown>>> = {
    "it throws": async () => {
      throw new Error("the machine is gone");
    },
    "it never comes back": () => new Promise<never>(() => undefined),
  };

  test.each(Object.entries(deaths))(
    "has lost the token for good: the user is told, and no post is (%s)",
    async (name, death) => {
      const account = await ground.connectLate();
      const { stage } = ground;
      const [first = "", later = ""] = [
        ...(await stage.post(account)),
        ...(await stage.post(account, { texts: ["later"], inMs: 60_000 })),
      ];
      const count = counting();
      const mortal = { ...ground.world, fault: at("refreshed, not stored", death) };
      const dead = ground.refresh(account, await ground.session(account), mortal);
      if (name === "it throws") await expect(dead).rejects.toThrow("the machine is gone");
      else await until("it has asked", () => count.gave() === 1);

      const running = stage.run({ world: ground.world });
      if (name === "it never comes back") {
        // Whoever comes next waits for it as long as its lease lasts.
        await Bun.sleep(200);
        expect(count.asked()).toBe(1);
        await ground.endLease();
      }
      await running;
      expect([count.asked(), count.gave()]).toEqual([2, 1]);
      const message = `${new URL(as.origin).host} refused: invalid_grant: grant request is invalid`;
      expect(await stage.detail(first)).toMatchObject({ state: "held", code: "AUTH_REVOKED", message });
      expect(await stage.detail(later)).toMatchObject({ state: "scheduled" });
      expect(await ground.account()).toMatchObject({ health: "needs-reconnect", healthReason: message });
      // Nothing more is sent or asked until its user has acted.
      await stage.due();
      expect(await stage.run({ world: ground.world })).toEqual([]);
      expect([count.asked(), ground.out]).toEqual([2, []]);

      await ground.connect();
      expect(await ground.account()).toMatchObject({ id: account.id, health: "ok", healthReason: null });
      expect(await stage.detail(first)).toMatchObject({ state: "scheduled", code: null });
      await stage.due();
      await stage.run({ world: ground.world });
      for (const id of [first, later]) expect(await stage.detail(id)).toMatchObject({ state: "published" });
      expect(ground.out.toSorted()).toEqual(["hello", "later"]);
    },
  );

  test("is told plainly, with the command that helps", async () => {
    const account = await ground.connect();
    const session = await ground.session(account);
    const mortal = {
      ...ground.world,
      fault: at("refreshed, not stored", deaths["it throws"] ?? (async () => undefined)),
    };
    await expect(ground.refresh(account, session, mortal)).rejects.toThrow("the machine is gone");
    const error = await ground.refresh(account, session).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "AUTH_REVOKED", hint: "psn connect granted", exit: 4, retry: "never" });
    for (const secret of [session.credentials.access, session.credentials.refresh, as.apps.basic.secret])
      expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain(secret);
  });
});

test("an app that is not accepted is named by its key", async () => {
  const ground = await openGround();
  const account = await ground.connect();
  const session = await ground.session(account);
  as.next({ status: 401, body: '{"error":"invalid_client"}' });
  const error = await ground.refresh(account, session).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: "APP_REFUSED", hint: "psn keys set GRANTED_SECRET" });
});

describe("a database that is away while the new token is to be stored", () => {
  test("is asked again, and nothing is lost (pg)", async () => {
    const ground = await openGround("pg", (ms) => ms);
    const account = await ground.connect();
    const server = await sharedPostgres();
    const [count, session, { world, sleeps }] = [counting(), await ground.session(account), await ground.another()];
    const away = at("refreshed, not stored", async () => {
      await server.kill();
      setTimeout(() => void server.restart(), 100);
    });
    const fresh = await ground.refresh(account, session, { ...world, fault: away });
    expect(sleeps[0]).toBe(200);
    expect(await ground.stored(account)).toEqual(fresh.credentials);
    expect(await as.works(fresh.credentials.access)).toBe(true);
    expect(count.asked()).toBe(1);
  });

  const STORING = /^\s*update "psn"."oauth_tokens" set "access_token"/i;
  test.each(["before", "after"] as const)(
    "is asked again, whether or not it had written it (neon-http, cut %s)",
    async (when) => {
      const ground = await openGround("neon-http");
      const account = await ground.connect();
      const { faults } = await sharedGateway();
      const [count, session, { world, sleeps }] = [counting(), await ground.session(account), await ground.another()];
      faults.next({ kind: "drop", when }, { times: 3, statement: STORING });
      const fresh = await ground.refresh(account, session, world);
      expect(sleeps).toEqual([200, 1_000, 4_000]);
      expect(await ground.stored(account)).toEqual(fresh.credentials);
      expect(fresh.credentials.access).not.toBe(session.credentials.access);
      await rested(ground);
      expect((await ground.refresh(account, await ground.session(account))).credentials.access).not.toBe(
        fresh.credentials.access,
      );
      expect(count.asked()).toBe(2);
      expect(await ground.account()).toMatchObject({ health: "ok" });
    },
  );

  test("and stays away is the database's failure and nobody else's", async () => {
    const ground = await openGround("neon-http");
    const account = await ground.connect();
    const { faults } = await sharedGateway();
    faults.next({ kind: "drop", when: "before" }, { times: 40, statement: STORING });
    await expect(ground.refresh(account, await ground.session(account))).rejects.toMatchObject({
      code: "DB_UNREACHABLE",
    });
    expect(await ground.account()).toMatchObject({ health: "ok" });
    faults.clear();
  });
});

describe("a failure that passes never disconnects the account", () => {
  const REFUSED = async () => {
    throw Object.assign(new Error("no listener"), { code: "ECONNREFUSED" });
  };
  const weather: readonly (readonly [string, Awkward | "unreachable", string])[] = [
    ["500", { status: 500, body: "oops" }, "PLATFORM_DOWN"],
    ["503", { status: 503, body: '{"error":"invalid_grant"}' }, "PLATFORM_DOWN"],
    ["a page", { status: 200, body: "<html>maintenance</html>" }, "PLATFORM_DOWN"],
    ["a gateway's 400", { status: 400, body: "<html><center>400 Bad Request</center></html>" }, "PLATFORM_DOWN"],
    ["a gateway's 403", { status: 403, body: "<html>blocked</html>" }, "PLATFORM_DOWN"],
    ["a redirect", { status: 302, body: "", headers: { location: "https://example.com" } }, "PLATFORM_DOWN"],
    ["an error inside a 200", { status: 200, body: '{"error":"temporarily_unavailable"}' }, "PLATFORM_DOWN"],
    ["429", { status: 429, body: '{"error":"invalid_grant"}', headers: { "retry-after": "7" } }, "RATE_LIMITED"],
    ["a reset", "reset", "PLATFORM_DOWN"],
    ["no listener", "unreachable", "PLATFORM_UNREACHABLE"],
  ];

  test("whatever it is, and the post goes out later", async () => {
    const ground = await openGround();
    const account = await ground.connect();
    for (const [name, awkward, code] of weather) {
      await rested(ground);
      await ground.refuse(account);
      const [id = ""] = await ground.stage.post(account, { texts: [name] });
      const count = counting();
      const unreachable = awkward === "unreachable";
      if (!unreachable) as.next(awkward);
      const fetch: World["fetch"] = (url, init) =>
        unreachable && String(url).endsWith("/token") ? REFUSED() : ground.world.fetch(url, init);
      await ground.stage.run({ world: { ...ground.world, fetch } });
      expect(await ground.stage.detail(id), name).toMatchObject({ state: "scheduled", code });
      expect(await ground.account(), name).toMatchObject({ health: "ok", healthReason: null });
      expect(count.gave(), name).toBe(0);
      // Whoever failed has given the right back.
      expect(await leaseLeft(ground), name).toBe(false);
      await ground.stage.due();
      await ground.stage.run({ world: ground.world });
      expect(await ground.stage.detail(id), name).toMatchObject({ state: "published", code: null });
    }
    expect(ground.out).toEqual(weather.map(([name]) => name));
  });
});

describe("a refusal", () => {
  test.each([
    ["of an app that is not known any more", { status: 401, body: '{"error":"invalid_client"}' }, "APP_REFUSED"],
    ["in words of the server's own", { status: 400, body: '{"error":"unsupported_grant_type"}' }, "AUTH_REVOKED"],
    ["without the standard's words", { status: 400, body: '{"code":283,"message":"not ours"}' }, "AUTH_REVOKED"],
  ] as const)("%s holds the post: it is not the post that is refused", async (_, awkward, code) => {
    const ground = await openGround();
    const account = await ground.connect();
    await ground.refuse(account);
    const [id = ""] = await ground.stage.post(account);
    as.next(awkward);
    await ground.stage.run({ world: ground.world });
    expect(await ground.stage.detail(id)).toMatchObject({ state: "held", code });
    expect(await ground.account()).toMatchObject({ health: "needs-reconnect" });
  });

  test("of every token, new ones too, costs one exchange and then waits for the user", async () => {
    const ground = await openGround();
    const [id = ""] = await ground.stage.post(await ground.connect());
    const count = counting();
    const fetch: World["fetch"] = async (url, init) =>
      String(url).endsWith("/me")
        ? Response.json({ error: "invalid_token" }, { status: 401 })
        : globalThis.fetch(url, init);
    for (let n = 0; n < 3; n += 1) {
      await ground.stage.run({ world: { ...ground.world, fetch } });
      await ground.stage.due();
    }
    expect(count.asked()).toBe(1);
    expect(await ground.stage.detail(id)).toMatchObject({ state: "held", code: "AUTH_EXPIRED" });
    expect(await ground.account()).toMatchObject({ health: "needs-reconnect" });
  });

  test("of an old token is none when its user has reconnected: what is stored is read again first", async () => {
    const ground = await openGround();
    const account = await ground.connect();
    const session = await ground.session(account);
    const count = counting();
    const meanwhile = at("before refreshing", async () => {
      await revokeToken(as.server("basic"), { ...session, app: as.apps.basic }, session.credentials.refresh ?? "");
      await ground.connect();
    });
    const found = await ground.refresh(account, session, { ...ground.world, fault: meanwhile });
    // It was asked and it refused.
    expect(count.asked()).toBe(1);
    expect(found.credentials).toEqual(await ground.stored(account));
    expect(await as.works(found.credentials.access)).toBe(true);
    expect(await ground.account()).toMatchObject({ health: "ok" });
  });
});

describe("a worker that sleeps while it has the right to refresh", () => {
  test("spends nothing when it wakes up and another has begun", async () => {
    const ground = await openGround();
    const account = await ground.connect();
    const [slow, quick] = [await ground.another(), await ground.another()];
    const session = await ground.session(account);
    const count = counting();
    const asleep = at("before refreshing", async () => {
      slow.clock.aheadMs = 70_000;
      await ground.endLease();
      await ground.refresh(account, session, quick.world);
    });
    const found = await ground.refresh(account, session, { ...slow.world, fault: asleep });
    expect(count.asked()).toBe(1);
    expect(found.credentials).toEqual(await ground.stored(account));
    expect(await as.works(found.credentials.access)).toBe(true);
  });

  test("and is refused counts only once the other has stored what it got, and does not lose its lease", async () => {
    const ground = await openGround();
    const account = await ground.connect();
    const [slow, quick] = [await ground.another(), await ground.another()];
    const session = await ground.session(account);
    let store: () => void = () => undefined;
    const mayStore = new Promise<void>((resolve) => {
      store = resolve;
    });
    let winning: Promise<Session> | undefined;
    // The request leaves, and arrives after the other's.
    const fetch: World["fetch"] = async (url, init) => {
      const count = counting();
      slow.clock.aheadMs = 70_000;
      await ground.endLease();
      winning = ground.refresh(account, session, {
        ...quick.world,
        fault: at("refreshed, not stored", () => mayStore),
      });
      await until("the other has its answer", () => count.gave() === 1);
      return globalThis.fetch(url, init);
    };
    await expect(ground.refresh(account, { ...session, fetch }, { ...slow.world, fetch })).rejects.toMatchObject({
      code: "PLATFORM_DOWN",
    });
    expect(await leaseLeft(ground)).toBe(true);
    store();
    expect((await winning)?.credentials).toEqual(await ground.stored(account));
    expect(await ground.account()).toMatchObject({ health: "ok" });
  });
});
