import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { COMMANDS } from "@psn/cli/program.ts";
import { ERRORS, type ErrorCode } from "@psn/core/errors.ts";
import { beforeAll, describe, expect, test } from "vitest";
import { documentOf, psn, type Ran, scratch, type TestHub, testHub } from "../support/cli.ts";

/*
 * With --json every command prints exactly one document on stdout, whether it succeeds or fails, and nothing on stderr.
 */

let hub: TestHub;
let scheduled: string;
beforeAll(async () => {
  hub = await testHub();
  scheduled = String(documentOf(await hub.psn(["post", "later", "--in", "3d", "--json"]))["post"]);
  await writeFile(join(hub.folder, "next.md"), "---\nsplit: false\n---\nedited\n");
});

interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly hint: string | null;
  readonly retry: string;
  readonly next: string | null;
}

/** The failure in a document, whose exit code must be the table's. */
function failureOf(ran: Ran): Failure {
  const { error } = documentOf(ran) as { readonly error: Failure };
  expect(error).toMatchObject({ message: expect.stringMatching(/./), retry: ERRORS[error.code].retry });
  expect(error.hint === null || error.hint.length > 0).toBe(true);
  expect(error.next).toBe(error.hint?.startsWith("psn ") ? error.hint : null);
  expect(ran).toMatchObject({ code: ERRORS[error.code].exit, stderr: "" });
  return error;
}

const SUCCESS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  init: [["init", "--tz", "Europe/Berlin"]],
  connect: [["connect", "feed", "FEED"]],
  accounts: [["accounts"], ["accounts", "--all"]],
  post: [
    ["post", "a draft", "--dry-run"],
    ["post", "now"],
    ["post", "now, by a worker", "--no-wait"],
    ["post", "then", "--in", "1d", "--idempotency-key", "json"],
    ["post", "then", "--in", "1d", "--idempotency-key", "json"],
  ],
  queue: [["queue"], ["queue", "--all", "--limit", "1"], ["queue", "--state", "failed"]],
  show: [["show", "POST"]],
  edit: [
    ["edit", "POST", "--print"],
    ["edit", "POST", "--file", "next.md", "--dry-run"],
    ["edit", "POST", "--file", "next.md"],
    ["edit", "POST", "--file", "next.md"],
  ],
  move: [
    ["move", "POST", "--in", "2d", "--dry-run"],
    ["move", "POST", "--in", "2d"],
  ],
  cancel: [
    ["cancel", "POST", "--dry-run"],
    ["cancel", "POST"],
  ],
  delete: [["delete", "POST", "--dry-run"]],
  retry: [
    ["retry", "POST", "--dry-run"],
    ["retry", "POST"],
  ],
  recover: [["recover", "--dry-run"], ["recover"]],
  worker: [["worker"]],
  service: [
    ["service", "print", "systemd"],
    ["service", "print", "compose"],
  ],
  config: [
    ["config", "list"],
    ["config", "get", "PSN_USER"],
    ["config", "set", "PSN_TIME_ZONE", "UTC"],
    ["config", "set", "PSN_TIME_ZONE", "--unset"],
    ["config", "path"],
  ],
  db: [
    ["db", "status"],
    ["db", "migrate"],
    ["db", "migrate", "--dry-run"],
  ],
  keys: [
    ["keys", "list"],
    ["keys", "push", "--dry-run"],
    ["keys", "push"],
  ],
  vault: [["vault", "status"]],
  destroy: [["destroy", "--dry-run"]],
  doctor: [["doctor"], ["doctor", "--offline"]],
  schema: [["schema"], ["schema", "queue"], ["schema", "config"]],
  explain: [["explain"], ["explain", "usage"]],
  completion: [["completion"], ["completion", "zsh"], ["completion", "--words", "1", "--", "psn", ""]],
  help: [["help"], ["help", "errors"]],
  disconnect: [
    ["disconnect", "feed", "--dry-run"],
    ["disconnect", "feed", "--yes"],
  ],
};

const FAILURE: Readonly<Record<string, readonly (readonly [ErrorCode, ...string[]])[]>> = {
  init: [
    ["TIME_INVALID", "init", "--tz", "Mars/Base"],
    ["SECRET_IN_ARGUMENTS", "init", "--database-url", "postgres://ada:lovelace@127.0.0.1/psn"],
    ["INPUT_INVALID", "init", "--database-url", "mysql://127.0.0.1/psn"],
    ["ALREADY_EXISTS", "init", "--database-url", "postgres://127.0.0.1/psn"],
    ["DB_UNSUITABLE", "init", "--trigger"],
    ["INPUT_REQUIRED", "init", "--neon"],
    ["USAGE", "init", "--neon-org", "mine"],
    ["USAGE", "init", "--neon", "--trigger", "--neon-api-key-stdin", "--trigger-token-stdin"],
    ["USAGE", "init", "--neon", "--database-url", "postgres://127.0.0.1/psn"],
    ["USAGE", "init", "--trigger", "--trigger-url", "trigger.example"],
  ],
  connect: [
    ["INPUT_INVALID", "connect", "myspace"],
    ["USAGE", "connect", "feed", "./a", "--folder", "./b"],
    ["USAGE", "connect", "feed", "./a", "--token-stdin"],
    ["USAGE", "connect", "feed", "--oauth"],
    ["USAGE", "connect", "x", "ada"],
    ["USAGE", "connect", "x", "--port", "99999"],
    ["NOT_FOUND", "connect", "x:nobody"],
    ["SECRET_IN_ARGUMENTS", "connect", "bluesky", "ada.example", "--password", "hunter2"],
    ["INPUT_REQUIRED", "connect", "mastodon", "mastodon.example"],
    ["FILE_UNREADABLE", "connect", "mastodon", "mastodon.example", "--token-file", "/nowhere"],
  ],
  accounts: [["USAGE", "accounts", "feed"]],
  post: [
    ["INPUT_REQUIRED", "post"],
    ["POST_INVALID", "post", ""],
    ["POST_INVALID", "post", "", "--dry-run"],
    ["AUTH_REQUIRED", "post", "hello", "--to", "bluesky"],
    ["TIME_INVALID", "post", "hello", "--at", "yesterday 9am"],
    ["FILE_UNREADABLE", "post", "nowhere.md"],
    ["USAGE", "post", "hello", "--visibility", "everybody"],
  ],
  queue: [["USAGE", "queue", "--limit", "many"]],
  show: [
    ["NOT_FOUND", "show", "00000000"],
    ["INPUT_INVALID", "show", "it"],
    ["USAGE", "show"],
  ],
  edit: [
    ["NOT_FOUND", "edit", "00000000", "--print"],
    ["USAGE", "edit"],
    ["CHANGED_MEANWHILE", "edit", "POST", "--print", "--revision", "7"],
    ["FILE_UNREADABLE", "edit", "POST", "--file", "nowhere.md"],
    ["INPUT_REQUIRED", "edit", "POST"],
  ],
  move: [
    ["INPUT_REQUIRED", "move", "POST"],
    ["USAGE", "move", "POST", "--at", "2030-01-01 09:00", "--in", "2h"],
  ],
  cancel: [["NOT_FOUND", "cancel", "00000000"]],
  delete: [
    ["NOT_FOUND", "delete", "00000000"],
    ["USAGE", "delete"],
  ],
  retry: [["NOT_FOUND", "retry", "00000000"]],
  resolve: [
    ["USAGE", "resolve", "POST"],
    ["STATE_CONFLICT", "resolve", "POST", "--not-live"],
  ],
  recover: [["USAGE", "recover", "everything"]],
  worker: [["USAGE", "worker", "--fast"]],
  service: [
    ["USAGE", "service"],
    ["USAGE", "service", "print", "cron"],
    ["USAGE", "service", "logs", "--lines", "many"],
  ],
  config: [
    ["USAGE", "config"],
    ["USAGE", "config", "lst"],
    ["SETTING_UNKNOWN", "config", "get", "PSN_USERS"],
    ["SETTING_UNKNOWN", "config", "set", "NOPE", "1"],
    ["INPUT_INVALID", "config", "set", "PSN_TIME_ZONE", "Mars/Base"],
    ["SECRET_IN_ARGUMENTS", "config", "set", "DATABASE_URL", "postgres://ada:lovelace@127.0.0.1/psn"],
    ["INPUT_REQUIRED", "config", "set", "DATABASE_URL"],
    ["INPUT_REQUIRED", "config", "edit"],
    ["USAGE", "config", "edit", "all"],
  ],
  db: [
    ["USAGE", "db"],
    ["USAGE", "db", "drop"],
  ],
  keys: [
    ["USAGE", "keys"],
    ["INPUT_REQUIRED", "keys", "set", "X_CLIENT_ID"],
    ["USAGE", "keys", "set", "x-client-id", "--stdin"],
    ["FILE_UNREADABLE", "keys", "set", "X_CLIENT_ID", "--file", "/nowhere"],
    ["SETTING_UNKNOWN", "keys", "set", "NOPE", "--stdin"],
    ["NOT_FOUND", "keys", "rm", "X_CLIENT_ID"],
  ],
  vault: [
    ["USAGE", "vault", "open"],
    ["USAGE", "vault", "rotate", "--now"],
  ],
  export: [
    ["USAGE", "export"],
    ["INPUT_REQUIRED", "export", "hub.age"],
    ["FILE_UNREADABLE", "export", "hub.age", "--passphrase-file", "/nowhere"],
  ],
  import: [
    ["INPUT_REQUIRED", "import", "hub.age"],
    ["FILE_UNREADABLE", "import", "hub.age", "--passphrase-file", "/nowhere"],
  ],
  deploy: [["TRIGGER_MISSING", "deploy"]],
  destroy: [["INPUT_REQUIRED", "destroy"]],
  doctor: [["USAGE", "doctor", "everything"]],
  upgrade: [["USAGE", "upgrade", "now"]],
  schema: [["NOT_FOUND", "schema", "nothing"]],
  explain: [["NOT_FOUND", "explain", "NO_SUCH_CODE"]],
  completion: [["USAGE", "completion", "powershell"]],
  help: [["NOT_FOUND", "help", "everything"]],
  disconnect: [
    ["INPUT_REQUIRED", "disconnect", "feed"],
    ["NOT_FOUND", "disconnect", "nobody"],
  ],
};

const filled = (argv: readonly string[]) => argv.map((word) => ({ POST: scheduled, FEED: hub.feed })[word] ?? word);
const lines = Object.entries(FAILURE).flatMap(([, all]) => all.map(([code, ...argv]) => ({ code, argv })));

/** Before the first `--`, behind which words are data. */
function withJson(argv: readonly string[]): readonly string[] {
  const at = argv.indexOf("--");
  return at < 0 ? [...argv, "--json"] : [...argv.slice(0, at), "--json", ...argv.slice(at)];
}

test("every command is in both tables", () => {
  expect(Object.keys(FAILURE).toSorted()).toEqual(Object.keys(COMMANDS).toSorted());
  // A delivery that psn cannot settle takes a lost answer to make; see canary.test.ts. A deployment takes
  // Trigger.dev; see journeys. A hub in a file takes a passphrase; see vault/move.test.ts. An upgrade takes the
  // registry; see upgrade.test.ts.
  expect([...Object.keys(SUCCESS), "resolve", "deploy", "export", "import", "upgrade"].toSorted()).toEqual(
    Object.keys(COMMANDS).toSorted(),
  );
});

describe("failures", () => {
  test.each(lines)("$code: psn $argv", async ({ code, argv }) => {
    const before = await hub.state();
    expect(failureOf(await hub.psn(withJson(filled(argv)))).code).toBe(code);
    expect(await hub.state()).toBe(before);
  });

  test.each([
    [["--json", "frobnicate"]],
    [["frobnicate", "--json"]],
    [["--json", "--frobnicate"]],
    [["--json", "queue", "--frobnicate"]],
    [["db", "--json"]],
  ])("USAGE: psn %j", async (argv) => {
    const { code, hint } = failureOf(await hub.psn(argv));
    expect(code).toBe("USAGE");
    expect(hint).toMatch(/--help$/);
  });

  test("without a hub, every command that needs one says so", async () => {
    const cwd = await scratch();
    for (const argv of [
      [...(lines.find(({ argv: [name] }) => name === "resolve")?.argv ?? []), "--not-live"],
      ...Object.values(SUCCESS).flat(),
    ]) {
      if (["init", "help", "schema", "explain", "completion"].includes(argv[0] ?? "")) continue;
      expect(failureOf(await psn(withJson(argv), { cwd })).code, argv.join(" ")).toBe("HUB_MISSING");
    }
  });

  test("what doctor finds is its document, and its exit code", async () => {
    await hub.rows("UPDATE psn.accounts SET health = 'needs-reconnect', health_reason = 'it was revoked'");
    const ran = await hub.psn(["doctor", "--json"]);
    expect(ran).toMatchObject({ code: 1, stderr: "" });
    expect(documentOf(ran)).toMatchObject({
      ok: false,
      checks: expect.arrayContaining([expect.objectContaining({ status: "fail", said: "it was revoked" })]),
    });
    await hub.rows("UPDATE psn.accounts SET health = 'ok', health_reason = null");
  });
});

describe("success", () => {
  test.each(Object.values(SUCCESS).flatMap((all) => all.map((argv) => ({ argv }))))("psn $argv", async ({ argv }) => {
    const signal = argv[0] === "worker" ? AbortSignal.timeout(100) : undefined;
    const ran = await hub.psn(withJson(filled(argv)), signal ? { signal } : {});
    expect(ran).toMatchObject({ code: 0, stderr: "" });
    expect(documentOf(ran)).not.toHaveProperty("error");
  });

  test("--json may stand before the command", async () => {
    expect(documentOf(await hub.psn(["--json", "queue"]))).toHaveProperty("deliveries");
    expect(documentOf(await hub.psn(["--json", "--hub", hub.folder, "db", "status"]))).toHaveProperty("migrations");
    expect(documentOf(await hub.psn(["db", "--json", "status"]))).toHaveProperty("migrations");
    expect(documentOf(await psn(["queue", "--json", `--hub=${hub.folder}`], { cwd: "/" }))).toHaveProperty(
      "deliveries",
    );
  });

  test("every instant is ISO 8601 in UTC", async () => {
    const { stdout } = await hub.psn(["queue", "--all", "--json"]);
    const instants = [...stdout.matchAll(/"(?:due|next|published)": "([^"]*)"/g)].map(([, instant = ""]) => instant);
    expect(instants.length).toBeGreaterThan(3);
    for (const instant of instants) expect(new Date(instant).toISOString()).toBe(instant);
  });
});
