import type { BroughtSettings, MovedSettings } from "@psn/core/types/index.ts";
import { maskValue } from "./config.ts";
import { APP_KEYS, appKeySetting, type HubSettingName, hubSetting, type Setting } from "./settings.ts";

/*
 * The settings that come with a hub's file. The author of the file chose them: where posts' media go, who is notified,
 * which apps ask for consent. So they are shown before they are taken, and a name that psn does not know is never
 * written.
 */

/** Settings that say how a hub is to behave, and not where it is. */
export const TRANSFERRED = [
  "PSN_LATE",
  "PSN_NOTIFY_URL",
  "PSN_PRIVATE_ORIGINS",
  "PSN_TIME_ZONE",
  "PSN_WATCHDOG_MINUTES",
  "S3_ENDPOINT",
  "S3_REGION",
  "S3_BUCKET",
  "S3_ACCESS_KEY_ID",
  "S3_SECRET_ACCESS_KEY",
] as const satisfies readonly HubSettingName[];

/** @param has the names that hub.env and keys.env of this hub set already. */
export function transferredSettings(
  { settings, keys, sealed }: BroughtSettings,
  has: ReadonlySet<string>,
): MovedSettings {
  const found = [
    ...Object.entries(settings).map(([name, value]) => ({
      name,
      value,
      place: "hub.env" as const,
      setting: movingSetting(name),
    })),
    ...Object.entries(keys).map(([name, value]) => ({
      name,
      value,
      place: "keys.env" as const,
      setting: appKeySetting(name),
    })),
    ...sealed.map((name) => ({ name, value: "", place: "sealed in the hub" as const, setting: appKeySetting(name) })),
  ];
  const isThere = ({ name, place }: { readonly name: string; readonly place: string }) =>
    place !== "sealed in the hub" && has.has(name);
  const known = found.flatMap(({ setting, value, ...one }) =>
    setting && typeof value === "string" ? [{ ...one, value, setting }] : [],
  );
  return {
    take: known
      .filter((one) => !isThere(one))
      .map(({ name, place, value, setting }) => ({
        name,
        place,
        shown: place === "sealed in the hub" ? maskValue("") : shownOf(setting, value),
      })),
    kept: known.filter(isThere).map(({ name }) => name),
    // A sealed key that psn does not know is a row like any other, which nothing reads.
    unknown: found.flatMap(({ name, setting, place }) =>
      setting || place === "sealed in the hub" || !/^[A-Za-z_]\w{0,63}$/.test(name) ? [] : [name],
    ),
  };
}

/** The app keys of a file that psn knows. */
export const knownKeys = (keys: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> =>
  picked(
    keys,
    APP_KEYS.map(({ name }) => name),
  );
/** Its settings that move. */
export const settingsToTransfer = (settings: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> =>
  picked(settings, TRANSFERRED);

function picked(values: Readonly<Record<string, unknown>>, names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = Object.hasOwn(values, name) ? values[name] : undefined;
      return typeof value === "string" ? [[name, value]] : [];
    }),
  );
}

const movingSetting = (name: string) => (TRANSFERRED.some((one) => one === name) ? hubSetting(name) : undefined);

/** Where notifications go is what a person must see; the topic in the path is a secret. */
function shownOf({ secret }: Setting, value: string): string {
  if (!secret) return value;
  const url = URL.parse(value);
  return url && /^https?:$/.test(url.protocol) ? `${url.origin}/${maskValue("")}` : maskValue(value);
}
