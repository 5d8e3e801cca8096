import type { Exported } from "@psn/app/archive-lines.ts";
import type { Check as CheckFacts } from "@psn/app/doctor.ts";
import type { Imported } from "@psn/app/transfer-hub.ts";
import { DELIVERY_STATES, type MovedSettings } from "@psn/core/types/index.ts";
import { z } from "zod";
import { Count, type DocumentOf, Instant } from "./values.ts";

/*
 * Documents about a hub as a whole.
 */

const Folder = z.string().describe("The hub's folder.");
const Ignored = z.array(z.strictObject({ flag: z.string(), why: z.string() })).describe("Flags that have no effect.");

export const InitDocument = z.union([
  z.strictObject({
    hub: Folder,
    steps: z
      .array(
        z.strictObject({
          what: z.string(),
          did: z.string().describe("`made` or `kept`."),
          left: z.array(z.string()).optional().describe("Logins of the database that could not be removed."),
        }),
      )
      .describe("In order."),
    user: z.strictObject({ handle: z.string(), timeZone: z.string() }),
    ignored: Ignored,
  }),
  z.strictObject({
    dryRun: z.literal(true),
    hub: Folder,
    has: z.strictObject({ key: z.boolean(), user: z.boolean() }).describe("What is there already."),
    calls: z
      .array(z.strictObject({ method: z.string(), url: z.string(), body: z.unknown().optional() }))
      .describe("The requests that it would take."),
    ignored: Ignored,
  }),
]);

const removal = <const How extends readonly [string, ...string[]]>(how: How) =>
  z.strictObject({
    what: z.string(),
    name: z.string(),
    how: z.enum(how),
    note: z.string().nullable().describe("What to do about what is left."),
  });
const Waiting = Count.nullable().describe("Posts that were still to come; null where they could not be counted.");

export const DestroyDocument = z.union([
  z.strictObject({ hub: Folder, waiting: Waiting, removals: z.array(removal(["removed", "stopped", "left"])) }),
  z.strictObject({
    dryRun: z.literal(true),
    hub: Folder,
    waiting: Waiting,
    removals: z.array(removal(["remove", "leave"])),
  }),
]);

const Tasks = z.array(z.string());
const Variables = z.array(z.string()).describe("Names of the settings that the tasks get.");
export const DeployDocument = z.union([
  z.strictObject({ project: z.string(), version: z.string(), tasks: Tasks, variables: Variables }),
  z.strictObject({ dryRun: z.literal(true), project: z.string(), variables: Variables, tasks: Tasks }),
]);

export const ExportDocument = z.strictObject({
  file: z.string(),
  moved: z.boolean().describe("What was to come is held here."),
  rows: Count,
  lost: z.array(z.string()).describe("What is not in the file, since it cannot be decrypted."),
});

export interface ExportFacts extends Exported {
  readonly file: string;
  readonly moved: boolean;
}

export function exportDocument({ file, moved, rows, lost }: ExportFacts): DocumentOf<typeof ExportDocument> {
  return { file, moved, rows, lost };
}

const Names = z.array(z.string());
export const ImportDocument = z.union([
  z.strictObject({ started: Count.describe("Deliveries that are scheduled again.") }),
  z.strictObject({
    hub: Folder,
    made: z.boolean().describe("The hub is new."),
    rows: Count,
    started: Count,
    exportedAt: Instant,
    settings: z.strictObject({
      taken: Names,
      left: Names.describe("The file has them, and they were not taken."),
      kept: Names.describe("This hub has a value of its own."),
      unknown: Names,
    }),
  }),
]);

export type ImportFacts =
  | { readonly what: "held"; readonly started: number }
  | ({ readonly what: "file"; readonly hub: string } & Imported);

export function importDocument(facts: ImportFacts): DocumentOf<typeof ImportDocument> {
  if (facts.what === "held") return { started: facts.started };
  const { hub, made, rows, started, head, settings, took } = facts;
  const names = takenNames(settings);
  const { kept, unknown } = settings;
  return {
    hub,
    made,
    rows,
    started,
    exportedAt: head.at,
    settings: { taken: took ? names : [], left: took ? [] : names, kept, unknown },
  };
}

/** The names of what a file would set. */
export function takenNames({ take }: MovedSettings): string[] {
  return [...new Set(take.map(({ name }) => name))];
}

const Check = z
  .strictObject({
    name: z.string(),
    status: z.enum(["ok", "warn", "fail"]),
    said: z.string(),
    fix: z.string().nullable().describe("The command or step that helps."),
  })
  .meta({ id: "Check", description: "One thing that psn doctor looked at." });
export const DoctorDocument = z.strictObject({ ok: z.boolean().describe("Nothing fails."), checks: z.array(Check) });

export function doctorDocument(checks: readonly CheckFacts[]): DocumentOf<typeof DoctorDocument> {
  return { ok: checks.every(({ status }) => status !== "fail"), checks };
}

export const WorkerDocument = z.strictObject({
  worker: z.string().describe("Its name: host and process."),
  deliveries: z
    .partialRecord(z.enum(DELIVERY_STATES), Count)
    .describe("How many deliveries it worked on, by the state that they came to."),
});
