import { z } from "zod";
import type { Platform } from "./binaries.ts";

/*
 * What Homebrew and Scoop need to install psn: one file each, from the checksums of a release.
 */

export interface Release {
  readonly version: string;
  readonly description: string;
  readonly license: string;
  /** Where psn's sources are: `https://github.com/OWNER/psn`. */
  readonly homepage: string;
  /** Checksums by the name of the file: `psn-linux-x64.gz`. */
  readonly sums: ReadonlyMap<string, string>;
}

/** Where the files of a release are. `version` may be a manager's word for it. */
export const addressOf = ({ homepage }: Release, version: string): string =>
  `${homepage}/releases/download/v${version}`;

const Sum = z.tuple([z.string().regex(/^[0-9a-f]{64}$/), z.string()]);

/** Reads SHA256SUMS. Throws a ZodError where a line is of another form. */
export function parseSums(text: string): ReadonlyMap<string, string> {
  const lines = text.split("\n").filter((line) => line !== "");
  return new Map(lines.map((line) => Sum.parse(line.split("  "))).map(([sum, name]) => [name, sum]));
}

/** Throws an Error where the release has no such file. */
function sumOf({ sums }: Release, name: string): string {
  const sum = sums.get(name);
  if (sum === undefined) throw new Error(`SHA256SUMS has no ${name}`);
  return sum;
}

/** A formula (https://docs.brew.sh/Formula-Cookbook). Homebrew unpacks what gzip packed, and runs on glibc alone. */
export function formula(release: Release): string {
  const { version, description, license, homepage } = release;
  const at = (platform: Platform) => {
    const name = `psn-${platform}.gz`;
    return `url "${addressOf(release, version)}/${name}"\n      sha256 "${sumOf(release, name)}"`;
  };
  const system = (name: string, os: "darwin" | "linux") => `  on_${name} do
    on_arm do
      ${at(`${os}-arm64`)}
    end
    on_intel do
      ${at(`${os}-x64`)}
    end
  end
`;
  return `class Psn < Formula
  desc ${JSON.stringify(
    description
      .replace(/^A /, "")
      .replace(/^./, (letter) => letter.toUpperCase())
      .replace(/\.$/, ""),
  )}
  homepage "${homepage}"
  version "${version}"
  license "${license}"

${system("macos", "darwin")}
${system("linux", "linux")}
  def install
    bin.install Dir["psn-*"].first => "psn"
    generate_completions_from_executable(bin/"psn", "completion", shells: [:bash, :zsh, :fish])
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/psn --version")
  end
end
`;
}

/** A manifest (https://github.com/ScoopInstaller/Scoop/wiki/App-Manifests), by which Scoop finds later versions too. */
export function scoopManifest(release: Release): string {
  const { version, description, homepage, license } = release;
  const name = "psn-windows-x64.exe";
  const at = (word: string) => `${addressOf(release, word)}/${name}#/psn.exe`;
  const manifest = {
    version,
    description,
    homepage,
    license,
    architecture: { "64bit": { url: at(version), hash: sumOf(release, name) } },
    bin: "psn.exe",
    checkver: { github: homepage },
    autoupdate: { architecture: { "64bit": { url: at("$version"), hash: { url: "$baseurl/SHA256SUMS" } } } },
  };
  return `${JSON.stringify(manifest, null, 2)}\n`;
}
