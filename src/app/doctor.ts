import { toPsnError } from "@psn/core/errors.ts";
import type { User } from "@psn/core/ports/accounts.ts";
import type { Hearing } from "@psn/core/ports/deliveries.ts";
import type { Durability, Inspection } from "@psn/core/ports/upkeep.ts";
import type { World } from "@psn/core/ports/world.ts";
import { READ_ONCE } from "@psn/core/types/index.ts";
import { HUBS_OWN } from "@psn/domain/delivery.ts";
import { endsSoon } from "./account-health.ts";
import { RESTART, reconnecting } from "./advice.ts";
import { nameOf } from "./choose-accounts.ts";
import { checkAccount } from "./connect-account.ts";
import { deafness } from "./keep-listening.ts";
import { sharedWith, soleSecrets } from "./shared-secrets.ts";
import { WATCHDOG } from "./watch-hub.ts";

/** One line of `psn doctor`. */
export interface Check {
  readonly name: string;
  readonly status: "ok" | "warn" | "fail";
  readonly said: string;
  /** The command or step that fixes it. */
  readonly fix: string | null;
}

/** Beyond this a schedule is noticeably off, and beyond the second tokens and signatures fail; in milliseconds. */
const SKEW_WARN_MS = 2_000;
const SKEW_FAIL_MS = 60_000;
/** A worker beats every 15 seconds; three missed beats are a silence. */
export const SILENT_MS = 45_000;
/** A delivery later than this is a failure of the hub and not of the moment. */
const LATE_MS = 60_000;
/** Open deliveries that are looked at, the next first. */
const MOST_LOOKED_AT = 100;

export const ok = (name: string, said: string): Check => ({ name, status: "ok", said, fix: null });
export const warn = (name: string, said: string, fix: string | null): Check => ({ name, status: "warn", said, fix });
export const fail = (name: string, said: string, fix: string | null): Check => ({ name, status: "fail", said, fix });

/** A check that threw says so in its own line. */
export async function checking(name: string, check: () => Promise<Check> | Check): Promise<Check> {
  try {
    return await check();
  } catch (error) {
    const { message, hint = null } = toPsnError(error);
    return fail(name, message, hint);
  }
}

export interface ExamineOptions {
  readonly network: boolean;
  readonly signal: AbortSignal;
  readonly watchdogMinutes: number;
  /** Whether notifications of this database arrive at a worker; undefined where no worker listens to it. */
  readonly hears: () => Promise<Hearing | undefined>;
}

/** Everything an open hub can be asked. Read-only; `network: false` leaves the platforms alone. */
export async function examineHub(world: World, user: User, options: ExamineOptions): Promise<readonly Check[]> {
  const { inspection, accounts } = world.stores;
  const checks = [
    ...(await examineGuards(inspection)),
    await checking("durability", async () => durabilityCheck(await inspection.durability())),
    await checking("clock", async () => {
      const skew = Math.round(await inspection.clockSkewMs());
      const said = `the clocks of this machine and the database differ by ${Math.abs(skew)} ms`;
      if (Math.abs(skew) > SKEW_FAIL_MS) return fail("clock", said, "set this machine's clock (ntp)");
      return Math.abs(skew) > SKEW_WARN_MS ? warn("clock", said, "set this machine's clock (ntp)") : ok("clock", said);
    }),
    await checking(world.queue ? "watchdog" : "worker", () =>
      world.queue ? watchdogCheck(world, options.watchdogMinutes) : workerCheck(world, user),
    ),
    ...(await listeningChecks(options.hears)),
    ...(await troubleChecks(world, user)),
    await checking("late deliveries", async () => {
      const late = await inspection.late(user.id);
      if (!late || late.lateMs < LATE_MS) return ok("late deliveries", "none");
      return fail(
        "late deliveries",
        `the oldest, ${late.id.slice(-8)}, is ${minutes(late.lateMs)} late`,
        `psn show ${late.id.slice(-8)}`,
      );
    }),
  ];
  const held = await soleSecrets(world, user.id);
  for (const account of await accounts.list(user.id)) {
    const name = `account ${nameOf(account)}`;
    const fix = reconnecting(account.platform, account.profile.handle);
    if (account.health === "disconnected") continue;
    if (account.health === "needs-reconnect")
      checks.push(fail(name, account.healthReason ?? "needs reconnecting", fix));
    else if (account.expiresAt && endsSoon(account, world.now()))
      checks.push(
        warn(
          name,
          `its token expires on ${account.expiresAt.toISOString().slice(0, 10)}, and ${account.platform} gave no ` +
            `refresh token`,
          fix,
        ),
      );
    else if (!options.network) checks.push(ok(name, "connected (not checked)"));
    else {
      const answer = await checkAccount(world, { userId: user.id, accountId: account.id, signal: options.signal });
      const { unasked } = await world.platforms.load(account.platform);
      checks.push(
        answer.ok ? ok(name, unasked ?? "token accepted") : fail(name, answer.error.message, answer.error.hint ?? fix),
      );
    }
    const own = held.find((one) => one.account.id === account.id);
    if (own?.flaw) checks.push(warn(name, own.flaw.said, `${fix} ${own.flaw.flags}`));
    const shared = sharedWith(held, account.id, own?.secrets ?? []);
    if (shared.length > 0)
      checks.push(
        warn(
          name,
          `${shared.join(" and ")} has the same secret: each of these receivers could sign requests to the other`,
          SECRET_FIX,
        ),
      );
  }
  return checks;
}

const SECRET_FIX = "psn connect webhook ADDRESS --secret-overlap 24h, with a different secret";

/** Most differences that are told one by one. */
const MOST_TOLD = 20;

/**
 * Whether the database guards its rows as the migrations say. Also for a hub that does not open because it does not.
 */
export async function examineGuards(inspection: Inspection): Promise<readonly Check[]> {
  const name = "row security";
  try {
    const found = await inspection.differences();
    const told = found.slice(0, MOST_TOLD).map(({ said, sql, repairable, severe }) => {
      const byHand = sql.length === 0 ? null : `as the owner of the tables: ${sql.join("; ")}`;
      return (severe ? fail : warn)(name, said, repairable ? "psn db migrate --repair" : byHand);
    });
    if (found.length > told.length)
      told.push(fail(name, `and ${found.length - told.length} more differences`, "psn doctor, after you fix these"));
    const seen = await inspection.strangerSees();
    if (seen > 0) told.push(fail(name, `an outside login can read ${seen} users and posts`, "psn db migrate --repair"));
    if (told.some(({ status }) => status === "fail")) return told;
    return [
      ok(name, "policies, grants and functions are as the migrations made them; an outside login can read nothing"),
      ...told,
    ];
  } catch (error) {
    const { message, hint = null } = toPsnError(error);
    return [fail(name, message, hint)];
  }
}

function durabilityCheck({ fsync, fullPageWrites, asynchronousStandbys }: Durability): Check {
  const name = "durability";
  if (!fsync)
    return fail(
      name,
      "the database server runs with fsync off: a power cut can lose posts or publish them twice",
      "set fsync = on in the server's postgresql.conf and reload the server",
    );
  if (!fullPageWrites)
    return fail(
      name,
      "the database server runs with full_page_writes off: a power cut can damage the database",
      "set full_page_writes = on in the server's postgresql.conf and reload the server",
    );
  if (asynchronousStandbys > 0) {
    const which =
      asynchronousStandbys === 1 ? "the server's standby is" : `the server's ${asynchronousStandbys} standbys are all`;
    return warn(
      name,
      `${which} asynchronous: a failover can lose the newest posts or publish them twice`,
      "set synchronous_standby_names on the primary server",
    );
  }
  return ok(name, "the database writes a commit to the disk before psn relies on it");
}

async function workerCheck({ stores, settings }: World, user: User): Promise<Check> {
  const alive = (await stores.inspection.workers()).filter(({ beatMsAgo }) => beatMsAgo < SILENT_MS);
  for (const { name, settings: theirs } of alive) {
    const other = settings && otherSettings(name, theirs, settings());
    if (other) return other;
  }
  const [first] = alive;
  if (first) {
    const who = alive.length === 1 ? first.name : `${alive.length} workers`;
    return ok("worker", `${who}, last heard of ${Math.max(0, Math.round(first.beatMsAgo / 1000))} s ago`);
  }
  // What waits for its user no worker moves.
  const waiting = (await stores.posts.list(user.id, "open", MOST_LOOKED_AT)).some(
    ({ state, health }) => health === "ok" && state !== "held" && state !== "unconfirmed",
  );
  return waiting
    ? warn("worker", "no worker is running, and deliveries are due or scheduled", "psn worker")
    : ok("worker", "no worker is running, and nothing is scheduled");
}

async function listeningChecks(hears: ExamineOptions["hears"]): Promise<readonly Check[]> {
  const name = "notifications";
  try {
    const found = await hears();
    if (found === undefined || found === "served") return [];
    const deaf = deafness(found);
    return [deaf ? warn(name, deaf.said, deaf.fix) : ok(name, "work: a worker is notified of a new post at once")];
  } catch (error) {
    const deaf = deafness(toPsnError(error));
    return deaf ? [warn(name, deaf.said, deaf.fix)] : [];
  }
}

/** What posts wait for that is wrong with the hub. */
async function troubleChecks({ stores }: World, user: User): Promise<readonly Check[]> {
  try {
    const found = await stores.inspection.troubles(user.id, HUBS_OWN);
    return found.map(({ code, message, posts }) =>
      fail(
        "waiting posts",
        `${posts === 1 ? "1 post is" : `${posts} posts are`} on hold until this is fixed: ${message} (${code})`,
        helpFor(code),
      ),
    );
  } catch (error) {
    const { message, hint = null } = toPsnError(error);
    return [fail("waiting posts", message, hint)];
  }
}

const helpFor = (code: string) => `psn explain ${code}`;

/** A worker that goes by other settings than the hub's; undefined for one that does not say, or goes by the same. */
function otherSettings(worker: string, theirs: Settings, ours: Settings): Check | undefined {
  if (Object.keys(theirs).length === 0) return undefined;
  const names = [...new Set([...Object.keys(theirs), ...Object.keys(ours)])];
  const digestOf = (told: string | undefined) => told?.split(" ")[1];
  const other = names.filter((name) => digestOf(theirs[name]) !== digestOf(ours[name]));
  if (other.length === 0) return undefined;
  const byShell = other.filter((name) => theirs[name]?.startsWith("shell "));
  if (byShell.length > 0)
    return warn(
      "worker",
      `${worker} uses ${byShell.join(", ")} of the shell that started it, not the hub's settings`,
      `unset ${byShell.join(" ")} there, and start psn worker again`,
    );
  const atStart = other.filter((name) => READ_ONCE.some((one) => one === name));
  if (atStart.length > 0)
    return warn(
      "worker",
      `${worker} and this command use different values of ${atStart.join(", ")}; a worker reads them only when it ` +
        `starts`,
      RESTART,
    );
  return warn(
    "worker",
    `${worker} and this command use different values of ${other.join(", ")}; the worker reads its files again ` +
      `every 15 seconds`,
    "psn doctor again in a minute; if the values still differ, restart psn worker",
  );
}
type Settings = Readonly<Record<string, string>>;

async function watchdogCheck({ stores }: World, everyMinutes: number): Promise<Check> {
  const heard = (await stores.inspection.workers()).find(({ name }) => name === WATCHDOG);
  if (!heard) return warn("watchdog", `has not run yet; it runs every ${everyMinutes} minutes`, "psn deploy");
  const said = `ran ${minutes(heard.beatMsAgo)} ago; it runs every ${everyMinutes} minutes`;
  // Two looks missed, and the minute by which the server may spread them.
  return heard.beatMsAgo > (2 * everyMinutes + 1) * 60_000
    ? fail("watchdog", said, "psn deploy")
    : ok("watchdog", said);
}

function minutes(ms: number): string {
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`;
}
