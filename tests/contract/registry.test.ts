import { readdir, readFile } from "node:fs/promises";
import type { Platform } from "@psn/core/types/platform.ts";
import { APP_KEYS } from "@psn/core/utils/settings.ts";
import { isPlatformId, platformIds, platforms, remotePlatforms } from "@psn/platforms/index.ts";
import { expect, test } from "vitest";

/*
 * What is said of a platform outside its folder: its line in src/platforms/index.ts, and the names of its app's keys in
 * keys.env. The adapter has the same, and here the two are held against each other.
 */

const adapters = (): Promise<Platform[]> => Promise.all(platformIds.map((id) => platforms[id]()));

test("every folder in src/platforms but kit is one registered platform, named after its id", async () => {
  const entries = await readdir(new URL("../../src/platforms", import.meta.url), { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory() && entry.name !== "kit").map(({ name }) => name);
  expect([...platformIds].sort()).toEqual(folders.sort());
  for (const id of platformIds) expect((await platforms[id]()).id).toBe(id);
});

test("only a registered platform is a platform", () => {
  expect(platformIds.every(isPlatformId)).toBe(true);
  for (const other of ["myspace", "", "toString", "__proto__", "index"]) expect(isPlatformId(other)).toBe(false);
});

test("a line names the adapter's own number, and none where the adapter needs the user's machine", async () => {
  const wanted = (await adapters()).flatMap(({ id, capabilities: { needsMachine, concurrency } }) =>
    needsMachine ? [] : [[id, concurrency]],
  );
  expect(remotePlatforms).toEqual(Object.fromEntries(wanted));
});

test("keys.env knows the keys of every adapter's app, and no others", async () => {
  const wanted = (await adapters()).flatMap(({ auth }) =>
    auth.flatMap((way) => {
      const { id, secret } = (way.kind === "oauth" ? way.app?.keys : undefined) ?? {};
      return [...(id ? [[id, false]] : []), ...(secret ? [[secret, true]] : [])];
    }),
  );
  expect(APP_KEYS.map(({ name, secret }) => [name, secret])).toEqual(wanted);
});

test("the scopes that an adapter's verbs need are among those it asks for", async () => {
  for (const { id, scopes = {}, authorize } of await adapters()) {
    if (!authorize || id === "mastodon") continue;
    const request = { form: {}, app: { id: "app" }, redirectUri: "https://a.example", state: "s", challenge: "c" };
    const net = { fetch, now: () => new Date(), signal: new AbortController().signal };
    if (Object.keys(scopes).length === 0) continue;
    const asked = new URL((await authorize(request, net)).url).searchParams.get("scope")?.split(/[ ,]/) ?? [];
    for (const scope of Object.values(scopes).flat()) expect(asked, id).toContain(scope);
  }
});

test("no adapter waits by itself: what takes long is pending, and the engine asks again", async () => {
  const folder = new URL("../../src/platforms/", import.meta.url);
  const names = await readdir(folder, { recursive: true });
  const sources = names.filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  const waiting: string[] = [];
  for (const name of sources)
    if (/\bsetTimeout\b|\bsleep\(|timers/.test(await readFile(new URL(name, folder), "utf8"))) waiting.push(name);
  // It waits three seconds at most, within one call.
  expect(waiting).toEqual(["kit/uploads.ts"]);
});
