import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/*
 * Programs of Debian's, fetched with this machine's own package sources into the tests' cache. Nothing is installed.
 */

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

interface Wanted {
  /** Of Debian's archive, such as `bookworm-backports`. */
  readonly suite: string;
  readonly packages: readonly string[];
  /** Also the libraries that the first package depends on. */
  readonly libraries?: boolean;
}

/**
 * The folder in which the files of these packages lie as they would below `/`, fetched if need be. Throws an Error that
 * says in words why they cannot be had here.
 */
export async function debianFiles(name: string, wanted: (release: string) => Wanted): Promise<string> {
  const cache = join(
    process.env["PSN_TEST_CACHE"] ?? fileURLToPath(new URL("../../node_modules/.cache/psn", import.meta.url)),
    name,
  );
  if (!existsSync(join(cache, "usr"))) await fetchInto(cache, wanted);
  return cache;
}

/** A private apt, with its own lists and no record of installed packages, over the mirror this machine uses anyway. */
async function fetchInto(cache: string, wanted: (release: string) => Wanted): Promise<void> {
  const release = /^VERSION_CODENAME=(\w+)/m.exec(await readFile("/etc/os-release", "utf8"))?.[1] ?? "";
  const mirror = await debianMirror();
  const { suite, packages, libraries = false } = wanted(release);
  if (!mirror || release === "")
    throw new Error(`this machine has no Debian package source to take ${packages.join(", ")} from`);
  await mkdir(join(cache, ".."), { recursive: true });
  const folder = await mkdtemp(`${cache}-`);
  try {
    for (const part of ["lists/partial", "cache/archives/partial", "deb", "root"])
      await mkdir(join(folder, part), { recursive: true });
    const signed = existsSync(KEYRING) ? `[signed-by=${KEYRING}] ` : "";
    await writeFile(join(folder, "sources.list"), `deb ${signed}${mirror} ${suite} main\n`);
    const settings = {
      "Dir::Etc::sourcelist": join(folder, "sources.list"),
      "Dir::Etc::sourceparts": "-",
      "Dir::State::lists": join(folder, "lists"),
      "Dir::State::status": "/dev/null",
      "Dir::Cache": join(folder, "cache"),
      "Debug::NoLocking": "1",
      "APT::Sandbox::User": "",
      "Acquire::Retries": "2",
      "Acquire::http::Timeout": "20",
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    run("apt-get", [...options, "update", "-qq"], folder);
    const [first = ""] = packages;
    const shown = libraries ? run("apt-cache", [...options, "show", first], folder) : "";
    // The C library is there, and must be the one that this machine's programs were made for.
    const needed = [...(/^Depends: (.*)$/m.exec(shown)?.[1] ?? "").matchAll(/(?:^|, )(lib[^\s,]+)/g)].flatMap(
      ([, lib = ""]) => (lib === "libc6" ? [] : [lib]),
    );
    run("apt-get", [...options, "download", "-qq", ...packages, ...needed], join(folder, "deb"));
    const debs = await readdir(join(folder, "deb"));
    if (debs.length === 0) throw new Error(`apt-get downloaded no ${packages.join(", ")}`);
    for (const deb of debs) run("dpkg", ["-x", join(folder, "deb", deb), join(folder, "root")], folder);
    // Two files of a test run may fetch at once; the later one finds the folder there.
    await rename(join(folder, "root"), cache).catch((error: unknown) => {
      if (!existsSync(join(cache, "usr"))) throw error;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
/** The first source called `…/debian`, in either form of apt's source files. */
async function debianMirror(): Promise<string | undefined> {
  const parts = await readdir("/etc/apt/sources.list.d").catch(() => []);
  const files = ["/etc/apt/sources.list", ...parts.map((name) => join("/etc/apt/sources.list.d", name))];
  for (const file of files) {
    for (const line of (await readFile(file, "utf8").catch(() => "")).split("\n")) {
      const uri = /^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s.*?(https?:\/\/\S+\/debian\/?)(?:\s|$)/.exec(line)?.[1];
      if (uri) return uri;
    }
  }
  return undefined;
}

/** What it prints; an Error with the first line of what it complains of where it fails. */
export function run(program: string, args: readonly string[], cwd: string, input?: string): string {
  const done = spawnSync(program, args, {
    cwd,
    encoding: "utf8",
    timeout: 120_000,
    ...(input === undefined ? {} : { input }),
  });
  if (done.status === 0) return done.stdout;
  throw new Error(
    `${program} failed: ${(done.stderr || done.error?.message || `status ${done.status}`).trim().split("\n")[0]}`,
  );
}
