import { nameOf } from "@psn/app/choose-accounts.ts";
import { type ConnectedAccount, connectAccount, type Meant } from "@psn/app/connect-account.ts";
import { PsnError } from "@psn/core/errors.ts";
import { type Auth, formFields, type OAuthAuth } from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import type { Hub } from "@psn/wiring/hub.ts";
import type { Context } from "./command.ts";
import { ASKED } from "./form.ts";
import { ownApp } from "./own-app.ts";
import type { Prompt } from "./prompt.ts";

/*
 * `psn connect --dry-run`: refuses what `psn connect` would refuse, and writes nothing. What only a person or their
 * browser can say is not known then.
 */

export interface Connecting<Way extends Auth = Auth> extends Pick<Hub, "world" | "user"> {
  readonly platform: Platform;
  readonly way: Way;
  readonly form: Readonly<Record<string, string>>;
  readonly browser: boolean;
  readonly port: number | undefined;
  readonly redirect: string | undefined;
  readonly meant: Meant;
}
export type Browsing = Connecting<OAuthAuth>;

/** Nobody is asked in a dry run: it says where somebody would be, if there is a terminal to ask on. */
export function asking(prompt: Prompt): Prompt {
  return prompt.interactive ? { ...prompt, text: async () => ASKED, secret: async () => ASKED } : prompt;
}

/** Says what would be connected. Throws what connecting it would throw, as far as that can be known. */
export async function rehearse(connecting: Connecting, context: Context): Promise<void> {
  const { world, user, platform, way, form, meant } = connecting;
  if (way.kind === "oauth") await assertConsentable({ ...connecting, way }, context);
  for (const { name, check } of way.fields) if (form[name] !== undefined && form[name] !== ASKED) check?.(form[name]);
  const whole = way.kind === "form" && !Object.values(form).includes(ASKED);
  const found = whole
    ? await connectAccount(world, {
        userId: user.id,
        platformId: platform.id,
        consent: { form },
        signal: context.signal,
        meant: { ...meant, dryRun: true },
      })
    : undefined;
  tell(connecting, found, context);
}

/** What a login in the browser needs before the browser opens. Nothing is registered at the server. */
async function assertConsentable(
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

function tell(
  { platform, way, form, meant }: Connecting,
  found: ConnectedAccount | undefined,
  { output }: Context,
): void {
  const shown = Object.fromEntries(
    way.fields.map(({ name, secret }) => [
      name,
      secret && form[name] !== ASKED && form[name] !== "" ? "••••••••" : (form[name] ?? ""),
    ]),
  );
  const words = Object.entries(shown).flatMap(([name, value]) => (value === "" ? [] : [` ${name} ${value}`]));
  const name = found ? nameOf(found) : platform.id;
  const verb = found?.again || meant.account ? "reconnect" : "connect";
  output.result(
    {
      dryRun: true,
      platform: platform.id,
      way: way.kind,
      form: shown,
      ...defined({
        handle: found ? found.profile.handle : undefined,
        again: found ? found.again : undefined,
        sameSecret: found?.shared.length ? found.shared : undefined,
      }),
    },
    () => `would ${verb} ${name}${words.length > 0 ? ` with${words.join(",")}` : " in the browser"}`,
  );
  if (found?.shared.length) output.note(warningOf(found.shared));
}
