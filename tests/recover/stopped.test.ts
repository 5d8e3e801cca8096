import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { binary } from "../support/cli.ts";
import type { MastodonFake } from "../support/mastodon.ts";
import { until } from "../support/until.ts";
import { seeded } from "../vault/stage.ts";
import { copy, documentOf, forgetfulServer, hubOn, json, psn, quiet, scratch, work } from "./stage.ts";

/* SIGKILL at any moment: of a worker, which must never look like a copy, and of the command that recovers one. */

const servers: MastodonFake[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop();
});
const start = async () => {
  const server = await forgetfulServer();
  servers.push(server);
  return { server, hub: await hubOn(server) };
};
const env = () => ({ XDG_STATE_HOME: process.env["XDG_STATE_HOME"] ?? "" });
const found = async (hub: string) => documentOf(await psn(["recover", "--dry-run", "--json"], { cwd: hub }))["found"];

test("workers and commands that are killed at any moment leave the same hub, under load", async () => {
  const { server, hub } = await start();
  const random = seeded(7);
  const command = (argv: readonly string[]) => binary(argv, { cwd: hub, env: env() });
  for (let round = 0; round < 12; round += 1) {
    const worker = command(["worker"]);
    const posts = [1, 2].map((n) => command(["post", `round ${round}, ${n}`, "--to", "mastodon", "--no-wait"]));
    // It ends by itself where its database was another's, who was killed while it opened.
    if (round % 3 > 0)
      await Promise.race([
        worker.says("publishes what is due").catch(() => undefined),
        worker.ended,
        Bun.sleep(15_000),
      ]);
    const before = server.statuses.length;
    if (round % 3 === 2)
      await until("the server is told", () => server.statuses.length > before, 5_000).catch(() => undefined);
    await Bun.sleep(random() * 900);
    worker.child.kill("SIGKILL");
    const [kept, killed] = posts;
    killed?.child.kill("SIGKILL");
    await Promise.all([worker.ended, killed?.ended]);
    // Its database may have been another's, who was killed; but it is never refused because the hub is taken for a
    // copy.
    expect((await kept?.ended)?.stderr).not.toContain("HUB_COPIED");
  }
  expect(await found(hub)).toBeNull();
  expect(new Set(server.statuses.map(({ text }) => text)).size).toBe(server.statuses.length);
  expect(server.statuses.length).toBeGreaterThan(0);
});

test("recovering that is stopped at any moment can be done again", async () => {
  const { server, hub } = await start();
  const texts = ["one", "two", "three", "four"];
  for (const text of texts) await json(hub, ["post", text, "--to", "mastodon", "--in", "1s", "--no-wait"]);
  const other = join(await scratch("copy"), "h2");
  copy(hub, other);
  await work([hub], () => server.statuses.length === texts.length);
  for (let round = 0; round < 4; round += 1) {
    const asked = server.requests.length + round;
    const recovering = binary(["recover", "--yes"], { cwd: other, env: env() });
    await until("the server is asked", () => server.requests.length > asked).catch(() => undefined);
    recovering.child.kill("SIGKILL");
    await recovering.ended;
    // Nothing goes out in between.
    const [worker] = await work([other], () => false);
    expect([3, 0]).toContain(worker?.code);
    if (worker?.code === 0) break;
  }
  const last = await psn(["recover", "--yes", "--json"], { cwd: other });
  expect(last.code).toBe(0);
  await work([other], quiet(other));
  expect(server.statuses.map(({ text }) => text).toSorted()).toEqual(texts.toSorted());
  const { deliveries } = await json(other, ["queue", "--all"]);
  expect((deliveries as { state: string }[]).map(({ state }) => state)).toEqual(texts.map(() => "published"));
});
