import { putKey } from "@psn/app/api-keys.ts";
import type { User } from "@psn/app/ports/accounts.ts";
import type { World } from "@psn/app/ports/world.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { AppGuide, OAuthApp, OAuthAuth, Platform } from "@psn/core/types/platform.ts";
import { openBrowser } from "./browser.ts";
import type { Context } from "./command.ts";
import { CALLBACK, PORT } from "./loopback.ts";

export interface Wanted {
  readonly world: World;
  readonly user: User;
  readonly platform: Platform;
  readonly way: OAuthAuth;
  readonly redirect: string | undefined;
  readonly port: number | undefined;
  readonly browser: boolean;
}

/**
 * The user's own app at the platform; undefined where none is wanted. Where psn has none it says how to get one, and takes its id and
 * secret from the terminal. Throws APP_MISSING where there is nobody to ask.
 */
export async function ownApp(
  { world, user, platform, way, redirect, port = PORT, browser }: Wanted,
  { output, prompt }: Context,
): Promise<OAuthApp | undefined> {
  if (!way.app) return undefined;
  const { page, keys } = way.app;
  const found = await world.apps.find(user.id, keys);
  if (found) return found;
  output.request(guide(platform, way.app, redirect ?? `http://127.0.0.1:${port}${CALLBACK}`));
  if (!prompt.interactive)
    throw new PsnError("APP_MISSING", `${platform.name} wants an app of your own; ${page} is where it is registered`, {
      hint: `psn keys set ${keys.id}`,
      details: { page, id: keys.id, ...(keys.secret === undefined ? {} : { secret: keys.secret }) },
    });
  if (browser) await openBrowser(page);
  const id = await prompt.text(keys.id, `psn keys set ${keys.id}`);
  const secret =
    keys.secret === undefined ? "" : await prompt.secret(`${keys.secret} (empty if the app has none)`, `psn keys set ${keys.secret}`);
  if (id === "") throw new PsnError("INPUT_REQUIRED", "an app has an id", { hint: `psn connect ${platform.id}` });
  await putKey(world, user.id, keys.id, id);
  if (keys.secret !== undefined && secret !== "") await putKey(world, user.id, keys.secret, secret);
  output.note("kept, sealed, in the hub (psn keys list)");
  return { id, ...(secret === "" ? {} : { secret }) };
}

function guide({ name }: Platform, { page, steps }: AppGuide, redirect: string): string {
  const lines = steps.map((step, n) => `  ${n + 1}. ${step.replaceAll("{redirect}", redirect)}`);
  return [`${name} wants an app of your own, once: ${page}`, ...lines, ""].join("\n");
}
