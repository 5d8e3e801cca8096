import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { noticeUpdate } from "@psn/cli/update-notice.ts";
import { DAY_MS, isNewer, readKnown, writeKnown } from "@psn/service/newest.ts";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { version } from "../package.json";
import { binary, documentOf, scratch } from "./support/cli.ts";

/* Which version is the newest: psn upgrade asks, and other commands tell once a day. */

/** As a registry tells of a package: GET /psn. */
const packageOf = (version: string) =>
  Response.json({
    name: "psn",
    "dist-tags": { latest: version },
    versions: { [version]: { name: "psn", version, dist: { tarball: `${registry.url}psn.tgz`, shasum: "0" } } },
  });
let answer: () => Response = () => packageOf("99.1.0");
let asked: string[] = [];
const registry = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch: (request) => {
    asked.push(new URL(request.url).pathname);
    return answer();
  },
});
afterAll(() => registry.stop(true));

let home = "";
beforeEach(async () => {
  home = await scratch("home");
  asked = [];
  answer = () => packageOf("99.1.0");
});
const upgrade = (...flags: readonly string[]) => {
  const env = { npm_config_registry: registry.url.href, HOME: home };
  return binary(["upgrade", ...flags], { cwd: home, env }).ended;
};

describe("psn upgrade", () => {
  test("says both versions, how psn was installed, and the one command", async () => {
    const ran = await upgrade();
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining(`psn ${version}  a single program  /`) });
    expect(ran.stdout).toContain("psn 99.1.0 is available");
    expect(ran.stderr).toMatch(/^next: replace \S+ with the program of the newest release\n.*psn db migrate/);
    expect(asked).toEqual(["/psn"]);
    expect(readKnown(join(home, ".cache/psn")).newest).toBe("99.1.0");
  });

  test("--refresh remembers the answer and prints nothing", async () => {
    expect(await upgrade("--refresh")).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(readKnown(join(home, ".cache/psn")).newest).toBe("99.1.0");
  });

  test.each([
    ["no such package", () => new Response("{}", { status: 404 }), 0],
    ["a version that is none", () => packageOf("\u001b[2J9.9.9"), 6],
    ["no JSON", () => new Response("<html>"), 6],
    ["nothing but trouble", () => new Response("", { status: 500 }), 6],
  ])("%s: the newest version is not known", async (_what, said, code) => {
    answer = said;
    const ran = await upgrade("--json");
    expect(ran.code).toBe(code);
    expect((await upgrade()).stdout).toContain("the newest version is not known");
    expect(documentOf(ran)).toMatchObject({ version, newest: null, newer: false, installedBy: "binary" });
  });
});

describe("the notice", () => {
  let said = "";
  const stderr = {
    isTTY: true,
    write: (text: string) => {
      said += text;
    },
  };
  const NOW = new Date("2026-11-27T12:00:00Z");
  const told = (options: Partial<Parameters<typeof noticeUpdate>[0]> = {}, env: Record<string, string> = {}) => {
    said = "";
    let refreshed = 0;
    const before = { ...process.env };
    Object.assign(process.env, { XDG_CACHE_HOME: home, ...env });
    const refresh = () => {
      refreshed += 1;
    };
    noticeUpdate({ argv: ["queue"], version: "1.0.0", stderr, now: NOW, refresh, ...options });
    for (const name of ["XDG_CACHE_HOME", ...Object.keys(env)]) {
      if (before[name] === undefined) delete process.env[name];
      else process.env[name] = before[name];
    }
    return { said, refreshed };
  };
  const known = (facts: Partial<ReturnType<typeof readKnown>>) =>
    writeKnown(join(home, "psn"), { newest: "1.1.0", askedAt: NOW.getTime(), toldAt: 0, ...facts });

  test("comes once a day", () => {
    known({});
    expect(told()).toEqual({
      said: "a new version of psn is available: 1.0.0 → 1.1.0; psn upgrade shows how to install it\n",
      refreshed: 0,
    });
    expect(told().said).toBe("");
    expect(told({ now: new Date(NOW.getTime() + DAY_MS) })).toMatchObject({
      refreshed: 1,
      said: expect.stringContaining("1.1.0"),
    });
  });

  test("has the registry asked once a day, by another process", () => {
    expect(told()).toEqual({ said: "", refreshed: 1 });
    expect(told()).toEqual({ said: "", refreshed: 0 });
    known({ askedAt: NOW.getTime() + 400 * DAY_MS });
    expect(told().refreshed).toBe(1);
  });

  test.each([
    ["not a terminal", { stderr: { ...stderr, isTTY: false } }, {}],
    ["--json", { argv: ["queue", "--json"] }, {}],
    ["a worker", { argv: ["worker"] }, {}],
    ["psn upgrade itself", { argv: ["upgrade"] }, {}],
    ["PSN_NO_UPDATE_CHECK", {}, { PSN_NO_UPDATE_CHECK: "1" }],
    ["CI", {}, { CI: "true" }],
  ])("%s: nobody is told, and nobody is asked", (_what, options, env) => {
    known({ askedAt: 0 });
    expect(told(options, env)).toEqual({ said: "", refreshed: 0 });
  });

  test("a file that holds anything else counts as none", () => {
    mkdirSync(join(home, "psn"));
    for (const text of ["", "[]", '{"newest":"\\u001b[2J","askedAt":0,"toldAt":0}']) {
      writeFileSync(join(home, "psn/newest.json"), text);
      expect(told()).toEqual({ said: "", refreshed: 1 });
    }
    expect(readFileSync(join(home, "psn/newest.json"), "utf8")).toContain('"newest":null');
  });

  test.each([
    ["1.0.1", "1.0.0", true],
    ["1.10.0", "1.9.0", true],
    ["1.0.0", "1.0.0", false],
    ["1.0.0-beta.1", "1.0.0", false],
    [null, "1.0.0", false],
  ])("%s after %s: %s", (newest, own, is) => {
    expect(isNewer(newest, own)).toBe(is);
  });
});
