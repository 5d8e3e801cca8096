import { spawnSync } from "node:child_process";
import { chmod, cp, mkdir, realpath, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { scratch } from "../support/cli.ts";

/*
 * The npm package's launcher, run by Bun itself in a folder with a stranger's .env and bunfig.toml. What it starts here
 * says what psn would have seen.
 */

const SAYS = `console.log(JSON.stringify({
  set: process.env.STRANGE ?? null, own: process.env.OWN ?? null, ran: globalThis.strange ?? null,
  argv: process.argv.slice(2),
}));\n`;
let folder: string;
let tools: string;
let launcher: string;

beforeAll(async () => {
  folder = await realpath(await scratch("launcher"));
  const [psn, programs] = [join(folder, "node_modules", "psn"), join(folder, "node_modules", ".bin")];
  tools = join(folder, "tools");
  for (const path of [join(psn, "bin"), join(psn, "dist"), programs, tools]) await mkdir(path, { recursive: true });
  launcher = join(psn, "bin", "psn.js");
  await cp(join(import.meta.dirname, "../../scripts/build/launcher.js"), launcher);
  await chmod(launcher, 0o755);
  await writeFile(join(psn, "bin", "bunfig.toml"), "");
  await writeFile(join(psn, "dist", "main.js"), SAYS);
  const manifest = { name: "psn", version: "1.0.0", type: "module", bin: { psn: "bin/psn.js" } };
  await writeFile(join(psn, "package.json"), JSON.stringify(manifest));
  await symlink("../psn/bin/psn.js", join(programs, "psn"));
  for (const name of ["bun", "bunx"]) await symlink(await realpath(process.execPath), join(tools, name));
  await writeFile(join(folder, ".env"), "STRANGE=yes\n");
  await writeFile(join(folder, "bunfig.toml"), 'preload = ["./strange.ts"]\n');
  await writeFile(join(folder, "strange.ts"), "globalThis.strange = true;\nprocess.env.STRANGE = 'again';\n");
});

function ran(...[program = "", ...args]: readonly string[]) {
  // Without Node, as on a machine that has Bun alone.
  const env = { PATH: tools, HOME: folder, OWN: "a=b\nc" };
  const { status, stdout, stderr } = spawnSync(join(tools, program), args, { cwd: folder, env, encoding: "utf8" });
  return { status, stdout, stderr };
}

describe.skipIf(process.platform !== "linux")("psn sees nothing of the folder where it starts", () => {
  test.each([
    ["bunx psn", () => ran("bunx", "psn", "queue", "--json")],
    ["bunx --bun psn", () => ran("bunx", "--bun", "psn", "queue", "--json")],
    ["bun psn.js", () => ran("bun", launcher, "queue", "--json")],
  ])("by %s", (_name, run) => {
    const { status, stdout, stderr } = run();
    expect(status, stderr).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ set: null, own: "a=b\nc", ran: null, argv: ["queue", "--json"] });
    expect(stderr).toContain("Bun ran what bunfig.toml in this folder preloads, before psn started");
  });
});

test("without a bunfig.toml that preloads, nothing is said, and psn's exit code is the launcher's", async () => {
  await writeFile(join(folder, "bunfig.toml"), "");
  await writeFile(join(folder, "node_modules/psn/dist/main.js"), "process.exit(3);\n");
  expect(ran("bun", launcher)).toEqual({ status: 3, stdout: "", stderr: "" });
});
