import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { runWorker } from "@psn/app/run-worker.ts";
import { schedulePost } from "@psn/app/schedule-post.ts";
import { sealCredentials } from "@psn/app/session.ts";
import type { Profile } from "@psn/core/types/account.ts";
import { parseEnvFile, setEnvValue, unsetEnvValue, writeEnvFile } from "@psn/core/utils/env.ts";
import { type Hub, openHub } from "@psn/wiring/hub.ts";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type TestHub, testHub } from "../support/cli.ts";

/*
 * A member of a hub writes her own rows as she likes, and the hub's worker acts on them: it must not ask inside its own
 * network for her, nor write into somebody else's feed.
 */

const SECRET = `whsec_${randomBytes(32).toString("base64")}`;

/** An internal service, which tells its secrets to whoever comes from inside. */
let inside: Server;
let port: number;
const asked: string[] = [];
beforeAll(async () => {
  inside = createServer((request, response) => {
    if (request.method !== "HEAD") asked.push(`${request.method} ${request.url}`);
    response
      .writeHead(500, { "content-type": "application/json" })
      .end(JSON.stringify({ error: "the admin's password is hunter2" }));
  }).listen(0, "127.0.0.1");
  await once(inside, "listening");
  port = (inside.address() as AddressInfo).port;
});
afterAll(() => inside.close());

let hub: TestHub;
let opened: Hub;
beforeEach(async () => {
  asked.length = 0;
  hub = await testHub();
  opened = await openHub({ folder: hub.folder, use: "session" });
  return async () => {
    await opened.close();
    await hub.close();
  };
});

const envPath = () => join(hub.folder, "config", "hub.env");
const allowed = () =>
  parseEnvFile(readFileSync(envPath(), "utf8"), "hub.env").find(({ name }) => name === "PSN_PRIVATE_ORIGINS")?.value;
const setAllowed = (value: string | null) => {
  const text = readFileSync(envPath(), "utf8");
  writeEnvFile(
    envPath(),
    value === null
      ? unsetEnvValue(text, "PSN_PRIVATE_ORIGINS")
      : setEnvValue(text, { name: "PSN_PRIVATE_ORIGINS", value }),
  );
};
const reopen = async () => {
  await opened.close();
  opened = await openHub({ folder: hub.folder, use: "session" });
};

/** One more user of the hub. */
async function member(): Promise<string> {
  const id = Bun.randomUUIDv7();
  await opened.world.stores.users.add({ id, handle: "mallory", timeZone: "UTC" });
  return id;
}

/** A row as its user may write it, and what became of one post by it. */
async function publishedBy(userId: string, platform: string, profile: Profile, access = SECRET) {
  const { world } = opened;
  const id = Bun.randomUUIDv7();
  await world.stores.accounts.connect(
    userId,
    { id, platform, profile },
    sealCredentials(world, {
      userId,
      row: { id: Bun.randomUUIDv7(), version: 1 },
      account: { platform, profile },
      credentials: { access, scopes: [] },
    }),
  );
  return post(userId, id);
}

async function post(userId: string, accountId: string) {
  const { world } = opened;
  const account = (await world.stores.accounts.list(userId)).find(({ id }) => id === accountId);
  if (!account) throw new Error("no such account");
  const draft = {
    parts: [{ text: "words of mallory", media: [] }],
    overrides: {},
    split: false,
    numbered: false,
  } as const;
  const due = { at: new Date(), wallTime: null, timeZone: null };
  const { postId } = await schedulePost(world, { userId, draft, accounts: [account], due, idempotencyKey: null });
  const [delivery] = await world.stores.posts.ofPost(userId, postId);
  if (!delivery) throw new Error("no delivery");
  const stop = new AbortController();
  await runWorker({
    world,
    name: "worker",
    version: "0",
    stop: stop.signal,
    only: [delivery.id],
    onDone: () => stop.abort(),
  });
  const [detail] = await world.stores.posts.detail(userId, [delivery.id]);
  if (!detail) throw new Error("no detail");
  return { state: detail.state, code: detail.code, told: JSON.stringify(detail) };
}

const webhook = (home: string): Profile => ({
  subject: randomBytes(8).toString("hex"),
  handle: "inside",
  url: home,
  home,
});

describe("a member's row that leads inside", () => {
  it.each([
    ["this machine", () => `http://127.0.0.1:${port}/v1/internal/admin`],
    ["this machine, by its name", () => `http://localhost:${port}/`],
    ["this machine, with a dot behind it", () => `http://localhost.:${port}/`],
    ["this machine, as a number", () => `http://2130706433:${port}/`],
    ["this machine, by IPv6", () => `http://[::ffff:127.0.0.1]:${port}/`],
    ["the metadata of a cloud", () => "http://169.254.169.254/latest/meta-data/"],
    ["a private network", () => "https://10.0.0.1/"],
    ["a carrier's network", () => "https://100.64.0.1/"],
    ["NAT64", () => "https://[64:ff9b::7f00:1]/"],
    ["a name without a dot", () => "https://printer/"],
  ])("%s: nobody is asked", async (_name, home) => {
    const { state, code, told } = await publishedBy(await member(), "webhook", webhook(home()));
    // It waits for the hub's owner to allow the address. A secret leaves by https alone, and that is looked at first.
    expect(["scheduled PRIVATE_ADDRESS", "held AUTH_REVOKED"]).toContain(`${state} ${code}`);
    expect(asked).toEqual([]);
    expect(told).not.toContain("hunter2");
  });

  it("as a Mastodon server or a Bluesky one: nobody is asked", async () => {
    const user = await member();
    const home = `http://127.0.0.1:${port}`;
    const mastodon = await publishedBy(user, "mastodon", { ...webhook(home), subject: `1@127.0.0.1:${port}` }, "token");
    expect([mastodon.state, mastodon.code]).toEqual(["scheduled", "PRIVATE_ADDRESS"]);
    const bluesky = await publishedBy(
      user,
      "bluesky",
      { ...webhook(home), subject: "did:plc:ewvi7nxzyoun6zhxrhs64oiz" },
      "token",
    );
    expect([bluesky.state, bluesky.code]).toEqual(["scheduled", "PRIVATE_ADDRESS"]);
    expect(asked).toEqual([]);
  });

  it("is followed where the hub's owner has allowed it, also while the worker runs", async () => {
    const user = await member();
    expect((await publishedBy(user, "webhook", webhook(`http://127.0.0.1:${port}/a`))).code).toBe("PRIVATE_ADDRESS");
    setAllowed(`http://127.0.0.1:${port}`);
    await publishedBy(user, "webhook", webhook(`http://127.0.0.1:${port}/b`));
    expect(asked).toEqual(["POST /b"]);
  });
});

describe("what the hub's owner connects", () => {
  const connect = (url: string) => hub.psn(["connect", "webhook", url, "--secret-stdin"], { stdin: SECRET });

  it("is allowed by connect, which says so once", async () => {
    expect(allowed()).toBe("none");
    const first = await connect(`http://127.0.0.1:${port}/hook`);
    expect([first.code, allowed()]).toEqual([0, `http://127.0.0.1:${port}`]);
    expect(first.stderr).toContain(`psn may send to http://127.0.0.1:${port} from now on`);
    const again = await connect(`http://127.0.0.1:${port}/hook`);
    expect(again.stderr).not.toContain("from now on");
    const [account] = (await opened.world.stores.accounts.list(opened.user.id)).filter(
      ({ platform }) => platform === "webhook",
    );
    await post(opened.user.id, account?.id ?? "");
    expect(asked).toEqual(["POST /hook"]);
  });

  it("was allowed by an earlier psn: its own user's addresses are taken over once, not a member's", async () => {
    await connect(`http://127.0.0.1:${port}/hook`);
    const user = await member();
    await publishedBy(user, "webhook", webhook("http://127.0.0.1:9/member"));
    setAllowed(null);
    await reopen();
    expect(allowed()).toBe(`http://127.0.0.1:${port}`);
    // Once: what comes into the rows later is not taken over.
    setAllowed("none");
    await reopen();
    expect(allowed()).toBe("none");
    const [account] = (await opened.world.stores.accounts.list(opened.user.id)).filter(
      ({ platform }) => platform === "webhook",
    );
    expect(await post(opened.user.id, account?.id ?? "")).toMatchObject({
      state: "scheduled",
      code: "PRIVATE_ADDRESS",
    });
  });
});

describe("a feed", () => {
  const victim = async () => {
    const [account] = (await opened.world.stores.accounts.list(opened.user.id)).filter(
      ({ platform }) => platform === "feed",
    );
    if (!account) throw new Error("no feed");
    return account;
  };
  const atom = () => readFile(join(hub.feed, "atom.xml"), "utf8").catch(() => "");

  it("of another user takes nothing from a member's row", async () => {
    const { profile } = await victim();
    const { state, code } = await publishedBy(await member(), "feed", profile, "");
    expect([state, code]).toEqual(["failed", "AUTH_SCOPE"]);
    expect(await atom()).not.toContain("mallory");
  });

  it("made by an earlier psn is the hub's own user's, whoever comes first", async () => {
    const account = await victim();
    await rm(join(hub.feed, ".feed", "owner"));
    const user = await member();
    expect((await publishedBy(user, "feed", account.profile, "")).code).toBe("AUTH_SCOPE");
    expect((await post(opened.user.id, account.id)).state).toBe("published");
    const [theirs] = await opened.world.stores.accounts.list(user);
    expect((await post(user, theirs?.id ?? "")).code).toBe("AUTH_SCOPE");
  });

  it("of another hub is not connected, nor written into once it is another hub's", async () => {
    const account = await victim();
    const other = await testHub({ feed: false });
    try {
      // Copies of one template: another hub has another user.
      await writeFile(join(hub.feed, ".feed", "owner"), "0".repeat(64));
      const refused = await other.psn(["connect", "feed", hub.feed]);
      expect([refused.code, refused.stderr]).toEqual([
        4,
        expect.stringContaining("belongs to another user or another hub"),
      ]);
      expect(await post(opened.user.id, account.id)).toMatchObject({ state: "failed", code: "AUTH_SCOPE" });
    } finally {
      await other.close();
    }
  });
});
