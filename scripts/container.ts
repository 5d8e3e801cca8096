import { spawnSync } from "node:child_process";
import { mkdtemp, readdir, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { containerfile } from "@psn/service/container.ts";
import { version } from "../package.json";
import { ROOT } from "./build/bundle.ts";

/*
 * Builds the container of `psn service print containerfile` with the package that `bun run build` made, before npm has
 * it, and uses a hub in it with no more rights than the printed compose file gives. Needs docker.
 *
 *   bun run container [folder that was built into]
 */

const built = resolve(process.argv[2] ?? join(ROOT, "dist"));
const IMAGE = `psn-container-${process.pid}`;
const folder = await mkdtemp(join(tmpdir(), "psn-container-"));

function run(command: string, ...args: readonly string[]): void {
  console.log(`\n$ ${[command, ...args].join(" ")}`);
  const { status, error } = spawnSync(command, args, { cwd: folder, stdio: "inherit" });
  if (status !== 0) throw new Error(`${command} ${args[0]} failed`, { cause: error });
}

try {
  run("npm", "pack", join(built, "npm"), "--silent");
  const tarball = (await readdir(folder)).find((name) => name.endsWith(".tgz")) ?? "";
  await rename(join(folder, tarball), join(folder, "psn.tgz"));
  const printed = containerfile(version);
  const text = printed.replace("RUN ", "COPY psn.tgz /psn.tgz\nRUN ").replace(`psn@${version}`, "/psn.tgz");
  if (text.includes(`psn@${version}`) || !text.includes("COPY")) throw new Error("the Containerfile has another form");
  await writeFile(join(folder, "Containerfile"), text);
  run("docker", "build", "--tag", IMAGE, "--file", "Containerfile", ".");
  run("docker", "volume", "create", IMAGE);
  // A new volume belongs to root.
  run(
    "docker",
    "run",
    "--rm",
    "--user",
    "root",
    "--volume",
    `${IMAGE}:/hub`,
    "--entrypoint",
    "chown",
    IMAGE,
    "bun",
    "/hub",
  );
  const rights = ["--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"];
  const psn = (...args: readonly string[]) =>
    run("docker", "run", "--rm", "--init", ...rights, "--volume", `${IMAGE}:/hub`, IMAGE, ...args);
  psn("init");
  psn("connect", "feed", "./public");
  psn("post", "hello", "--to", "feed");
  psn("doctor");
} finally {
  spawnSync("docker", ["volume", "rm", IMAGE]);
  spawnSync("docker", ["image", "rm", IMAGE]);
  await rm(folder, { recursive: true, force: true });
}
console.log("\n✓ psn was used in a container");
