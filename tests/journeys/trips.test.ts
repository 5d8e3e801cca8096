import { join } from "node:path";
import { neonConfig } from "@neondatabase/serverless";
import { afterAll, beforeAll, expect, test } from "vitest";
import { documentOf, psn, scratch } from "../support/cli.ts";
import { type NeonGateway, startNeonGateway } from "../support/neon-gateway.ts";
import { freshDatabase, sharedPostgres } from "../support/shared-postgres.ts";

/*
 * How often a command asks a database on Neon: each request over HTTP is a round trip, and a session is five of them
 * before it asks anything.
 */

const { fetchEndpoint, wsProxy, useSecureWebSocket } = neonConfig;
let gateway: NeonGateway;
let folder: string;
beforeAll(async () => {
  gateway = await startNeonGateway((await sharedPostgres()).url);
  folder = await scratch("trips");
  const { origin } = new URL(gateway.httpEndpoint);
  const argv = ["init", "--database-url-stdin", "--neon-proxy", origin, "--tz", "UTC"];
  expect(await psn(argv, { cwd: folder, stdin: await freshDatabase() })).toMatchObject({ code: 0 });
  await trips("connect", "feed", join(folder, "public"));
});
afterAll(async () => {
  Object.assign(neonConfig, { fetchEndpoint, wsProxy, useSecureWebSocket });
  await gateway?.stop();
});

/** What a command prints, and the first statement of each round trip it made. */
async function trips(...argv: string[]) {
  gateway.requests.length = 0;
  const { opened } = gateway.sockets;
  const ran = await psn([...argv, "--json"], { cwd: folder });
  expect(ran, ran.stdout).toMatchObject({ code: 0 });
  // Two statements say for whom the others are.
  const asked = gateway.requests.map(({ statements }) => statements.slice(2).join("; "));
  return { document: documentOf(ran), asked, sessions: gateway.sockets.opened - opened };
}

test("what reads opens the hub in one round trip and asks in another", async () => {
  const { document } = await trips("post", "later", "--to", "feed", "--in", "3d");
  const id = String(document["post"]);
  const narrow = ["queue", "--limit", "1", "--search", "later", "--state", "scheduled", "--since", "1d"];
  for (const argv of [["queue"], narrow, ["accounts"], ["show", id], ["show", id.slice(-8)]]) {
    const { asked, sessions } = await trips(...argv);
    expect({ argv, trips: asked.length, sessions }).toEqual({ argv, trips: 2, sessions: 0 });
  }
});

test("a post that waits for its time takes six", async () => {
  const { asked, sessions } = await trips("post", "later", "--to", "feed", "--in", "3d");
  expect({ asked, sessions }).toEqual({ asked: expect.toSatisfy((all: string[]) => all.length <= 6), sessions: 0 });
});

test("a post that goes out at once takes no session, and looks again only when something happened", async () => {
  const { asked, sessions } = await trips("post", "now", "--to", "feed");
  expect(sessions).toBe(0);
  const looks = asked.filter(
    (statements) => !statements.includes("; ") && statements.includes('"psn"."deliveries"."post_id"'),
  );
  // How often the follower looks depends on how long the sending takes.
  expect(asked.length - looks.length).toBeLessThanOrEqual(15);
});
