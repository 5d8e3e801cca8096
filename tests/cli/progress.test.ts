import { join } from "node:path";
import { createOutput } from "@psn/cli/output.ts";
import { progressOf } from "@psn/cli/progress.ts";
import { beforeEach, describe, expect, test } from "vitest";
import { scratch } from "../support/cli.ts";
import { COMPILED_PSN } from "../support/cli-bundle.ts";
import { someOf } from "../support/how-much.ts";
import { atTerminal } from "../support/terminal.ts";

/*
 * Long work shows itself: a line that is drawn again on a terminal, lines elsewhere, nothing under --json.
 */

let shown = "";
let now = 0;
beforeEach(() => {
  [shown, now] = ["", 0];
});

function outputOf({ isTTY = true, json = false, color = undefined as boolean | undefined, columns = 80 } = {}) {
  const write = (text: string) => {
    shown += text;
  };
  const stderr = { isTTY, columns, write };
  return createOutput({ json, stdout: { isTTY, columns, write: () => undefined }, stderr, color });
}

/** Work of so many rows, ten of which take a second. */
function work(output: ReturnType<typeof outputOf>, all: number): void {
  const progress = progressOf(output, { what: "exporting", parts: "rows", elapsedMs: () => now });
  for (let done = 1; done <= all; done += 1) {
    now += 100;
    progress.at(done, all);
  }
  progress.end();
}

/** What stands in the line after all that was drawn. */
const drawn = () => shown.split("\r\u001b[K");

describe("on a terminal", () => {
  test("a bar says how much is done, and what is left of the time", () => {
    work(outputOf(), 100);
    const lines = drawn();
    expect(lines).toContain(`exporting ${"━".repeat(12)}${"─".repeat(12)} 50 of 100 rows, 5 s left`);
    expect(lines.at(-1)).toBe("");
  });

  test("what is soon over shows nothing", () => {
    work(outputOf(), 1);
    expect(shown).toBe("");
  });

  test("no line is longer than the screen", () => {
    work(outputOf({ columns: 60 }), 1000);
    for (const line of drawn()) expect(Bun.stringWidth(line)).toBeLessThan(60);
  });

  test("a note stands above it, and a failure in its place", () => {
    const output = outputOf();
    output.draw("exporting");
    output.note("something else");
    expect(shown).toBe("\r\u001b[Kexporting\r\u001b[Ksomething else\n\r\u001b[Kexporting");
    output.draw(undefined);
    expect(drawn().at(-1)).toBe("");
  });
});

describe("elsewhere", () => {
  test.each([{ isTTY: false }, { color: false }])("a line for each quarter of much work: %j", (options) => {
    work(outputOf(options), 1000);
    expect(shown.split("\n")).toEqual([
      "exporting: 250 of 1000 rows",
      "exporting: 500 of 1000 rows",
      "exporting: 750 of 1000 rows",
      "exporting: 1000 of 1000 rows",
      "",
    ]);
  });

  test("nothing of little work, and nothing under --json", () => {
    work(outputOf({ isTTY: false }), 999);
    work(outputOf({ json: true }), 2000);
    expect(shown).toBe("");
  });
});

describe("psn init at a real terminal", () => {
  const env = { PATH: process.env["PATH"] ?? "", TERM: "xterm" };

  test("shows what it does, and takes it away", async () => {
    const folder = await scratch("init");
    const terminal = atTerminal([COMPILED_PSN, "init", join(folder, "hub")], {
      cwd: folder,
      env: { ...env, HOME: folder },
    });
    await terminal.shows("The hub is in");
    expect(await terminal.ended).toBe(0);
    expect(terminal.shown()).toContain("\r\u001b[Kcreating the hub: its database …\r\u001b[K");
  });

  test.each<Record<string, string>>(someOf([{ NO_COLOR: "1" }, { TERM: "dumb" }]))(
    "one line with %j",
    async (plain) => {
      const folder = await scratch("init");
      const place = { cwd: folder, env: { ...env, HOME: folder, ...plain } };
      const terminal = atTerminal([COMPILED_PSN, "init", join(folder, "hub")], place);
      expect(await terminal.ended).toBe(0);
      expect(terminal.shown()).toContain("creating the hub: its database\r\n");
      expect(terminal.shown()).not.toContain("\u001b");
    },
  );
});
