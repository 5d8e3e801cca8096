import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, statSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { PLAIN_FIELDS, SECRET_FIELDS } from "@psn/cli/commands/connect.ts";
import { COMMANDS } from "@psn/cli/program.ts";
import { ERRORS } from "@psn/core/errors.ts";
import { platformIds, platforms } from "@psn/platforms/index.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { binary, documentOf, filesOf, picture, psn, scratch, type TestHub, testHub } from "../support/cli.ts";

/*
 * What happens over more than one command: making a hub and being killed at it, stopping, changing one's mind, settings.
 */

const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

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
  expect(await hub.psn(["connect", "webhook", `http://127.0.0.1:${port}/`, "--secret-stdin"], { stdin })).toMatchObject({ code: 0 });
});
afterAll(() => {
  other.closeAllConnections();
  other.close();
});

const post = async (argv: readonly string[]) => String(documentOf(await hub.psn(["post", ...argv, "--json"]))["post"]);
const stateOf = async (id: string) =>
  (await hub.rows("SELECT state FROM psn.deliveries WHERE post_id = $1", [id])).map((row) => row["state"]);
async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 20_000; !(await done()); await sleep(20))
    if (Date.now() > deadline) throw new Error("it did not happen");
}

describe("connect", () => {
  test("has a flag for every field of every platform, and no other", async () => {
    const fields = (await Promise.all(platformIds.map(async (id) => (await platforms[id]()).auth.fields))).flat();
    const names = (secret: boolean) => [...new Set(fields.filter((field) => field.secret === secret).map(({ name }) => name))].toSorted();
    expect(Object.keys(PLAIN_FIELDS).toSorted()).toEqual(names(false));
    expect([...SECRET_FIELDS].toSorted()).toEqual(names(true));
  });

  test("takes each plain field by its flag, and a secret from a file", async () => {
    const feed = join(hub.folder, "by-flags");
    const { code, stdout } = await hub.psn([
      "connect",
      "feed",
      "--folder",
      feed,
      "--title",
      "By flags",
      "--url",
      "https://example.com/notes",
    ]);
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("https://example.com/notes") });
    expect((await hub.psn(["disconnect", "https://example.com/notes/"])).code).toBe(2);
    const accounts = documentOf(await hub.psn(["accounts", "--json"]))["accounts"] as readonly {
      readonly name: string;
      readonly url: string;
    }[];
    const made = accounts.find(({ url }) => url.startsWith("https://example.com/notes"));
    expect((await hub.psn(["disconnect", made?.name ?? "", "--yes"])).code).toBe(0);
    const file = join(hub.folder, "secret.txt");
    await writeFile(file, "two\nlines\n");
    expect(await hub.psn(["connect", "webhook", "http://127.0.0.1:1/", "--secret-file", file])).toMatchObject({ code: 2 });
    expect(await hub.psn(["connect", "webhook", "http://127.0.0.1:1/", "--secret-file", file, "--secret-stdin"])).toMatchObject({
      code: 2,
    });
  });
});

describe("completion", () => {
  const words = async (...line: string[]) => {
    const { code, stdout } = await hub.psn(["completion", "--words", String(line.length), "--", "psn", ...line]);
    expect(code).toBe(0);
    return stdout.trimEnd().split("\n");
  };

  test("knows commands, platforms, accounts, topics, codes and flags", async () => {
    expect(await words("")).toEqual(Object.keys(COMMANDS));
    expect(await words("config", "")).toEqual(["list", "get", "set", "edit", "path"]);
    expect(await words("connect", "")).toEqual(platformIds);
    expect(await words("post", "hello", "--to", "")).toEqual(expect.arrayContaining(["feed:notes", "feed", "all"]));
    expect(await words("disconnect", "")).toEqual(expect.arrayContaining(["feed:notes"]));
    expect(await words("help", "")).toContain("times");
    expect(await words("explain", "")).toEqual(Object.keys(ERRORS));
    expect(await words("queue", "--")).toEqual(expect.arrayContaining(["--all", "--limit", "--json", "--hub"]));
    expect(await words("config", "set", "X", "--")).toContain("--stdin");
    expect(await words("frobnicate", "")).toEqual([""]);
  });

  test("works without a hub", async () => {
    const { code, stdout } = await psn(["completion", "--words", "3", "--", "psn", "post", "--to", ""], { cwd: await scratch() });
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("mastodon") });
  });

  test("in a real bash", async () => {
    const script = `
      psn() { "$BUN" "$MAIN" "$@"; }
      eval "$(psn completion bash)"
      complete -p psn
      compopt() { :; }
      try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _psn; printf '%s|' "\${COMPREPLY[@]}"; echo; }
      try psn que; try psn connect blue; try psn post hello --to feed:n`;
    const env = { PATH: process.env["PATH"] ?? "", HOME: hub.folder, BUN: process.execPath, MAIN };
    const { stdout, stderr } = spawnSync("bash", ["--norc", "-c", script], {
      cwd: await scratch(),
      env: { ...env, PSN_HUB: "/nowhere" },
      encoding: "utf8",
    });
    expect(stderr).toBe("");
    expect(stdout).toBe("complete -F _psn psn\nqueue|\nbluesky|\n|\n");
  });
});

describe("settings", () => {
  const keys = () => readFile(join(hub.folder, "config", "keys.env"), "utf8");
  const file = (name: string) => join(hub.folder, "config", `${name}.env`);

  test("a secret by standard input, comments and order kept", async () => {
    await writeFile(file("keys"), "# mine\nX_CLIENT_ID=abc # the app's\n\n# the other\nLINKEDIN_CLIENT_ID='x y'\n", { mode: 0o600 });
    expect(await hub.psn(["config", "set", "X_CLIENT_SECRET", "--stdin"], { stdin: "s3cr#t\n" })).toMatchObject({ code: 0 });
    expect(await hub.psn(["config", "set", "X_CLIENT_ID", "def"])).toMatchObject({ code: 0 });
    expect(await keys()).toBe("# mine\nX_CLIENT_ID=def # the app's\n\n# the other\nLINKEDIN_CLIENT_ID='x y'\nX_CLIENT_SECRET='s3cr#t'\n");
    const { stdout } = await hub.psn(["config", "list", "--json"]);
    expect(stdout).not.toContain("s3cr#t");
    expect(await hub.psn(["config", "get", "X_CLIENT_SECRET"])).toMatchObject({ code: 0, stdout: "••••••••\n" });
    expect(await hub.psn(["config", "get", "X_CLIENT_ID"])).toMatchObject({ stdout: "def\n" });
    expect(await hub.psn(["config", "set", "X_CLIENT_SECRET", "--unset"])).toMatchObject({ code: 0 });
    expect(await keys()).not.toContain("SECRET");
    expect(statSync(file("keys")).mode & 0o777).toBe(0o600);
  });

  test("--dry-run changes nothing", async () => {
    const before = await hub.state();
    expect(await hub.psn(["config", "set", "PSN_TIME_ZONE", "UTC", "--dry-run"])).toMatchObject({ code: 0 });
    expect(await hub.psn(["config", "set", "PSN_USER", "--unset", "--dry-run"])).toMatchObject({ code: 0 });
    expect(await hub.state()).toBe(before);
  });

  const edit = async (script: string, argv: readonly string[] = [], env: Readonly<Record<string, string>> = {}) => {
    const editor = join(await scratch("editor"), "my editor.sh");
    await writeFile(editor, `#!/bin/sh\n${script}\n`);
    chmodSync(editor, 0o700);
    return await hub.binary(["config", "edit", ...argv], { env: { EDITOR: `'${editor}' --wait`, ...env } }).ended;
  };

  test("edited: checked before it replaces the file", async () => {
    const before = await readFile(file("hub"), "utf8");
    // The editor's own flag comes first, the file last.
    const saved = await edit('echo "# a note of mine" >> "$2"; echo "PSN_TIME_ZONE=UTC" >> "$2"; echo "$1"');
    expect(saved).toMatchObject({ code: 0, stdout: expect.stringMatching(/^--wait\nsaved /) });
    const edited = `${before}# a note of mine\nPSN_TIME_ZONE=UTC\n`;
    expect(await readFile(file("hub"), "utf8")).toBe(edited);
    expect(statSync(file("hub")).mode & 0o777).toBe(0o600);

    for (const [script, code, says] of [
      ['echo "PSN_TIME_ZONE=Mars" >> "$2"', 3, /CONFIG_INVALID/],
      ['echo "no setting" >> "$2"', 3, /hub\.env:\d+ is not of the form/],
      ['sed -i s/^HUB_ENCRYPTION_KEY=.*/HUB_ENCRYPTION_KEY=abc/ "$2"', 3, /VAULT_LOCKED/],
      ['echo "X=1" >> "$2"; exit 1', 130, /nothing was changed/],
    ] as const) {
      const { code: ended, stdout, stderr } = await edit(script);
      expect({ script, ended, stdout, stderr }).toEqual({ script, ended: code, stdout: "", stderr: expect.stringMatching(says) });
      expect(await readFile(file("hub"), "utf8")).toBe(edited);
    }
    expect(await edit("true")).toMatchObject({ code: 0, stdout: "nothing was changed\n" });
    await writeFile(file("hub"), before, { mode: 0o600 });
  });

  test("edited for a script: what the editor prints is no part of the document, and it is told no secret", async () => {
    const seen = join(await scratch(), "seen");
    const ran = await edit(`env > '${seen}'; echo drawing; echo "THREADS_APP_ID=xyz" >> "$2"`, ["keys", "--json"], {
      HUB_ENCRYPTION_KEY: "ab".repeat(32),
      X_CLIENT_SECRET: "hush",
      LANG: "C",
    });
    expect(ran).toMatchObject({ code: 0, stderr: "drawing\n" });
    expect(documentOf(ran)).toEqual({ file: file("keys"), changed: true });
    const environment = await readFile(seen, "utf8");
    expect(environment).toContain("LANG=C");
    expect(environment).not.toMatch(/HUB_ENCRYPTION_KEY|hush/);
  });
});

describe("changing one's mind", () => {
  test("cancel, retry, move: the rows say so, and so does the history", async () => {
    const id = await post(["later", "--to", "all", "--in", "3d"]);
    expect(await stateOf(id)).toEqual(["scheduled", "scheduled"]);
    const [first] = documentOf(await hub.psn(["show", id, "--json"]))["deliveries"] as readonly { readonly id: string }[];
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

  test("resolve: a person says what psn cannot know", async () => {
    const lose = (id: string) =>
      hub.rows("UPDATE psn.deliveries SET state = 'unconfirmed', code = 'UNCONFIRMED', message = 'lost' WHERE post_id = $1", [id]);
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
    expect(await hub.psn(["resolve", gone, "--not-live"])).toMatchObject({ code: 0, stdout: expect.stringContaining("scheduled") });
    expect(await hub.psn(["cancel", gone])).toMatchObject({ code: 0 });
  });

  test("one platform refuses: partly published, and retried when it takes it", async () => {
    answer = 400;
    const ran = await hub.psn(["post", "for both", "--to", "feed,webhook"]);
    expect(ran).toMatchObject({ code: 5, stderr: expect.stringMatching(/webhook:.*refused with 400.*\(PUBLISH_PARTIAL\)\n.*psn show/) });
    expect(ran.stdout).toMatch(/published {2}feed:notes/);
    const [, id = ""] = /^post ([0-9a-f]{8})/.exec(ran.stdout) ?? [];
    const alone = await hub.psn(["post", "for one", "--to", "webhook", "--json"]);
    expect(alone).toMatchObject({ code: 1, stderr: "" });
    expect(documentOf(alone)).toMatchObject({ error: { code: "PUBLISH_FAILED" } });
    answer = 200;
    expect(await hub.psn(["retry", id])).toMatchObject({ code: 0, stdout: expect.stringMatching(/tried now/) });
    const stop = new AbortController();
    const worker = hub.psn(["worker"], { signal: stop.signal });
    await until(async () => (await hub.rows("SELECT 1 FROM psn.deliveries WHERE state = 'scheduled' AND due_at < now()")).length === 0);
    stop.abort();
    expect(await worker).toMatchObject({ code: 0, stdout: expect.stringMatching(/published {2}webhook:/) });
  });

  test("a thread, split by hand and by psn", async () => {
    const file = join(hub.folder, "thread.md");
    await picture(hub.folder, "cat.png");
    await writeFile(file, "---\nto: feed\nmedia: { file: cat.png, alt: a cat }\ntitle: Two parts\n---\nOne\n\n---\n\nTwo\n");
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
    await until(async () => (await hub.rows("SELECT 1 FROM psn.workers")).length === 1);
    worker.child.kill("SIGINT");
    expect(await worker.ended).toMatchObject({
      code: 0,
      signal: null,
      stdout: "",
      stderr: expect.stringMatching(/once more to stop at once\n[\s\S]*stopped\n$/),
    });
    expect(await hub.rows("SELECT 1 FROM psn.workers")).toEqual([]);
  });

  test("psn worker: SIGTERM too, with its document", async () => {
    const worker = hub.binary(["worker", "--json"]);
    await until(async () => (await hub.rows("SELECT 1 FROM psn.workers")).length === 1);
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
    await until(() => heard > before);
    worker.child.kill("SIGINT");
    await worker.says("once more");
    await sleep(300);
    expect(worker.child.exitCode).toBeNull();
    const asked = performance.now();
    worker.child.kill("SIGINT");
    expect(await worker.ended).toMatchObject({ code: 130, signal: null });
    expect(performance.now() - asked).toBeLessThan(5_000);
    answer = 200;
    // What was in flight is neither lost nor sent blindly: its lease decides.
    expect(await stateOf(id)).toEqual(["sending"]);
    expect(await hub.psn(["queue"])).toMatchObject({ code: 0 });
    await hub.rows("UPDATE psn.deliveries SET state = 'cancelled' WHERE post_id = $1", [id]);
  });

  test("psn post --wait: what is not out yet is still to come", async () => {
    const waiting = hub.binary(["post", "in an hour", "--to", "feed", "--in", "1h", "--wait"]);
    await until(
      async () =>
        (await hub.rows("SELECT 1 FROM psn.deliveries WHERE due_at > now() + interval '59 minutes' AND state = 'scheduled'")).length === 1,
    );
    waiting.child.kill("SIGINT");
    const { code, stderr } = await waiting.ended;
    expect({ code, stderr }).toMatchObject({ code: 8, stderr: expect.stringMatching(/STILL_PENDING\)\n.*psn show/) });
    const [, id = ""] = /psn show ([0-9a-f]{8})/.exec(stderr) ?? [];
    expect(await hub.psn(["cancel", id])).toMatchObject({ code: 0 });
  });

  test("a reader that has seen enough", async () => {
    for (let n = 0; n < 8; n += 1) await post([`line ${n}`, "--to", "feed", "--in", "9d"]);
    const run = (line: string) => {
      const env = { PATH: process.env["PATH"] ?? "", HOME: hub.folder, BUN: process.execPath, MAIN };
      const ended = binaryShell(`psn() { "$BUN" "$MAIN" "$@"; }; ${line}; echo "ended \${PIPESTATUS[0]}"`, hub.folder, env);
      return ended;
    };
    expect(await run("psn queue --all | head -1")).toMatchObject({
      stdout: expect.stringMatching(/^[0-9a-f]{8} .*\nended 0\n$/),
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
  const [stdout, stderr] = await Promise.all([new Response(shell.stdout).text(), new Response(shell.stderr).text(), shell.exited]);
  return { stdout, stderr };
}

describe("psn init", () => {
  test("twice: the second run keeps everything", async () => {
    const before = await hub.state();
    const { code, stdout } = await hub.psn(["init", "--tz", "UTC", "--handle", "other"]);
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/^kept {2}key.*\nkept {2}database\nkept {2}user\n/) });
    expect(await hub.state()).toBe(before);
  });

  test("makes a hub elsewhere, for its owner's eyes alone", async () => {
    const folder = join(await scratch("init"), "my hub");
    await mkdir(folder);
    chmodSync(folder, 0o755);
    const made = await psn(["init", folder, "--tz", "UTC"], { cwd: "/" });
    expect(made).toMatchObject({ code: 0 });
    const modes = (await filesOf(join(folder, "config"))).map((line) =>
      line
        .slice(folder.length + 1)
        .split(" ")
        .slice(0, 2)
        .join(" "),
    );
    expect(modes).toEqual(["config/.gitignore 644", "config/hub.env 600", "config/keys.env 600"]);
    expect(statSync(join(folder, "config")).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder, "data")).mode & 0o777).toBe(0o700);
    expect(await psn(["queue", "--hub", folder], { cwd: "/" })).toMatchObject({ code: 0 });
    expect(await psn(["doctor"], { cwd: join(folder, "data") })).toMatchObject({ code: 0 });
  });

  test("killed at any moment, and run again", async () => {
    const folder = await scratch("killed");
    const tmp = await scratch("tmp");
    const init = () => binary(["init", "--tz", "UTC"], { cwd: folder, env: { TMPDIR: tmp } });
    const moments = [0.02, 0.1, 0.3, 0.6, 1.2, 2.4].map((most) => Math.round(1000 * most * (0.5 + Math.random() / 2)));
    let key: string | undefined;
    for (const ms of moments) {
      const { child, ended } = init();
      await sleep(ms);
      child.kill("SIGKILL");
      await ended;
      const text = await readFile(join(folder, "config", "hub.env"), "utf8").catch(() => "");
      const [, found] = /^HUB_ENCRYPTION_KEY=([0-9a-f]{64})$/m.exec(text) ?? [];
      // A key that was there once is never replaced.
      if (key !== undefined) expect(found, `killed after ${moments.join(", ")} ms`).toBe(key);
      key = found ?? key;
    }
    expect(await init().ended, `killed after ${moments.join(", ")} ms`).toMatchObject({ code: 0 });
    const run = (...argv: string[]) => binary(argv, { cwd: folder, env: { TMPDIR: tmp } }).ended;
    expect(await run("connect", "feed", join(folder, "public"))).toMatchObject({ code: 0 });
    expect(await run("post", "after all")).toMatchObject({ code: 0 });
    expect(await run("doctor")).toMatchObject({ code: 0 });
    expect(await readdir(tmp)).toEqual([]);
    expect((await readdir(join(folder, "config"))).toSorted()).toEqual([".gitignore", "hub.env", "keys.env"]);
  });
});
