import { randomBytes } from "node:crypto";
import { createServer, type Server } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { documentOf, type TestHub, testHub } from "../support/cli.ts";

/*
 * `psn delete`: what is out is gone from a real feed and told to a webhook's receiver, what is not out is cancelled.
 */

let hub: TestHub;
let receiver: Server;
let answer = 200;
const heard: string[] = [];
beforeAll(async () => {
  hub = await testHub();
  receiver = createServer((request, response) => {
    heard.push(String(request.headers["webhook-id"]));
    response.writeHead(answer).end();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => receiver.once("listening", resolve));
  const address = receiver.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const stdin = `whsec_${randomBytes(32).toString("base64")}\n`;
  expect(await hub.psn(["connect", "webhook", `http://127.0.0.1:${port}/`, "--secret-stdin"], { stdin })).toMatchObject(
    { code: 0 },
  );
});
afterAll(() => {
  receiver.closeAllConnections();
  receiver.close();
});

const post = async (argv: readonly string[]) => String(documentOf(await hub.psn(["post", ...argv, "--json"]))["post"]);
const statesOf = async (id: string) =>
  (await hub.rows("SELECT state FROM psn.deliveries WHERE post_id = $1 ORDER BY 1", [id])).map((row) => row["state"]);

test("a post is asked about, taken back everywhere, and twice is harmless", async () => {
  const id = await post(["a post to take back", "--to", "all"]);
  expect(await statesOf(id)).toEqual(["published", "published"]);
  const dry = documentOf(await hub.psn(["delete", id, "--dry-run", "--json"]));
  expect(dry).toMatchObject({ dryRun: true, deliveries: [{ step: "remove" }, { step: "remove" }] });
  // Nobody was there to say yes.
  expect(await hub.psn(["delete", id, "--json"])).toMatchObject({ code: 2 });
  expect(await statesOf(id)).toEqual(["published", "published"]);

  const done = await hub.psn(["delete", id, "--yes", "--json"]);
  expect(done.code).toBe(0);
  expect(documentOf(done)).toMatchObject({
    deliveries: [
      { state: "removed", operation: "remove", step: "gone", addresses: [] },
      { state: "removed", operation: "remove", step: "gone", addresses: [] },
    ],
  });
  expect(heard.at(-1)).toMatch(/-removed$/);
  const told = heard.length;
  expect(await hub.psn(["delete", id, "--yes"])).toMatchObject({ code: 0 });
  expect(heard).toHaveLength(told);
  const { stdout } = await hub.psn(["show", id]);
  expect(stdout).toMatch(/published[\s\S]*removal asked for[\s\S]*removed/);
  expect(documentOf(await hub.psn(["show", id, "--json"]))).toMatchObject({
    deliveries: [{ unitList: [{ state: "removed", removed: expect.any(String) }] }, {}],
  });
});

test("what was not sent is cancelled, and psn says so", async () => {
  const id = await post(["not yet", "--to", "webhook", "--in", "3d"]);
  const { code, stdout } = await hub.psn(["delete", id, "--yes"]);
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("cancelled") });
  expect(await statesOf(id)).toEqual(["cancelled"]);
});

test("what its platform does not remove is named with its address, and the exit code says so", async () => {
  const id = await post(["this one stays", "--to", "webhook"]);
  answer = 400;
  const ran = await hub.psn(["delete", id, "--yes", "--json"]);
  expect(ran.code).not.toBe(0);
  expect(`${ran.stdout}${ran.stderr}`).toContain("REMOVE_INCOMPLETE");
  expect(await statesOf(id)).toEqual(["published"]);
  answer = 200;
  expect(await hub.psn(["delete", id, "--yes"])).toMatchObject({ code: 0 });
  expect(await statesOf(id)).toEqual(["removed"]);
});
