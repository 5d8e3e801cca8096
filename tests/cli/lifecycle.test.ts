import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { documentOf, picture, type TestHub, testHub } from "../support/cli.ts";
import { COMPILED_PSN } from "../support/cli-bundle.ts";
import { atMost, until } from "../support/until.ts";

/*
 * What happens over more than one command: making a hub and being killed at it, stopping, changing one's mind,
 * settings.
 */

let hub: TestHub;
let other: Server;
/** How the webhook's receiver answers; 0 is not at all. */
let answer = 200;
let heard = 0;
beforeAll(async () => {
  hub = await testHub();
  other = createServer((_request, response) => {
    heard += 1;
    if (answer > 0) response.writeHead(answer).end();
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => other.once("listening", resolve));
  const address = other.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const stdin = `whsec_${randomBytes(32).toString("base64")}\n`;
  expect(await hub.psn(["connect", "webhook", `http://127.0.0.1:${port}/`, "--secret-stdin"], { stdin })).toMatchObject(
    { code: 0 },
  );
});
afterAll(() => {
  other.closeAllConnections();
  other.close();
});

const post = async (argv: readonly string[]) => String(documentOf(await hub.psn(["post", ...argv, "--json"]))["post"]);
const stateOf = async (id: string) =>
  (await hub.rows("SELECT state FROM psn.deliveries WHERE post_id = $1", [id])).map((row) => row["state"]);

describe("changing one's mind", () => {
  test("cancel, retry, move: the rows say so, and so does the history", async () => {
    const id = await post(["later", "--to", "all", "--in", "3d"]);
    expect(await stateOf(id)).toEqual(["scheduled", "scheduled"]);
    const [first] = documentOf(await hub.psn(["show", id, "--json"]))["deliveries"] as readonly {
      readonly id: string;
    }[];
    expect(await hub.psn(["cancel", first?.id ?? ""])).toMatchObject({ code: 0 });
    expect((await stateOf(id)).toSorted()).toEqual(["cancelled", "scheduled"]);
    expect(await hub.psn(["move", id, "--at", "tomorrow 9am", "--tz", "Asia/Tokyo"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("Asia/Tokyo"),
    });
    const [row] = await hub.rows("SELECT due_at FROM psn.deliveries WHERE post_id = $1 AND state = 'scheduled'", [id]);
    expect(row?.["due_at"]).toSatisfy((at: Date) => at.getUTCHours() === 0);
    expect(await hub.psn(["cancel", id])).toMatchObject({ code: 0 });
    expect(await stateOf(id)).toEqual(["cancelled", "cancelled"]);
    const { stdout } = await hub.psn(["show", id]);
    expect(stdout).toMatch(/scheduled[\s\S]*moved[\s\S]*cancelled/);
  });

  test("move --in: history has the wall time that was meant, the same instant, ready to paste", async () => {
    const id = await post(["by and by", "--to", "webhook", "--in", "3d"]);
    const moved = documentOf(await hub.psn(["move", id, "--in", "1.5 hours", "--tz", "Asia/Kathmandu", "--json"]));
    const due = String(moved["due"]);
    expect(due).toMatch(/:\d\d\.000Z$/);
    const [row] = await hub.rows("SELECT due_at FROM psn.deliveries WHERE post_id = $1", [id]);
    expect(row?.["due_at"]).toEqual(new Date(due));
    const [event] = await hub.rows(
      "SELECT note FROM psn.delivery_events e JOIN psn.deliveries d ON d.id = e.delivery_id WHERE d.post_id = " +
        "$1 AND event = 'moved'",
      [id],
    );
    const note = String(event?.["note"]);
    expect(note).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)? Asia\/Kathmandu$/);
    expect(documentOf(await hub.psn(["move", id, "--at", note, "--json"]))["due"]).toBe(due);
    expect(await hub.psn(["cancel", id])).toMatchObject({ code: 0 });
  });

  test("resolve: a person says what psn cannot know", async () => {
    const lose = (id: string) =>
      hub.rows(
        "UPDATE psn.deliveries SET state = 'unconfirmed', code = 'UNCONFIRMED', message = 'lost' WHERE post_id = $1",
        [id],
      );
    const live = await post(["lost and found", "--to", "webhook", "--in", "3d"]);
    await lose(live);
    expect(await hub.psn(["cancel", live])).toMatchObject({ code: 1, stderr: expect.stringContaining("psn resolve") });
    expect(await hub.psn(["resolve", live, "--live", "https://example.com/1", "--json"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("https://example.com/1"),
    });
    expect(await stateOf(live)).toEqual(["published"]);
    const gone = await post(["lost for good", "--to", "webhook", "--in", "3d"]);
    await lose(gone);
    expect(await hub.psn(["resolve", gone, "--not-live"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("scheduled"),
    });
    expect(await hub.psn(["cancel", gone])).toMatchObject({ code: 0 });
  });

  test("one platform refuses: partly published, and retried when it takes it", async () => {
    answer = 400;
    const ran = await hub.psn(["post", "for both", "--to", "feed,webhook"]);
    expect(ran).toMatchObject({
      code: 5,
      stderr: expect.stringMatching(/webhook:.*refused with 400.*\(PUBLISH_PARTIAL\)\n.*psn show/),
    });
    expect(ran.stdout).toMatch(/published {2}.*feed:notes/);
    const [, id = ""] = /^post ([0-9a-f]{8})/.exec(ran.stdout) ?? [];
    const alone = await hub.psn(["post", "for one", "--to", "webhook", "--json"]);
    expect(alone).toMatchObject({ code: 1, stderr: "" });
    expect(documentOf(alone)).toMatchObject({ error: { code: "PUBLISH_FAILED" } });
    answer = 200;
    expect(await hub.psn(["retry", id])).toMatchObject({ code: 0, stdout: expect.stringMatching(/tried now/) });
    const stop = new AbortController();
    const worker = hub.psn(["worker"], { signal: stop.signal });
    await until(
      "nothing is due",
      async () =>
        (await hub.rows("SELECT 1 FROM psn.deliveries WHERE state = 'scheduled' AND due_at < now()")).length === 0,
    );
    stop.abort();
    expect(await worker).toMatchObject({ code: 0, stdout: expect.stringMatching(/published {2}webhook:/) });
  });

  test("a thread, split by hand and by psn", async () => {
    const file = join(hub.folder, "thread.md");
    await picture(hub.folder, "cat.png");
    await writeFile(
      file,
      "---\nto: feed\nmedia: { file: cat.png, alt: a cat }\ntitle: Two parts\n---\nOne\n\n---\n\nTwo\n",
    );
    const { code, stdout } = await hub.psn(["post", "thread.md", "--dry-run"]);
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/1 media[\s\S]*One[\s\S]*Two/) });
    expect(await hub.psn(["post", "thread.md"])).toMatchObject({ code: 0 });
    expect(await readFile(join(hub.feed, "feed.json"), "utf8")).toContain("Two parts");
  });
});

describe("stopping", () => {
  test("psn worker: the first Ctrl-C ends it cleanly", async () => {
    const worker = hub.binary(["worker"]);
    await worker.says("Ctrl-C stops it");
    await until("the worker is heard of", async () => (await hub.rows("SELECT 1 FROM psn.workers")).length === 1);
    worker.child.kill("SIGINT");
    expect(await worker.ended).toMatchObject({
      code: 0,
      signal: null,
      stdout: "",
      stderr: expect.stringMatching(/again to stop at once\n[\s\S]*stopped\n$/),
    });
    expect(await hub.rows("SELECT 1 FROM psn.workers")).toEqual([]);
  });

  test("psn worker: SIGTERM too, with its document", async () => {
    const worker = hub.binary(["worker", "--json"]);
    await until("the worker is heard of", async () => (await hub.rows("SELECT 1 FROM psn.workers")).length === 1);
    worker.child.kill("SIGTERM");
    const ran = await worker.ended;
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    expect(documentOf(ran)).toMatchObject({ deliveries: {} });
  });

  test("psn worker: the second Ctrl-C ends it at once, though something is in flight", async () => {
    answer = 0;
    const before = heard;
    const id = await post(["never answered", "--to", "webhook", "--no-wait"]);
    const worker = hub.binary(["worker"]);
    await until("the receiver is asked", () => heard > before);
    worker.child.kill("SIGINT");
    await worker.says("press Ctrl-C again");
    await sleep(300);
    expect(worker.child.exitCode).toBeNull();
    const asked = performance.now();
    worker.child.kill("SIGINT");
    expect(await worker.ended).toMatchObject({ code: 130, signal: null });
    expect(performance.now() - asked).toBeLessThan(atMost(5_000));
    answer = 200;
    // What was in flight is neither lost nor sent blindly: its lease decides.
    expect(await stateOf(id)).toEqual(["sending"]);
    expect(await hub.psn(["queue"])).toMatchObject({ code: 0 });
    await hub.rows("UPDATE psn.deliveries SET state = 'cancelled' WHERE post_id = $1", [id]);
  });

  test("psn post --wait, stopped: what is stored is said, and can be taken back", async () => {
    const waiting = hub.binary(["post", "in an hour", "--to", "feed", "--in", "1h", "--wait"]);
    await until(
      "it is stored",
      async () =>
        (
          await hub.rows(
            "SELECT 1 FROM psn.deliveries WHERE due_at > now() + interval '59 minutes' AND state = 'scheduled'",
          )
        ).length === 1,
    );
    waiting.child.kill("SIGINT");
    const { code, stderr } = await waiting.ended;
    expect({ code, stderr }).toMatchObject({ code: 130, stderr: expect.stringMatching(/INTERRUPTED\)\n.*psn cancel/) });
    const [, id = ""] = /psn cancel ([0-9a-f]{8})/.exec(stderr) ?? [];
    expect(await hub.psn(["cancel", id])).toMatchObject({ code: 0 });
  });

  test("a reader that has seen enough", async () => {
    for (let n = 0; n < 8; n += 1) await post([`line ${n}`, "--to", "feed", "--in", "9d"]);
    const run = (line: string) => {
      const env = { PATH: process.env["PATH"] ?? "", HOME: hub.folder, PSN: COMPILED_PSN };
      const ended = binaryShell(`psn() { "$PSN" "$@"; }; ${line}; echo "ended \${PIPESTATUS[0]}"`, hub.folder, env);
      return ended;
    };
    expect(await run("psn queue --all | head -1")).toMatchObject({
      stdout: expect.stringMatching(/^[0-9a-f-]{36}\t.*\nended 0\n$/),
      stderr: "",
    });
    expect(await run("psn queue --all | true")).toMatchObject({ stdout: "ended 0\n", stderr: "" });
    expect(await run("psn queue --all --json | true")).toMatchObject({ stdout: "ended 0\n", stderr: "" });
    expect(await run("psn show nothing! 2>&1 >/dev/null | true")).toMatchObject({ stdout: "ended 2\n", stderr: "" });
    expect(await run("psn --help | true")).toMatchObject({ stdout: "ended 0\n", stderr: "" });
  });
});

/** Not by spawnSync: the database these commands come to is this process's own. */
async function binaryShell(
  script: string,
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<{ readonly stdout: string; readonly stderr: string }> {
  const shell = Bun.spawn(["bash", "--norc", "-c", script], { cwd, env: { ...env }, stdout: "pipe", stderr: "pipe" });
  const [stdout, stderr] = await Promise.all([
    new Response(shell.stdout).text(),
    new Response(shell.stderr).text(),
    shell.exited,
  ]);
  return { stdout, stderr };
}
