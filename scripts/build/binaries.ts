import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { BUNDLING } from "./bundle.ts";
import { writeRuntime } from "./runtimes.ts";

/*
 * psn as one program with Bun inside, for each platform.
 */

/** Names as Bun's compiler and most release pages have them, and the package of the registry that holds its Bun. */
export const PLATFORMS = {
  "linux-x64": "linux-x64",
  "linux-x64-musl": "linux-x64-musl",
  "linux-arm64": "linux-aarch64",
  "linux-arm64-musl": "linux-aarch64-musl",
  "darwin-x64": "darwin-x64",
  "darwin-arm64": "darwin-aarch64",
  "windows-x64": "windows-x64",
} as const;
export type Platform = keyof typeof PLATFORMS;

export const isPlatform = (name: string): name is Platform => Object.hasOwn(PLATFORMS, name);

/** Compiles psn for this platform into `folder`, and returns the path of the program. */
export async function writeProgram(platform: Platform, folder: string): Promise<string> {
  const runtime = await mkdtemp(join(folder, "bun-"));
  const outfile = join(folder, platform.startsWith("windows") ? `psn-${platform}.exe` : `psn-${platform}`);
  try {
    const executablePath = join(runtime, "bun");
    await writeRuntime(PLATFORMS[platform], executablePath);
    const built = await Bun.build({
      ...BUNDLING,
      // A quarter less of the processor's time for `psn help`, a tenth for `psn queue`, for 12 MB (ADR 28).
      bytecode: true,
      // psn reads the settings that its documentation names, and not what lies in the folder where it is started.
      compile: { target: `bun-${platform}`, executablePath, outfile, autoloadDotenv: false, autoloadBunfig: false },
    });
    if (!built.success) throw new Error(`psn was not compiled for ${platform}: ${built.logs.join("\n")}`);
  } finally {
    await rm(runtime, { recursive: true, force: true });
  }
  return outfile;
}

/**
 * What a release offers for these platforms: `psn-PLATFORM.gz`, less than half of the program's size; for Windows the
 * program as it is; and SHA256SUMS of them all.
 */
export async function writeBinaries(platforms: readonly Platform[], folder: string): Promise<void> {
  for (const platform of platforms) {
    const program = await writeProgram(platform, folder);
    // Every system but Windows has a gzip, and the format's header has room for a time: zlib leaves it empty.
    if (program.endsWith(".exe")) continue;
    await writeFile(`${program}.gz`, gzipSync(await readFile(program), { level: 9 }));
    await rm(program);
  }
  await writeFile(join(folder, SUMS), await sumsOf(folder));
}

export const SUMS = "SHA256SUMS";

/** As `sha256sum` prints them. */
async function sumsOf(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => name !== SUMS).toSorted();
  const lines: string[] = [];
  for (const name of names) {
    const sum = createHash("sha256")
      .update(await readFile(join(folder, name)))
      .digest("hex");
    lines.push(`${sum}  ${name}\n`);
  }
  return lines.join("");
}
