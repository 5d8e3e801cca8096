import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { COMMON_FLAGS, isGroup } from "@psn/cli/command.ts";
import { createOutput } from "@psn/cli/output.ts";
import { COMMANDS, run } from "@psn/cli/program.ts";
import { ERRORS, EXIT } from "@psn/core/errors.ts";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { binary, psn, scratch } from "../support/cli.ts";

let cwd = "";
beforeAll(async () => {
  cwd = await mkdtemp(join(tmpdir(), "psn-cli-"));
});
afterAll(() => rm(cwd, { recursive: true, force: true }));
beforeEach(() => {
  for (const name of ["FORCE_COLOR", "NO_COLOR", "CI", "PSN_HUB"]) vi.stubEnv(name, undefined);
  vi.stubEnv("TERM", "xterm-256color");
});
afterEach(() => vi.unstubAllEnvs());

const names = Object.keys(COMMANDS);
const MAIN = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const ESC = "\u001b";

describe("the table of commands", () => {
  test.each(names)("%s: what the help says of it is what the command says of itself", async (name) => {
    const entry = COMMANDS[name];
    const command = (await entry?.load())?.default;
    expect(command?.name).toBe(name);
    expect(command?.summary).toBe(entry?.summary);
    const members = command && isGroup(command) ? command.commands : command ? [command] : [];
    for (const one of members) expect(one.examples.length, `examples of ${one.name}`).toBeGreaterThan(0);
  });

  test.each(names)("psn %s --help begins with examples and lists every common flag", async (name) => {
    const command = (await COMMANDS[name]?.load())?.default;
    const argv = command && isGroup(command) ? [name, command.commands[0]?.name ?? "", "--help"] : [name, "--help"];
    const { stdout, stderr, code: exit } = await psn(argv, { cwd });
    expect({ stderr, exit }).toEqual({ stderr: "", exit: EXIT.ok });
    expect(stdout).toMatch(/^Examples:\n {2}\S/);
    for (const { flags } of COMMON_FLAGS) expect(stdout).toContain(flags);
  });

  test("no command takes a flag that every command has", async () => {
    for (const name of names) {
      const command = (await COMMANDS[name]?.load())?.default;
      const own =
        command && isGroup(command) ? command.commands.flatMap(({ flags = [] }) => flags) : (command?.flags ?? []);
      const common = COMMON_FLAGS.flatMap(({ flags }) => flags.match(/--[a-z-]+/g) ?? []);
      expect(
        own.flatMap(({ flags }) => flags.match(/^(?:-\w, )?--[a-z-]+/g) ?? []).filter((flag) => common.includes(flag)),
        name,
      ).toEqual([]);
    }
  });
});

describe("a command line psn does not understand", () => {
  test.each([
    [["qeue"], "queue"],
    [["queue", "--jsno"], "--json"],
    [["db", "migrat"], "migrate"],
    [["psot", "hello"], "post"],
    // Help on all commands would look as if this one existed.
    [["psot", "--help"], "post"],
    [["db", "migrat", "--help"], "migrate"],
  ])("%j is answered with what may be meant", async (argv, meant) => {
    const { stdout, stderr, code: exit } = await psn(argv, { cwd });
    expect({ stdout, exit }).toEqual({ stdout: "", exit: EXIT.usage });
    expect(stderr).toContain(`Did you mean ${meant}?`);
    expect(stderr.trimEnd().split("\n").length).toBeLessThanOrEqual(3);
  });

  test.each([
    [["db"], /needs one of: migrate, status/],
    [["queue", "too", "many"], /too many arguments/],
    [["queue", "--limit"], /argument missing/],
    [["queue", "--limit", "abc"], /--limit/],
    [["queue", "--limit", "0"], /--limit/],
    [["show"], /missing required argument/],
    [[""], /unknown command/],
    [["constructor"], /unknown command/],
    [["--hub"], /argument missing/],
    [["--jsno"], /unknown option/],
  ])("%j", async (argv, message) => {
    const { stdout, stderr, code: exit } = await psn(argv, { cwd });
    expect({ stdout, exit }).toEqual({ stdout: "", exit: EXIT.usage });
    expect(stderr).toMatch(message);
    expect(stderr).toContain("--help");
  });
});

describe("a text that begins with -", () => {
  test.each([
    ["-5 degrees outside"],
    ["- a list item"],
    ["-- two"],
    ["-it's 'quoted'"],
    ["--yes we can"],
    ["-yes we can"],
    ["-\nsecond line"],
  ])("%j is told how to be a text, and is not repeated", async (text) => {
    const { stdout, stderr, code: exit } = await psn(["post", "--dry-run", text], { cwd });
    expect({ stdout, exit }).toEqual({ stdout: "", exit: EXIT.usage });
    expect(stderr).toMatch(/^✗ the text begins with -.*\n.*psn post -- "-text"\n$/);
  });

  test.each([["-5"], ["—- a long dash"]])("%s is no flag and never was one", async (text) => {
    expect((await psn(["post", text], { cwd })).stderr).toContain("HUB_MISSING");
  });

  test.each([["--two"], ["-x"], ["--dry-rnu"]])("%s may be a mistyped flag, or a text", async (text) => {
    const { stderr, code: exit } = await psn(["post", text], { cwd });
    expect(exit).toBe(EXIT.usage);
    expect(stderr).toContain(`unknown option '${text}'`);
    expect(stderr).toMatch(/psn post --help; .*psn post -- "-text"/);
  });

  test("behind --, and by --text, it is one", async () => {
    for (const argv of [
      ["post", "--", "-5 degrees"],
      ["post", "--text", "-5 degrees"],
    ])
      expect((await psn(argv, { cwd })).stderr).toContain("HUB_MISSING");
    expect((await psn(["post", "a", "--text", "b"], { cwd })).stderr).toMatch(/given twice/);
  });
});

describe("--json", () => {
  test.each([
    [["explain", "--json"], EXIT.ok],
    [["--json", "explain", "USAGE"], EXIT.ok],
    [["explain", "NOPE", "--json"], EXIT.usage],
    [["help", "times", "--json"], EXIT.ok],
    [["help", "nonsense", "--json"], EXIT.usage],
    [["completion", "fish", "--json"], EXIT.ok],
    [["qeue", "--json"], EXIT.usage],
    [["--json"], EXIT.ok],
    [["queue", "--json"], EXIT.setup],
    [["--json", "db", "status"], EXIT.setup],
    [["db", "--json"], EXIT.usage],
    [["post", "x", "--json"], EXIT.setup],
    [["queue", "--json", "--limit", "abc"], EXIT.usage],
  ])("%j prints one document and nothing else", async (argv, exit) => {
    const said = await psn(argv, { cwd, tty: ["stdout", "stderr"] });
    expect({ stderr: said.stderr, exit: said.code }).toEqual({ stderr: "", exit });
    const document = JSON.parse(said.stdout) as { error?: { code: keyof typeof ERRORS } };
    if (exit === EXIT.ok) expect(document).not.toHaveProperty("error");
    else {
      expect(Object.keys(document.error ?? {})).toEqual(
        expect.arrayContaining(["code", "message", "hint", "retry", "next"]),
      );
      expect(document.error && ERRORS[document.error.code].exit).toBe(exit);
    }
  });

  test("behind -- it is text", async () => {
    const { stdout, stderr, code: exit } = await psn(["post", "--", "--json"], { cwd });
    expect({ stdout, exit }).toEqual({ stdout: "", exit: EXIT.setup });
    expect(stderr).toContain("HUB_MISSING");
  });
});

describe("colour", () => {
  test("a failure on a terminal is coloured; in a pipe, with --no-color, NO_COLOR or TERM=dumb it is not", async () => {
    const failing = ["explain", "NOPE"];
    expect((await psn(failing, { cwd, tty: ["stdout", "stderr"] })).stderr).toContain(ESC);
    expect((await psn(failing, { cwd })).stderr).not.toContain(ESC);
    expect((await psn([...failing, "--no-color"], { cwd, tty: ["stdout", "stderr"] })).stderr).not.toContain(ESC);
    expect((await psn(["--no-color", ...failing], { cwd, tty: ["stdout", "stderr"] })).stderr).not.toContain(ESC);
    vi.stubEnv("NO_COLOR", "1");
    expect((await psn(failing, { cwd, tty: ["stdout", "stderr"] })).stderr).not.toContain(ESC);
    vi.stubEnv("NO_COLOR", "");
    vi.stubEnv("TERM", "dumb");
    expect((await psn(failing, { cwd, tty: ["stdout", "stderr"] })).stderr).not.toContain(ESC);
  });

  test("FORCE_COLOR colours a pipe, and nothing is said by colour alone", async () => {
    const plain = await psn(["explain", "USAGE"], { cwd });
    vi.stubEnv("FORCE_COLOR", "1");
    const coloured = await psn(["explain", "USAGE"], { cwd });
    expect(coloured.stdout).toContain(ESC);
    expect(Bun.stripANSI(coloured.stdout)).toBe(plain.stdout);
    expect((await psn(["explain", "USAGE", "--no-color"], { cwd })).stdout).toBe(plain.stdout);
  });
});

test("a failure is three lines at most: what happened, its code, what helps", async () => {
  const { stdout, stderr, code: exit } = await psn(["queue"], { cwd });
  expect({ stdout, exit }).toEqual({ stdout: "", exit: EXIT.setup });
  const [what, helps, ...more] = stderr.trimEnd().split("\n");
  expect(what).toMatch(/^✗ .*\(HUB_MISSING\)$/);
  expect(helps).toBe("  → psn init");
  expect(more).toEqual([]);
});

test("psn alone, without a hub, says how to begin", async () => {
  const { stdout, code: exit } = await psn([], { cwd });
  expect(exit).toBe(EXIT.ok);
  expect(stdout).toContain("psn init");
});

describe("explain", () => {
  test.each(Object.keys(ERRORS))("%s", async (code) => {
    const { stdout, code: exit } = await psn(["explain", code.toLowerCase(), "--json"], { cwd });
    expect(exit).toBe(EXIT.ok);
    const { exit: itsExit, meaning, retry } = ERRORS[code as keyof typeof ERRORS];
    expect(JSON.parse(stdout)).toMatchObject({ code, exit: itsExit, meaning, retry });
  });

  test("a code that meant more in an earlier psn names the codes of what it meant too", async () => {
    const { stdout, code: exit } = await psn(["explain", "STATE_CONFLICT"], { cwd });
    expect(exit).toBe(EXIT.ok);
    const [meaning, other] = stdout.split("also meant");
    expect(meaning).toContain(ERRORS.STATE_CONFLICT.meaning);
    for (const code of ERRORS.STATE_CONFLICT.became) expect(other).toMatch(new RegExp(`^${code}  `, "m"));
    const said = await psn(["explain", "STATE_CONFLICT", "--json"], { cwd });
    expect(JSON.parse(said.stdout)).toMatchObject({ became: ERRORS.STATE_CONFLICT.became });
    expect((await psn(["explain", "HUB_BUSY"], { cwd })).stdout).not.toContain("also meant");
  });

  test("a slip is answered with the near one", async () => {
    expect((await psn(["explain", "RATE_LIMTED"], { cwd })).stderr).toContain("did you mean RATE_LIMITED?");
  });
});

describe("help topics", () => {
  test.each([
    [
      ["help", "post"],
      ["post", "--help"],
    ],
    [
      ["--no-color", "help", "post"],
      ["post", "--help"],
    ],
    [
      ["help", "vault", "rotate"],
      ["vault", "rotate", "--help"],
    ],
    [
      ["help", "db"],
      ["db", "--help"],
    ],
  ])("%j is %j", async (asked, meant) => {
    const help = await psn(asked, { cwd });
    expect(help).toEqual(await psn(meant, { cwd }));
    expect(help).toMatchObject({ code: EXIT.ok, stderr: "", stdout: expect.stringMatching(/./) });
  });

  test("exit-codes names every one", async () => {
    const { stdout } = await psn(["help", "exit-codes"], { cwd });
    for (const code of Object.values(EXIT)) expect(stdout).toMatch(new RegExp(`^${code} `, "m"));
  });

  test.each(["times", "files", "exit-codes", "environment"])("%s", async (topic) => {
    const { stdout, stderr, code: exit } = await psn(["help", topic], { cwd });
    expect({ stderr, exit }).toEqual({ stderr: "", exit: EXIT.ok });
    expect(stdout.length).toBeGreaterThan(80);
  });
});

describe("completion", () => {
  const words = async (...typed: string[]) =>
    (await psn(["completion", "--words", String(typed.length - 1), "--", ...typed], { cwd })).stdout.trim().split("\n");

  test("commands, their members, platforms, codes, topics and flags", async () => {
    expect(await words("psn", "")).toEqual(names);
    expect(await words("psn", "db", "")).toEqual(["migrate", "status"]);
    expect(await words("psn", "connect", "")).toContain("mastodon");
    expect(await words("psn", "explain", "")).toContain("RATE_LIMITED");
    expect(await words("psn", "help", "")).toContain("times");
    expect(await words("psn", "queue", "--")).toEqual(expect.arrayContaining(["--limit", "--json", "--hub"]));
    expect(await words("psn", "nonsense", "")).toEqual([""]);
  });

  test("where there is no hub, --to still knows the platforms, in silence", async () => {
    const {
      stdout,
      stderr,
      code: exit,
    } = await psn(["completion", "--words", "3", "--", "psn", "post", "--to", ""], { cwd });
    expect({ stderr, exit }).toEqual({ stderr: "", exit: EXIT.ok });
    expect(stdout.trim().split("\n")).toEqual(expect.arrayContaining(["bluesky", "feed"]));
  });

  test("bash takes the script as it is, and completes with it", async () => {
    const { stdout: script } = await psn(["completion", "bash"], { cwd });
    const { exitCode, stdout } = Bun.spawnSync({
      cmd: [
        "bash",
        "--norc",
        "-c",
        `psn() { printf 'words\\nqueue\\nquit\\n'; }\n${script}\nCOMP_WORDS=(psn qu); COMP_CWORD=1; _psn; echo ` +
          `"\${COMPREPLY[*]}"`,
      ],
      cwd,
    });
    expect({ exitCode, stdout: stdout.toString() }).toEqual({ exitCode: 0, stdout: "queue quit\n" });
  });

  test("bash runs nothing of an account's name, and takes it as one word", async () => {
    const { stdout: script } = await psn(["completion", "bash"], { cwd });
    const names = ["li:Eve $(touch pwned) `touch pwned`", "li:Pat O'Brien"];
    const { exitCode, stdout } = Bun.spawnSync({
      cmd: [
        "bash",
        "--norc",
        "-c",
        `psn() { printf '%s\n' words "$NAME1" "$NAME2" x; }
${script}
COMP_WORDS=(psn post --to li); COMP_CWORD=3; _psn
for word in "\${COMPREPLY[@]}"; do eval "printf '%s|' $word"; done; ls`,
      ],
      cwd: await scratch("completion"),
      env: { PATH: process.env["PATH"] ?? "", NAME1: names[0] ?? "", NAME2: names[1] ?? "" },
    });
    expect({ exitCode, stdout: stdout.toString() }).toEqual({ exitCode: 0, stdout: `${names.join("|")}|` });
  });
});

describe("through the program people run", () => {
  test("--version, --help, a failure, and its exit code", async () => {
    const { version } = (await import("../../package.json")).default;
    expect(await binary(["--version"], { cwd }).ended).toMatchObject({
      stdout: `${version}\n`,
      stderr: "",
      code: EXIT.ok,
    });
    const help = await binary(["--help"], { cwd }).ended;
    expect(help).toMatchObject({ stderr: "", code: EXIT.ok });
    for (const name of names) expect(help.stdout).toMatch(new RegExp(`^ {2}${name} `, "m"));
    const failure = await binary(["queue"], { cwd, env: { FORCE_COLOR: "1" } }).ended;
    expect(failure).toMatchObject({ stdout: "", code: EXIT.setup });
    expect(failure.stderr).toContain(`${ESC}[31m`);
  });

  test("--version and --help load commander and the table, nothing of the hub", async () => {
    for (const flag of ["--version", "--help"]) {
      const script =
        `process.argv.splice(1, process.argv.length, "psn", ${JSON.stringify(flag)}); await ` +
        `import(${JSON.stringify(MAIN)}); console.error(JSON.stringify(Object.keys(require.cache)))`;
      const { stderr } = Bun.spawnSync({ cmd: [process.execPath, "-e", script], cwd, env: process.env });
      const loaded = (JSON.parse(stderr.toString()) as string[]).map((path) =>
        path.replace(/^.*\/(?:src|node_modules)\//, ""),
      );
      expect(loaded.filter((path) => /^(?:app|domain|platforms|core\/db|compose|drizzle|pg|zod)/.test(path))).toEqual(
        [],
      );
    }
  });

  test("whoever stops reading changes neither the work nor how it ends", () => {
    const { exitCode, stderr } = Bun.spawnSync({
      cmd: ["bash", "-c", 'set -o pipefail; "$0" "$1" explain NOPE --json | true', process.execPath, MAIN],
      cwd,
    });
    expect({ exitCode, stderr: stderr.toString() }).toEqual({ exitCode: EXIT.usage, stderr: "" });
  });
});

test("Ctrl-C at a prompt is no mistake of psn's", async () => {
  const said: string[] = [];
  const sink = { isTTY: false, write: (text: string) => void said.push(text) };
  const exit = await run(["explain"], {
    version: "1",
    writeHelp: () => undefined,
    output: async (json) => createOutput({ json, stdout: sink, stderr: sink, color: false }),
    context: () => Promise.reject(new DOMException("Aborted with Ctrl+C", "AbortError")),
    trace: () => said.push("trace"),
  });
  expect({ exit, said }).toEqual({ exit: EXIT.interrupted, said: ["✗ stopped (INTERRUPTED)\n"] });
});
