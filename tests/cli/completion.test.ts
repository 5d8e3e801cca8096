import { once } from "node:events";
import { chmod, mkdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { documentOf, failed, psn, scratch, type TestHub, testHub } from "../support/cli.ts";
import { COMPILED_PSN } from "../support/cli-bundle.ts";
import { isShort } from "../support/how-much.ts";
import { shellIn } from "../support/shells.ts";
import { atTerminal } from "../support/terminal.ts";

/*
 * What is offered behind Tab: of the program, and in real shells.
 */

let hub: TestHub;
let [scheduled, published] = ["", ""];
beforeAll(async () => {
  hub = await testHub();
  const idOf = async (...argv: string[]) => {
    const ran = await hub.psn([...argv, "--json"]);
    const { deliveries } = documentOf(ran) as { readonly deliveries: readonly { readonly id: string }[] };
    return deliveries[0]?.id.slice(-8) ?? "";
  };
  published = await idOf("post", "Out at once");
  scheduled = await idOf("post", "Picnic at noon", "--at", "tomorrow 9am");
});

async function offered(...words: string[]): Promise<readonly string[]> {
  const argv = ["completion", "--words", String(words.length), "--", "psn", ...words];
  const { code, stdout, stderr } = await hub.psn(argv);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return stdout === "" ? [] : stdout.trimEnd().split("\n");
}

const protocol = async (shell: string, ...words: string[]) =>
  (await hub.psn(["completion", "--for", shell, "--words", String(words.length), "--", "psn", ...words])).stdout
    .trimEnd()
    .split("\n");

describe("the program offers", () => {
  test("ids of the posts that the command takes", async () => {
    expect(await offered("show", "")).toEqual(expect.arrayContaining([scheduled, published]));
    for (const command of ["move", "edit", "cancel"]) expect(await offered(command, "")).toEqual([scheduled]);
    expect(await offered("delete", "")).toEqual([published]);
    expect(await offered("resolve", "")).toEqual([]);
  });

  test("what a post says, beside its id", async () => {
    const [kind, line = ""] = await protocol("zsh", "move", "");
    expect(kind).toBe("words");
    expect(line).toMatch(
      new RegExp(`^${scheduled}\\tscheduled {1,2}tomorrow 09:00 {1,2}feed:notes {1,2}Picnic at noon$`),
    );
  });

  test("accounts, and lists of them", async () => {
    expect(await offered("disconnect", "")).toEqual(expect.arrayContaining(["feed:notes", "bluesky"]));
    expect(await offered("post", "x", "--to", "")).toEqual(expect.arrayContaining(["feed:notes", "all"]));
    const second = await offered("post", "x", "--to", "feed:notes,");
    expect(second).toContain("feed:notes,bluesky");
    expect(second).not.toContain("feed:notes,feed:notes");
  });

  test.each<[string[], string[]]>([
    [
      ["queue", "--state", ""],
      ["held", "scheduled", "failed"],
    ],
    [["queue", "--state", "failed,"], ["failed,held"]],
    [
      ["post", "--visibility", ""],
      ["public", "unlisted", "followers", "direct"],
    ],
    [["post", "--late", ""], ["ask"]],
    [
      ["post", "--tz", ""],
      ["UTC", "Europe/Berlin"],
    ],
    [["post", "--option", ""], ["x.reply=following"]],
    [
      ["worker", "--log", ""],
      ["text", "json"],
    ],
    [
      ["service", "print", ""],
      ["systemd", "compose"],
    ],
    [
      ["config", "set", ""],
      ["DATABASE_URL", "X_CLIENT_ID"],
    ],
    [["--json", "queue", "--state", ""], ["held"]],
    [["queue", "--state=he"], ["--state=held"]],
    [
      ["completion", "install", ""],
      ["bash", "zsh", "fish"],
    ],
  ])("values: %j", async (words, found) => {
    expect(await offered(...words)).toEqual(expect.arrayContaining(found));
  });

  test("each flag once, and those that may be repeated again", async () => {
    const flags = await offered("post", "--dry-run", "--media", "a.png", "-");
    expect(flags).toContain("--media");
    expect(flags).not.toContain("--dry-run");
    expect(await offered("post", "--", "-")).toEqual([]);
  });

  test("files and folders by the shell", async () => {
    expect(await protocol("zsh", "post", "")).toEqual(["files"]);
    expect(await protocol("zsh", "post", "--media", "")).toEqual(["files"]);
    expect(await protocol("zsh", "connect", "feed", "--folder", "")).toEqual(["folders"]);
    expect(await protocol("zsh", "--hub", "")).toEqual(["folders"]);
  });

  test("to bash, only what stands behind =", async () => {
    expect(await protocol("bash", "queue", "--state", "=", "he")).toContain("held");
    expect(await protocol("fish", "queue", "--state=he")).toContain("--state=held");
  });
});

describe("where nothing can be known", () => {
  test("without a hub, and with the file of words broken, there is silence", async () => {
    const argv = ["completion", "--words", "2", "--", "psn", "show", ""];
    const nothing = { code: 0, stdout: "", stderr: "" };
    expect(await psn(argv, { cwd: await scratch() })).toEqual(nothing);
    const words = join(hub.folder, "data", "words");
    const text = await readFile(words, "utf8");
    for (const broken of ["", "{", '{"user":1}']) {
      await writeFile(words, broken);
      expect(await hub.psn(argv)).toEqual(nothing);
    }
    await rm(words);
    expect(await hub.psn(argv)).toEqual(nothing);
    await writeFile(words, text);
  });

  test("a command writes the words where it changed something, or where they are old", async () => {
    const words = join(hub.folder, "data", "words");
    const kept = async () => (await readFile(words, "utf8")) === "{}";
    await writeFile(words, "{}");
    await hub.psn(["queue"]);
    expect(await kept()).toBe(true);
    await hub.psn(["post", "Picnic at one", "--at", "tomorrow 1pm", "--dry-run"]);
    expect(await kept()).toBe(true);
    await hub.psn(["post", "Picnic at one", "--at", "tomorrow 1pm"]);
    expect(await kept()).toBe(false);
    await writeFile(words, "{}");
    await utimes(words, new Date(), new Date(Date.now() - 3_600_000));
    await hub.psn(["queue"]);
    expect(await kept()).toBe(false);
  });

  test("the embedded database is not opened, whoever holds it", async () => {
    const closed = await testHub();
    await closed.close();
    const before = await readFile(join(closed.folder, "data", "words"), "utf8");
    await writeFile(join(closed.folder, "data", "pgdata", "PG_VERSION"), "1\n");
    const { stdout } = await closed.psn(["completion", "--words", "2", "--", "psn", "disconnect", ""]);
    expect(stdout).toContain("feed:notes");
    expect(await readFile(join(closed.folder, "data", "words"), "utf8")).toBe(before);
  });

  test("a database that does not answer is given up, and the process ends", async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const env = { DATABASE_URL: `postgres://a:b@127.0.0.1:${port}/c?sslmode=disable`, DATABASE_DRIVER: "pg" };
    const running = hub.binary(["completion", "--words", "2", "--", "psn", "show", ""], { env });
    expect(await running.ended).toMatchObject({ code: 0, stdout: "", stderr: "" });
    expect(sockets.length).toBeGreaterThan(0);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
});

describe.each(isShort ? (["bash"] as const) : (["bash", "zsh", "fish"] as const))("in a real %s", (shell) => {
  /** A home with the script installed, and psn on PATH. */
  const homeWith = async () => {
    const home = await scratch("home");
    const place = await shellIn(home, shell);
    await mkdir(join(home, "bin"), { recursive: true });
    const psnPath = join(home, "bin", "psn");
    await writeFile(psnPath, `#!/bin/sh\nexec "${COMPILED_PSN}" "$@"\n`);
    await chmod(psnPath, 0o755);
    const install = Bun.spawnSync([psnPath, "completion", "install", shell, "--json"], { env: place.env, cwd: home });
    expect(install.stderr.toString()).toBe("");
    const { add, addTo } = JSON.parse(install.stdout.toString()) as { add: string[]; addTo: string | null };
    if (addTo !== null) await writeFile(addTo, `${await readFile(addTo, "utf8")}${add.join("\n")}\n`);
    return { home, place };
  };

  test("ids, accounts and files are completed", async () => {
    const { place } = await homeWith();
    await writeFile(join(hub.folder, "launch-note.md"), "Launch\n");
    const terminal = atTerminal(place.command, { cwd: hub.folder, env: { ...place.env, PSN_HUB: hub.folder } });
    await terminal.shows("$ ");
    terminal.type(`psn move ${scheduled.slice(0, 4)}\t`);
    await terminal.shows(scheduled);
    terminal.type("\u0015psn queue --account feed:n\t");
    await terminal.shows("feed:notes");
    terminal.type("\u0015psn post laun\t");
    await terminal.shows("launch-note.md");
    terminal.type("\u0015psn post x --to feed:notes,blue\t");
    await terminal.shows("feed:notes,bluesky");
    terminal.type("\u0015exit\r");
    await terminal.ended;
  });
});

describe("psn completion install", () => {
  const at = async (home: string, argv: readonly string[], env: Readonly<Record<string, string>> = {}) => {
    const all = { PATH: process.env["PATH"] ?? "", HOME: home, ...env };
    const { exitCode, stdout, stderr } = Bun.spawnSync([COMPILED_PSN, "completion", ...argv], { cwd: home, env: all });
    return { code: exitCode, stdout: stdout.toString(), stderr: stderr.toString() };
  };

  test("takes the user's shell, tells what is missing, and can be undone", async () => {
    const home = await scratch("home");
    const env = { SHELL: "/usr/bin/zsh" };
    const path = join(home, ".zfunc", "_psn");
    const first = await at(home, ["install"], env);
    expect(first).toMatchObject({ code: 0, stdout: `written: ${path}\n` });
    expect(first.stderr).toContain(`fpath=(${join(home, ".zfunc")} $fpath)`);
    expect(await readFile(path, "utf8")).toMatch(/^#compdef psn\n/);
    await writeFile(
      join(home, ".zshrc"),
      `fpath=(${join(home, ".zfunc")} $fpath)\nautoload -Uz compinit && compinit\n`,
    );
    const second = await at(home, ["install"], env);
    expect(second.stdout).toBe(`nothing to do: ${path}\n`);
    expect(second.stderr).not.toContain("fpath");
    const undone = await at(home, ["install", "--undo"], env);
    expect(undone.stdout).toBe(`removed: ${path}\n`);
    expect(undone.stderr).toContain("remove these lines");
    expect((await at(home, ["install", "--undo"], env)).stdout).toBe(`nothing to do: ${path}\n`);
  });

  test("leaves a file that psn did not write", async () => {
    const home = await scratch("home");
    const path = join(home, ".config", "fish", "completions", "psn.fish");
    await mkdir(join(path, ".."), { recursive: true });
    await writeFile(path, "# mine\n");
    for (const undo of [[], ["--undo"]])
      expect(failed(await at(home, ["install", "fish", ...undo]), "FOREIGN_CONTENT")).toContain(path);
    expect(await readFile(path, "utf8")).toBe("# mine\n");
  });

  test("asks which shell, where it cannot know", async () => {
    const home = await scratch("home");
    const unknown = await at(home, ["install"], { SHELL: "/bin/tcsh" });
    expect(failed(unknown, "INPUT_REQUIRED")).toMatch(/tcsh[\s\S]*psn completion install bash/);
    expect(failed(await at(home, ["install", "tcsh"]), "USAGE")).toContain("tcsh");
  });
});
