import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { PLATFORMS } from "../../scripts/build/binaries.ts";

/* What a release has beside its programs, by the script that the workflow calls. */

const SCRIPT = join(import.meta.dirname, "../../scripts/release-files.ts");
const NAMES = Object.keys(PLATFORMS).map((name) => `psn-${name}.${name.startsWith("windows") ? "exe" : "gz"}`);
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "psn-release-"));
  for (const name of ["npm", "binaries"]) await mkdir(join(root, name));
  const manifest = { name: "psn", version: "9.9.9", description: "A hub.", license: "MIT", bin: { psn: "bin/psn.js" } };
  await writeFile(join(root, "npm", "package.json"), JSON.stringify(manifest));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** Runs the script, the first checksum being of ones, the second of twos, and so on. */
async function write(names: readonly string[], args = ["--repository", "example/psn"]) {
  const sums = names.map((name) => `${String(NAMES.indexOf(name) + 1).repeat(64)}  ${name}\n`).join("");
  await writeFile(join(root, "binaries", "SHA256SUMS"), sums);
  return spawnSync(process.execPath, [SCRIPT, ...args, root], { encoding: "utf8" });
}
const written = (name: string) => readFile(join(root, ...name.split("/")), "utf8");

test("Homebrew's formula, Scoop's manifest, the script and the package name the release", async () => {
  expect(await write(NAMES)).toMatchObject({ status: 0, stderr: "" });
  expect(await written("release/psn.rb")).toMatchInlineSnapshot(`
    "class Psn < Formula
      desc "Hub"
      homepage "https://github.com/example/psn"
      version "9.9.9"
      license "MIT"

      on_macos do
        on_arm do
          url "https://github.com/example/psn/releases/download/v9.9.9/psn-darwin-arm64.gz"
          sha256 "6666666666666666666666666666666666666666666666666666666666666666"
        end
        on_intel do
          url "https://github.com/example/psn/releases/download/v9.9.9/psn-darwin-x64.gz"
          sha256 "5555555555555555555555555555555555555555555555555555555555555555"
        end
      end

      on_linux do
        on_arm do
          url "https://github.com/example/psn/releases/download/v9.9.9/psn-linux-arm64.gz"
          sha256 "3333333333333333333333333333333333333333333333333333333333333333"
        end
        on_intel do
          url "https://github.com/example/psn/releases/download/v9.9.9/psn-linux-x64.gz"
          sha256 "1111111111111111111111111111111111111111111111111111111111111111"
        end
      end

      def install
        bin.install Dir["psn-*"].first => "psn"
        generate_completions_from_executable(bin/"psn", "completion", shells: [:bash, :zsh, :fish])
      end

      test do
        assert_match version.to_s, shell_output("#{bin}/psn --version")
      end
    end
    "
  `);
  expect(JSON.parse(await written("release/psn.json"))).toMatchInlineSnapshot(`
    {
      "architecture": {
        "64bit": {
          "hash": "7777777777777777777777777777777777777777777777777777777777777777",
          "url": "https://github.com/example/psn/releases/download/v9.9.9/psn-windows-x64.exe#/psn.exe",
        },
      },
      "autoupdate": {
        "architecture": {
          "64bit": {
            "hash": {
              "url": "$baseurl/SHA256SUMS",
            },
            "url": "https://github.com/example/psn/releases/download/v$version/psn-windows-x64.exe#/psn.exe",
          },
        },
      },
      "bin": "psn.exe",
      "checkver": {
        "github": "https://github.com/example/psn",
      },
      "description": "A hub.",
      "homepage": "https://github.com/example/psn",
      "license": "MIT",
      "version": "9.9.9",
    }
  `);
  const address = "https://github.com/example/psn/releases/download/v9.9.9";
  expect(await written("release/install.sh")).toContain(`\nRELEASE='${address}'\n`);
  expect(JSON.parse(await written("npm/package.json"))).toEqual({
    name: "psn",
    version: "9.9.9",
    description: "A hub.",
    license: "MIT",
    bin: { psn: "bin/psn.js" },
    repository: { type: "git", url: "git+https://github.com/example/psn.git" },
  });
});

test("no release lacks a program that a manager installs", async () => {
  for (const missing of NAMES.filter((name) => !name.includes("musl"))) {
    const { status, stderr } = await write(NAMES.filter((name) => name !== missing));
    expect([status, stderr.includes(`SHA256SUMS has no ${missing}`)]).toEqual([1, true]);
  }
});

test("the repository is not guessed", async () => {
  expect(await write(NAMES, [])).toMatchObject({ status: 2, stderr: "--repository is needed, as OWNER/NAME\n" });
});
