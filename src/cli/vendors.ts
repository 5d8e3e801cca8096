import { PsnError } from "@psn/core/errors.ts";
import type { HubEnv } from "@psn/core/utils/env.ts";
import { z } from "zod";
import type { Context, Flag } from "./command.ts";
import { givenSecret } from "./prompt.ts";

/*
 * Keys of the vendors, as a person or a script hands them over: by prompt, by standard input, by a file, by the
 * environment.
 */

export const NEON_KEY_FLAGS: readonly Flag[] = [
  {
    flags: "--neon-api-key-stdin",
    help: "Neon's API key, read from standard input; default: NEON_API_KEY of the environment",
  },
  { flags: "--neon-api-key-file <file>", help: "the same, read from a file" },
];
export const TRIGGER_TOKEN_FLAGS: readonly Flag[] = [
  {
    flags: "--trigger-token-stdin",
    help: "a personal access token of Trigger.dev, read from standard input; default: log in with the browser",
  },
  { flags: "--trigger-token-file <file>", help: "the same, read from a file" },
];

export const neonKeySchema = { neonApiKeyStdin: z.boolean().default(false), neonApiKeyFile: z.string().optional() };
export const triggerTokenSchema = {
  triggerTokenStdin: z.boolean().default(false),
  triggerTokenFile: z.string().optional(),
};

export interface NeonKeyInput {
  readonly neonApiKeyStdin: boolean;
  readonly neonApiKeyFile?: string | undefined;
}
export interface TriggerTokenInput {
  readonly triggerTokenStdin: boolean;
  readonly triggerTokenFile?: string | undefined;
}

/** Neon's API key, or undefined where none was given. */
export async function givenNeonKey(
  input: NeonKeyInput,
  { stdin }: Pick<Context, "stdin">,
): Promise<string | undefined> {
  const { neonApiKey } = await import("@psn/core/utils/env.ts");
  return (
    (await givenSecret("neon-api-key", { fromStdin: input.neonApiKeyStdin, file: input.neonApiKeyFile, stdin })) ??
    neonApiKey()
  );
}

/** Neon's API key. Throws INPUT_REQUIRED where there is none and nobody to ask. */
export async function neonKey(input: NeonKeyInput, context: Context): Promise<string> {
  const given = await givenNeonKey(input, context);
  return (
    given ??
    context.prompt.secret("Neon API key (https://console.neon.tech/app/settings/api-keys)", "--neon-api-key-stdin")
  );
}

/**
 * A token of Trigger.dev: given, kept in hub.env, or made in the browser. Throws INPUT_REQUIRED where there is no
 * terminal.
 */
export async function triggerToken(input: TriggerTokenInput, env: HubEnv, context: Context): Promise<string> {
  const given =
    (await givenSecret("trigger-token", {
      fromStdin: input.triggerTokenStdin,
      file: input.triggerTokenFile,
      stdin: context.stdin,
    })) ?? env.get("TRIGGER_ACCESS_TOKEN");
  if (given !== undefined) {
    if (!/^tr_pat_\S+$/.test(given))
      throw new PsnError("INPUT_INVALID", "a personal access token of Trigger.dev begins with tr_pat_", {
        hint: "create one under Account, Personal Access Tokens in its dashboard",
      });
    return given;
  }
  const { output, prompt, signal } = context;
  if (!prompt.interactive)
    throw new PsnError(
      "INPUT_REQUIRED",
      "a token of Trigger.dev is required, and there is no interactive terminal to log in",
      {
        hint: "pass --trigger-token-stdin",
      },
    );
  const { logInToTrigger } = await import("@psn/wiring/vendors.ts");
  const [{ openBrowser }, { startPage }] = await Promise.all([import("./browser.ts"), import("./start-page.ts")]);
  const over = new AbortController();
  const shared = Promise.withResolvers<never>();
  let start: ReturnType<typeof startPage> | undefined;
  const login = logInToTrigger(env, {
    signal: AbortSignal.any([signal, over.signal]),
    openBrowser: (url) => {
      output.note(`log in to Trigger.dev: ${url}`);
      start = startPage(url, "psn init --trigger");
      start.shared.catch(shared.reject);
      void openBrowser(start.address);
    },
    paste: (question) => prompt.secret(question, "--trigger-token-stdin"),
  });
  try {
    const token = await Promise.race([login, shared.promise]);
    start?.assertAlone();
    return token;
  } finally {
    over.abort();
    login.catch(() => undefined);
    await start?.close();
  }
}
