import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { ROOT } from "./bundle.ts";

/*
 * Bun for every platform, from the npm registry, each with the checksum that bun.lock has for it.
 */

const CACHE = process.env["PSN_TEST_CACHE"] ?? join(ROOT, "node_modules/.cache/psn");
/** `"@oven/bun-linux-x64": ["@oven/bun-linux-x64@1.4.5", "", { … }, "sha512-…"],` */
const LOCKED = /^ +"@oven\/bun-([\w-]+)": \["@oven\/bun-[\w-]+@([\d.]+)".*"sha512-([\w+/=]+)"\],$/gm;

export interface Runtime {
  readonly version: string;
  /** Base64 of the SHA-512 of its package. */
  readonly sha512: string;
}

/** What bun.lock holds, by the end of the package's name: `linux-x64-musl`. */
export function lockedRuntimes(lock: string): ReadonlyMap<string, Runtime> {
  return new Map(
    [...lock.matchAll(LOCKED)].map(([, name = "", version = "", sha512 = ""]) => [name, { version, sha512 }]),
  );
}

/**
 * Writes the program of `@oven/bun-NAME` to this path. The package is fetched once, its checksum compared each time.
 * Throws an Error where bun.lock has none, npm cannot fetch it, or it is not what bun.lock says.
 */
export async function writeRuntime(name: string, path: string): Promise<void> {
  const found = lockedRuntimes(await readFile(join(ROOT, "bun.lock"), "utf8")).get(name);
  if (found === undefined) throw new Error(`bun.lock has no @oven/bun-${name}`);
  const kept = join(CACHE, `oven-bun-${name}-${found.version}.tgz`);
  const packed = await readFile(kept).catch(() => fetched(`@oven/bun-${name}@${found.version}`, kept));
  if (createHash("sha512").update(packed).digest("base64") !== found.sha512)
    throw new Error(`${kept} is not what bun.lock says; remove it and build again`);
  const files = await new Bun.Archive(packed).files("package/bin/bun*");
  const [program] = [...files.values()];
  if (program === undefined) throw new Error(`${kept} has no Bun in it`);
  await Bun.write(path, program);
}

/** Fetched by npm, which knows this machine's registry and its credentials. */
async function fetched(spec: string, kept: string): Promise<Buffer> {
  await mkdir(CACHE, { recursive: true });
  const draft = await mkdtemp(`${kept}.`);
  try {
    const options = ["pack", spec, "--silent", "--pack-destination", draft];
    const child = spawn("npm", options, { shell: process.platform === "win32", stdio: ["ignore", "pipe", "inherit"] });
    const name = (await text(child.stdout)).trim();
    if (name === "") throw new Error(`npm cannot fetch ${spec}`);
    await rename(join(draft, name), kept);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return readFile(kept);
}
