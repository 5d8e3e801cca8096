import { PsnError } from "@psn/core/errors.ts";
import type { FaultPoint } from "@psn/core/ports/fault-points.ts";
import type { DatabaseKind, Lane, Target } from "./ground.ts";
import { Gone, type Psn } from "./process.ts";
import type { Content, Fault, Order, Told, View, Wish } from "./protocol.ts";
import { judge, type Verdict } from "./truth.ts";

/*
 * What all scenarios have in common: deliveries to schedule, healthy workers to finish them, and the platform to be
 * asked.
 */

/** One line of the table: what was broken, on which platform, over which database. */
export interface Row {
  readonly breaks: string;
  readonly platform: string;
  readonly database: DatabaseKind;
}

/** One run of a scenario. */
export interface Run extends Row {
  /** The lane it needs: any, or one whose server may be killed. */
  readonly alone?: true;
  readonly go: (lane: Lane, tag: string) => Promise<readonly Judged[]>;
}

export interface Judged {
  readonly target: Target;
  readonly verdict: Verdict;
  /** What is wrong, or nothing. */
  readonly why: string;
  readonly told: Told;
}

/** The scenario itself went wrong: what it was to break was not broken. */
export class NotBroken extends Error {}

export interface Scheduled {
  readonly id: string;
  readonly target: Target;
  readonly image: boolean;
}

export const THREAD = ["one of three", "two of three", "three of three"] as const;

/** Texts that no other delivery of the suite has. */
function textsOf(tag: string, content: Content): string[] {
  return content === "thread" ? THREAD.map((text) => `${tag} ${text}`) : [`${tag} ${content}`];
}

/** What comes nearest to it and can be sent there. */
function fitting({ pictures, threads }: Target, content: Content): Content {
  if (content === "image" && pictures === false) return "text";
  return content === "thread" && !threads ? "text" : content;
}

/**
 * What lost its token in the run before is connected again, as its user would: a worker renews tokens in any run, and a
 * refresh token that works once is lost with the answer that is cut off.
 */
async function ask(psn: Psn, wishes: readonly Wish[], targets: readonly Target[]): Promise<readonly string[]> {
  try {
    return await psn.schedule(wishes);
  } catch (error) {
    if (!(error instanceof PsnError && error.details?.["code"] === "AUTH_REQUIRED")) throw error;
    for (const { reconnect } of targets) await reconnect?.(psn);
    return psn.schedule(wishes);
  }
}

/**
 * Posts whose texts are no other's. A target that cannot show pictures, or threads, is given plain text in their place.
 */
export async function schedule(
  psn: Psn,
  tag: string,
  wanted: readonly { readonly target: Target; readonly content: Content; readonly dueAt?: number }[],
): Promise<Scheduled[]> {
  for (const { target } of wanted) target.begin?.();
  const fit = wanted.map(({ content, ...one }) => ({ ...one, content: fitting(one.target, content) }));
  const wishes = fit.map(({ target, content, dueAt = Date.now() - 1 }, n) => ({
    accountIds: [target.accountId],
    texts: textsOf(`${tag}.${n}`, content),
    image: content === "image",
    dueAt,
  }));
  const ids = await ask(
    psn,
    wishes,
    wanted.map(({ target }) => target),
  );
  return fit.map(({ target, content }, n) => ({ id: ids[n] ?? "", target, image: content === "image" }));
}

/** One post of plain text to all of them. */
export async function scheduleOne(
  psn: Psn,
  tag: string,
  { targets, dueAt = Date.now() - 1 }: { readonly targets: readonly Target[]; readonly dueAt?: number },
): Promise<Scheduled[]> {
  for (const { begin } of targets) begin?.();
  const accountIds = targets.map(({ accountId }) => accountId);
  const ids = await ask(psn, [{ accountIds, texts: textsOf(tag, "text"), image: false, dueAt }], targets);
  return targets.map((target, n) => ({ id: ids[n] ?? "", target, image: false }));
}

export const platformsOf = (deliveries: readonly Scheduled[]): string[] => [
  ...new Set(deliveries.map(({ target }) => target.platform)),
];
const idsOf = (deliveries: readonly Scheduled[]) => deliveries.map(({ id }) => id);

/** It kills itself when it passes this point. */
export const at = (point: FaultPoint): Fault => ({ point, nth: 1, act: "kill" });

/** Is told to do it, and dies on the way. */
export async function dieAsked(psn: Psn, order: Order & { readonly fault: Fault }): Promise<void> {
  const died = await psn.ask(order).then(
    () => false,
    (error: unknown) => {
      if (error instanceof Gone) return true;
      throw error;
    },
  );
  if (!died) throw new NotBroken(`nobody passed "${order.fault.point}"`);
}

/** What is wrong with an account's token. */
export type Token = "its token has expired" | "its token is about to end";
/** Too soon for a request to begin with it (`TOKEN_LASTS_MS`). */
const ABOUT_TO_END_MS = 10_000;

/** Not so soon after another run's that psn would let the token rest. */
export async function spoilToken(lane: Lane, { accountId, expire }: Target, token: Token): Promise<void> {
  const psn = await lane.psn();
  await lane.passTime(psn, []);
  if (token === "its token has expired") return expire?.(psn);
  const access = String(await psn.ask({ do: "readAccess", accountId }));
  await psn.ask({ do: "storeAccess", accountId, access, lastsMs: ABOUT_TO_END_MS });
}

/** Where nothing broke there is nothing that psn could be in doubt about. */
export function withoutDoubt(judged: readonly Judged[]): readonly Judged[] {
  return judged.map((one) =>
    one.verdict === "unconfirmed" ? { ...one, verdict: "lost", why: "unconfirmed, and nothing had happened" } : one,
  );
}

/** Longer than psn waits for a post to show up (`SETTLE_PATIENCE_MS`). */
export const PATIENCE_MS = 151_000;
const ENDS = new Set(["published", "failed", "unconfirmed", "cancelled", "removed"]);
const ROUNDS_MOST = 12;

/** Lets a healthy worker finish, over and over with time passing between, until nothing is left to do. */
export async function heal(
  lane: Lane,
  deliveries: readonly Scheduled[],
  by?: Psn,
  view: View = {},
): Promise<readonly Told[]> {
  const psn = by ?? (await lane.psn());
  const ids = idsOf(deliveries);
  const platforms = platformsOf(deliveries);
  let told: readonly Told[] = [];
  for (let round = 0; round < ROUNDS_MOST; round += 1) {
    if (round > 0) await lane.passTime(psn, ids);
    await psn.work({ ...view, platforms, untilQuiet: true, travelMs: (view.travelMs ?? 0) + round * PATIENCE_MS });
    told = await psn.report(ids);
    if (told.every(({ state }) => ENDS.has(state))) break;
    // psn says plainly that a token is lost for good; its user connects the account again, and what waited goes out.
    for (const { id, target } of deliveries)
      if (told.some((one) => one.id === id && one.code === "AUTH_REVOKED")) await target.reconnect?.(psn);
  }
  return told;
}

/**
 * Healthy workers finish, the platforms are asked, and what nobody but a person can tell is told by one who has looked.
 * A delivery that was unconfirmed counts as such, unless what follows loses or doubles it, or a search would have told
 * (but for what came out only after it: `late`). `doubtful`: the platform left a person to judge, whatever it could
 * have told.
 */
export async function finish(
  lane: Lane,
  deliveries: readonly Scheduled[],
  by?: Psn,
  { late = false, doubtful = false, ...view }: View & { readonly late?: boolean; readonly doubtful?: boolean } = {},
): Promise<readonly Judged[]> {
  const first = await judgeAll(deliveries, await heal(lane, deliveries, by, view));
  const open = first.filter(({ verdict }) => verdict === "unconfirmed");
  if (open.length === 0) return first;
  const unjust = new Map<string, string>();
  for (const { told, target } of open) {
    const held = await target.holds();
    const position = told.units.findIndex(({ state }) => state !== "published");
    const live = held.find(({ text }) => text === told.units[position]?.text);
    if (target.duplicates === "lookup" && live && !late && !doubtful)
      unjust.set(told.id, `unconfirmed, and a search would have found ${live.id}`);
    if (!doubtful && target.duplicates !== "lookup" && target.duplicates !== "ask-human")
      unjust.set(told.id, "unconfirmed, and it could be told");
    const address = live && (target.addressOf?.(live.id) ?? live.id);
    await (by ?? (await lane.psn())).ask({ do: "resolve", id: told.id, live: address ?? null });
  }
  const resolved = deliveries.filter(({ id }) => open.some(({ told }) => told.id === id));
  const second = await judgeAll(resolved, await heal(lane, resolved, by, view));
  return first.map((before) => {
    const after = second.find(({ told }) => told.id === before.told.id);
    if (!after) return before;
    const why = unjust.get(after.told.id);
    if (why !== undefined) return { ...after, verdict: "lost", why };
    if (after.verdict === "once") return { ...before, why: "" };
    // Another unit of a thread may need a person too.
    return after.verdict === "unconfirmed" ? after : { ...after, why: `after a person looked: ${after.why}` };
  });
}

async function judgeAll(deliveries: readonly Scheduled[], told: readonly Told[]): Promise<Judged[]> {
  const held = new Map<Target, Awaited<ReturnType<Target["holds"]>>>();
  for (const { target } of deliveries) if (!held.has(target)) held.set(target, await target.holds());
  return deliveries.map(({ id, target, image }) => {
    const one = told.find((each) => each.id === id);
    if (!one) throw new Error("psn does not know a delivery that it took");
    return { target, told: one, ...judge(one, held.get(target) ?? [], image) };
  });
}

/** Those that can be looked at in one run: the fake Mastodon is one server, which changes its mind about keys. */
export const together = (targets: readonly Target[]): readonly Target[] =>
  targets.filter(({ name }) => name !== "mastodon, no keys");

export function targetsOf(lane: Lane, likes: readonly Target[]): readonly Target[] {
  return likes.map(({ name }) => targetOf(lane, name));
}

export function targetOf(lane: Lane, name: string): Target {
  const found = [...lane.targets, ...lane.more].find((target) => target.name === name);
  if (!found) throw new Error(`no target is called ${name}`);
  return found;
}
