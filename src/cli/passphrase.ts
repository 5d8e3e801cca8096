import { PsnError } from "@psn/core/errors.ts";
import { z } from "zod";
import type { Context, Flag } from "./command.ts";
import { givenSecret } from "./prompt.ts";

/** A passphrase comes as every secret does: by prompt, standard input or a file, and never by an argument. */
export const PASSPHRASE_FLAGS: readonly Flag[] = [
  { flags: "--passphrase-stdin", help: "the passphrase, read from standard input; default: psn prompts for it" },
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
  const given = await givenSecret("passphrase", {
    fromStdin: input.passphraseStdin,
    file: input.passphraseFile,
    stdin,
  });
  if (given !== undefined) return given;
  const typed = await prompt.secret("Passphrase", "--passphrase-stdin");
  if (often === "twice" && typed !== (await prompt.secret("Repeat the passphrase", "--passphrase-stdin")))
    throw new PsnError("INPUT_INVALID", "the passphrases do not match", { hint: "psn export FILE" });
  return typed;
}
