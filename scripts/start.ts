import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { png } from "./png.ts";

/*
 * psn's main job, end to end on this machine: a hub in a scratch folder, a feed, a post with an image a few seconds
 * ahead, a worker, and a look into the feed. Ends with 0 only when the entry really is there.
 *
 *   bun run start [psn-PLATFORM.gz | psn-windows-x64.exe]
 *
 * A file that `bun run build --binaries` made: psn is that program, and not the sources.
 */

const MAIN = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
const TEXT = "Hello from psn: written once, published where I said, when I said.";
const ALT = "a square that fades from blue to orange";
const DEADLINE_MS = 20_000;

const folder = await mkdtemp(join(tmpdir(), "psn-start-"));
const feed = join(folder, "public");
const [program, ...before] = await command(process.argv[2]);
const began = performance.now();

await psn(["init", "--tz", "Europe/Berlin"]);
await psn(["connect", "feed", feed, "--title", "My feed"]);
await writeFile(join(folder, "square.png"), png(64, 64));

say("psn worker &");
const worker = spawn(program, [...before, "worker"], { cwd: folder, stdio: ["ignore", "inherit", "inherit"] });
const ended = new Promise<number | null>((resolve) => worker.on("exit", resolve));
const image = ["--media", join(folder, "square.png"), "--alt", ALT];
const posted = JSON.parse(await psn(["post", TEXT, "--to", "feed", ...image, "--in", "3s", "--json"])) as {
  readonly post: string;
};
await psn(["queue"]);
const published = await until(() => inFeed());
await psn(["show", posted.post]);
worker.kill("SIGINT");
const workerExit = await ended;

const entry = published ? await findEntry() : undefined;
if (!entry || workerExit !== 0) {
  console.error(`\n✗ the entry is not in the feed (worker ended with ${workerExit}); look into ${folder}`);
  process.exit(1);
}
console.log(`\nThe entry in ${join(feed, "feed.json")}:\n${JSON.stringify(entry, null, 2)}`);
console.log(
  `\n✓ published in ${((performance.now() - began) / 1000).toFixed(1)} s. Look:\n  ` +
    `file://${join(feed, "index.html")}\n  ${join(feed, "atom.xml")}\n  ${feed}/ is what a web server would serve; ` +
    `the hub is in ${folder}`,
);

/** What psn is started by. */
async function command(path: string | undefined): Promise<readonly [string, ...string[]]> {
  if (path === undefined) return [process.execPath, MAIN];
  if (!path.endsWith(".gz")) return [resolve(path)];
  const unpacked = join(folder, "psn");
  await writeFile(unpacked, gunzipSync(await readFile(path)));
  await chmod(unpacked, 0o755);
  return [unpacked];
}

interface Entry {
  readonly id: string;
  readonly content_text?: string;
  readonly content_html?: string;
}

/** The post's entry, with its image and its description, in all three forms of the feed. */
async function findEntry(): Promise<Entry | undefined> {
  const { items } = JSON.parse(await readFile(join(feed, "feed.json"), "utf8")) as { readonly items: readonly Entry[] };
  const found = items.find((item) => item.content_text === TEXT);
  if (!found) return undefined;
  const source = /src="([^"]*media\/[^"]+)"/.exec(found.content_html ?? "")?.[1];
  const image = source === undefined ? "" : join(feed, "media", source.split("/").at(-1) ?? "");
  const pages = await Promise.all(["atom.xml", "index.html"].map((name) => readFile(join(feed, name), "utf8")));
  const whole =
    existsSync(image) &&
    (await readFile(image)).equals(png(64, 64)) &&
    pages.every((page) => page.includes("Hello from psn") && page.includes(ALT));
  return whole ? found : undefined;
}

async function inFeed(): Promise<boolean> {
  const path = join(feed, "feed.json");
  return existsSync(path) && (await readFile(path, "utf8")).includes(TEXT);
}

async function until(done: () => boolean | Promise<boolean>): Promise<boolean> {
  for (const deadline = Date.now() + DEADLINE_MS; Date.now() < deadline; await sleep(100))
    if (await done()) return true;
  return false;
}

function say(line: string): void {
  console.log(`\n$ ${line}`);
}

/** One command line as a person would type it; what it prints is shown and returned. */
function psn(args: readonly string[]): Promise<string> {
  say(`psn ${args.map((arg) => (/\s/.test(arg) ? `"${arg}"` : arg)).join(" ")}`);
  const child = spawn(program, [...before, ...args], { cwd: folder, stdio: ["ignore", "pipe", "inherit"] });
  let text = "";
  child.stdout.on("data", (chunk: Buffer) => {
    text += chunk.toString();
    process.stdout.write(chunk);
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code) => {
      if (code === 0) resolve(text);
      else reject(new Error(`psn ${args[0]} ended with ${code}; look into ${folder}`));
    });
  });
}
