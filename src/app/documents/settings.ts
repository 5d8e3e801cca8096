import { z } from "zod";
import { Count, DryRun, Instant } from "./values.ts";

/*
 * Documents about settings and the database.
 */

const ConfigFile = z.enum(["hub", "keys"]).describe("hub.env or keys.env.");
const Setting = z
  .strictObject({
    name: z.string(),
    file: ConfigFile,
    secret: z.boolean(),
    value: z.string().nullable().describe("Masked where it is secret; null where it is not set."),
    origin: z
      .union([z.string(), z.strictObject({ file: z.string(), line: z.int().min(1) })])
      .nullable()
      .describe("Where the value is from."),
  })
  .meta({ id: "Setting", description: "A setting of hub.env or a key of keys.env." });

export const ConfigListDocument = z.strictObject({
  values: z.array(Setting),
  problems: z.array(z.strictObject({ message: z.string(), hint: z.string().nullable() })),
});
export const ConfigGetDocument = Setting;
export const ConfigSetDocument = z.union([
  z.strictObject({ name: z.string(), file: z.string(), dryRun: DryRun }),
  z.strictObject({ name: z.string(), unset: z.literal(true), dryRun: DryRun }),
]);
export const ConfigEditDocument = z.strictObject({ file: z.string(), changed: z.boolean() });
export const ConfigPathDocument = z.strictObject({ hub: z.string(), keys: z.string() });

const Migrations = z.strictObject({
  applied: Count,
  pending: Count,
  unknown: Count.describe("Migrations of a newer psn."),
});
export const DbStatusDocument = z.strictObject({ migrations: Migrations });
export const DbMigrateDocument = z.strictObject({
  dryRun: DryRun,
  applied: Count.describe("By this command."),
  migrations: Migrations,
  mended: z.array(z.string()).optional().describe("With --repair: what was put back."),
  left: z.array(z.string()).optional().describe("With --repair: what only the owner of the tables can put back."),
});

export const VaultStatusDocument = z.strictObject({
  rotating: z.boolean(),
  users: Count,
  keys: z.array(
    z.strictObject({
      id: z.string(),
      role: z.enum(["current", "old", "unknown"]).describe("`unknown`: its values do not open."),
      sealed: Count.describe("How many values."),
    }),
  ),
});
export const VaultRotateDocument = z.strictObject({
  key: z.string().describe("The id of the new key."),
  old: z.string().describe("The id of the key before."),
  resumed: z.boolean(),
  finished: z.boolean(),
  rows: Count,
  tasksReadyAt: Instant.nullable(),
});
