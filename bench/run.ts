import { arch, cpus, platform } from "node:os";
import claim from "./claim.ts";
import growth from "./growth.ts";
import lateness from "./lateness.ts";
import { type Bench, print } from "./report.ts";
import startup from "./startup.ts";
import tasks from "./tasks.ts";
import text from "./text.ts";
import vault from "./vault.ts";

const benches: Readonly<Record<string, Bench>> = { startup, vault, text, claim, lateness, growth, tasks };

const wanted = process.argv.slice(2);
console.log(`psn bench · Bun ${Bun.version} · ${platform()}-${arch()} · ${cpus().length} cores · ${new Date().toISOString().slice(0, 10)}`);
for (const [name, bench] of Object.entries(benches)) {
  if (wanted.length === 0 || wanted.includes(name)) print(name, await bench());
}
