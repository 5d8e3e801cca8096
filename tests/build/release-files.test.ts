import { spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { repository } from "../../package.json";
import { PLATFORMS } from "../../scripts/build/binaries.ts";
import { withAddresses, withOwner } from "../../scripts/repository.ts";

/* What a release has beside its programs, by the script that the workflow calls. */

const SCRIPT = join(import.meta.dirname, "../../scripts/release-files.ts");
const NAMES = Object.keys(PLATFORMS).map((name) => `psn-${name}.${name.startsWith("windows") ? "exe" : "gz"}`);
const REPOSITORY = "https://github.com/example/psn";
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "psn-release-"));
  for (const name of ["npm", "binaries"]) await mkdir(join(root, name));
});
afterAll(() => rm(root, { recursive: true, force: true }));

/** As `bun run build` writes it, by a package.json that names this repository. */
async function built(repository: string): Promise<void> {
  const manifest = { name: "psn", version: "9.9.9", description: "A hub.", license: "MIT" };
  const text = JSON.stringify({ ...manifest, repository: { type: "git", url: `git+${repository}.git` } });
  await writeFile(join(root, "npm", "package.json"), text);
}
beforeEach(() => built(REPOSITORY));

/** Runs the script, the first checksum being of ones, the second of twos, and so on. */
async function write(names: readonly string[], args = ["--repository", "example/psn"]) {
  const sums = names.map((name) => `${String(NAMES.indexOf(name) + 1).repeat(64)}  ${name}\n`).join("");
  await writeFile(join(root, "binaries", "SHA256SUMS"), sums);
  return spawnSync(process.execPath, [SCRIPT, ...args, root], { encoding: "utf8" });
}
const written = (name: string) => readFile(join(root, ...name.split("/")), "utf8");

test("Homebrew's formula, Scoop's manifest, and the script name the release", async () => {
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
});

test("no release lacks a program that a manager installs", async () => {
  for (const missing of NAMES.filter((name) => !name.includes("musl"))) {
    const { status, stderr } = await write(NAMES.filter((name) => name !== missing));
    expect([status, stderr.includes(`SHA256SUMS has no ${missing}`)]).toEqual([1, true]);
  }
});

test("no release is made without a repository, or by another one", async () => {
  const fix = 'set "repository" in package.json, run: bun run docs, and build again\n';
  await rm(join(root, "release"), { recursive: true, force: true });
  await built("https://github.com/OWNER/psn");
  const none = `package.json names no repository yet, but https://github.com/OWNER/psn; ${fix}`;
  expect(await write(NAMES)).toMatchObject({ status: 1, stderr: none });
  expect(await write(NAMES, [])).toMatchObject({ status: 1, stderr: none });
  await built("https://github.com/other/psn");
  const other = `package.json names https://github.com/other/psn, and this is a release of example/psn; ${fix}`;
  expect(await write(NAMES)).toMatchObject({ status: 1, stderr: other });
  await built("git@example.org:psn");
  expect((await write(NAMES)).stderr).toContain("is no repository on GitHub");
  expect(await readdir(root)).not.toContain("release");
});

test("the pages and the owners of the code have the repository in package.json", () => {
  const page = "curl https://github.com/OWNER/psn/releases/x\ngh verify --repo OWNER/psn\n@OWNER";
  expect(withAddresses(page)).toBe(
    `curl ${repository}/releases/x\ngh verify --repo ${repository.slice("https://github.com/".length)}\n@OWNER`,
  );
  expect(withOwner("* @OWNER\n/src @ada/team\n")).toBe(`* @${repository.split("/")[3]}\n/src @ada/team\n`);
});
