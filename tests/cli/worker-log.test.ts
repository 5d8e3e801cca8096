import { fstatSync } from "node:fs";
import { WorkerLogLine } from "@psn/app/documents/worker-log.ts";
import { createOutput } from "@psn/cli/output.ts";
import { createWorkerLog, isJournal, type WorkerLogOptions } from "@psn/cli/worker-log.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { failed, type TestHub, testHub } from "../support/cli.ts";
import { until } from "../support/until.ts";

/* What psn worker writes while it runs: for a person, for a program, and for systemd's journal. */

const INSTANT = String.raw`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`;

let hub: TestHub;
beforeAll(async () => {
  hub = await testHub();
});
afterAll(() => hub.close());

/** A worker that publishes one post, and what it wrote. */
async function worked(...flags: readonly string[]) {
  await hub.psn(["post", "to be logged", "--to", "feed", "--no-wait"]);
  const stop = new AbortController();
  const ran = hub.psn(["worker", ...flags], { signal: stop.signal });
  const open = "SELECT 1 FROM psn.deliveries WHERE state <> 'published'";
  await until("it is published", async () => (await hub.rows(open)).length === 0);
  stop.abort();
  return await ran;
}

describe("psn worker", () => {
  test("an instant begins every line", async () => {
    const { code, stdout, stderr } = await worked();
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^${INSTANT}  [0-9a-f]{8}  published  feed:notes  file://\\S+  to be logged\n$`));
    expect(stderr).toMatch(
      new RegExp(`^${INSTANT}  worker \\S+ publishes what is due; Ctrl-C stops it\n${INSTANT}  stopped\n$`),
    );
  });

  test("--log json: each line is a document of its own, on stdout", async () => {
    const { code, stdout, stderr } = await worked("--log", "json");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    const lines = stdout
      .trimEnd()
      .split("\n")
      .map((line) => WorkerLogLine.parse(JSON.parse(line)));
    expect(lines.map(({ event }) => event)).toEqual(["started", "delivery", "stopped"]);
    expect(lines[1]).toMatchObject({ level: "info", state: "published", account: "feed:notes", code: null });
  });

  test("--log-level leaves out what needs a person less", async () => {
    expect(await worked("--log-level", "notice")).toMatchObject({
      stdout: "",
      stderr: expect.stringMatching(/stopped/),
    });
    expect(await worked("--log-level", "warning")).toEqual({ code: 0, stdout: "", stderr: "" });
  });

  test("what keeps it from beginning is a line too", async () => {
    const { code, stdout, stderr } = await hub.psn(["worker", "--hub", "nowhere", "--log", "json"]);
    expect({ code, stderr }).toEqual({ code: 3, stderr: "" });
    expect(WorkerLogLine.parse(JSON.parse(stdout))).toMatchObject({ event: "failed", code: "HUB_MISSING" });
  });

  test.each([
    [["--log", "xml"], /--log must be text or json/],
    [["--log-level", "debug"], /--log-level must be error, warning, notice or info/],
  ])("%j is refused", async (flags, says) => {
    expect(failed(await hub.psn(["worker", ...flags]), "USAGE")).toMatch(says);
  });

  test("--json with --log is refused", async () => {
    const { code, stdout } = await hub.psn(["worker", "--json", "--log", "json"]);
    expect({ code, error: JSON.parse(stdout).error.code }).toEqual({ code: 2, error: "USAGE" });
  });
});

describe("the log", () => {
  const said: string[] = [];
  const sink = { isTTY: false, write: (text: string) => void said.push(text) };
  const logged = (options: Partial<WorkerLogOptions>, write: (log: ReturnType<typeof createWorkerLog>) => void) => {
    said.length = 0;
    const output = createOutput({ json: false, stdout: sink, stderr: sink, color: false });
    const worker = { worker: "w-1", version: "1.2.3" };
    const now = () => new Date("2026-11-27T12:00:00.123Z");
    const print = (line: string) => output.result(undefined, () => line);
    write(createWorkerLog({ output, print, format: "text", level: "info", journal: false, worker, now, ...options }));
    return said.join("");
  };
  const delivery = (facts: Partial<DeliverySummary>): DeliverySummary =>
    ({
      id: "01930b1e-7c00-7000-8000-0000000000a1",
      platform: "feed",
      handle: "notes",
      state: "scheduled",
      operation: "publish",
      health: "ok",
      url: null,
      code: "NETWORK",
      message: "no answer",
      nextAt: new Date("2026-11-27T12:05:00Z"),
      text: "hello",
      ...facts,
    }) as DeliverySummary;

  test("the journal gets levels in place of instants", () => {
    const text = logged({ journal: true }, (log) => {
      log.began();
      log.delivery(delivery({ state: "published", code: null, message: null, url: "https://a.example/1" }), "UTC");
      log.delivery(delivery({ state: "failed" }), "UTC");
      log.trouble(new PsnError("DB_UNREACHABLE", "the database is away"));
    });
    expect(text.split("\n")).toEqual([
      "<5>worker w-1 publishes what is due",
      "<6>000000a1  published  feed:notes  https://a.example/1  hello",
      expect.stringMatching(/^<3>000000a1 {2}failed {2}feed:notes {2}.*no answer$/),
      "<4>the database is away (DB_UNREACHABLE)",
      "",
    ]);
  });

  test("a state is written once, however often it is tried, and again once it has changed", () => {
    const text = logged({}, (log) => {
      for (const nextAt of ["2026-11-27T12:05:00Z", "2026-11-27T12:15:00Z"])
        log.delivery(delivery({ nextAt: new Date(nextAt) }), "UTC");
      log.delivery(delivery({ state: "published", code: null }), "UTC");
      log.delivery(delivery({ operation: "remove", state: "scheduled", code: null }), "UTC");
    });
    expect(text.match(/retrying|published|removal/g)).toEqual(["retrying", "published", "removal"]);
  });

  test("a line holds one line, whatever a server said", () => {
    const hostile = delivery({ state: "failed", message: "no\n<3>\u001b[2Jforged" });
    for (const format of ["text", "json"] as const) {
      const text = logged({ format, journal: true }, (log) => log.delivery(hostile, "UTC"));
      expect(text.trimEnd().split("\n"), format).toHaveLength(1);
      expect(text, format).not.toContain("\u001b");
    }
    expect(JSON.parse(said.join(""))).toMatchObject({ message: hostile.message, at: "2026-11-27T12:00:00.123Z" });
  });

  test("a variable that a terminal inherited is no journal", () => {
    const { dev, ino } = fstatSync(2);
    expect([isJournal(undefined), isJournal("1:1"), isJournal("nonsense"), isJournal(`${dev}:${ino}`)]).toEqual([
      false,
      false,
      false,
      true,
    ]);
  });
});
