import { spawn } from "node:child_process";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PsnError } from "@psn/core/errors.ts";
import { childEnvironment, terminalEnv } from "@psn/core/utils/env.ts";
import { removedAtExit } from "@psn/core/utils/leftover.ts";
import type { Context } from "./command.ts";
import { lendingCtrlC } from "./stop.ts";

/** A text that a person changes in their own editor. */
export interface Editing {
  readonly text: string;
  /** What the copy is called, for the editor to know its kind. */
  readonly name: string;
  /** The command to name where no editor is set. */
  readonly command: string;
}

/**
 * Opens a private copy of the text in VISUAL or EDITOR, and returns what is in it afterwards. The copy is removed
 * whatever happens, also when a signal ends psn.
 *
 * @throws PsnError INPUT_REQUIRED where no editor is set, INTERRUPTED where it ends with an error or psn is stopped.
 */
export async function editText({ text, name, command }: Editing, { output, signal }: Context): Promise<string> {
  const { editor } = terminalEnv();
  if (editor === undefined)
    throw new PsnError("INPUT_REQUIRED", "no editor is set", { hint: `EDITOR=nano ${command}` });
  const folder = await mkdtemp(join(tmpdir(), "psn-edit-"));
  const remove = removedAtExit(folder);
  try {
    const copy = join(folder, name);
    await writeFile(copy, text, { mode: 0o600 });
    const status = await lendingCtrlC(() => edited(editor, { copy, json: output.json, signal }));
    if (signal.aborted) throw new PsnError("INTERRUPTED", "stopped; nothing was changed");
    if (status !== 0)
      throw new PsnError("INTERRUPTED", `the editor ended with ${status ?? "an error"}; nothing was changed`);
    return await readFile(copy, "utf8");
  } finally {
    remove();
  }
}

/** How the editor ended; undefined where it did not start, or was stopped by a signal. */
function edited(
  editor: string,
  { copy, json, signal }: { readonly copy: string; readonly json: boolean; readonly signal: AbortSignal },
): Promise<number | undefined> {
  // With --json stdout is the document's; an editor that draws on it draws on stderr's terminal.
  const child = spawn("/bin/sh", ["-c", `${editor} "$1"`, "sh", copy], {
    stdio: ["inherit", json ? 2 : "inherit", "inherit"],
    env: childEnvironment(),
    signal,
  });
  return new Promise((resolve) => {
    child.once("error", () => signal.aborted || resolve(undefined));
    child.once("close", (code) => resolve(code ?? undefined));
  });
}
