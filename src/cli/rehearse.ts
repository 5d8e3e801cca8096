import type { Consent } from "@psn/app/verbs/connect.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { User } from "@psn/core/ports/accounts.ts";
import { formFields } from "@psn/core/types/account.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import type { Context } from "./command.ts";
import { ASKED } from "./form.ts";
import { ownApp } from "./own-app.ts";
import type { Prompt } from "./prompt.ts";

/*
 * What a login in the browser needs before the browser opens. `psn connect --dry-run` refuses what `psn connect` would
 * refuse, and writes nothing; what only a person or their browser can say is not known then.
 */

/** A consent, and how the browser comes back. */
export interface Browsing extends Omit<Consent, "form"> {
  readonly user: User;
  readonly browser: boolean;
  readonly port: number | undefined;
  readonly redirect: string | undefined;
}

/** Nobody is asked in a dry run: it says where somebody would be, if there is a terminal to ask on. */
export function asking(prompt: Prompt): Prompt {
  return prompt.interactive ? { ...prompt, text: async () => ASKED, secret: async () => ASKED } : prompt;
}

/** Throws what opening the browser would throw. Nothing is registered at the server. */
export async function assertConsentable(
  { world, user, platform, way, redirect, port, browser }: Browsing,
  context: Context,
): Promise<void> {
  assertBrowsable(platform, browser, context);
  if (way.app?.pasteOnly) ownAddress(redirect ?? (await missingAddress(context)), platform);
  if (!context.prompt.interactive)
    await ownApp({ world, user, platform, way, redirect, port, browser: false }, context);
}

const missingAddress = async ({ prompt }: Context): Promise<string> =>
  prompt.interactive ? "https://example.com/" : prompt.text("the https address registered with your app", "--redirect");

/** Throws INPUT_REQUIRED where a browser would be opened for nobody. */
export function assertBrowsable(platform: Platform, browser: boolean, { prompt }: Context): void {
  if (!browser || prompt.interactive) return;
  const [first] = formFields(platform).filter(({ secret }) => secret);
  throw new PsnError("INPUT_REQUIRED", "no browser was opened, because there is no interactive terminal", {
    hint: `pass --no-browser and open the address it shows${first ? `, or --${first.name}-stdin` : ""}`,
  });
}

/** Throws INPUT_INVALID for what such a platform does not let one register. */
export function ownAddress(address: string, { id, name }: Platform): string {
  if (URL.parse(address)?.protocol === "https:") return address;
  throw new PsnError(
    "INPUT_INVALID",
    `${name} returns the browser only to an https address, and "${address}" is not one`,
    {
      hint: `psn connect ${id} --redirect https://example.com/psn`,
    },
  );
}

export function warningOf(shared: readonly string[]): string {
  return (
    `warning: ${shared.join(" and ")} has the same secret; each of these receivers could sign for the other, so give ` +
    "each a secret of its own"
  );
}
