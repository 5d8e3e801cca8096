import { spawn } from "node:child_process";
import { mkdir, readdir, symlink, utimes, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { tasksFolder } from "@psn/provision/tasks-folder.ts";
import { beforeEach, expect, test } from "vitest";
import { scratch } from "../support/cli.ts";

/* What psn deploy keeps in its cache folder. The Bun here installs nothing: it makes what Bun makes in the cache. */

const INSTALLS = `#!/bin/sh
mkdir -p node_modules/trigger.dev "$7" && echo '{}' > node_modules/trigger.dev/package.json
grep -o '"[^"]*"' bun.lock | tr -d '"' | while read -r package; do
  name="\${package%@*}" version="\${package##*@}"
  mkdir -p "$7/$package@@@1" "$7/$name" && ln -sfn "$7/$package@@@1" "$7/$name/$version@@@1"
done
`;
let cache: string;
let bun: string;
beforeEach(async () => {
  const folder = await scratch("tasks");
  cache = join(folder, "cache");
  bun = join(folder, "bun");
  await writeFile(bun, INSTALLS, { mode: 0o755 });
});

const made = (version: string, packages: readonly string[], program = bun) =>
  tasksFolder({
    project: { "trigger.config.ts": version, "bun.lock": JSON.stringify(packages) },
    ...{ version, cache, bun: program, environment: {}, onLine: () => undefined },
    signal: new AbortController().signal,
  });
/** Names without what is made of the project's texts. */
const kept = async () => (await readdir(cache)).map((name) => name.replace(/-[0-9a-f]{16}(?=\.|$)/, "")).toSorted();
const packages = async () =>
  (await readdir(join(cache, "packages"), { recursive: true })).filter((name) => name.includes("@@@")).toSorted();
const MONTH_MS = 31 * 86_400_000;
const old = async (path: string) =>
  utimes(path, ...([1, 2].map(() => new Date(Date.now() - MONTH_MS)) as [Date, Date]));
/** As another process that deploys leaves it. */
const usedBy = (folder: string, pid: number | undefined) => writeFile(join(folder, `.used-by-${pid}`), "");
const forget = async (folder: string) => {
  const marks = (await readdir(folder)).filter((name) => name.startsWith(".used-by-"));
  await Promise.all(marks.map((name) => Bun.file(join(folder, name)).delete()));
};

test("an older version and its packages go when a newer one is complete", async () => {
  await forget(await made("1.2.3", ["both@1.0.0", "older@1.0.0", "@a/older@1.0.0", "both@0.9.0", "tagged@1.0.0-1"]));
  expect(await kept()).toEqual(["packages", "tasks-1.2.3"]);
  // As Bun writes a tag, and a package of a registry of one's own.
  await mkdir(join(cache, "packages", "tagged@1.0.0-0a1b2c@@@1"));
  await mkdir(join(cache, "packages", "both@1.0.0@@npm.example.com@@@1"));
  await made("1.10.0", ["both@1.0.0", "@a/newer@2.0.0", "tagged@1.0.0-1"]);
  expect(await kept()).toEqual(["packages", "tasks-1.10.0"]);
  expect(await packages()).toEqual([
    ...["@a/newer/2.0.0@@@1", "@a/newer@2.0.0@@@1", "both/1.0.0@@@1", "both@1.0.0@@@1"],
    ...["both@1.0.0@@npm.example.com@@@1", "tagged/1.0.0-1@@@1", "tagged@1.0.0-0a1b2c@@@1", "tagged@1.0.0-1@@@1"],
  ]);
  expect(await readdir(join(cache, "packages"))).not.toContain("older");
});

test("a version stays that another psn deploy is using, and one that a newer psn has made", async () => {
  const first = await made("1.2.3", []);
  await forget(first);
  const child = spawn("sleep", ["600"]);
  await usedBy(first, child.pid);
  await forget(await made("1.3.0", []));
  expect(await kept()).toEqual(["packages", "tasks-1.2.3", "tasks-1.3.0"]);
  child.kill("SIGKILL");
  await new Promise((resolve) => child.on("close", resolve));
  const second = await made("1.2.4", []);
  expect(await kept()).toEqual(["packages", "tasks-1.2.4", "tasks-1.3.0"]);
  // By its own name, from another state of the sources.
  await forget(second);
  await made("1.2.4", ["other@1.0.0"]);
  expect(await kept()).toEqual(["packages", "tasks-1.2.4", "tasks-1.3.0"]);
});

test("what is being made stays, with the packages; what a killed psn left goes", async () => {
  await forget(await made("1.2.3", ["older@1.0.0"]));
  const draft = join(cache, `tasks-1.2.0-${"0".repeat(16)}.abc123`);
  await mkdir(draft);
  await made("1.3.0", []);
  expect(await kept()).toEqual(["packages", "tasks-1.2.0.abc123", "tasks-1.3.0"]);
  expect(await packages()).toContain("older@1.0.0@@@1");
  await old(draft);
  await made("1.3.0", []);
  expect(await kept()).toEqual(["packages", "tasks-1.3.0"]);
  expect(await packages()).toEqual([]);
});

test("where a newer version could not be installed, the older one stays", async () => {
  await forget(await made("1.2.3", ["older@1.0.0"]));
  const broken = join(cache, "..", "broken");
  await writeFile(broken, "#!/bin/sh\nexit 1\n", { mode: 0o755 });
  await expect(made("1.3.0", [], broken)).rejects.toThrow("could not be installed");
  expect(await kept()).toEqual(["packages", "tasks-1.2.3"]);
  expect(await packages()).toContain("older@1.0.0@@@1");
});

test("nothing outside of the cache folder is touched, and a link in it is no folder", async () => {
  const outside = await scratch("outside");
  await writeFile(join(outside, "mine"), "");
  await made("1.2.3", []);
  await symlink(outside, join(cache, "packages", "linked"));
  await symlink(outside, join(cache, "packages", "older@1.0.0@@@1"));
  await made("1.2.3", []);
  expect(await readdir(outside)).toEqual(["mine"]);
});
