import { DbMigrateDocument, DbStatusDocument } from "@psn/app/documents/settings.ts";
import { type CommandGroup, defineCommand } from "@psn/cli/command.ts";
import { EXIT } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { z } from "zod";

const migrate = defineCommand({
  name: "migrate",
  summary: "update the database to this version's schema",
  details:
    "Each migration is atomic and is applied once, even if several processes run this command at the same time. " +
    "Uses DATABASE_OWNER_URL of hub.env if it is set, and the hub's key if tokens must be sealed again.",
  examples: [
    { line: "psn db migrate", does: "after an update of psn" },
    { line: "psn db migrate --repair", does: "when psn doctor says that the database was changed" },
  ],
  flags: [
    { flags: "--dry-run", help: "show how many migrations are pending, and apply none" },
    {
      flags: "--repair",
      help: "restore the policies, grants, functions and triggers of the migrations; changes no row",
    },
  ],
  document: DbMigrateDocument,
  schema: z
    .object({ dryRun: z.boolean().default(false), repair: z.boolean().default(false) })
    .refine(({ dryRun, repair }) => !(dryRun && repair), {
      error: "--repair has no --dry-run; psn doctor says what it would put back",
    }),
  run: async ({ dryRun, repair }, { folder, output, leaves }) => {
    const { hubMigrationStatus, migrateHub, repairHub } = await import("@psn/wiring/database.ts");
    const hub = await folder();
    if (dryRun) {
      const status = await hubMigrationStatus(hub);
      output.result({ dryRun, applied: 0, ...named(status) }, () => `would apply ${status.pending} migrations`);
      return undefined;
    }
    leaves("stopped; migrations that were applied stay, and psn db migrate applies the rest", "psn db migrate");
    const { applied, status } = await migrateHub(hub);
    const { mended, left } = repair ? await repairHub(hub) : { mended: [], left: [] };
    output.result(
      {
        dryRun,
        applied,
        ...named(status),
        ...defined({ mended: repair ? mended : undefined, left: repair ? left.map(({ said }) => said) : undefined }),
      },
      () => [
        ...(applied > 0 ? [`applied ${applied} migrations`] : []),
        ...mended.map((said) => `put back: ${said}`),
        ...(applied + mended.length === 0 ? ["nothing to do: the database is up to date"] : []),
      ],
    );
    for (const { said, sql } of left)
      output.note(`not put back: ${said}; as the owner of the tables: ${sql.join("; ")}`);
    return left.some(({ severe }) => severe) ? EXIT.failed : undefined;
  },
});

const status = defineCommand({
  name: "status",
  summary: "show which migrations are applied and which are pending",
  examples: [{ line: "psn db status --json", does: "for a script" }],
  document: DbStatusDocument,
  schema: z.object({}),
  run: async (_input, { folder, output }) => {
    const { hubMigrationStatus } = await import("@psn/wiring/database.ts");
    const found = await hubMigrationStatus(await folder());
    output.result(
      named(found),
      () =>
        `${found.applied} applied, ${found.pending} pending` +
        (found.unknown > 0 ? `, ${found.unknown} from a newer psn` : ""),
    );
    if (found.pending > 0) output.note("next: psn db migrate");
    return undefined;
  },
});

function named({
  applied,
  pending,
  unknown,
}: {
  readonly applied: number;
  readonly pending: number;
  readonly unknown: number;
}) {
  return { migrations: { applied, pending, unknown } };
}

export default { name: "db", summary: "the hub's database", commands: [migrate, status] } satisfies CommandGroup;
