import type { Reaching } from "@psn/app/prepare-connection.ts";
import type { User } from "@psn/core/ports/accounts.ts";
import type { World } from "@psn/core/ports/world.ts";
import {
  changeEnvFile,
  checkEnvText,
  type Environment,
  type HubEnv,
  hubEnvPath,
  loadHubEnv,
  setEnvValue,
} from "@psn/core/utils/env.ts";
import { leadsInside } from "@psn/platforms/kit/private.ts";
import { fetchOf, privateOrigins } from "./parts.ts";

/*
 * Which private addresses a hub may reach: what its owner has allowed in hub.env (docs/adr/0020-private-addresses.md).
 */

/** hub.env's list as it is now: a worker that runs for weeks hears of what was connected meanwhile. */
export function allowing(
  folder: string,
  env: HubEnv,
  environment: Environment | undefined,
): (origin: string) => boolean {
  let known = privateOrigins(env);
  return (origin) => {
    if (known.has(origin)) return true;
    known = nowAllowed(folder, environment);
    return known.has(origin);
  };
}

function nowAllowed(folder: string, environment: Environment | undefined): ReadonlySet<string> {
  try {
    return privateOrigins(loadHubEnv(folder, environment));
  } catch {
    // A file that is being edited allows nothing more.
    return new Set();
  }
}

/**
 * The world for connecting to what the owner has entered, and to nothing else inside. `entered`: values of a form; a
 * server's host stands for both of its origins.
 */
export function reaching(
  world: World,
  {
    folder,
    entered,
    environment,
  }: { readonly folder: string; readonly entered: readonly string[]; readonly environment?: Environment | undefined },
): Reaching {
  const origins = new Set(entered.flatMap(originsOf));
  const env = loadHubEnv(folder, environment);
  const isAllowed = allowing(folder, env, environment);
  return {
    world: { ...world, ...fetchOf(env, (origin) => origins.has(origin) || isAllowed(origin)) },
    keep: async (home) => {
      const url = URL.parse(home);
      if (!url || isAllowed(url.origin) || !(await leadsInside(url))) return undefined;
      // A server inside, which its owner has entered, may know itself by another name; one outside names nothing
      // inside.
      const servers = entered.flatMap((each) => (/^https?:/i.test(each.trim()) ? (URL.parse(each.trim()) ?? []) : []));
      const trusted =
        origins.has(url.origin) || (await Promise.all(servers.map((each) => leadsInside(each)))).some(Boolean);
      if (!trusted) return undefined;
      allow(folder, [url.origin]);
      return url.origin;
    },
  };
}

function originsOf(entered: string): readonly string[] {
  const text = entered.trim();
  const whole = /^https?:\/\//i.test(text) ? [text] : [`https://${text}`, `http://${text}`];
  return whole.flatMap((each) => URL.parse(each)?.origin ?? []);
}

/** Adds to the list in hub.env; an empty one is written too, and says that there are none. */
function allow(folder: string, origins: readonly string[]): void {
  const path = hubEnvPath(folder);
  changeEnvFile(path, (text) => {
    const before = privateOrigins(loadHubEnv(folder, {}));
    const after = setEnvValue(text, {
      name: "PSN_PRIVATE_ORIGINS",
      value: [...new Set([...before, ...origins])].join(",") || "none",
    });
    checkEnvText(after, path);
    return after;
  });
}

/**
 * A hub from before there was such a list: what its own user is connected to inside was connected by its owner, and is
 * allowed, once. Rows of other users say nothing. Returns the list that holds.
 */
export async function takeOverOrigins(
  folder: string,
  { env, user, stores }: { readonly env: HubEnv; readonly user: User; readonly stores: World["stores"] },
): Promise<void> {
  if (env.get("PSN_PRIVATE_ORIGINS") !== undefined) return;
  const accounts = await stores.accounts.list(user.id);
  const homes = accounts.flatMap(({ profile }) =>
    /^https?:/.test(profile.home) ? (URL.parse(profile.home) ?? []) : [],
  );
  const inside = await Promise.all(homes.map(async (home) => ((await leadsInside(home)) ? [home.origin] : [])));
  allow(folder, inside.flat());
}
