import { PsnError } from "@psn/core/errors.ts";
import { z } from "zod";
import type { Context, Flag } from "./command.ts";
import { givenSecret } from "./prompt.ts";

/** A passphrase comes as every secret does: by prompt, standard input or a file, and never by an argument. */
export const PASSPHRASE_FLAGS: readonly Flag[] = [
  { flags: "--passphrase-stdin", help: "the passphrase, read from standard input; else it is asked for" },
  { flags: "--passphrase-file <file>", help: "the same, read from a file" },
];
export const passphraseSchema = { passphraseStdin: z.boolean().default(false), passphraseFile: z.string().optional() };

export interface PassphraseInput {
  readonly passphraseStdin: boolean;
  readonly passphraseFile?: string | undefined;
}

/** `twice` where a mistake in typing would lock its author out. Throws INPUT_REQUIRED, INPUT_INVALID. */
export async function passphraseOf(
  input: PassphraseInput,
  { prompt, stdin }: Context,
  often: "once" | "twice",
): Promise<string> {
  const given = await givenSecret("passphrase", input.passphraseStdin, input.passphraseFile, stdin);
  if (given !== undefined) return given;
  const typed = await prompt.secret("Passphrase", "--passphrase-stdin");
  if (often === "twice" && typed !== (await prompt.secret("The same again", "--passphrase-stdin")))
    throw new PsnError("INPUT_INVALID", "the two are not the same", { hint: "psn export FILE" });
  return typed;
}
