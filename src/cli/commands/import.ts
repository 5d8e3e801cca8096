import { resolve } from "node:path";
import { takenNames } from "@psn/app/documents/hub.ts";
import type { Imported } from "@psn/app/transfer-hub.ts";
import { importing } from "@psn/app/verbs/import.ts";
import { type Context, defineCommand } from "@psn/cli/command.ts";
import { fitted } from "@psn/cli/list.ts";
import type { Lines, Output } from "@psn/cli/output.ts";
import { PASSPHRASE_FLAGS, passphraseOf, passphraseSchema } from "@psn/cli/passphrase.ts";
import { showing } from "@psn/cli/progress.ts";
import { PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { MovedSettings } from "@psn/core/types/index.ts";
import { z } from "zod";

export default defineCommand({
  name: "import",
  summary: importing.summary,
  details:
    "Into the hub of this folder, if it has no account and no post yet; where there is none, one with its own " +
    "database is made. For another database run psn init first. All or nothing. Ids stay, secrets are sealed again " +
    "by this hub's key, and what hub.env and keys.env say already stands. The settings that the file brings are " +
    "shown, and asked for, before they are taken: the bucket, where notifications go, keys of apps; --no-settings " +
    "leaves them out. A name that psn does not know is not written. A file that age has armored is read too. What " +
    "is still to come is held until psn import --start, which may come with the file or later without it: two hubs " +
    "with the same posts would publish them twice. What was on its way is unconfirmed here: psn resolve.",
  examples: [
    { line: "psn import hub.age --start", does: "after psn export hub.age --move on the other machine" },
    { line: "psn import hub.age --hub copy", does: "import a copy, which publishes nothing by itself" },
    {
      line: "psn import hub.age --no-settings",
      does: "accounts and posts alone; bucket, notifications and app keys as they are here",
    },
    { line: "psn import --start", does: "publish the held posts from this hub" },
  ],
  args: [{ name: "[file]", help: "the file that psn export created" }],
  flags: [
    ...PASSPHRASE_FLAGS,
    { flags: "--no-settings", help: "do not use the settings and the app keys in the file" },
    { flags: "--start", help: "publish the scheduled posts from this hub" },
  ],
  document: importing.output,
  schema: z.object({
    file: z.string().optional(),
    start: z.boolean().default(false),
    settings: z.boolean().default(true),
    ...passphraseSchema,
  }),
  run: async ({ file, start, settings: wanted, ...input }, context) => {
    const { output, cwd, signal, noReturn } = context;
    if (file === undefined && !start)
      throw new PsnError("USAGE", "psn import needs a file, or --start", { hint: "psn import --help" });
    const folder = file === undefined ? await context.folder() : await target(context);
    const passphrase = file === undefined ? undefined : await passphraseOf(input, context, "once");
    if (file !== undefined) context.leaves("stopped; nothing of the file was imported", "psn import FILE");
    const { importScope } = await import("@psn/wiring/transfer.ts");
    const facts = await showing(output, { what: "importing", parts: "rows" }, ({ at: onProgress }) =>
      importing.run(
        importScope(folder),
        {
          ...defined({ file: file === undefined ? undefined : resolve(cwd, file), passphrase }),
          start,
          alone: false,
          settings: false,
        },
        {
          signal,
          noReturn,
          onProgress,
          confirmAlone: (posts) => confirmed(context, ALONE[posts]),
          ...defined({ takeSettings: wanted ? (brought: MovedSettings) => asked(brought, context) : undefined }),
        },
      ),
    );
    const { started } = facts;
    output.result(importing.document(facts), () =>
      facts.what === "file"
        ? `${output.style("green", "imported")}  ${facts.rows} rows into ${folder}`
        : `${started} ${started === 1 ? "delivery is" : "deliveries are"} scheduled again`,
    );
    if (facts.what === "file") tell(facts, { start, output });
    return undefined;
  },
});

const ALONE = {
  held: "Has the other hub stopped publishing these posts? Start them here?",
  copy: "The file is a copy, and its hub may still publish these posts. Start them here anyway?",
} as const;

function tell(
  { hub, made, settings, took }: Imported & { readonly hub: string },
  { start, output }: Pick<Context, "output"> & { readonly start: boolean },
): void {
  if (took) output.note(["set from the file:", listed(output, settings)]);
  if (!took && settings.take.length > 0) output.note(`left out: ${takenNames(settings).join(", ")}`);
  if (settings.kept.length > 0) output.note(`as this hub has them: ${settings.kept.join(", ")}`);
  if (settings.unknown.length > 0)
    output.note(`not written, because psn does not know them: ${settings.unknown.slice(0, 10).join(", ")}`);
  if (!start) output.note("what is still to come is held: psn queue; psn import --start lets it go");
  if (made)
    output.note(
      `Keep a copy of ${hub}/config/hub.env elsewhere: without its key nothing that is sealed can be decrypted.`,
    );
  output.note("next: psn doctor");
}

const listed = (output: Output, { take }: MovedSettings): Lines =>
  fitted(output, take, [
    { head: "NAME", cell: ({ name }) => name, least: 16, folds: true },
    { head: "VALUE", cell: ({ shown }) => shown, least: 16, folds: true },
    { head: "PLACE", cell: ({ place }) => place },
  ]);

/** Shows what the file would set, and asks. Throws INPUT_REQUIRED where nobody can be asked, INTERRUPTED for a no. */
async function asked(settings: MovedSettings, { output, prompt, yes }: Context): Promise<boolean> {
  const names = takenNames(settings).join(", ");
  if (!yes && !prompt.interactive)
    throw new PsnError("INPUT_REQUIRED", `the file would set ${names} in this hub`, {
      hint: "pass --yes to use them, or --no-settings to leave them out",
      details: { settings: settings.take.map(({ name, place, shown }) => ({ name, place, value: shown })) },
    });
  if (!yes) output.note(["the file brings settings:", listed(output, settings)]);
  if (await prompt.confirm("The author of the file chose them. Use them?")) return true;
  throw new PsnError("INTERRUPTED", "nothing was imported", { hint: "without them: psn import FILE --no-settings" });
}

async function confirmed({ prompt }: Context, question: string): Promise<void> {
  if (!(await prompt.confirm(question))) throw new PsnError("INTERRUPTED", "nothing was changed");
}

/** The hub this folder is in; else where one is to be. */
async function target(context: Context): Promise<string> {
  const { cwd, namedHub } = context;
  if (namedHub !== undefined) return resolve(cwd, namedHub);
  const found = await context.folder().catch((error: unknown) => {
    if (error instanceof PsnError && error.code === "HUB_MISSING") return undefined;
    throw error;
  });
  return found ?? cwd;
}
