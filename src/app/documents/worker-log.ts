import { DELIVERY_STATES, OPERATIONS } from "@psn/core/types/index.ts";
import { z } from "zod";
import { type DocumentOf, Id, Instant } from "./values.ts";

/** From what needs a person most to what needs nobody; the numbers are syslog's (RFC 5424, section 6.2.1). */
export const LOG_LEVELS = { error: 3, warning: 4, notice: 5, info: 6 } as const satisfies Record<LogLevel, number>;
export const LogLevel = z.enum(["error", "warning", "notice", "info"], {
  error: "must be error, warning, notice or info",
});
export type LogLevel = z.output<typeof LogLevel>;

const reason = { code: z.string(), message: z.string(), hint: z.string().nullable() };
const said = { at: Instant, level: LogLevel };

/** One line of `psn worker --log json`. */
export const WorkerLogLine = z
  .discriminatedUnion("event", [
    z.strictObject({ ...said, event: z.enum(["started", "stopped"]), worker: z.string(), version: z.string() }),
    z.strictObject({
      ...said,
      event: z.literal("delivery"),
      delivery: Id,
      account: z.string().describe("`platform:handle`."),
      state: z.enum(DELIVERY_STATES),
      operation: z.enum(OPERATIONS),
      url: z.string().nullable(),
      code: z.string().nullable().describe("Why it is not published, or not removed: the code of an error."),
      message: z.string().nullable(),
      next: Instant.nullable().describe("When psn tries again; null where nothing is planned."),
    }),
    z.strictObject({ ...said, event: z.literal("failed"), ...reason }).describe("The worker could not begin."),
    z.strictObject({
      ...said,
      event: z.literal("trouble").describe("Something that is no delivery's own, such as a database that is away."),
      ...reason,
    }),
    z.strictObject({
      ...said,
      event: z.literal("listening").describe("How this worker learns of new posts has changed."),
      message: z.string(),
      hint: z.string().nullable(),
    }),
  ])
  .meta({ id: "WorkerLogLine", description: "One line of psn worker --log json." });
export type WorkerLogLine = DocumentOf<typeof WorkerLogLine>;
