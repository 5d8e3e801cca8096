import { labelOf } from "./database.ts";
import { EPOCH, type Ground } from "./ground.ts";
import type { Held, Servers } from "./servers.ts";

/*
 * What must hold when a history is over, whatever has gone wrong in it (docs/guarantees.md). Nothing psn says is
 * believed.
 */

interface Row {
  readonly delivery: string;
  readonly account: string;
  readonly state: string;
  readonly code: string | null;
  readonly health: string;
  readonly unit: string;
  readonly unitState: string;
  readonly position: number;
  readonly text: string;
  readonly ref: string | null;
  /** Of its post that the delivery carries. */
  readonly revision: number;
}

const ROWS = `select d.id::text as delivery, d.account_id::text as account, d.state, d.code, a.health,
  u.id::text as unit, u.state as "unitState", u.position, u.text, u.ref_id as ref, d.revision
  from psn.delivery_units u join psn.deliveries d on d.id = u.delivery_id join psn.accounts a on a.id = d.account_id
  order by d.id, u.position`;

const EVENTS = `select delivery_id::text as delivery, event, unit from psn.delivery_events order by sequence`;

interface Line {
  readonly delivery: string;
  readonly event: string;
}

/** Everything that is wrong; empty when all holds. */
export async function judge(ground: Ground, { posts }: Servers): Promise<readonly string[]> {
  const { postgres, watch, accountIds, kernel } = ground;
  const broken: string[] = [];
  const rows = await postgres.query<Row>(ROWS);
  const events = await postgres.query<Line>(EVENTS);
  const isPublic = (account: string, text: string): readonly Held[] =>
    posts.filter((post) => accountIds[post.account] === account && post.text === text && post.at <= kernel.now());

  for (const [delivery, units] of Map.groupBy(rows, (row) => row.delivery)) {
    const [first] = units;
    if (!first) continue;
    const { state, account, health, code } = first;
    const name = `${labelOf(ground, delivery)} (${state}${code === null ? "" : ` ${code}`})`;
    const there = units.map(({ text }) => isPublic(account, text));
    const doubled = there.findIndex((some) => some.length > 1);
    if (doubled >= 0) broken.push(`doubled: unit ${doubled + 1} of ${name} is public ${there[doubled]?.length} times`);
    broken.push(
      ...mixed(
        units,
        posts.filter((post) => accountIds[post.account] === account),
      ).map((one) => `${one} ${name}`),
    );
    const open = units.findIndex(({ unitState }) => unitState !== "published" && unitState !== "removed");
    const back = units.findIndex(({ unitState }, position) => unitState === "removed" && there[position]?.length !== 0);
    if (back >= 0) broken.push(`dishonest: psn says that unit ${back + 1} of ${name} is gone, and it is public`);
    // The parts that are out, each once, each under the one before, under the name psn has for it.
    for (const [position, unit] of units.entries()) {
      if (unit.unitState !== "published") continue;
      const [one] = there[position] ?? [];
      if (!one) broken.push(`lost: psn says that unit ${position + 1} of ${name} is out, and it is not public`);
      else {
        // Where psn cannot ask the platform, a person's address is all it has.
        if (one.id !== unit.ref && !unit.ref?.endsWith(`/${one.id}`))
          broken.push(`wrong ref: psn calls unit ${position + 1} of ${name} ${unit.ref}, and it is ${one.id}`);
        const parent = position === 0 ? null : (units[position - 1]?.ref ?? null);
        if (one.parent !== parent)
          broken.push(`wrong parent: unit ${position + 1} of ${name} answers ${one.parent} and not ${parent}`);
      }
    }
    const lines = events.filter((line) => line.delivery === delivery);
    const has = (...names: readonly string[]) => lines.some(({ event }) => names.includes(event));
    switch (state) {
      case "published":
        if (open >= 0) broken.push(`lost: ${name} has a unit that is not out`);
        if (!has("published", "resolved: live")) broken.push(`history: ${name} has no line that says so`);
        break;
      case "failed":
      case "cancelled": {
        if (open >= 0 && there.some((some, position) => position >= open && some.length > 0))
          broken.push(`dishonest: ${name}, and its unit ${open + 1} is public`);
        const told = state === "failed" ? ["failed"] : ["cancelled", "dropped"];
        if (!has(...told)) broken.push(`history: ${name} has no line that says so`);
        break;
      }
      case "removed":
        if (units.some(({ unitState }) => unitState !== "removed"))
          broken.push(`lost: ${name} has a unit that is not gone`);
        if (!has("removed", "resolved: not live")) broken.push(`history: ${name} has no line that says so`);
        break;
      case "unconfirmed":
        if (!has("unconfirmed", "disconnected")) broken.push(`history: ${name} has no line that says so`);
        break;
      case "held":
        if (health === "ok") broken.push(`lost: ${name} is held, and its account is connected`);
        if (open >= 0 && there.some((some, position) => position >= open && some.length > 0))
          broken.push(`dishonest: ${name}, and its unit ${open + 1} is public`);
        break;
      default:
        broken.push(`lost: ${name} was left open for ever`);
    }
  }
  const stored = new Set([...watch.latest.values()].map(({ post }) => post));
  for (const [id, post] of watch.confirmed)
    if (!stored.has(id)) broken.push(`lost: psn said that ${post} is stored, and it is not there`);
  broken.push(...pausesBroken(ground), ...sentUnasked(ground), ...settledTooSoon(ground));
  return broken;
}

/** Which revision a text says that it is of (`person.edit`). */
const revisionIn = (text: string) => Number(/ r(\d+)$/.exec(text)?.[1] ?? 1);
const postIn = (text: string) => text.split(".")[0];

/** What goes out of a post is one revision, whole: the one that its delivery carries. */
function mixed(units: readonly Row[], there: readonly Held[]): readonly string[] {
  const [first] = units;
  if (!first) return [];
  const other = units.some(({ text, revision }) => revisionIn(text) !== revision);
  const stray = there.some(({ text }) => postIn(text) === postIn(first.text) && revisionIn(text) !== first.revision);
  return [
    ...(other ? ["mixed: another revision is in the units of"] : []),
    ...(stray ? ["mixed: another revision is public of"] : []),
  ];
}

/** A pause is told in whole seconds, and written down when its answer has arrived. */
const ROUNDED_MS = 3_000;

/** A request that was begun under a claim after psn had written down that the account has a pause. */
function pausesBroken({ watch, accountIds, scenario }: Ground): readonly string[] {
  if (watch.clockStepped) return [];
  const broken: string[] = [];
  for (const { account, from, until, told } of watch.pauses) {
    // Where nobody could write it down, nobody knows of it.
    const asked = EPOCH + until + (scenario.machines[0] ?? 0) - ROUNDED_MS;
    const delivery = told && watch.sent.find(({ key }) => key === told.key)?.found?.delivery;
    const written = watch.steps.find(
      ({ at, by, to }) =>
        at >= from &&
        to.account === accountIds[account] &&
        ((to.pausedUntil ?? 0) >= asked ||
          (told && at >= told.at && by === told.by && to.id === delivery && to.state === "scheduled")),
    );
    if (!written) continue;
    for (const sent of watch.sent) {
      if (sent.account !== account || sent.startedAt <= written.at || sent.startedAt >= until) continue;
      const claimed = claimOf(watch.steps, sent.found?.delivery, sent.startedAt);
      if (claimed !== undefined && claimed > written.at)
        broken.push(`pause: ${sent.by} sends ${until - sent.startedAt} ms before the pause of a${account} is over`);
    }
  }
  return broken;
}

/** When the delivery's fence last rose before that instant. */
function claimOf(steps: Ground["watch"]["steps"], delivery: string | undefined, before: number): number | undefined {
  let at: number | undefined;
  for (const step of steps)
    if (step.to.id === delivery && step.at <= before && step.to.fence > (step.from?.fence ?? 0)) at = step.at;
  return at;
}

/** So long a worker trusts a claim without asking the database (`app/held-claim.ts`), in milliseconds. */
const TRUSTED_MS = 30_000;

/**
 * Nothing is sent any more once psn has said `unconfirmed`, until a person has spoken; a request that was about to
 * begin may.
 */
function sentUnasked(ground: Ground): readonly string[] {
  const { watch } = ground;
  return watch.sent.flatMap(({ found, by, startedAt }) => {
    if (!found || !["unconfirmed", "cancelled", "published", "failed", "held", "scheduled"].includes(found.state))
      return [];
    const said = watch.steps.findLast(
      ({ at, to }) => to.id === found.delivery && at <= startedAt && to.state === found.state,
    );
    const claimed = claimOf(watch.steps, found.delivery, startedAt) ?? 0;
    const begun = found.state === "unconfirmed" && said && claimed < said.at && startedAt - claimed < TRUSTED_MS;
    return begun ? [] : [`unasked: ${by} sends ${labelOf(ground, found.delivery)} while it is ${found.state}`];
  });
}

/** Nobody settles a request while a process that was never stopped still waits for its answer. */
function settledTooSoon({ watch }: Ground): readonly string[] {
  if (watch.clockStepped) return [];
  return watch.sent.flatMap(({ found, by, sender, startedAt, endedAt = 0 }) => {
    if (sender.stoppedUntil > startedAt) return [];
    const taken = watch.steps.find(
      ({ at, from, to }) =>
        to.id === found?.delivery &&
        at > startedAt &&
        at < endedAt &&
        from?.state === "sending" &&
        to.worker !== null &&
        to.worker !== from.worker,
    );
    return taken ? [`too soon: ${taken.by} takes over what ${by} is sending since ${taken.at - startedAt} ms`] : [];
  });
}
