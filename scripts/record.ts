import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/*
 * Records the terminal that README.md shows: real commands, in a hub made for this, in a pseudo terminal.
 *
 *   bun run record [--check]
 *
 * --check: exits with 1 where psn prints something else today than README.md shows; ids and times differ each time and
 * do not count. Needs `script` of util-linux.
 */

const README = fileURLToPath(new URL("../README.md", import.meta.url));
const MAIN = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
const COLUMNS = 88;
const COMMANDS = [
  "psn init --tz Europe/Berlin",
  "psn connect feed ./public --url https://ada.example",
  'psn post "psn 0.2 is out."',
  'psn post "The week in review." --at "friday 9am"',
  "psn queue",
];
const BEGIN = "<!-- recorded by `bun run record` -->\n\n```console\n";
const END = "```\n";

/** What the commands print, each after its own line. Throws with what was printed when one of them fails. */
function record(): string {
  const folder = mkdtempSync(join(tmpdir(), "psn-record-"));
  try {
    const shell = [
      "set -e",
      `psn() { '${process.execPath}' '${MAIN}' "$@"; }`,
      `stty cols ${COLUMNS}`,
      ...COMMANDS.flatMap((command) => [`printf '%s\\n' '$ ${command}'`, command]),
    ];
    const script = join(folder, "commands");
    writeFileSync(script, shell.join("\n"));
    const { status, stdout, error } = spawnSync("script", ["-qec", `sh '${script}'`, "/dev/null"], {
      cwd: folder,
      env: { PATH: process.env["PATH"] ?? "", HOME: folder, TERM: "xterm", NO_COLOR: "1", PSN_NO_UPDATE_CHECK: "1" },
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
    if (status !== 0) throw new Error(`the commands were not recorded: ${error?.message ?? stdout}`);
    return shown(stdout.replaceAll(folder, "/home/ada/hub"));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The lines as a screen holds them at the end: what a line overwrote is gone. */
function shown(text: string): string {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal is told begins with one
  const plain = lines.map((line) => (line.split("\r").at(-1) ?? "").replaceAll(/\x1b\[[\d;?]*[A-Za-z]/g, "").trimEnd());
  return plain
    .join("\n")
    .trim()
    .replaceAll(/\n(?=\$ )/g, "\n\n");
}

/** Without what differs from run to run; a state that is soon over is not always seen. */
const steady = (text: string): string =>
  text
    .replaceAll(/^\S+ {2}sending;.*\n/gm, "")
    .replaceAll(/\b[0-9a-f]{7,8}\b/g, "ID")
    .replaceAll(/\b(?:[A-Z][a-z]{2} )?\d{1,2} [A-Z][a-z]{2}(?: \d{4})? \d\d:\d\d\b/g, "TIME")
    .replaceAll(/\(\d\d:\d\d UTC\)/g, "(TIME)")
    .replaceAll(/ {2,}/g, "  ");

const page = readFileSync(README, "utf8");
const from = page.indexOf(BEGIN) + BEGIN.length;
const to = page.indexOf(END, from);
if (from < BEGIN.length || to < 0) throw new Error("README.md has no recorded terminal");
const recorded = `${record()}\n`;

if (process.argv.includes("--check")) {
  const current = steady(page.slice(from, to)) === steady(recorded);
  if (!current) console.error(`README.md shows another terminal than psn's; run: bun run record\n\n${recorded}`);
  process.exitCode = current ? 0 : 1;
} else writeFileSync(README, page.slice(0, from) + recorded + page.slice(to));
