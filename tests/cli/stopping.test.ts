import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { binary, closedHub, documentOf, filesOf, scratch, type TestHub, testHub } from "../support/cli.ts";
import { COMPILED_PSN } from "../support/cli-bundle.ts";
import { atMost, until } from "../support/until.ts";

/*
 * Signals, standard input that ends too early, and output that cannot be written.
 */

let hub: TestHub;
let receiver: Server;
/** What the webhook's receiver is to answer, when it is let. */
let answer: Promise<number> = Promise.resolve(204);
let heard = 0;
let webhook = "";

beforeAll(async () => {
  hub = await testHub({ feed: false });
  expect(await hub.psn(["connect", "feed", join(hub.folder, "public")])).toMatchObject({ code: 0 });
  receiver = createServer((_request, response) => {
    heard += 1;
    void answer.then((status) => response.writeHead(status).end());
  }).listen(0, "127.0.0.1");
  await new Promise((resolve) => receiver.once("listening", resolve));
  const address = receiver.address();
  webhook = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}/`;
  const stdin = `whsec_${randomBytes(32).toString("base64")}\n`;
  expect(await hub.psn(["connect", "webhook", webhook, "--secret-stdin"], { stdin })).toMatchObject({ code: 0 });
});
afterAll(() => {
  receiver.closeAllConnections();
  receiver.close();
});

const posts = async () => Number((await hub.rows("SELECT count(*)::int AS n FROM psn.posts"))[0]?.["n"]);
const state = async (text: string) =>
  (
    await hub.rows(
      "SELECT d.state FROM psn.deliveries d JOIN psn.delivery_units u ON u.delivery_id = d.id WHERE u.text = $1",
      [text],
    )
  ).map((row) => row["state"]);

/** A line of a shell, where `psn` is the program; what it says and how psn ended, by `echo ended $?`. */
async function shell(line: string, folder = hub.folder) {
  const script = `psn() { "$PSN" "$@"; }; ${line}`;
  const env = { PATH: process.env["PATH"] ?? "", HOME: folder, PSN: COMPILED_PSN };
  const child = spawn("bash", ["--norc", "-c", script], { cwd: folder, env, stdio: ["ignore", "pipe", "pipe"] });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
    });
  await new Promise((resolve) => child.once("close", resolve));
  return said;
}

/** Whether a process of psn listens to signals already: its mask of caught ones, as Linux shows it. */
async function listens(pid: number | undefined): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const [, mask = "0"] = /^SigCgt:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return ((BigInt(`0x${mask}`) >> 1n) & 1n) === 1n;
}

const SIGNALS = [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const;

describe("a signal before anything is stored", () => {
  test.each(SIGNALS)("%s while standard input is read: half a text is no post", async (signal, code) => {
    const before = await hub.state();
    const running = hub.binary(["post", "-", "--to", "feed"], { stdin: "half a\nte", typing: true });
    await until("it listens", () => listens(running.child.pid));
    await sleep(200);
    running.child.kill(signal);
    expect(await running.ended).toMatchObject({
      code,
      signal: null,
      stdout: "",
      stderr: "✗ stopped; nothing was changed (INTERRUPTED)\n",
    });
    expect(await hub.state()).toBe(before);
  });

  test("with --json it is one document", async () => {
    const running = hub.binary(["post", "-", "--to", "feed", "--json"], { stdin: "half", typing: true });
    await until("it listens", () => listens(running.child.pid));
    running.child.kill("SIGTERM");
    const ran = await running.ended;
    expect(ran).toMatchObject({ code: 143, stderr: "" });
    expect(documentOf(ran)).toMatchObject({ error: { code: "INTERRUPTED" } });
  });

  test.each([
    [["connect", "webhook", "http://127.0.0.1:9/", "--secret-stdin"]],
    [["keys", "set", "X_CLIENT_ID", "--stdin"]],
    [["config", "set", "PSN_NOTIFY_URL", "--stdin"]],
    [["export", "never.age", "--passphrase-stdin"]],
    [["import", "none.age", "--passphrase-stdin", "--hub", "elsewhere"]],
    [["init", "new", "--database-url-stdin"]],
  ])("while a secret is read: psn %j", async (argv) => {
    const before = await hub.state();
    const running = hub.binary(argv, { stdin: "whsec_ha", typing: true });
    await until("it listens", () => listens(running.child.pid));
    await sleep(200);
    running.child.kill("SIGTERM");
    expect(await running.ended).toMatchObject({ code: 143, signal: null });
    expect(await hub.state()).toBe(before);
    for (const name of ["never.age", "elsewhere", "new"]) expect(existsSync(join(hub.folder, name))).toBe(false);
  });

  test("while an export is written: nothing of it stays behind", async () => {
    const secret = join(hub.folder, "secret");
    await writeFile(secret, "correct horse battery staple\n", { mode: 0o600 });
    const running = hub.binary(["export", "half.age", "--passphrase-file", secret]);
    const left = async () => (await readdir(hub.folder)).filter((name) => name.includes("half.age"));
    await until("it is being written", async () => (await left()).length > 0);
    running.child.kill("SIGTERM");
    expect(await running.ended).toMatchObject({ code: 143, signal: null });
    expect(await left()).toEqual([]);
  });

  test("while another psn that stands still holds the database", async () => {
    const folder = await closedHub();
    const holder = binary(["worker"], { cwd: folder });
    await holder.says("Ctrl-C stops it");
    await until("the database is open", () => existsSync(join(folder, "data", "socket")));
    holder.child.kill("SIGSTOP");
    try {
      for (const argv of [["queue"], ["post", "x", "--to", "feed"], ["worker"]]) {
        const running = binary(argv, { cwd: folder });
        await until("it listens", () => listens(running.child.pid));
        await sleep(300);
        const asked = performance.now();
        running.child.kill("SIGTERM");
        expect(await running.ended).toMatchObject({ code: argv[0] === "worker" ? 0 : 143, signal: null });
        expect(performance.now() - asked).toBeLessThan(atMost(4_000));
      }
    } finally {
      holder.child.kill("SIGCONT");
      holder.child.kill("SIGTERM");
    }
    expect(await holder.ended).toMatchObject({ code: 0 });
  });

  test("while the network does not answer", async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    const silent = createServer((_request, response) => void promise.then(() => response.end())).listen(0, "127.0.0.1");
    await new Promise((begun) => silent.once("listening", begun));
    const address = silent.address();
    const server = `http://127.0.0.1:${typeof address === "object" && address ? address.port : 0}`;
    const before = await hub.state();
    let asked = false;
    silent.once("request", () => {
      asked = true;
    });
    const running = hub.binary(["connect", "mastodon", server, "--token-stdin"], { stdin: "token\n" });
    await until("the platform is asked", () => asked);
    running.child.kill("SIGINT");
    expect(await running.ended).toMatchObject({ code: 130, stdout: "", stderr: expect.stringMatching(/INTERRUPTED/) });
    expect(await hub.state()).toBe(before);
    resolve(200);
    silent.closeAllConnections();
    silent.close();
  });

  test("while an editor is open: its Ctrl-C is its own, and no copy of the secrets stays", async () => {
    const folder = await closedHub();
    const tmp = await scratch("tmp");
    const editor = join(folder, "editor.sh");
    await writeFile(
      editor,
      'echo "PSN_LATE=publish" >> "$1"; touch "$1.open"; while [ ! -e ../go ]; do sleep 0.05; done\n',
    );
    const edit = () => binary(["config", "edit"], { cwd: folder, env: { TMPDIR: tmp, EDITOR: `exec sh ${editor}` } });
    const text = () => readFile(join(folder, "config", "hub.env"), "utf8");
    const before = await text();
    const opened = async () => (await filesOf(tmp)).some((line) => line.includes(".open"));
    const running = edit();
    await until("the browser is opened", opened);
    running.child.kill("SIGINT");
    await sleep(200);
    expect(running.child.exitCode).toBeNull();
    running.child.kill("SIGTERM");
    expect(await running.ended).toMatchObject({ code: 143 });
    expect(await text()).toBe(before);
    expect(await filesOf(tmp)).toEqual([]);
  });
});

describe("a signal after the post was stored", () => {
  const sending = async (argv: readonly string[]) => {
    const before = heard;
    const running = hub.binary(["post", ...argv]);
    await until("the receiver is asked", () => heard > before);
    return running;
  };

  test("what is being sent is finished: published, and 0", async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    answer = promise;
    const running = await sending(["finished", "--to", "webhook"]);
    running.child.kill("SIGINT");
    await running.says("is stored");
    expect(running.child.exitCode).toBeNull();
    resolve(204);
    expect(await running.ended).toMatchObject({ code: 0, stdout: expect.stringMatching(/published/) });
    expect(await state("finished")).toEqual(["published"]);
  });

  test.each(SIGNALS)("%s: what is not out is named, with the way to take it back", async (signal, code) => {
    const text = `named ${signal}`;
    const running = hub.binary(["post", text, "--to", "feed", "--in", "1h", "--wait"]);
    await until("it is stored", async () => (await state(text)).length === 1);
    running.child.kill(signal);
    const { stderr, ...ran } = await running.ended;
    expect(ran.code).toBe(code);
    expect(stderr).toMatch(/stopped; post [0-9a-f]{8} is stored, and goes on when psn worker runs: feed:public: /);
    expect(stderr).toMatch(/feed:public: scheduled, due .*\(INTERRUPTED\)/);
    const [, id = ""] = /→ psn cancel ([0-9a-f]{8})/.exec(stderr) ?? [];
    expect(await hub.psn(["cancel", id])).toMatchObject({ code: 0 });
    expect(await state(text)).toEqual(["cancelled"]);
  });

  test("the same with --json: one document that names the post and its deliveries", async () => {
    const running = hub.binary(["post", "in a document", "--to", "feed", "--in", "1h", "--wait", "--json"]);
    await until("it is stored", async () => (await state("in a document")).length === 1);
    running.child.kill("SIGTERM");
    const ran = await running.ended;
    expect(ran).toMatchObject({ code: 143 });
    const [row] = await hub.rows(
      "SELECT p.id FROM psn.posts p JOIN psn.deliveries d ON d.post_id = p.id ORDER BY p.created_at DESC LIMIT 1",
    );
    expect(documentOf(ran)).toMatchObject({
      error: {
        code: "INTERRUPTED",
        details: { post: row?.["id"], deliveries: [{ account: "feed:public", state: "scheduled" }] },
      },
    });
    expect(await hub.psn(["cancel", String(row?.["id"])])).toMatchObject({ code: 0 });
  });

  test("no clear answer: a line says when psn asks again, and a signal leaves it to a worker", async () => {
    answer = Promise.resolve(500);
    const running = await sending(["no answer", "--to", "webhook"]);
    await running.says("psn asks the platform again at");
    running.child.kill("SIGTERM");
    const ran = await running.ended;
    answer = Promise.resolve(204);
    expect(ran).toMatchObject({
      code: 143,
      stderr: expect.stringMatching(/sending; not confirmed yet whether it was published.*\n.*psn show/),
    });
    await hub.rows("UPDATE psn.deliveries SET state = 'cancelled' WHERE state = 'sending'");
  });

  test("the second signal ends it at once, and what is stored has been said", async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    answer = promise;
    const running = await sending(["at once", "--to", "webhook"]);
    running.child.kill("SIGTERM");
    await running.says("is stored");
    running.child.kill("SIGTERM");
    expect(await running.ended).toMatchObject({ code: 143, signal: null });
    resolve(204);
    answer = Promise.resolve(204);
    await hub.rows("UPDATE psn.deliveries SET state = 'cancelled' WHERE state = 'sending'");
  });
});

describe("psn worker", () => {
  test("SIGHUP ends it as SIGTERM does, with what is in flight finished", async () => {
    const { promise, resolve } = Promise.withResolvers<number>();
    answer = promise;
    const before = heard;
    expect(await hub.psn(["post", "hung up", "--to", "webhook", "--no-wait"])).toMatchObject({ code: 0 });
    const worker = hub.binary(["worker"]);
    await until("the receiver is asked", () => heard > before);
    // A terminal that closes sends it twice.
    worker.child.kill("SIGHUP");
    await sleep(100);
    worker.child.kill("SIGHUP");
    await sleep(200);
    expect(worker.child.exitCode).toBeNull();
    resolve(204);
    expect(await worker.ended).toMatchObject({ code: 0, signal: null, stderr: expect.stringMatching(/stopped\n$/) });
    expect(await state("hung up")).toEqual(["published"]);
    expect(await hub.rows("SELECT 1 FROM psn.workers")).toEqual([]);
  });

  test.skipIf(process.platform !== "linux")("under nohup it goes on", async () => {
    const { stdout } = await shell(
      'nohup "$PSN" worker > out 2>&1 & p=$!; until grep -q "Ctrl-C stops it" out; do sleep 0.05; done; ' +
        "kill -HUP $p; sleep 0.5; kill -0 $p && echo alive; kill -TERM $p; wait $p; echo ended $?",
    );
    expect(stdout).toBe("alive\nended 0\n");
  });
});

describe("standard input", () => {
  const ends = (line: string) => shell(`${line}; echo "ended \${PIPESTATUS[@]: -1}"`);

  test.each([
    ["empty", "psn post - --to feed < /dev/null", "standard input is empty"],
    ["closed", "psn post - --to feed <&-", "standard input is empty"],
    ["blank", "echo | psn post - --to feed", "standard input is empty"],
    ["empty, with media", "psn post - --to feed --media picture.png < /dev/null", "standard input is empty"],
    [
      "empty, and said to be all there is",
      "psn post - --to feed --allow-partial < /dev/null",
      "standard input is empty",
    ],
    ["a folder", "psn post - --to feed < config", "standard input is a folder"],
    ["not open for reading", "psn post - --to feed 0> written", "standard input cannot be read"],
    [
      "cut off by a writer that died",
      "(printf 'half a te'; kill -9 $BASHPID) | psn post - --to feed",
      "does not end with a line break, so it may be cut off; nothing was stored (TEXT_INCOMPLETE)",
    ],
  ])("%s is no post", async (_what, line, says) => {
    await writeFile(join(hub.folder, "picture.png"), "");
    const { png } = await import("../../scripts/png.ts");
    await writeFile(join(hub.folder, "picture.png"), png(8, 8));
    const before = await posts();
    const { stdout, stderr } = await ends(line);
    expect({ stdout, stderr }).toMatchObject({ stdout: "ended 2\n", stderr: expect.stringContaining(says) });
    expect(stderr.split("\n").filter((one) => one.startsWith("✗"))).toHaveLength(1);
    expect(stderr).not.toMatch(/BUG|^\s+at /m);
    expect(await posts()).toBe(before);
  });

  test.each([
    ["a line", "echo a line | psn post - --to feed", "a line"],
    ["half a text that is wanted", "printf 'half a text' | psn post - --to feed --allow-partial", "half a text"],
    ["a file without a last line break", "printf 'of a file' > text; psn post - --to feed < text", "of a file"],
  ])("%s is a post", async (_what, line, text) => {
    expect(await ends(line)).toMatchObject({ stdout: expect.stringMatching(/published[\s\S]*ended 0\n$/) });
    expect(await state(text)).toEqual(["published"]);
  });
});

describe("output that cannot be written", () => {
  const WAYS = process.platform === "linux" ? (["> /dev/full", ">&-"] as const) : ([] as const);

  test.each(WAYS)("psn post %s: it is out, stderr says so, and the code invites no second try", async (way) => {
    const text = `to ${way === ">&-" ? "nothing" : "a full disk"}`;
    const { stdout, stderr } = await shell(`psn post "${text}" --to feed ${way}; echo "ended $?" >&2`);
    expect(stdout).toBe("");
    expect(stderr).toMatch(/✗ standard output cannot be written: .*\(OUTPUT_FAILED\)\n.*do not run it again/);
    expect(stderr).toMatch(/do not run it again.*\npost [0-9a-f]{8}\n.*published/);
    expect(stderr).toContain("ended 9\n");
    expect(await state(text)).toEqual(["published"]);
  });

  test.skipIf(WAYS.length === 0)("a failure keeps its own code, and stderr has the document", async () => {
    const { stderr } = await shell('psn show nothing! --json > /dev/full; echo "ended $?" >&2');
    expect(stderr).toMatch(/OUTPUT_FAILED[\s\S]*INPUT_INVALID[\s\S]*ended 2\n$/);
  });

  test.skipIf(WAYS.length === 0)(
    "the code stands though stderr is full as well; a worker goes on publishing",
    async () => {
      expect((await shell('psn --help > /dev/full 2>&1; echo "ended $?" >&2')).stderr).toBe("ended 9\n");
      expect(await hub.psn(["post", "by a worker", "--to", "feed", "--no-wait"])).toMatchObject({ code: 0 });
      const { stdout } = await shell(
        `"$PSN" worker > /dev/full 2> said & until grep -q "by a worker" public/feed.json; do sleep 0.05; ` +
          `done; sleep 0.3; kill -TERM $!; wait $!; echo "ended $?" > end; cat end`,
      );
      expect(stdout).toBe("ended 9\n");
    },
  );
});
