import { defineCommand } from "@psn/cli/command.ts";
import { table } from "@psn/cli/output.ts";
import { ERRORS, EXIT, PsnError } from "@psn/core/errors.ts";
import { z } from "zod";

const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "done, or nothing to do",
  failed: "failed",
  usage: "your input; nothing was sent",
  setup: "the hub is not set up",
  auth: "connect or reconnect an account",
  partial: "partly published",
  later: "try later",
  unknown: "the outcome is unknown or still pending",
  interrupted: "stopped by Ctrl-C",
};

export const TOPICS: Readonly<Record<string, () => string>> = {
  times: () =>
    [
      "--at takes:",
      table([
        ["  2026-12-01T09:00:00Z", "ISO 8601 with an offset: one instant, whatever the zone"],
        ["  2026-12-01 09:00", "in your zone, or in --tz"],
        ["  tomorrow 9am", "a day and an hour"],
        ["  next tuesday 14:30", ""],
        ["  in 2h", "also --in 2h; 30s, 45m, 3d, 1h30m"],
      ]),
      "",
      "What could mean two things is refused with the choices: tomorrow without an hour, 9 without am or pm, 03/04,",
      "an hour that the clocks skip or repeat. The answer always shows local time, zone and UTC.",
      "Zone: --tz, else the file's tz, else yours (psn init --tz).",
    ].join("\n"),
  "exit-codes": () => table(Object.entries(EXIT).map(([name, code]) => [String(code), EXIT_MEANINGS[name as keyof typeof EXIT]])),
  environment: () =>
    table([
      ["PSN_HUB", "the hub's folder"],
      ["every name of hub.env and keys.env", "stands above the file; psn config list says what counts"],
      ["NEON_API_KEY", "for psn init --neon and psn destroy; kept in no file"],
      ["EDITOR, VISUAL", "for psn config edit"],
      ["NO_COLOR, FORCE_COLOR, TERM=dumb", "decoration, never data"],
      ["CI", "nothing is asked"],
    ]),
  errors: () => table(Object.entries(ERRORS).map(([code, { meaning }]) => [code, meaning])),
};

export default defineCommand({
  name: "help",
  summary: "help on a topic: times, exit-codes, environment",
  examples: [{ line: "psn help times", does: "what --at understands" }],
  args: [{ name: "[topic]", help: Object.keys(TOPICS).join(", ") }],
  schema: z.object({ topic: z.string().optional() }),
  run: async ({ topic }, { output, commands }) => {
    if (topic === undefined) {
      output.result(
        { topics: Object.keys(TOPICS) },
        () => `topics: ${Object.keys(TOPICS).join(", ")}\ncommands: psn --help, psn COMMAND --help`,
      );
      return undefined;
    }
    const text = TOPICS[topic]?.();
    if (text === undefined)
      throw new PsnError("NOT_FOUND", `there is no topic ${topic}; there is ${Object.keys(TOPICS).join(", ")}`, {
        hint: Object.hasOwn(commands, topic) ? `psn ${topic} --help` : "psn COMMAND --help for a command",
      });
    output.result({ topic, text }, () => text);
    return undefined;
  },
});
