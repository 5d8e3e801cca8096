import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { failed } from "../support/cli.ts";
import type { MastodonFake } from "../support/mastodon.ts";
import { copy, documentOf, forgetfulServer, hubOn, json, psn, quiet, scratch, work } from "./stage.ts";

/* A hub on its embedded database that is copied, moved or restored, on a server that takes what is sent twice. */

const servers: MastodonFake[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});
const start = async () => {
  const server = await forgetfulServer();
  servers.push(server);
  return {
    server,
    hub: await hubOn(server),
    other: join(await scratch("copy"), "h2"),
    texts: () => server.statuses.map(({ text }) => text),
  };
};
const states = async (hub: string) => {
  const { deliveries } = await json(hub, ["queue", "--all"]);
  return (deliveries as { state: string; reason: { code: string } | null }[]).map(({ state, reason }) =>
    `${state} ${reason?.code ?? ""}`.trim(),
  );
};
const recover = async (hub: string, ...more: readonly string[]) => {
  const ran = await psn(["recover", "--yes", "--json", ...more], { cwd: hub });
  return {
    code: ran.code,
    became: (documentOf(ran)["deliveries"] as { becomes: string }[] | undefined)?.map(({ becomes }) => becomes),
    ran,
  };
};
/** Due in a moment, and not yet. */
const soon = (text: string, hub: string) => json(hub, ["post", text, "--to", "mastodon", "--in", "1s", "--no-wait"]);

test("a copy beside its original publishes nothing before it is told so: two workers, one post", async () => {
  const { hub, other, texts } = await start();
  await soon("hello", hub);
  copy(hub, other);
  const [, second] = await work([hub, other], () => texts().length > 0);
  expect(texts()).toEqual(["hello"]);
  failed({ ...(second ?? { code: 0, stdout: "", stderr: "" }) }, "HUB_COPIED");
  expect(await states(hub)).toEqual(["published"]);
  expect(await states(other)).toEqual(["held HUB_COPIED"]);
  // Everything that reads goes on, and says what helps.
  const read = await psn(["queue"], { cwd: other });
  expect([read.code, read.stderr]).toEqual([0, expect.stringContaining("→ psn recover")]);
  failed(await psn(["post", "more", "--to", "mastodon"], { cwd: other }), "HUB_COPIED");
  const doctor = await psn(["doctor", "--offline"], { cwd: other });
  expect([doctor.code, doctor.stdout]).toEqual([1, expect.stringMatching(/fail\thub\t.*copy.*\tpsn recover/)]);
  // Consent comes first.
  expect(await psn(["recover"], { cwd: other })).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("(INPUT_REQUIRED)"),
  });
  expect(await states(other)).toEqual(["held HUB_COPIED"]);
  expect(await recover(other)).toMatchObject({ code: 0, became: ["published"] });
  expect((await psn(["doctor", "--offline"], { cwd: other })).code).toBe(0);
  await work([hub, other], async () => (await quiet(hub)()) && (await quiet(other)()));
  expect(texts()).toEqual(["hello"]);
  await json(other, ["post", "from the copy", "--to", "mastodon"]);
  expect(texts()).toEqual(["hello", "from the copy"]);
});

test.each(["into a new folder", "over the old one", "its data alone"])(
  "a folder restored from before a publish (%s)",
  async (how) => {
    const { hub, other, texts } = await start();
    await soon("published since", hub);
    await json(hub, ["post", "still to come", "--to", "mastodon", "--in", "1d"]);
    copy(hub, other);
    await work([hub], () => texts().length > 0);
    expect(texts()).toEqual(["published since"]);
    const restored = how === "into a new folder" ? `${hub}-restored` : hub;
    if (how === "into a new folder") copy(other, restored);
    if (how === "over the old one") {
      // As rsync does it: folders stay, what is in them becomes the backup's.
      const state = join(hub, "data", "pgdata");
      for (const name of ["base", "global", "pg_wal", "pg_xact", "pg_multixact"])
        rmSync(join(state, name), { recursive: true });
      copy(`${other}/.`, hub);
    }
    if (how === "its data alone") {
      rmSync(join(hub, "data"), { recursive: true });
      copy(join(other, "data"), join(hub, "data"));
    }
    await work([restored], () => false);
    expect(texts()).toEqual(["published since"]);
    const found = documentOf(await psn(["recover", "--dry-run", "--json"], { cwd: restored }))["found"];
    expect(found).toBe(how === "over the old one" ? "turned back" : "copied");
    expect(await recover(restored)).toMatchObject({ code: 0, became: ["published", "scheduled"] });
    await work([restored], quiet(restored));
    expect(texts()).toEqual(["published since"]);
    expect((await states(restored)).toSorted()).toEqual(["published", "scheduled"]);
  },
);

test("what the copy has and no other life has published goes out after recovering, once", async () => {
  const { hub, other, texts } = await start();
  await soon("only in the copy", hub);
  copy(hub, other);
  rmSync(hub, { recursive: true });
  expect(await recover(other)).toMatchObject({ code: 0, became: ["scheduled"] });
  await work([other], () => texts().length > 0);
  expect(texts()).toEqual(["only in the copy"]);
});

test("a thread goes on after the part that another life has published", async () => {
  const { hub, other, server } = await start();
  const file = join(hub, "thread.md");
  await Bun.write(file, "one\n\n---\n\ntwo\n\n---\n\nthree\n");
  await json(hub, ["post", file, "--to", "mastodon", "--in", "1s", "--no-wait"]);
  copy(hub, other);
  await work([hub], () => server.statuses.length === 3);
  expect(server.statuses.map(({ text }) => text)).toEqual(["one", "two", "three"]);
  // As if the other life had come only so far.
  (server.statuses as unknown as { text: string }[]).pop();
  expect(await recover(other)).toMatchObject({ became: ["scheduled"] });
  await work([other], () => server.statuses.length === 3);
  expect(server.statuses.map(({ text }) => text)).toEqual(["one", "two", "three"]);
  expect(server.statuses[2]?.parent).toBe(server.statuses[1]?.id);
});

test("a hub that is moved on its file system is the same, and so is one from before all this", async () => {
  const { hub, other, texts } = await start();
  await soon("hello", hub);
  renameSync(hub, other);
  await work([other], () => texts().length > 0);
  expect(texts()).toEqual(["hello"]);
  expect((await psn(["doctor", "--offline"], { cwd: other })).code).toBe(0);
});

test("a hub whose notes are gone asks", async () => {
  const { hub } = await start();
  await json(hub, ["post", "to come", "--to", "mastodon", "--in", "1d"]);
  const notes = join(hub, "config", "incarnation.json");
  const before = readFileSync(notes, "utf8");
  rmSync(notes);
  expect(await states(hub)).toEqual(["held HUB_COPIED"]);
  expect(await recover(hub)).toMatchObject({ code: 0, became: ["scheduled"] });
  expect(existsSync(notes)).toBe(true);
  expect(readFileSync(notes, "utf8")).not.toBe(before);
});
