import { namesOf } from "@psn/app/choose-accounts.ts";
import { CompletionDocument } from "@psn/app/documents/help.ts";
import { accountsOf } from "@psn/app/queries/accounts.ts";
import { COMMON_FLAGS, type CommandTable, defineCommand, isGroup } from "@psn/cli/command.ts";
import { platformIds } from "@psn/platforms/index.ts";
import { z } from "zod";

const SHELLS = ["bash", "zsh", "fish"] as const;

/** The scripts hand the words over to `psn completion --words`, so that a new psn completes its own commands. */
const SCRIPTS: Readonly<Record<(typeof SHELLS)[number], string>> = {
  bash: `_psn() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do
    [[ $word == "\${COMP_WORDS[COMP_CWORD]}"* ]] && COMPREPLY+=("$(printf %q "$word")")
  done < <(psn completion --words "$COMP_CWORD" -- "\${COMP_WORDS[@]}" 2>/dev/null)
  [ \${#COMPREPLY[@]} -eq 0 ] && compopt -o default
}
COMP_WORDBREAKS=\${COMP_WORDBREAKS//:}
complete -F _psn psn`,
  zsh: `#compdef psn
_psn() {
  local -a found
  found=("\${(@f)$(psn completion --words $((CURRENT - 1)) -- "\${words[@]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -a found; else _files; fi
}
compdef _psn psn`,
  fish:
    "complete -c psn -f -a '(set -l all (commandline -opc) (commandline -ct); psn completion --words (math (count " +
    "$all) - 1) -- $all 2>/dev/null)'",
};

export default defineCommand({
  name: "completion",
  summary: "print a completion script for your shell",
  examples: [
    { line: "psn completion bash >> ~/.bashrc", does: "bash" },
    { line: "psn completion zsh > ~/.zfunc/_psn", does: "zsh, with ~/.zfunc in fpath" },
    { line: "psn completion fish > ~/.config/fish/completions/psn.fish", does: "fish" },
  ],
  args: [
    { name: "[shell]", help: SHELLS.join(", ") },
    { name: "[line...]", help: "the words so far, for the scripts themselves" },
  ],
  flags: [{ flags: "--words <position>", help: "the completions at this position, for the scripts themselves" }],
  document: CompletionDocument,
  schema: z.object({
    shell: z.string().optional(),
    line: z.array(z.string()).default([]),
    words: z.coerce.number().int().min(0).optional(),
  }),
  run: async ({ shell, line, words }, context) => {
    if (words !== undefined) {
      const found = await complete(context.commands, {
        words: [shell ?? "", ...line],
        position: words,
        accounts: async () => {
          return [...namesOf(await accountsOf(await context.hub())).values()];
        },
      });
      context.output.result({ words: found }, () => found);
      return undefined;
    }
    const known = SHELLS.find((one) => one === shell);
    const script = SCRIPTS[known ?? "bash"];
    if (shell !== undefined && known === undefined) {
      const { PsnError } = await import("@psn/core/errors.ts");
      throw new PsnError("USAGE", `psn supports completion for ${SHELLS.join(", ")}, not for ${shell}`);
    }
    context.output.result({ shell: known ?? "bash", script }, () => script.split("\n"));
    return undefined;
  },
});

/** What may stand at `position` of `words`, the program's own name being word 0. */
export async function complete(
  commands: CommandTable,
  {
    words,
    position,
    accounts,
  }: {
    readonly words: readonly string[];
    readonly position: number;
    readonly accounts: () => Promise<readonly string[]>;
  },
): Promise<readonly string[]> {
  const [, name = ""] = words;
  if (position <= 1) return Object.keys(commands);
  const loaded = (await commands[name]?.load())?.default;
  if (!loaded) return [];
  if (isGroup(loaded) && position === 2) return loaded.commands.map((one) => one.name);
  const command = isGroup(loaded) ? loaded.commands.find((one) => one.name === words[2]) : loaded;
  if (!command) return [];
  const before = words[position - 1] ?? "";
  if (before === "--to" || (name === "disconnect" && position === 2))
    return [...(await accounts().catch(() => [])), ...platformIds, ...(before === "--to" ? ["all"] : [])];
  if (name === "connect" && position === 2) return platformIds;
  if (name === "help" && position === 2) return Object.keys((await import("./help.ts")).TOPICS);
  if (name === "explain" && position === 2) return Object.keys((await import("@psn/core/errors.ts")).ERRORS);
  if (!(words[position] ?? "").startsWith("-")) return [];
  return [...(command.flags ?? []), ...COMMON_FLAGS].flatMap(({ flags }) => flags.match(/--[a-z-]+/g) ?? []);
}
