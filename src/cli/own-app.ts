import { putKey } from "@psn/app/api-keys.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { User } from "@psn/core/ports/accounts.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { AppGuide, OAuthApp, OAuthAuth } from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import { openBrowser } from "./browser.ts";
import type { Context } from "./command.ts";
import { CALLBACK, PORT } from "./loopback.ts";
import type { Lines } from "./output.ts";

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
 * The user's own app at the platform; undefined where none is wanted. Where psn has none it says how to get one, and
 * takes its id and secret from the terminal. Throws APP_MISSING where there is nobody to ask.
 */
export async function ownApp(
  { world, user, platform, way, redirect, port = PORT, browser }: Wanted,
  { output, prompt, leaves }: Context,
): Promise<OAuthApp | undefined> {
  if (!way.app) return undefined;
  const { page, keys, secretOptional = keys.secret === undefined } = way.app;
  const found = await world.apps.find(user.id, keys);
  if (found && (found.secret !== undefined || secretOptional)) return found;
  const lacking = found ? (keys.secret ?? keys.id) : keys.id;
  output.request(guide(platform, way.app, redirect ?? `http://127.0.0.1:${port}${CALLBACK}`));
  if (!prompt.interactive)
    throw new PsnError(
      "APP_MISSING",
      `${platform.name} requires your own developer app, and ${lacking} is not set; register the app at ${page}`,
      {
        hint: `psn keys set ${lacking}`,
        details: { page, id: keys.id, ...defined({ secret: keys.secret }) },
      },
    );
  if (browser) await openBrowser(page);
  const id = found?.id ?? (await prompt.text(keys.id, `psn keys set ${keys.id}`));
  const none = secretOptional ? " (empty if the app has none)" : "";
  const secret =
    keys.secret === undefined ? "" : await prompt.secret(`${keys.secret}${none}`, `psn keys set ${keys.secret}`);
  if (id === "" || (secret === "" && !secretOptional))
    throw new PsnError(
      "INPUT_REQUIRED",
      `an app of ${platform.name} has an id${secretOptional ? "" : " and a secret"}`,
      {
        hint: `psn connect ${platform.id}`,
      },
    );
  leaves(`stopped; the keys of your app are kept in the hub`, `psn connect ${platform.id}`);
  if (!found) await putKey(world, { userId: user.id, name: keys.id, value: id });
  if (keys.secret !== undefined && secret !== "")
    await putKey(world, { userId: user.id, name: keys.secret, value: secret });
  output.note("stored, encrypted, in the hub (psn keys list)");
  return { id, ...defined({ secret: secret === "" ? undefined : secret }) };
}

function guide({ name }: Platform, { page, steps }: AppGuide, redirect: string): Lines {
  const lines = steps.map((step, n) => `  ${n + 1}. ${step.replaceAll("{redirect}", redirect)}`);
  return [`${name} requires your own developer app; you register it once: ${page}`, lines, ""];
}
