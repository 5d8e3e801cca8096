import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import claim from "./claim.ts";
import durable from "./durable.ts";
import growth from "./growth.ts";
import lateness from "./lateness.ts";
import { page } from "./page.ts";
import peers from "./peers.ts";
import { type Bench, type Figure, machine, print } from "./report.ts";
import startup from "./startup.ts";
import tasks from "./tasks.ts";
import text from "./text.ts";
import vault from "./vault.ts";

/*
 * bun run bench [NAME…] [--large] [--write] [--beside=PROGRAM]
 *   --large  growth up to five million deliveries
 *   --beside  another compiled psn, for startup and peers
 *   --write  writes docs/performance.md; only where all of them ran
 */

const benches: Readonly<Record<string, Bench>> = {
  startup,
  peers,
  vault,
  text,
  durable,
  claim,
  lateness,
  growth,
  tasks,
};

const args = process.argv.slice(2);
const names = args.filter((arg) => !arg.startsWith("--"));
const unknown = args.filter((arg) => !(arg in benches) && !/^--(large|write|beside=.+)$/.test(arg));
if (unknown.length > 0)
  throw new Error(`no such bench or flag: ${unknown.join(", ")}; there are ${Object.keys(benches).join(", ")}`);
if (args.includes("--write") && names.length > 0) throw new Error("--write needs all of them");

const on = machine();
console.log(on);
const began = performance.now();
const results: Record<string, readonly Figure[]> = {};
for (const [name, bench] of Object.entries(benches)) {
  if (names.length > 0 && !names.includes(name)) continue;
  const figures = await bench(args);
  print(name, figures);
  results[name] = figures;
}
console.log(`\n${((performance.now() - began) / 60_000).toFixed(1)} minutes`);
if (args.includes("--write"))
  writeFileSync(fileURLToPath(new URL("../docs/performance.md", import.meta.url)), page(on, results));
