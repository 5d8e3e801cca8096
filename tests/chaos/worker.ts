import { join } from "node:path";
import { createInterface } from "node:readline";
import { changeDeliveries, resolveDelivery } from "@psn/app/change-deliveries.ts";
import { connectAccount } from "@psn/app/connect-account.ts";
import { deletePost, planDeletion } from "@psn/app/delete-post.ts";
import { editPost, openPost, storedMedia } from "@psn/app/edit-post.ts";
import { recoverHub } from "@psn/app/recover-hub.ts";
import { concurrencyOf, runWorker } from "@psn/app/run-worker.ts";
import { type DraftPart, schedulePost } from "@psn/app/schedule-post.ts";
import { openCredentials, sealCredentials } from "@psn/app/session.ts";
import { openDatabase } from "@psn/core/db/connection.ts";
import { toPsnError } from "@psn/core/errors.ts";
import type { Deliveries, LoadedDelivery } from "@psn/core/ports/deliveries.ts";
import type { FaultPoint } from "@psn/core/ports/fault-points.ts";
import type { NewMedia } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";
import { defined } from "@psn/core/types/defined.ts";
import { readOrigins } from "@psn/core/utils/settings.ts";
import { png } from "../../scripts/png.ts";
import { openHub } from "../../src/wiring/hub.ts";
import type { Fault, Order, Said, Told, View, Wish, Work } from "./protocol.ts";
import { isRecorder, RECORDER_HEADER, RECORDERS } from "./recorders.ts";
import { PASS_TIME } from "./time.ts";

/*
 * A worker of the chaos suite, as a process of its own: `worker FOLDER`. It opens the hub in the folder as every
 * psn does, and does what it is told on stdin. It ends with its stdin, so that nothing of it outlives whoever started
 * it.
 */

const [folder = ""] = process.argv.slice(2);
const say = (line: Said) =>
  new Promise<void>((resolve) => process.stdout.write(`${JSON.stringify(line)}\n`, () => resolve()));

// Whoever started it is gone, in whatever way.
process.stdin.on("end", () => process.exit(0));
process.stdin.on("error", () => process.exit(0));

const RealDate = Date;
let steppedMs = 0;
/** The process's own wall clock; the embedded database reads it too. */
globalThis.Date = class extends RealDate {
  constructor(...given: [] | ConstructorParameters<typeof RealDate>) {
    super(...((given.length === 0 ? [RealDate.now() + steppedMs] : given) as [number]));
  }
  static override now(): number {
    return RealDate.now() + steppedMs;
  }
} as DateConstructor;

const origins = readOrigins(process.env["PSN_ORIGINS"] ?? "") ?? new Map<string, string>();
const hub = await openHub({ folder, use: "session" });
const { user } = hub;
let view: View = {};
let fault: (Fault & { passed: number }) | undefined;
let standing: PromiseWithResolvers<void> | undefined;
let stop = new AbortController();

async function atFaultPoint(point: FaultPoint): Promise<void> {
  if (fault?.point !== point) return;
  fault.passed += 1;
  const { act, nth, passed } = fault;
  if (nth !== "every" && passed !== nth) return;
  standing ??= Promise.withResolvers<void>();
  const { promise: gone } = standing;
  await say({ say: "reached", point, nth: passed });
  if (act === "kill") process.kill(process.pid, "SIGKILL");
  await gone;
}

/** Time that has passed for everybody has passed for the database too. */
const later = (loaded: LoadedDelivery | undefined): LoadedDelivery | undefined =>
  loaded && { ...loaded, readAt: new Date(loaded.readAt.getTime() + (view.travelMs ?? 0)) };

async function fetchBy(input: string | URL, init: RequestInit = {}): Promise<Response> {
  const url = new URL(input);
  const headers = new Headers(init.headers);
  let { origin } = url;
  if (isRecorder(url)) {
    headers.set(RECORDER_HEADER, url.origin);
    origin = process.env["PSN_CHAOS_RECORDER"] ?? "";
  }
  origin = origins.get(origin) ?? origin;
  const to = new URL(`${url.pathname}${url.search}`, view.via?.[origin] ?? origin);
  // As psn's own time limit does, only sooner.
  const limits = view.requestMs === undefined ? [] : [AbortSignal.timeout(view.requestMs)];
  const signal = AbortSignal.any([...limits, ...(init.signal ? [init.signal] : [])]);
  const response = await fetch(to, { ...init, headers, signal });
  const date = Date.parse(response.headers.get("date") ?? "");
  if (!view.travelMs || Number.isNaN(date)) return response;
  // It has passed for the platform too.
  const answered = new Headers(response.headers);
  answered.set("date", new Date(date + view.travelMs).toUTCString());
  return new Response(response.body, { status: response.status, headers: answered });
}

function worldFor(ids: readonly string[]) {
  let taken = 0;
  const { deliveries } = hub.world.stores;
  const claim: Deliveries["claim"] = async (request) => {
    const claims = await deliveries.claim(request);
    taken += claims.length;
    return claims;
  };
  const load: Deliveries["load"] = async (...args) => later(await deliveries.load(...args));
  const beat: Deliveries["beat"] = async (...args) =>
    new Date((await deliveries.beat(...args)).getTime() + (view.travelMs ?? 0));
  const { posts } = hub.world.stores;
  const findMedia: typeof posts.findMedia = async (...args) => {
    await Bun.sleep(view.filesMs ?? 0);
    return posts.findMedia(...args);
  };
  const world: World = {
    ...hub.world,
    stores: { ...hub.world.stores, posts: { ...posts, findMedia }, deliveries: { ...deliveries, claim, load, beat } },
    platforms: { ids, load: async (id) => RECORDERS.get(id) ?? hub.world.platforms.load(id) },
    fetch: fetchBy,
    now: () => new Date(Date.now() + (view.skewMs ?? 0) + (view.travelMs ?? 0)),
    elapsedMs: () => performance.now() + (view.travelMs ?? 0),
    fault: atFaultPoint,
  };
  return { world, taken: () => taken };
}
const plain = worldFor([...hub.world.platforms.ids, ...RECORDERS.keys()]).world;

/** Works; resolves when it was told to stop, or when nothing is in flight and nothing due. */
async function work(order: Work): Promise<{ readonly taken: number }> {
  const { platforms, untilQuiet, leaseMs } = order;
  view = order;
  fault = order.fault && { ...order.fault, passed: 0 };
  stop = new AbortController();
  const { world, taken } = worldFor(platforms);
  let done = 0;
  const ended = runWorker({
    world,
    name: `chaos-${process.pid}`,
    version: "0",
    stop: stop.signal,
    ...(leaseMs === undefined ? {} : { leaseMs }),
    onDone: () => {
      done += 1;
    },
    onTrouble: ({ code, message }) => void say({ say: "trouble", code, message }),
  });
  if (untilQuiet) {
    const concurrency = await concurrencyOf(world);
    const quiet = async () => {
      if (done !== taken()) return false;
      const next = await world.stores.deliveries.nextWake(concurrency).catch(() => 0);
      return done === taken() && (next === null || next > 50);
    };
    // Twice, since a claim may be on its way.
    while (!stop.signal.aborted && !((await quiet()) && (await Bun.sleep(15).then(quiet)))) await Bun.sleep(15);
    stop.abort();
  }
  await ended;
  return { taken: taken() };
}

async function schedule(wishes: readonly Wish[]): Promise<string[]> {
  const accounts = await plain.stores.accounts.list(user.id);
  const ids: string[] = [];
  for (const { accountIds, texts, image, dueAt } of wishes) {
    const wanted = accounts.filter(({ id }) => accountIds.includes(id));
    if (wanted.length !== accountIds.length) throw new Error("no such account");
    const [first = "", ...others] = texts;
    const parts = [
      { text: first, media: image ? [picture()] : [] },
      ...others.map((text) => ({ text, media: [] })),
    ] as const;
    const draft = { parts, overrides: {}, split: false, numbered: false };
    const due = { at: new Date(dueAt), wallTime: null, timeZone: null };
    const { postId } = await schedulePost(plain, {
      userId: user.id,
      draft,
      accounts: wanted,
      due,
      idempotencyKey: null,
    });
    const made = await plain.stores.posts.ofPost(user.id, postId);
    ids.push(...accountIds.flatMap((of) => made.filter(({ accountId }) => accountId === of).map(({ id }) => id)));
  }
  return ids;
}

async function edit(id: string, texts: readonly string[]): Promise<string[]> {
  const post = await openPost(plain, user.id, id);
  const { parts, split, numbered } = post.written;
  const [first, ...others] = await Promise.all(
    parts.map(
      async ({ media }, n): Promise<DraftPart> => ({
        text: texts[n] ?? "",
        media: await Promise.all(
          media.map((one) => storedMedia(plain, { userId: user.id, source: post.source, medium: one })),
        ),
      }),
    ),
  );
  if (!first) throw new Error("a post without a part");
  const draft = { parts: [first, ...others] as const, overrides: {}, split, numbered };
  return (await editPost(plain, { userId: user.id, post, draft })).changed.map(({ delivery }) => delivery.id);
}

function picture(): NewMedia {
  const content = new Uint8Array(png(8, 8));
  const sha256 = new Bun.CryptoHasher("sha256").update(content).digest("hex");
  return {
    id: Bun.randomUUIDv7(),
    kind: "image",
    mime: "image/png",
    bytes: content.length,
    width: 8,
    height: 8,
    sha256,
    content,
  };
}

async function report(ids: readonly string[]): Promise<Told[]> {
  const found = await plain.stores.posts.detail(user.id, ids);
  return found.map(({ id, state, operation, revision, code, message, attempt, unitList, events }) => ({
    id,
    state,
    operation,
    revision,
    code,
    message,
    attempt,
    units: unitList.map(({ unit, state: of, ref }) => ({ text: unit.text, state: of, ref: ref?.id ?? null })),
    events: events.map(
      ({ event, code: why, note, actor }) => `${[event, why, note].filter(Boolean).join(" ")} (${actor})`,
    ),
  }));
}

/** Opens an account's token, or puts another one in its place. */
async function access(
  accountId: string,
  put?: { readonly access: string; readonly lastsMs?: number },
): Promise<string> {
  const sealed = await plain.stores.accounts.credentials(user.id, accountId);
  if (!sealed) throw new Error("no credentials");
  const opened = openCredentials(plain, user.id, sealed);
  const account = (await plain.stores.accounts.list(user.id)).find(({ id }) => id === accountId);
  if (put !== undefined && account) {
    const row = { id: sealed.id, version: sealed.version + 1 };
    const ending = defined({ expiresAt: put.lastsMs === undefined ? undefined : new Date(Date.now() + put.lastsMs) });
    const credentials = { ...opened, access: put.access, ...ending };
    const again = sealCredentials(plain, { userId: user.id, row, account, credentials });
    await plain.stores.accounts.refreshed(user.id, { accountId, previous: sealed, credentials: again, restMs: 0 });
  }
  return opened.access;
}

async function passTime(ids: readonly string[]): Promise<void> {
  const database = await openDatabase({ dataFolder: join(folder, "data"), use: "session" });
  try {
    await database.asOwner?.(async (client) => {
      for (const statement of PASS_TIME)
        await client.query(statement, statement.includes("$1") ? [`{${ids.join(",")}}`] : []);
    });
  } finally {
    await database.close();
  }
}

async function obey(order: Order): Promise<unknown> {
  switch (order.do) {
    case "connect":
      return (
        await connectAccount(plain, {
          userId: user.id,
          platformId: order.platform,
          consent: order.consent,
          signal: new AbortController().signal,
        })
      ).id;
    case "schedule":
      return schedule(order.wishes);
    case "work":
      return work(order);
    case "go":
      fault = undefined;
      standing?.resolve();
      standing = undefined;
      return undefined;
    case "stop":
      return stop.abort();
    case "step":
      steppedMs = order.byMs;
      return undefined;
    case "report":
      return report(order.ids);
    case "cancel":
      return (
        await changeDeliveries(plain, { userId: user.id, id: order.id, change: { to: "cancel" }, dryRun: false })
      ).deliveries.map(({ id }) => id);
    case "moveAway": {
      const move = { to: "move", at: new Date(Date.now() + 3_600_000), wallTime: "later", timeZone: "UTC" } as const;
      return (
        await changeDeliveries(plain, { userId: user.id, id: order.id, change: move, dryRun: false })
      ).deliveries.map(({ id }) => id);
    }
    case "remove": {
      fault = order.fault && { ...order.fault, passed: 0 };
      const [of] = order.all ? await plain.stores.posts.detail(user.id, [order.id]) : [];
      const plan = await planDeletion(plain, user.id, of?.postId ?? order.id);
      return (await deletePost(plain, { userId: user.id, plan })).deliveries.map(({ delivery }) => delivery.id);
    }
    case "edit":
      fault = order.fault && { ...order.fault, passed: 0 };
      return edit(order.id, order.texts);
    case "resolve":
      return (
        await resolveDelivery(plain, { userId: user.id, id: order.id, live: order.live ?? undefined })
      ).deliveries.map(({ id }) => id);
    case "recover":
      return (
        await recoverHub({ world: plain, notes: hub.notes, users: [user.id], signal: new AbortController().signal })
      ).length;
    case "readAccess":
      return access(order.accountId);
    case "storeAccess":
      return access(order.accountId, order);
    case "passTime":
      return passTime(order.ids);
    case "end":
      await hub.close();
      return process.exit(0);
  }
}

createInterface({ input: process.stdin }).on("line", (line) => {
  const { n, order }: { n: number; order: Order } = JSON.parse(line);
  obey(order).then(
    (result) => say({ say: "done", n, result: result ?? null }),
    (error: unknown) => {
      const { code, message, cause } = toPsnError(error);
      return say({ say: "refused", n, code, message: code === "BUG" ? `${message}: ${String(cause)}` : message });
    },
  );
});
await say({ say: "ready" });
