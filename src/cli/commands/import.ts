import { resolve } from "node:path";
import { type Context, defineCommand } from "@psn/cli/command.ts";
import { PASSPHRASE_FLAGS, passphraseOf, passphraseSchema } from "@psn/cli/passphrase.ts";
import { PsnError } from "@psn/core/errors.ts";
import { z } from "zod";

export default defineCommand({
  name: "import",
  summary: "a hub from the file that psn export made",
  details:
    "Into the hub of this folder, if it has no account and no post yet; where there is none, one with its own database is made. For another database run psn init first. All or nothing. Ids stay, secrets are sealed anew by this hub's key, and what hub.env and keys.env say already stands. What is still to come is held until psn import --start, which may come with the file or later without it: two hubs with the same posts would publish them twice. What was on its way is unconfirmed here: psn resolve.",
  examples: [
    { line: "psn import hub.age --start", does: "after psn export hub.age --move on the other machine" },
    { line: "psn import hub.age --hub copy", does: "a copy that publishes nothing by itself" },
    { line: "psn import --start", does: "let what was held go out from here" },
  ],
  args: [{ name: "[file]", help: "made by psn export" }],
  flags: [...PASSPHRASE_FLAGS, { flags: "--start", help: "publish what is still to come from here" }],
  schema: z.object({ file: z.string().optional(), start: z.boolean().default(false), ...passphraseSchema }),
  run: async ({ file, start, ...input }, context) => {
    const { output, cwd, now, signal, noReturn } = context;
    const { importHub, startHeld } = await import("@psn/compose.vault.ts");
    if (file === undefined) {
      if (!start) throw new PsnError("USAGE", "psn import needs a file, or --start", { hint: "psn import --help" });
      const folder = await context.folder();
      await confirmed(context, "Does no other hub publish these posts any more? Start them here?");
      const started = await startHeld(folder, noReturn);
      output.result({ started }, () => `${started} ${started === 1 ? "delivery is" : "deliveries are"} scheduled again`);
      return undefined;
    }
    const folder = await target(context);
    const passphrase = await passphraseOf(input, context, "once");
    context.leaves("stopped; nothing of the file was imported", "psn import FILE");
    const { rows, started, head, made } = await importHub({
      folder,
      file: resolve(cwd, file),
      passphrase,
      start,
      now,
      signal,
      noReturn,
      confirmCopy: () => confirmed(context, "The file is a copy, and its hub may still publish these posts. Start them here all the same?"),
    });
    output.result(
      { hub: folder, made, rows, started, exportedAt: head.at },
      () => `${output.style("green", "imported")}  ${rows} rows into ${folder}`,
    );
    if (!start) output.note("what is still to come is held: psn queue; psn import --start lets it go");
    if (made) output.note(`Keep a copy of ${folder}/config/hub.env elsewhere: without its key nothing that is sealed opens again.`);
    output.note("next: psn doctor");
    return undefined;
  },
});

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
