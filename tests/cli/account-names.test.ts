import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { documentOf, scratch, type TestHub, testHub } from "../support/cli.ts";
import { type MastodonFake, startMastodon } from "../support/mastodon.ts";

/* No two accounts have one name: in lists, in --to, in disconnect and in JSON. */

let hub: TestHub;
let folders: readonly string[];
let servers: readonly MastodonFake[];
beforeAll(async () => {
  hub = await testHub({ feed: false });
  const root = await scratch("folders");
  folders = ["a/blog", "b/blog", "c/Blog"].map((name) => join(root, name));
  // Both say that they are mastodon.example, and give the same account the same id.
  servers = [await startMastodon(), await startMastodon()];
});
afterAll(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  await hub.close();
});

interface Listed {
  readonly name: string;
  readonly handle: string;
  readonly subject: string;
}
const listed = async () => documentOf(await hub.psn(["accounts", "--json"]))["accounts"] as readonly Listed[];
const named = async (platform: string) =>
  (await listed()).filter(({ name }) => name.startsWith(`${platform}:`)).map(({ name }) => name);

describe("feeds in folders of one name", () => {
  beforeAll(async () => {
    for (const folder of folders) {
      await mkdir(folder, { recursive: true });
      expect(await hub.psn(["connect", "feed", folder])).toMatchObject({ code: 0 });
    }
  });

  test("have names of their own, by which each is posted to", async () => {
    const names = await named("feed");
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(3);
    expect(names).toContain("feed:blog");
    for (const name of names) expect(await hub.psn(["post", `to ${name}`, "--to", name])).toMatchObject({ code: 0 });
    const texts = await Promise.all(folders.map((folder) => readFile(join(folder, "feed.json"), "utf8")));
    for (const text of texts) expect(names.filter((name) => text.includes(`to ${name}"`))).toHaveLength(1);
    const queue = documentOf(await hub.psn(["queue", "--all", "--json"]))["deliveries"] as {
      account: { handle: string };
    }[];
    expect(new Set(queue.map(({ account }) => `feed:${account.handle}`))).toEqual(new Set(names));
  });

  test("keep them when they are connected again, and one is disconnected by its name alone", async () => {
    const names = await named("feed");
    for (const folder of folders) expect(await hub.psn(["connect", "feed", folder])).toMatchObject({ code: 0 });
    expect(await named("feed")).toEqual(names);
    const [tagged = ""] = names.filter((name) => name.includes("#"));
    expect(await hub.psn(["connect", tagged, "--dry-run"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(`reconnect ${tagged}`),
    });
    expect(await hub.psn(["disconnect", tagged, "--yes"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(tagged),
    });
    expect(await named("feed")).toEqual(names.filter((name) => name !== tagged));
  });
});

describe("accounts of two servers that call themselves alike", () => {
  test("have names of their own, and each server gets its own post", async () => {
    for (const { origin, token } of servers)
      expect(await hub.psn(["connect", "mastodon", origin, "--token-stdin"], { stdin: `${token}\n` })).toMatchObject({
        code: 0,
      });
    const names = await named("mastodon");
    expect(names).toContain("mastodon:ada@mastodon.example");
    expect(names).toContainEqual(expect.stringMatching(/^mastodon:ada@mastodon\.example#[0-9a-f]{4}$/));
    for (const name of names) expect(await hub.psn(["post", `for ${name}`, "--to", name])).toMatchObject({ code: 0 });
    const held = servers.map(({ statuses }) => statuses.map(({ text }) => text));
    expect(held.map((texts) => texts.length)).toEqual([1, 1]);
    expect(new Set(held.flat())).toEqual(new Set(names.map((name) => `for ${name}`)));
    expect(await hub.psn(["post", "x", "--to", "mastodon", "--dry-run"])).toMatchObject({
      stderr: expect.stringContaining("2 accounts"),
    });
    const doctor = documentOf(await hub.psn(["doctor", "--json"]))["checks"] as { name: string; status: string }[];
    expect(
      doctor.filter(({ name }) => names.includes(name.replace("account ", ""))).map(({ status }) => status),
    ).toEqual(["ok", "ok"]);
  });

  test("as an earlier psn left them, with one name, are told apart, and the short name is refused", async () => {
    await hub.rows("UPDATE psn.accounts SET handle = 'ada@mastodon.example' WHERE platform = 'mastodon'");
    const names = await named("mastodon");
    expect(new Set(names).size).toBe(2);
    for (const name of names)
      expect(await hub.psn(["post", "y", "--to", name, "--dry-run"])).toMatchObject({ code: 0 });
    const short = await hub.psn(["disconnect", "mastodon:ada@mastodon.example", "--yes"]);
    expect(short).toMatchObject({ code: 2, stderr: expect.stringContaining(names.join(", ")) });
    const [first] = servers;
    await hub.psn(["connect", "mastodon", first?.origin ?? "", "--token-stdin"], { stdin: `${first?.token}\n` });
    expect(new Set((await named("mastodon")).map((name) => name)).size).toBe(2);
  });
});
