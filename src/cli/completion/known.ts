import { readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { briefly } from "@psn/cli/briefly.ts";
import { clip } from "@psn/cli/output.ts";
import { DELIVERY_STATES, type DeliveryState } from "@psn/core/types/index.ts";
import { dataDir, findHub, loadHubEnv } from "@psn/core/utils/env.ts";
import type { Hub } from "@psn/wiring/hub.ts";
import { z } from "zod";
import type { Known } from "./complete.ts";

/*
 * What completion knows of a hub. It never opens an embedded database, which is one process's at a time: each command
 * that changed something there writes down what can be typed, beside the database, and so does one that finds that
 * written long ago. Any other database is asked, for a moment.
 */

/** How many of the latest deliveries can be completed. */
const MOST = 200;
/** How long a database may take to answer, in milliseconds: a person waits for the key that was pressed. */
const ANSWER_MS = 1_000;
/** How long what was written counts where a command has changed nothing, in milliseconds: a worker may have. */
const FRESH_MS = 600_000;
/** How much of a text is shown, in columns. */
const MOST_TEXT = 40;

const Words = z.object({
  user: z.string(),
  zone: z.string(),
  accounts: z.array(z.string()),
  deliveries: z.array(
    z.object({
      id: z.string(),
      post: z.string(),
      account: z.string(),
      state: z.enum(DELIVERY_STATES),
      due: z.iso.datetime(),
      text: z.string(),
    }),
  ),
});
type Words = z.infer<typeof Words>;

const NOTHING: Known = { accounts: [], ids: [] };

/** What is known of the hub that a command run in `cwd` would use. Never throws; nothing where there is no hub. */
export async function knownIn(cwd: string, named: string | undefined): Promise<Known> {
  try {
    const folder = named === undefined ? findHub(cwd) : resolve(cwd, named);
    if (folder === undefined) return NOTHING;
    const env = loadHubEnv(folder);
    const isEmbedded = env.get("DATABASE_URL") === undefined;
    const words = isEmbedded
      ? Words.parse(JSON.parse(readFileSync(fileIn(dataDir(env)), "utf8")))
      : await asked(folder);
    return words === undefined || words.user !== env.get("PSN_USER") ? NOTHING : shown(words);
  } catch {
    return NOTHING;
  }
}

/**
 * Writes down what completion needs of a hub with an embedded database; where the command has not `changed` it, only if
 * the last time was long ago. Never throws.
 */
export async function remember(hub: Hub, changed: boolean): Promise<void> {
  if (hub.driver !== "embedded") return;
  try {
    const path = fileIn(dataDir(loadHubEnv(hub.folder)));
    if (!changed && isFresh(path)) return;
    writeFileSync(`${path}.${process.pid}`, JSON.stringify(await wordsOf(hub)), { mode: 0o600 });
    renameSync(`${path}.${process.pid}`, path);
  } catch {
    // No room, or no permission: completion knows less.
  }
}

function isFresh(path: string): boolean {
  const written = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return Math.abs(Date.now() - written) < FRESH_MS;
}

const fileIn = (dataFolder: string): string => join(dataFolder, "words");

async function asked(folder: string): Promise<Words | undefined> {
  const { openHub } = await import("@psn/wiring/hub.ts");
  const reading = openHub({ folder, use: "once" }).then(async (hub) => {
    const words = await wordsOf(hub);
    void hub.close().catch(() => undefined);
    return words;
  });
  reading.catch(() => undefined);
  const { promise: late, resolve: stop } = Promise.withResolvers<undefined>();
  const timer = setTimeout(stop, ANSWER_MS, undefined);
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}

async function wordsOf(hub: Hub): Promise<Words> {
  const [{ namesOf }, { accountsOf }, { queueOf }] = await Promise.all([
    import("@psn/app/choose-accounts.ts"),
    import("@psn/app/queries/accounts.ts"),
    import("@psn/app/queries/queue.ts"),
  ]);
  const [accounts, { deliveries }] = await Promise.all([accountsOf(hub), queueOf(hub, { all: true, limit: MOST })]);
  return {
    user: hub.user.id,
    zone: hub.user.timeZone,
    accounts: [...namesOf(accounts).values()],
    deliveries: deliveries.map(({ id, postId, platform, handle, state, dueAt, text }) => ({
      id,
      post: postId,
      account: `${platform}:${handle}`,
      state,
      due: dueAt.toISOString(),
      text: clip(text, MOST_TEXT),
    })),
  };
}

type Delivery = Words["deliveries"][number];

function shown({ zone, accounts, deliveries }: Words, now = new Date()): Known {
  const posts = [...Map.groupBy(deliveries, ({ post }) => post).values()];
  const ids = posts.flatMap((all) => {
    const each = all.map((one) => {
      const { id, state, account, due, text } = one;
      const says = [state, briefly(new Date(due), { zone, now }), account, text].join("  ");
      return { word: id.slice(-SHORT), says, states: statesOf(one, now) };
    });
    const [first] = all;
    if (!first || all.length === 1) return each;
    const says = `all ${all.length} deliveries  ${first.text}`;
    return [{ word: first.post.slice(-SHORT), says, states: all.flatMap((one) => statesOf(one, now)) }, ...each];
  });
  return { accounts, ids };
}

/** As `psn queue` shows them on a terminal. */
const SHORT = 8;

/** A worker may have published it since this was written. */
const statesOf = ({ state, due }: Delivery, now: Date): readonly DeliveryState[] =>
  state === "scheduled" && Date.parse(due) <= now.getTime() ? DELIVERY_STATES : [state];
