import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { atprotoDifferences } from "./conformance/atproto.ts";
import { type Difference, idOf } from "./conformance/difference.ts";
import { REASONS } from "./conformance/reasons.ts";
import { type Suite, twitterTextDifferences } from "./conformance/twitter-text.ts";

/*
 * Holds psn's links, mentions, tags, cuts and counts against other people's suites, which are not part of psn:
 *
 *   CONFORMANCE=folder bun run conformance
 *
 * The folder holds, at any depth, twitter-text's extract.yml, validate.yml and tlds.yml
 * (github.com/twitter/twitter-text, conformance) and atproto's rich-text-detection.test.ts
 * (github.com/bluesky-social/atproto, packages/api/tests). Every difference is explained in conformance/reasons.ts, or
 * printed. Exits with 1 where one is not explained.
 */

const folder = process.env["CONFORMANCE"];
if (!folder) {
  console.error(
    "CONFORMANCE is not set: name a folder with twitter-text's conformance files and atproto's rich-text tests",
  );
  process.exit(2);
}

const FILES = ["extract.yml", "validate.yml", "tlds.yml", "rich-text-detection.test.ts"];
const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
const differences: Difference[] = [];
let vectors = 0;
let missing = 0;
for (const name of FILES) {
  const path = paths.find((one) => one === name || one.endsWith(`/${name}`));
  if (path === undefined) {
    console.log(`✗ ${name} is not in the folder`);
    missing += 1;
    continue;
  }
  const found = name.endsWith(".ts")
    ? await atprotoDifferences(join(folder, path))
    : twitterTextDifferences(name, parse(readFileSync(join(folder, path), "utf8")) as Suite);
  vectors += found.checks;
  differences.push(...found.differences);
  console.log(`  ${name}: ${found.checks} checks, ${found.differences.length} differ`);
}

const unexplained = differences.filter((one) => REASONS[idOf(one)] === undefined);
const counts = new Map<string, number>();
for (const one of differences) {
  const reason = REASONS[idOf(one)];
  if (reason !== undefined) counts.set(reason, (counts.get(reason) ?? 0) + 1);
}
for (const [reason, count] of [...counts].toSorted(([, a], [, b]) => b - a))
  console.log(`  ${String(count).padStart(4)} × ${reason}`);
for (const one of unexplained) {
  console.log(`✗ ${idOf(one)} ${one.check}: ${JSON.stringify(one.text)}`);
  console.log(`    suite: ${JSON.stringify(one.suite)}`);
  console.log(`    psn:   ${JSON.stringify(one.psn)}`);
}
console.log(`${vectors} checks, ${differences.length} differ, ${differences.length - unexplained.length} explained`);
process.exitCode = unexplained.length + missing === 0 ? 0 : 1;
