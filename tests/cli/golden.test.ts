import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { binary, normalised, picture, psn, type Ran, scratch, type TestHub, testHub } from "../support/cli.ts";
import { atMost } from "../support/until.ts";

/*
 * What every command prints and how it ends, for people and for scripts. The snapshots are what a change of words must
 * change on purpose. The tests share one hub and run in order.
 */

let hub: TestHub;
let hello: string;
let picnic: string;
beforeAll(async () => {
  hub = await testHub();
  await picture(hub.folder);
});

function shown({ code, stdout, stderr }: Ran, folder = hub.folder): string {
  const part = (name: string, text: string) => (text === "" ? "" : `${name}:\n${normalised(text, folder)}`);
  return `exit ${code}\n${part("stdout", stdout)}${part("stderr", stderr)}`;
}

/** The last eight characters of the id in a document. */
async function idOf(argv: readonly string[]): Promise<string> {
  const { stdout } = await hub.psn([...argv, "--json"]);
  return String((JSON.parse(stdout) as { readonly post: string }).post).slice(-8);
}

describe("without a hub", () => {
  test.each([
    [[]],
    [["--json"]],
    [["queue"]],
    [["queue", "--json"]],
    [["help", "exit-codes"]],
    [["explain", "UNCONFIRMED"]],
  ])("psn %j", async (argv) => {
    const folder = await scratch();
    expect(shown(await psn(argv, { cwd: folder }), folder)).toMatchSnapshot();
  });

  test("psn init, twice, for people and for scripts", async () => {
    const folder = await scratch("init");
    expect(shown(await psn(["init", "--tz", "UTC"], { cwd: folder }), folder)).toMatchSnapshot();
    expect(shown(await psn(["init", "--tz", "UTC", "--json"], { cwd: folder }), folder)).toMatchSnapshot();
  });
});

describe("what is published", () => {
  test.each([
    [["accounts"]],
    [["accounts", "--json"]],
    [["queue"]],
    [["queue", "--all"]],
    [["post", "One draft", "--dry-run"]],
    [["post", "One draft", "--dry-run", "--json"]],
    [["post", "hello"]],
    [["post", "with a picture", "--media", "picture.png", "--alt", "a square", "--json"]],
    [["queue", "--all"]],
    [["queue", "--all", "--json", "--limit", "1"]],
  ])("psn %j", async (argv) => {
    expect(shown(await hub.psn(argv))).toMatchSnapshot();
  });

  test("psn show, of a delivery and of its post", async () => {
    hello = await idOf(["post", "hello, two lines\nof text"]);
    expect(shown(await hub.psn(["show", hello]))).toMatchSnapshot();
    expect(shown(await hub.psn(["show", hello, "--json"]))).toMatchSnapshot();
  });
});

describe("what is to come", () => {
  beforeAll(async () => {
    picnic = await idOf(["post", "Picnic at noon", "--in", "3d"]);
    await writeFile(join(hub.folder, "edited.md"), "---\nlanguage: en\n---\nPicnic at noon, by the lake\n");
  });
  const forms: readonly (readonly [string, ...string[]])[] = [
    ["show", "ID"],
    ["edit", "ID", "--print"],
    ["edit", "ID", "--file", "edited.md", "--dry-run"],
    ["edit", "ID", "--file", "edited.md"],
    ["edit", "ID", "--file", "edited.md"],
    ["move", "ID", "--in", "4d", "--dry-run"],
    ["move", "ID", "--in", "4d"],
    ["cancel", "ID", "--dry-run"],
    ["cancel", "ID"],
    ["cancel", "ID"],
    ["retry", "ID", "--dry-run"],
    ["retry", "ID", "--json"],
    ["move", "ID", "--in", "2h", "--json"],
    ["cancel", "ID", "--json"],
    ["resolve", "ID", "--not-live"],
  ];
  test.each(forms.map((form) => [form]))("psn %j", async (form) => {
    expect(shown(await hub.psn(form.map((word) => (word === "ID" ? picnic : word))))).toMatchSnapshot();
  });

  test("psn post --in, and psn alone with something waiting", async () => {
    expect(shown(await hub.psn(["post", "Good morning", "--in", "2d", "--to", "feed"]))).toMatchSnapshot();
    expect(shown(await hub.psn(["post", "Good evening", "--in", "5d", "--to", "feed", "--json"]))).toMatchSnapshot();
    expect(shown(await hub.psn([]))).toMatchSnapshot();
    expect(shown(await hub.psn(["--json"]))).toMatchSnapshot();
  });

  test("psn worker, stopped by a signal", async () => {
    const stop = new AbortController();
    const ran = hub.psn(["worker"], { signal: stop.signal });
    // Its first beat says that it works.
    await expect.poll(() => hub.rows("SELECT name FROM psn.workers"), { timeout: 60_000 }).not.toEqual([]);
    stop.abort();
    expect(shown(await ran)).toMatchSnapshot();
    expect(shown(await hub.psn(["worker", "--json"], { signal: stop.signal }))).toMatchSnapshot();
  });
});

describe("the house", () => {
  test.each([
    [["db", "status"]],
    [["db", "status", "--json"]],
    [["db", "migrate"]],
    [["db", "migrate", "--dry-run", "--json"]],
    [["vault", "status"]],
    [["doctor"]],
    [["doctor", "--json", "--offline"]],
    [["config", "path"]],
    [["config", "path", "--json"]],
    [["config", "list"]],
    [["config", "get", "HUB_ENCRYPTION_KEY"]],
    [["config", "get", "PSN_DATA", "--json"]],
    [["config", "set", "PSN_TIME_ZONE", "Europe/Paris", "--dry-run"]],
    [["config", "set", "PSN_TIME_ZONE", "Europe/Paris"]],
    [["config", "set", "PSN_TIME_ZONE", "--unset", "--json"]],
    [["completion", "fish"]],
    [["explain", "nope"]],
    [["explain", "DB_BUSY", "--json"]],
    [["help"]],
    [["help", "times"]],
    [["help", "files"]],
    [["help", "environment", "--json"]],
    [["help", "nope"]],
  ])("psn %j", async (argv) => {
    expect(shown(await hub.psn(argv)).replaceAll(/\b[0-9a-f]{8} {2}current/g, "<id>  current")).toMatchSnapshot();
  });

  test("psn disconnect, and what is left", async () => {
    expect(shown(await hub.psn(["disconnect", "feed"]))).toMatchSnapshot();
    expect(shown(await hub.psn(["disconnect", "feed", "--dry-run"]))).toMatchSnapshot();
    expect(shown(await hub.psn(["disconnect", "feed", "--yes", "--json"]))).toMatchSnapshot();
    expect(shown(await hub.psn(["accounts"]))).toMatchSnapshot();
    expect(shown(await hub.psn(["accounts", "--all"]))).toMatchSnapshot();
    expect(shown(await hub.psn(["connect", "feed", hub.feed, "--title", "Notes"]))).toMatchSnapshot();
    expect(shown(await hub.psn(["connect", "feed", hub.feed, "--json"]))).toMatchSnapshot();
  });
});

describe("help", () => {
  test.each([
    [["--help"]],
    [["post", "--help"]],
    [["delete", "--help"]],
    [["edit", "--help"]],
    [["config", "--help"]],
    [["config", "set", "-h"]],
    [["--version"]],
  ])("psn %j", async (argv) => {
    expect(shown(await psn(argv, { cwd: hub.folder }))).toMatchSnapshot();
  });

  test("of every command has its examples first, and needs no hub", async () => {
    const folder = await scratch();
    const { COMMANDS } = await import("@psn/cli/program.ts");
    for (const [name, { load }] of Object.entries(COMMANDS)) {
      const { default: command } = await load();
      const lines = "commands" in command ? command.commands.map((one) => [name, one.name]) : [[name]];
      for (const line of lines) {
        const { code, stdout, stderr } = await psn([...line, "--help"], { cwd: folder });
        expect({ line, code, stderr }).toEqual({ line, code: 0, stderr: "" });
        expect(stdout, line.join(" ")).toMatch(/^Examples:\n {2}/);
      }
    }
  });

  test("comes before a hub, a database or a platform is loaded", async () => {
    const folder = await scratch();
    const began = performance.now();
    const { child, ended } = binary(["--help"], { cwd: folder, env: { PSN_HUB: "/nowhere" } });
    const first = await new Promise<number>((resolve) =>
      child.stdout?.once("data", () => resolve(performance.now() - began)),
    );
    expect(await ended).toMatchObject({ code: 0, stderr: "" });
    // A hundred milliseconds on a machine that does nothing else; two test files share this one's two cores.
    expect(first).toBeLessThan(atMost(1_000));
  });
});

describe("streams", () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence begins with one.
  const ESCAPE = /\u001b\[/;
  const tty = ["stdin", "stdout", "stderr"] as const;

  test("colour follows each stream", async () => {
    const both = await hub.psn(["accounts"], { tty });
    expect(both.stdout).toMatch(ESCAPE);
    const piped = await hub.psn(["show", "nothing!"], { tty: ["stdout"] });
    expect(piped.stderr).not.toMatch(ESCAPE);
    const failed = await hub.psn(["show", "nothing!"], { tty: ["stderr"] });
    expect(failed.stderr).toMatch(ESCAPE);
    const data = await hub.psn(["accounts"], { tty: ["stderr"] });
    expect(data.stdout).not.toMatch(ESCAPE);
  });

  test("--no-color, and the environment's words", async () => {
    expect((await hub.psn(["accounts", "--no-color"], { tty })).stdout).not.toMatch(ESCAPE);
    expect((await hub.psn(["--no-color", "show", "nothing!"], { tty })).stderr).not.toMatch(ESCAPE);
    const colour = async (env: Readonly<Record<string, string>>, argv: readonly string[] = []) =>
      ESCAPE.test((await hub.binary(["post", "a draft", "--dry-run", ...argv], { env }).ended).stdout);
    expect(await colour({})).toBe(false);
    expect(await colour({ FORCE_COLOR: "1" })).toBe(true);
    expect(await colour({ FORCE_COLOR: "0" })).toBe(false);
    expect(await colour({ FORCE_COLOR: "1" }, ["--no-color"])).toBe(false);
    expect(await colour({ FORCE_COLOR: "1", NO_COLOR: "1" })).toBe(false);
    expect(await colour({ FORCE_COLOR: "1", NO_COLOR: "" })).toBe(true);
    expect(await colour({ FORCE_COLOR: "1", TERM: "dumb" })).toBe(false);
  });

  test("a failing command leaves stdout empty, a JSON one leaves stderr empty", async () => {
    expect(await hub.psn(["show", "00000000"])).toMatchObject({ code: 2, stdout: "" });
    expect(await hub.psn(["show", "00000000", "--json"])).toMatchObject({ code: 2, stderr: "" });
    expect(await hub.psn(["accounts", "--json"])).toMatchObject({ code: 0, stderr: "" });
  });

  test("progress of what goes smoothly is for a terminal alone", async () => {
    const watched = await hub.psn(["post", "watched"], { tty });
    expect(watched.stderr).toContain("scheduled");
    expect((await hub.psn(["post", "unwatched"])).stderr).toBe("");
    expect((await hub.psn(["post", "for a script", "--json"], { tty })).stderr).toBe("");
    const folder = join(await scratch("init"), "hub");
    expect((await psn(["init", folder, "--tz", "UTC"], { cwd: "/", tty })).stderr).toContain("creating the hub");
  });
});
