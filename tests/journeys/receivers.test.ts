import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { binary, closedHub, documentOf, psn, type Running } from "../support/cli.ts";
import { type Misbehaving, startMisbehaving } from "../support/misbehaving.ts";
import { atMost, until } from "../support/until.ts";

/*
 * Forty receivers that misbehave, each in its own way and all at once, beside a good one: a real worker keeps the good
 * one on time, and stays as small as it is when nothing happens.
 */

const BAD = 40;
/** Posts to the good receiver alone, without and beside the others: medians of so many are compared. */
const ROUNDS = 9;
/**
 * How late half of the good one's posts may be, in milliseconds: the machine is busy too with forty receivers that send
 * without end.
 */
const LATE_MOST_MS = 1_000;
/** Of the worker's resident memory when nothing happens. */
const LARGER_MOST = 1.3;
/**
 * So long the forty are under way, in milliseconds: longer than a request may take, so that each has come to its end
 * once.
 */
const STORM_MS = 40_000;

let folder: string;
let bad: Misbehaving;
let good: ReturnType<typeof Bun.serve>;
let worker: Running;
const arrivals = new Map<string, number>();
const run = (argv: readonly string[], stdin = "") => psn(argv, { cwd: folder, stdin });
const goodName = () => `webhook:127.0.0.1:${good.port}/good`;

beforeAll(async () => {
  folder = await closedHub();
  bad = await startMisbehaving();
  good = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const id = request.headers.get("webhook-id");
      if (id && !arrivals.has(id)) {
        const { data }: { data: { parts: [{ text: string }] } } = await request.json();
        arrivals.set(data.parts[0].text, Date.now());
      }
      return new Response(null, { status: request.method === "POST" ? 204 : 405 });
    },
  });
  const connect = async (url: string) => {
    const ran = await run(["connect", "webhook", url, "--secret-stdin"], `whsec_${randomBytes(32).toString("base64")}`);
    expect(ran).toMatchObject({ code: 0 });
  };
  // It holds the database, as on a machine of its own: every command comes in by it.
  worker = binary(["worker"], { cwd: folder });
  await worker.says("publishes what is due");
  await connect(`http://127.0.0.1:${good.port}/good`);
  for (const url of bad.urls(BAD)) await connect(url);
});
afterAll(async () => {
  worker?.child.kill("SIGKILL");
  await bad.stop();
  await good.stop(true);
});

/** Resident memory of the worker, in bytes. */
function resident(): number {
  const [, kilobytes = "0"] =
    /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${worker.child.pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) * 1024;
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

let posts = 0;
/** From the moment a post is stored until the good receiver has it, in milliseconds. */
async function lateness(): Promise<number> {
  posts += 1;
  const text = `good ${posts}`;
  await post(text, goodName());
  const stored = Date.now();
  await until(`${text} has arrived`, () => arrivals.has(text), 60_000);
  return Math.max(1, (arrivals.get(text) ?? 0) - stored);
}

async function post(text: string, to: string): Promise<void> {
  expect(await run(["post", text, "--to", to, "--no-wait"])).toMatchObject({ code: 0 });
}

async function states(): Promise<string[]> {
  const { deliveries } = documentOf(await run(["queue", "--all", "--limit", "1000", "--json"])) as {
    deliveries: { state: string }[];
  };
  return deliveries.map(({ state }) => state);
}

test.skipIf(process.platform !== "linux")(
  `${BAD} receivers misbehave at once, the good one is on time, and the worker's memory stays`,
  async () => {
    // Warm: the same forty-one, all of which behave, twice.
    bad.misbehave = false;
    for (const round of [1, 2]) {
      const text = `warm ${round}`;
      await post(text, "all");
      // Those that speak no TLS never behave.
      const behaving = 1 + bad.urls(BAD).filter((url) => url.startsWith("http:")).length;
      await until(
        `${text} is done`,
        async () => (await states()).filter((state) => state === "published").length === round * behaving,
        60_000,
      );
    }
    const alone: number[] = [];
    for (let n = 0; n < ROUNDS; n += 1) alone.push(await lateness());
    const idle = resident();

    bad.misbehave = true;
    const before = new Map(bad.seen);
    let largest = 0;
    const watching = setInterval(() => {
      largest = Math.max(largest, resident());
    }, 20);
    const began = Date.now();
    await post("the storm", "all");
    await until(
      "the storm has begun",
      () =>
        [...bad.seen.values()].reduce((sum, n) => sum + n, 0) >
        [...before.values()].reduce((sum, n) => sum + n, 0) + BAD / 2,
      30_000,
    );
    const beside: number[] = [];
    for (let n = 0; n < ROUNDS; n += 1) beside.push(await lateness());
    await until("each has had its time", () => Date.now() - began > STORM_MS, STORM_MS * 2);
    clearInterval(watching);

    const [usual, now] = [median(alone), median(beside)];
    process.stdout.write(
      `good receiver: ${usual} ms alone, ${now} ms beside ${BAD} (${(now / usual).toFixed(2)} times); worker: ` +
        `${Math.round(idle / 1e6)} MB idle, ${Math.round(largest / 1e6)} MB at most (${(largest / idle).toFixed(2)} ` +
        "times)\n",
    );
    expect(now).toBeLessThan(atMost(LATE_MOST_MS));
    expect(largest / idle).toBeLessThan(LARGER_MOST);
    // The storm's own post to the good one, and every other, came once.
    expect(arrivals.has("the storm")).toBe(true);
    expect(worker.child.exitCode).toBeNull();
  },
);
