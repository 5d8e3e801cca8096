import { resolve } from "node:path";
import { exporting } from "@psn/app/verbs/export.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { PASSPHRASE_FLAGS, passphraseOf, passphraseSchema } from "@psn/cli/passphrase.ts";
import { showing } from "@psn/cli/progress.ts";
import { z } from "zod";

export default defineCommand({
  name: "export",
  summary: exporting.summary,
  details:
    "Users, accounts, tokens, keys, posts, media, deliveries and their history; keys.env, and what of hub.env is " +
    "not of this machine. Tokens and keys are opened for it, so that another hub can seal them by its own key: the " +
    "passphrase is all that protects them in the file (age format). Large media in a bucket stay there. Without " +
    "--move this hub goes on as before, and the file is a copy: what it holds of posts that are still to come " +
    "waits, where it is imported, for your word. With --move this hub holds them, so that only one of the two " +
    "publishes.",
  examples: [
    { line: "psn export hub.age", does: "a backup; prompts for a passphrase" },
    { line: "psn export hub.age --move", does: "before psn import hub.age --start on another machine" },
  ],
  args: [{ name: "<file>", help: "the new file; it must not exist yet" }],
  flags: [
    ...PASSPHRASE_FLAGS,
    { flags: "--move", help: "put scheduled posts on hold here, because the other hub will publish them" },
  ],
  document: exporting.output,
  schema: z.object({ file: z.string(), move: z.boolean().default(false), ...passphraseSchema }),
  run: async ({ file, move, ...input }, context) => {
    const { output, cwd, signal, noReturn } = context;
    const passphrase = await passphraseOf(input, context, "twice");
    const hub = await context.hub("session");
    const path = resolve(cwd, file);
    const exported = await showing(output, { what: "exporting", parts: "rows" }, ({ at: onProgress }) =>
      exporting.run(hub, { file: path, passphrase, move }, { signal, noReturn, onProgress }),
    );
    const { rows, lost } = exported;
    output.result(
      exporting.document(exported),
      () => `${output.style("green", move ? "moved" : "exported")}  ${rows} rows to ${path}`,
    );
    if (lost.length > 0) output.note(`not in the file, because psn cannot decrypt them: ${lost.join(", ")}`);
    if (move)
      output.note(
        "what was still to come is held here; there: psn import FILE --start. To take it back: psn import --start",
      );
    return undefined;
  },
});
