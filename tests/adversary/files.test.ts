import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { sealCredentials } from "@psn/app/session.ts";
import { openHub } from "@psn/wiring/hub.ts";
import { afterAll, describe, expect, test } from "vitest";
import { binary, closedHub, failed, psn, scratch } from "../support/cli.ts";

/* Whose the files of a hub are, who may reach them, and what of them gets into a repository or into another hub. */

const notRoot = process.getuid?.() === 0 ? undefined : "only root can give a file to another user";
/** nobody, on most systems. */
const STRANGER = 65_534;
const given: string[] = [];
afterAll(() => {
  for (const path of given) if (existsSync(path)) chownSync(path, 0, 0);
});
const give = (path: string) => {
  chownSync(path, STRANGER, STRANGER);
  given.push(path);
};
const queue = (folder: string) => psn(["queue"], { cwd: folder });

describe("modes", () => {
  test("data/ and config/ are 0700 whatever was there before", async () => {
    const folder = join(await scratch("prepared"), "hub");
    for (const name of ["", "data", "config"]) {
      mkdirSync(join(folder, name), { recursive: true });
      chmodSync(join(folder, name), 0o755);
    }
    expect(await psn(["init", "--tz", "UTC"], { cwd: folder })).toMatchObject({ code: 0 });
    for (const name of ["data", "config"]) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o700);
    chmodSync(join(folder, "data"), 0o777);
    expect(await queue(folder)).toMatchObject({ code: 0 });
    expect(statSync(join(folder, "data")).mode & 0o777).toBe(0o700);
  });

  test.each([
    ["", 0o777],
    ["", 0o775],
    ["config", 0o777],
  ])("others may write to %j (%o): refused, with the command that mends it", async (name, mode) => {
    const folder = await closedHub();
    const path = join(folder, name);
    chmodSync(path, mode);
    const said = failed(await queue(folder), "CONFIG_EXPOSED");
    expect(said).toContain(`chmod go-w ${path}`);
    chmodSync(path, mode & ~0o022);
    expect(await queue(folder)).toMatchObject({ code: 0 });
  });

  test("psn init does not make a hub where others may write", async () => {
    const folder = await scratch("open");
    chmodSync(folder, 0o777);
    expect(failed(await psn(["init"], { cwd: folder }), "CONFIG_EXPOSED")).toContain(`chmod go-w ${folder}`);
    expect(existsSync(join(folder, "config"))).toBe(false);
  });
});

describe.skipIf(notRoot !== undefined)(
  `another user's files${notRoot === undefined ? "" : ` (skipped: ${notRoot})`}`,
  () => {
    test.each([
      "",
      "config",
      "config/hub.env",
      "config/keys.env",
      "config/incarnation.json",
      "data",
      "data/pgdata",
      "data/lock",
      "data/socket",
    ])("%j is refused, with the reason and how to go on", async (name) => {
      const folder = await closedHub();
      const path = join(folder, name);
      if (!existsSync(path)) writeFileSync(path, "", { mode: 0o600 });
      give(path);
      // Named, since a hub that is found by looking upward would be passed by.
      const said = failed(await psn(["queue", "--hub", folder], { cwd: "/" }), "CONFIG_EXPOSED");
      expect(said).toContain(`${path} belongs to another user (uid ${STRANGER})`);
      expect(said).toMatch(/→ run psn as its owner: sudo -u/);
      expect(existsSync(path)).toBe(true);
    });

    test("a link of another user's in the place of hub.env", async () => {
      const folder = await closedHub();
      const path = join(folder, "config", "hub.env");
      cpSync(path, join(folder, "theirs.env"));
      rmSync(path);
      symlinkSync(join(folder, "theirs.env"), path);
      expect(await queue(folder)).toMatchObject({ code: 0 });
      spawnSync("chown", ["-h", String(STRANGER), path]);
      failed(await psn(["queue", "--hub", folder], { cwd: "/" }), "CONFIG_EXPOSED");
    });

    test("looking upward passes another user's hub by, also as root", async () => {
      const folder = await closedHub();
      const inside = join(folder, "work");
      mkdirSync(inside);
      for (const name of ["config/hub.env", "config", ""]) give(join(folder, name));
      expect(failed(await queue(inside), "HUB_MISSING")).toContain(`belongs to another user (uid ${STRANGER})`);
      expect(await psn(["init", "--tz", "UTC"], { cwd: inside })).toMatchObject({ code: 0 });
      expect(await queue(inside)).toMatchObject({ code: 0 });
    });

    test("who may not write there is told so by psn init, and nothing is half made", async () => {
      const folder = await scratch("theirs");
      chmodSync(folder, 0o755);
      const home = await scratch("home");
      chownSync(home, STRANGER, STRANGER);
      const main = join(import.meta.dirname, "../../src/cli/main.ts");
      const argv = [
        "--reuid",
        String(STRANGER),
        "--regid",
        String(STRANGER),
        "--clear-groups",
        process.execPath,
        main,
        "init",
      ];
      const ran = spawnSync("setpriv", argv, {
        cwd: folder,
        encoding: "utf8",
        env: { PATH: process.env["PATH"], HOME: home },
      });
      expect(ran.status, ran.stderr).toBe(2);
      expect(ran.stderr).toMatch(
        /cannot be written: your user has no permission\. \(FILE_UNWRITABLE\)\n {2}→ .*psn init ~\/hub\n$/,
      );
      expect(existsSync(join(folder, "config"))).toBe(false);
    });
  },
);

describe("repositories", () => {
  const git = Bun.which("git");
  test.skipIf(git === null)(
    "a hub in a repository: no key, no database, no feed's own files in " +
      `it${git === null ? " (skipped: there is no git)" : ""}`,
    async () => {
      const folder = await scratch("repository");
      spawnSync("git", ["init", "-q"], { cwd: folder });
      // One that was there, and takes back what a line above it says.
      mkdirSync(join(folder, "config"));
      writeFileSync(join(folder, "config", ".gitignore"), "*.env\n!hub.env");
      writeFileSync(join(folder, "page.md"), "words");
      expect(await psn(["init", "--tz", "UTC"], { cwd: folder })).toMatchObject({ code: 0 });
      expect(await psn(["connect", "feed", join(folder, "public")], { cwd: folder })).toMatchObject({ code: 0 });
      expect(await psn(["post", "hello", "--to", "feed"], { cwd: folder })).toMatchObject({ code: 0 });
      const { stdout } = spawnSync("git", ["status", "--porcelain", "-uall"], { cwd: folder, encoding: "utf8" });
      const added = stdout
        .split("\n")
        .map((line) => line.slice(3))
        .filter((line) => line !== "" && !line.startsWith("public/"));
      expect(added.toSorted()).toEqual(["config/.gitignore", "page.md"]);
      expect(stdout).toContain("public/feed.json");
      expect(stdout).not.toContain("public/.feed");
    },
  );
});

describe("a copy", () => {
  const shown = (folder: string) => readFileSync(join(folder, "public", "feed.json"), "utf8");
  const post = (folder: string, text: string) => psn(["post", text, "--to", "feed"], { cwd: folder });

  test("a moved hub writes into its own feed, also where an earlier psn noted the whole path", async () => {
    const folder = await closedHub();
    expect(await psn(["connect", "feed", join(folder, "public"), "--title", "Notes"], { cwd: folder })).toMatchObject({
      code: 0,
    });
    const { openEmbedded } = await import("@psn/core/db/drivers/embedded.ts");
    const homes = async (at: string, statement: string, values: readonly unknown[] = []) => {
      const database = await openEmbedded(join(at, "data"));
      const rows = await database.asOwner?.(async (client) => (await client.query(statement, values)).rows);
      await database.close();
      return rows;
    };
    expect(await homes(folder, "SELECT home FROM psn.accounts")).toEqual([{ home: "./public" }]);
    const { world, user, close } = await openHub({ folder, use: "session" });
    const [account] = await world.stores.accounts.list(user.id);
    if (!account) throw new Error("no account");
    const whole = { platform: "feed", profile: { ...account.profile, home: join(folder, "public") } };
    const sealed = sealCredentials(world, {
      userId: user.id,
      row: { id: world.newId(), version: 1 },
      account: whole,
      credentials: {
        access: "",
        scopes: [],
      },
    });
    await world.stores.accounts.connect(user.id, { id: account.id, ...whole }, sealed);
    await close();
    expect(await post(folder, "before")).toMatchObject({ code: 0 });
    const moved = join(await scratch("moved"), "hub");
    cpSync(folder, moved, { recursive: true });
    const before = shown(folder);
    expect(await psn(["recover", "--yes"], { cwd: moved })).toMatchObject({ code: 0 });
    expect(await post(moved, "after")).toMatchObject({ code: 0 });
    expect(shown(moved)).toContain("after");
    expect(shown(folder)).toBe(before);
    // And once more, after the note of the first move was written anew.
    const again = join(await scratch("again"), "hub");
    cpSync(moved, again, { recursive: true });
    expect(await psn(["recover", "--yes"], { cwd: again })).toMatchObject({ code: 0 });
    expect(await post(again, "third")).toMatchObject({ code: 0 });
    expect([shown(folder), shown(moved).includes("third"), shown(again).includes("third")]).toEqual([
      before,
      false,
      true,
    ]);
  });

  test.each([
    ["cp -r", (from: string, to: string) => spawnSync("cp", ["-r", from, to])],
    ["cp -a", (from: string, to: string) => spawnSync("cp", ["-a", from, to])],
    ["a link to the same hub", (from: string, to: string) => symlinkSync(from, to)],
  ] as const)("%s while a worker runs: the worker goes on, and so do commands in both", async (_how, copy) => {
    const folder = await closedHub();
    expect(await psn(["connect", "feed", join(folder, "public")], { cwd: folder })).toMatchObject({ code: 0 });
    const worker = binary(["worker"], { cwd: folder });
    await worker.says("Ctrl-C stops it");
    await expect.poll(() => existsSync(join(folder, "data", "socket"))).toBe(true);
    const note = readFileSync(join(folder, "data", "socket"), "utf8");
    const other = join(await scratch("other"), "hub");
    copy(folder, other);
    for (const at of [other, folder]) expect(await psn(["accounts"], { cwd: at })).toMatchObject({ code: 0 });
    expect(readFileSync(join(folder, "data", "socket"), "utf8")).toBe(note);
    expect(existsSync(note.split("\n")[0] ?? "")).toBe(true);
    expect(await psn(["post", "hello", "--to", "feed", "--no-wait"], { cwd: folder })).toMatchObject({ code: 0 });
    await worker.says("published");
    worker.child.kill("SIGTERM");
    expect(await worker.ended).toMatchObject({ code: 0 });
  });
});
