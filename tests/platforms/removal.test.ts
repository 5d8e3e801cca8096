import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AtpAgent } from "@atproto/api";
import { connectAccount } from "@psn/app/connect-account.ts";
import { deletePost, planDeletion } from "@psn/app/delete-post.ts";
import type { FaultPoint } from "@psn/core/ports/fault-points.ts";
import bluesky from "@psn/platforms/bluesky/index.ts";
import feed from "@psn/platforms/feed/index.ts";
import mastodon from "@psn/platforms/mastodon/index.ts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { dieAt, openStage, type Stage } from "../engine/stage.ts";
import { type Pds, type PdsAccount, startPds } from "../support/pds.ts";
import { type Snac, snacProgram, startSnac } from "../support/snac.ts";

/*
 * The engine takes posts back from real servers, and dies on the way: what psn says is gone is gone, what it says is
 * out is out.
 */

let stage: Stage;
beforeAll(async () => {
  stage = await openStage("pg", { platforms: [bluesky, mastodon, feed], fetch: globalThis.fetch });
});

async function published(platform: string, form: Readonly<Record<string, string>>, texts: readonly string[]) {
  const { world, userId } = stage;
  const { id } = await connectAccount(world, {
    userId,
    platformId: platform,
    consent: { form },
    signal: new AbortController().signal,
  });
  const account = (await world.stores.accounts.list(userId)).find((one) => one.id === id);
  if (!account) throw new Error("the account is not there");
  const [delivery = ""] = await stage.post(account, { texts });
  await stage.run();
  expect(await stage.detail(delivery)).toMatchObject({ state: "published" });
  return delivery;
}
const remove = async (id: string) =>
  deletePost(stage.world, { userId: stage.userId, plan: await planDeletion(stage.world, stage.userId, id) });
/** Another worker goes on. */
async function goOn(): Promise<void> {
  await stage.expire();
  await stage.run();
}

const POINTS: readonly FaultPoint[] = ["claimed", "removing, not asked", "answered, not read", "removed, not settled"];

describe("a real PDS", () => {
  let pds: Pds;
  let ada: PdsAccount;
  beforeAll(async () => {
    pds = await startPds();
    ada = await pds.createAccount("ada.test");
  });
  afterAll(() => pds?.stop());
  const records = async () => {
    const agent = new AtpAgent({ service: pds.url });
    const { data } = await agent.com.atproto.repo.listRecords({ repo: ada.did, collection: "app.bsky.feed.post" });
    return data.records.map(({ uri }) => uri);
  };

  test.each(POINTS)("a thread is gone, though its worker was killed at: %s", async (point) => {
    const form = { identifier: ada.handle, password: ada.password, server: pds.url };
    const id = await published("bluesky", form, ["one", "two"]);
    expect(await records()).toHaveLength(2);
    await remove(id);
    await dieAt(stage, point);
    const held = await records();
    for (const { state, ref } of (await stage.detail(id)).unitList) {
      if (state === "removed") expect(held).not.toContain(ref?.id);
      if (state === "published") expect(held).toContain(ref?.id);
    }
    await goOn();
    expect(await stage.detail(id)).toMatchObject({ state: "removed" });
    expect(await records()).toEqual([]);
  });
});

describe("a real feed", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "psn-removal-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  test.each(["claimed", "removing, not asked", "removed, not settled"] as const)(
    "an entry is gone, though its worker was killed at: %s",
    async (point) => {
      const id = await published("feed", { folder, url: "", title: "" }, ["an entry to take back"]);
      await remove(id);
      await dieAt(stage, point);
      await goOn();
      expect(await stage.detail(id)).toMatchObject({ state: "removed" });
      for (const name of ["feed.json", "atom.xml", "index.html"])
        expect(await readFile(join(folder, name), "utf8")).not.toContain("an entry to take back");
    },
  );
});

describe("a real snac2, which deletes nothing for other programs", () => {
  let snac: Snac | undefined;
  let missing = "";
  beforeAll(async () => {
    const program = await snacProgram();
    if ("missing" in program) missing = program.missing;
    else snac = await startSnac(program.path);
  });
  afterAll(() => snac?.stop());
  beforeEach((context) => {
    if (missing !== "") context.skip(`needs snac2: ${missing}`);
  });

  test.each([false, true])("the post stays, and psn says that it is out (killed on the way: %s)", async (killed) => {
    if (!snac) throw new Error(`needs snac2: ${missing}`);
    const id = await published("mastodon", { server: snac.origin, token: snac.token }, ["this one stays"]);
    await remove(id);
    if (killed) await dieAt(stage, "removing, not asked");
    await goOn();
    const { state, operation, code, unitList } = await stage.detail(id);
    expect({ state, operation, code }).toEqual({ state: "published", operation: "publish", code: "PLATFORM_REJECTED" });
    const headers = { authorization: `Bearer ${snac.token}` };
    const found = await fetch(`${snac.origin}/api/v1/statuses/${unitList[0]?.ref?.id}`, { headers });
    expect(found.status).toBe(200);
  });
});
