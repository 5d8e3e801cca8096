import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Platform } from "@psn/core/types/platform.ts";
import { platformIds, platforms } from "@psn/platforms/index.ts";
import { expect, test } from "vitest";
import { z } from "zod";
import { POSTS } from "./promises/golden.ts";

/*
 * Platform by kind of post: the request psn makes, from the committed golden files, or the reason why it refuses.
 * Printed, so that a person can read it; held, so that no platform passes over a kind of post without a word.
 */

/** As a person calls them, and the golden file's name for it. */
const ROWS: readonly (readonly [says: string, kind: string])[] = [
  ["text", "text"],
  ["long text, split", "long"],
  ["thread", "thread"],
  ["image", "bare"],
  ["alt text", "picture"],
  ["4 images", "pictures"],
  ["video", "video"],
  ["document", "document"],
  ["link", "links"],
  ["mention", "mention"],
  ["visibility", "followers"],
];

const Golden = z.record(z.string(), z.array(z.object({ method: z.string(), url: z.string(), body: z.unknown() })));
type Requests = z.output<typeof Golden>[string];

async function goldenOf(id: string): Promise<z.output<typeof Golden> | undefined> {
  const file = fileURLToPath(new URL(`golden/${id}.json`, import.meta.url));
  const text = await readFile(file, "utf8").catch(() => undefined);
  return text === undefined ? undefined : Golden.parse(JSON.parse(text));
}

/** What psn does with this kind of post there, in a line or two. */
function answerOf(platform: Platform, kind: string, golden: z.output<typeof Golden> | undefined): string {
  const post = POSTS[kind];
  if (!post) throw new Error(`no post is called ${kind}`);
  const composed = platform.compose(post, platform.capabilities);
  if (!composed.ok) {
    const said = composed.issues.map(({ message, hint }) => (hint === undefined ? message : `${message} (${hint})`));
    return `refused: ${said.join("; ")}`;
  }
  if (!golden) return `${composed.units.length} ${composed.units.length === 1 ? "entry" : "entries"}, written as files`;
  return told(golden[kind] ?? []);
}

/** Each request once, with how often it is made, and the body of the last that holds words. */
function told(requests: Requests): string {
  const counts = new Map<string, number>();
  for (const { method, url } of requests) {
    const { host, pathname } = new URL(url);
    const line = `${method} ${host}${pathname.replaceAll(/\d{6,}|[0-9a-f]{8}-[0-9a-f-]{20,}/g, "…")}`;
    counts.set(line, (counts.get(line) ?? 0) + 1);
  }
  const lines = [...counts].map(([line, count]) => (count === 1 ? line : `${line} x${count}`));
  const body = requests.findLast((request) => request.method !== "GET" && request.body !== "")?.body;
  const said = body === undefined ? "" : typeof body === "string" ? body : JSON.stringify(body);
  return `${lines.join(", ")}  ${said.length > 160 ? `${said.slice(0, 159)}…` : said}`;
}

test("what each platform makes of each kind of post", async () => {
  const out: string[] = [];
  for (const id of platformIds) {
    const platform: Platform = await platforms[id]();
    const golden = await goldenOf(id);
    out.push(`\n${platform.name}`);
    for (const [says, kind] of ROWS) {
      const answer = answerOf(platform, kind, golden);
      expect(answer, `${id}: ${says}`).toMatch(/^refused: \w|^\d+ entr|^(POST|PUT|GET) /);
      out.push(`  ${says.padEnd(17)} ${answer}`);
    }
  }
  process.stdout.write(`${out.join("\n")}\n`);
});
