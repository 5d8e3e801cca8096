import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { closedHub, psn, scratch } from "../support/cli.ts";
import { embeddedFolder } from "../support/embedded.ts";
import { type Call, isLogCall, type Traced, traced, unsafe, whyNoStrace } from "../support/strace.ts";

/*
 * What has been synced when a command says that it is done, as strace sees it.
 */

const why = whyNoStrace();
if (why !== undefined) console.warn(`skipped: what psn syncs, as strace sees it: ${why}`);

/**
 * What is outside the embedded database, some of whose own files Postgres keeps unsynced on purpose; and but for the
 * notes of how far the database was seen: one that lags behind is harmless.
 */
const outside = (lost: readonly string[]) =>
  lost.filter((each) => !/\/pgdata|\/incarnation\.seen$|\/\.local(\/state.*)?$/.test(each));
const ran = async (...args: Parameters<typeof traced>): Promise<Traced> => {
  const result = await traced(...args);
  if (result.code !== 0) throw new Error(`psn ${args[0].join(" ")} ended with ${result.code}: ${result.output}`);
  return result;
};
/** Answers that the holder sent while something of the log was not synced. */
function tooEarly(calls: readonly Call[]): string[] {
  let dirty: string | undefined;
  return calls.flatMap((call) => {
    if (isLogCall(call) && call.what === "write") dirty = call.line;
    if (isLogCall(call) && call.what === "sync") dirty = undefined;
    return call.what === "send" && dirty !== undefined ? [`${dirty}\n${call.line}`] : [];
  });
}

describe.skipIf(why !== undefined)("synced before a command ends", () => {
  test("init: hub.env with its key, and the folders it makes", async () => {
    const folder = join(await scratch("synced"), "new", "hub");
    await cp(await embeddedFolder(), join(folder, "data"), { recursive: true });
    const { calls } = await ran(["init", "--tz", "UTC"], folder);
    expect(calls.some(({ what, path }) => what === "name" && path === join(folder, "config", "hub.env"))).toBe(true);
    expect(calls.some(({ what, path }) => what === "make" && path === join(folder, "config"))).toBe(true);
    expect(outside(unsafe(calls, folder))).toEqual([]);
  });

  test("post: the log before each answer, also before the one to COMMIT", async () => {
    const folder = await closedHub();
    await psn(["connect", "feed", join(folder, "public")], { cwd: folder });
    const { calls } = await ran(["post", "hello", "--at", "in 2 hours"], folder);
    const first = calls.findIndex((call) => isLogCall(call) && call.what === "write");
    expect(first).toBeGreaterThan(0);
    expect(calls.slice(first).some(({ what }) => what === "send")).toBe(true);
    expect(tooEarly(calls)).toEqual([]);
  });

  test("a feed: its folders, its id and its entries", async () => {
    const folder = await closedHub();
    const connect = await ran(["connect", "feed", join(folder, "deep", "public")], folder);
    expect(connect.calls.some(({ what, path }) => what === "make" && path === join(folder, "deep"))).toBe(true);
    expect(outside(unsafe(connect.calls, folder))).toEqual([]);
    const post = await ran(["post", "hello"], folder);
    expect(
      post.calls.some(({ what, path }) => what === "make" && path === join(folder, "deep", "public", "entries")),
    ).toBe(true);
    expect(outside(unsafe(post.calls, folder))).toEqual([]);
  });

  test("vault rotate: the new key before anything is sealed by it", async () => {
    const folder = await closedHub();
    await psn(["connect", "feed", join(folder, "public")], { cwd: folder });
    const { calls } = await ran(["vault", "rotate"], folder);
    const named = calls.findIndex(({ what, path }) => what === "name" && path === join(folder, "config", "hub.env"));
    const synced = calls.findIndex(
      ({ what, path }, at) => at > named && what === "sync" && path === join(folder, "config"),
    );
    expect(named).toBeGreaterThan(0);
    expect(synced).toBeGreaterThan(named);
    // What is written before is what every command writes: that it has seen the database.
    const sealing = calls.slice(0, synced).filter((call) => isLogCall(call) && call.what === "write");
    expect(sealing.length).toBeLessThanOrEqual(1);
    expect(calls.slice(synced).some((call) => isLogCall(call) && call.what === "write")).toBe(true);
    expect(outside(unsafe(calls, folder))).toEqual([]);
  });

  test("export: the file before this hub holds its posts, and its name at the end", async () => {
    const folder = await closedHub();
    await psn(["connect", "feed", join(folder, "public")], { cwd: folder });
    await psn(["post", "hello", "--at", "in 2 hours"], { cwd: folder });
    await writeFile(join(folder, "passphrase"), "five random words here\n", { mode: 0o600 });
    const { calls } = await ran(["export", "hub.age", "--move", "--passphrase-file", "passphrase"], folder);
    const written = calls.findLastIndex(({ what, path }) => what === "write" && path.includes(".hub.age."));
    const synced = calls.findIndex(
      ({ what, path }, at) => at > written && what === "sync" && path.includes(".hub.age."),
    );
    const held = calls.findIndex((call, at) => at > written && isLogCall(call) && call.what === "write");
    expect(written).toBeGreaterThan(0);
    expect(synced).toBeGreaterThan(written);
    expect(held).toBeGreaterThan(synced);
    expect(outside(unsafe(calls, folder))).toEqual([]);
  });
});
