import { CompletionDocument } from "@psn/app/documents/help.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { complete } from "@psn/cli/completion/complete.ts";
import { SCRIPTS, SHELLS } from "@psn/cli/completion/scripts.ts";
import { z } from "zod";

const input = z.object({
  shell: z.string().optional(),
  line: z.array(z.string()).default([]),
  words: z.coerce.number().int().min(0).optional(),
  for: z.enum(SHELLS, { error: `must be one of ${SHELLS.join(", ")}` }).optional(),
  undo: z.boolean().default(false),
});

export default defineCommand({
  name: "completion",
  summary: "complete psn's commands in your shell",
  details:
    "Completes commands, flags and values, ids of posts, accounts and files. psn completion install writes the " +
    "script to the folder that your shell loads it from, and says what else to do. Ids and accounts of an embedded " +
    "database are those that the last command knew; any other database has a second to answer.",
  examples: [
    { line: "psn completion install", does: "for the shell that SHELL names" },
    { line: "psn completion install zsh", does: "for another one" },
    { line: "psn completion install --undo", does: "remove the script again" },
    { line: "psn completion bash >> ~/.bashrc", does: "print the script, to put it somewhere yourself" },
  ],
  args: [
    { name: "[shell]", help: `${SHELLS.join(", ")}: print the script; or install`, takes: [...SHELLS, "install"] },
    {
      name: "[line...]",
      help: `behind install: ${SHELLS.join(", ")}; else the words so far, for the scripts`,
      takes: SHELLS,
    },
  ],
  flags: [
    { flags: "--undo", help: "with install: remove the script" },
    { flags: "--words <position>", help: "the completions at this position, for the scripts themselves" },
    { flags: "--for <shell>", help: "with --words: the shell, and with what is said of each word", takes: SHELLS },
  ],
  document: CompletionDocument,
  schema: input,
  run: async ({ shell, line, words, for: reader, undo }, context) => {
    const { output } = context;
    if (words !== undefined) {
      const { knownIn } = await import("@psn/cli/completion/known.ts");
      const offers = await complete(context.commands, {
        words: [shell ?? "", ...line].slice(0, words + 1),
        known: (hub) => knownIn(context.cwd, hub ?? context.namedHub),
        keepsFlag: reader !== "bash",
      });
      const found = offers.words.map(({ word }) => word);
      output.result({ words: found }, () => (reader === undefined ? found : [offers.kind, ...offers.words.map(said)]));
      return undefined;
    }
    const { installCompletion, shellOf } = await import("@psn/cli/completion/install.ts");
    if (shell === "install") {
      const named = shellOf(line[0]);
      context.noReturn();
      const { add, addTo, ...done } = installCompletion(named, { undo });
      output.result({ ...done, add: [...add], addTo: addTo ?? null }, () => CHANGES[done.change](done.path));
      if (addTo !== undefined && add.length > 0)
        output.note([`${undo ? "remove these lines from" : "add these lines to the end of"} ${addTo}:`, ...add]);
      if (!undo) output.note(`next: open a new ${named}, and press Tab behind: psn`);
      return undefined;
    }
    const known = shell === undefined ? "bash" : shellOf(shell);
    output.result({ shell: known, script: SCRIPTS[known] }, () => SCRIPTS[known].split("\n"));
    return undefined;
  },
});

const CHANGES = {
  written: (path: string) => `written: ${path}`,
  removed: (path: string) => `removed: ${path}`,
  none: (path: string) => `nothing to do: ${path}`,
} as const;

/** A tab within a word would end it. */
const said = ({ word, says = "" }: { readonly word: string; readonly says?: string }): string =>
  [word, ...(says === "" ? [] : [says])].map((one) => one.replaceAll(/\s+/g, " ")).join("\t");
