import { spawnSync } from "node:child_process";
import { chmodSync, statSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PLAIN_FIELDS, SECRET_FIELDS } from "@psn/cli/form.ts";
import { COMMANDS } from "@psn/cli/program.ts";
import { ERRORS } from "@psn/core/errors.ts";
import { formFields } from "@psn/core/types/account.ts";
import { platformIds, platforms } from "@psn/platforms/index.ts";
import { beforeAll, describe, expect, test } from "vitest";
import { documentOf, psn, refusedBy, scratch, type TestHub, testHub } from "../support/cli.ts";
import { COMPILED_PSN } from "../support/cli-bundle.ts";

/*
 * The flags of connect, the words of completion, and the two files of settings.
 */

let hub: TestHub;
beforeAll(async () => {
  hub = await testHub();
});

describe("connect", () => {
  test("has a flag for every field of every platform, and no other", async () => {
    const fields = (await Promise.all(platformIds.map(async (id) => formFields(await platforms[id]())))).flat();
    const names = (secret: boolean) =>
      [...new Set(fields.filter((field) => field.secret === secret).map(({ name }) => name))].toSorted();
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
    expect(await hub.psn(["connect", "webhook", "http://127.0.0.1:1/", "--secret-file", file])).toMatchObject({
      code: 2,
    });
    expect(
      await hub.psn(["connect", "webhook", "http://127.0.0.1:1/", "--secret-file", file, "--secret-stdin"]),
    ).toMatchObject({
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
    expect(await words("connect", "")).toEqual(["feed:notes", ...platformIds]);
    expect(await words("post", "hello", "--to", "")).toEqual(expect.arrayContaining(["feed:notes", "feed", "all"]));
    expect(await words("disconnect", "")).toEqual(expect.arrayContaining(["feed:notes"]));
    expect(await words("help", "")).toContain("times");
    expect(await words("explain", "")).toEqual(Object.keys(ERRORS));
    expect(await words("queue", "--")).toEqual(expect.arrayContaining(["--all", "--limit", "--json", "--hub"]));
    expect(await words("config", "set", "X", "--")).toContain("--stdin");
    expect(await words("frobnicate", "")).toEqual([""]);
  });

  test("works without a hub", async () => {
    const { code, stdout } = await psn(["completion", "--words", "3", "--", "psn", "post", "--to", ""], {
      cwd: await scratch(),
    });
    expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("mastodon") });
  });

  test("in a real bash", async () => {
    const script = `
      psn() { "$PSN" "$@"; }
      eval "$(psn completion bash)"
      complete -p psn
      compopt() { :; }
      try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _psn; printf '%s|' "\${COMPREPLY[@]}"; echo; }
      try psn que; try psn connect blue; try psn post hello --to feed:n`;
    const env = { PATH: process.env["PATH"] ?? "", HOME: hub.folder, PSN: COMPILED_PSN };
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
    await writeFile(file("keys"), "# mine\nX_CLIENT_ID=abc # the app's\n\n# the other\nLINKEDIN_CLIENT_ID='x y'\n", {
      mode: 0o600,
    });
    expect(await hub.psn(["config", "set", "X_CLIENT_SECRET", "--stdin"], { stdin: "s3cr#t\n" })).toMatchObject({
      code: 0,
    });
    expect(await hub.psn(["config", "set", "X_CLIENT_ID", "def"])).toMatchObject({ code: 0 });
    expect(await keys()).toBe(
      "# mine\nX_CLIENT_ID=def # the app's\n\n# the other\nLINKEDIN_CLIENT_ID='x y'\nX_CLIENT_SECRET='s3cr#t'\n",
    );
    const { stdout } = await hub.psn(["config", "list", "--json"]);
    expect(stdout).not.toContain("s3cr#t");
    expect(await hub.psn(["config", "get", "X_CLIENT_SECRET"])).toMatchObject({ code: 0, stdout: "••••••••\n" });
    expect(await hub.psn(["config", "get", "X_CLIENT_ID"])).toMatchObject({ stdout: "def\n" });
    expect(await hub.psn(["config", "set", "X_CLIENT_SECRET", "--unset"])).toMatchObject({ code: 0 });
    expect(await keys()).not.toContain("SECRET");
    expect(statSync(file("keys")).mode & 0o777).toBe(0o600);
  });

  test("a name that psn does not know is stored nowhere, and doctor warns of one that somebody wrote", async () => {
    for (const [argv, stdin] of [
      [["config", "set", "NOPE", "1"], ""],
      [["config", "set", "NOPE", "--stdin"], "1\n"],
      [["config", "set", "X_CLIENT_SECRT", "--stdin"], "1\n"],
      [["config", "set", "NOPE", "--unset"], ""],
      [["config", "set", "NOPE", "--unset", "--dry-run"], ""],
      [["keys", "set", "NOPE", "--stdin"], "1\n"],
      [["keys", "set", "PSN_LATE", "--stdin"], "1\n"],
    ] as const)
      await refusedBy(
        hub,
        argv,
        "SETTING_UNKNOWN",
        /psn knows no setting (NOPE|X_CLIENT_SECRT|PSN_LATE)[\s\S]*(psn config list|did you mean)/,
        stdin,
      );
    const before = await keys();
    await writeFile(file("keys"), `${before}NOPE=canary\n`, { mode: 0o600 });
    const { checks } = documentOf(await hub.psn(["doctor", "--offline", "--json"])) as {
      checks: { said: string; status: string }[];
    };
    expect(checks).toContainEqual(
      expect.objectContaining({ status: "warn", said: "psn does not know the setting NOPE in keys.env" }),
    );
    const pushed = await hub.psn(["keys", "push"]);
    expect(pushed).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("not sealed, because psn does not know these names: NOPE"),
    });
    expect(await hub.rows("SELECT name FROM psn.api_keys WHERE name = 'NOPE'")).toEqual([]);
    expect(await hub.psn(["config", "set", "NOPE", "--unset"])).toMatchObject({ code: 0 });
    expect(await keys()).toBe(before);
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
      expect({ script, ended, stdout, stderr }).toEqual({
        script,
        ended: code,
        stdout: "",
        stderr: expect.stringMatching(says),
      });
      expect(await readFile(file("hub"), "utf8")).toBe(edited);
    }
    const refused = join(hub.folder, "config", "refused.hub.env");
    const { stderr } = await edit('echo "PSN_USER=nobody" >> "$2"');
    expect(stderr).toContain(refused);
    expect(await readFile(refused, "utf8")).toBe(`${edited}PSN_USER=nobody\n`);
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
