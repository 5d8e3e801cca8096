import type { Taken } from "../journeys/receiver.ts";

/** A hub of which one part can be away. */
export interface Part {
  readonly name: string;
  /** `psn post`, due in so many milliseconds; resolves with the instant at which psn says it is due. */
  readonly post: (text: string, inMs: number) => Promise<number>;
  readonly cut: () => Promise<void>;
  readonly mend: () => Promise<void>;
  /** Whether psn takes a post while the part is away. */
  readonly postsMeanwhile: boolean;
  /** Each request that the receiver took, with its id. */
  readonly requests: () => readonly Taken[];
  /** Posts that psn does not call published, and why what publishes them has ended, if it has. */
  readonly open: () => Promise<readonly string[]>;
  readonly stop: () => Promise<void>;
}

export interface Figure {
  readonly part: string;
  readonly posts: number;
  readonly lost: readonly string[];
  readonly doubled: readonly string[];
  /** What psn does not call published at the end. */
  readonly unsettled: readonly string[];
  /** Milliseconds, ascending: from the time it was due, or from the return for what was due while the part was away. */
  readonly lateMs: {
    readonly before: readonly number[];
    readonly meanwhile: readonly number[];
    readonly after: readonly number[];
  };
}

export interface Play {
  /** For how long the part is away. */
  readonly awayMs: number;
  /** Posts that are due before, while the part is away, and after. */
  readonly posts: { readonly before: number; readonly meanwhile: number; readonly after: number };
  /** How long after the return all must be out. */
  readonly patienceMs: number;
  readonly onStep?: (what: string) => void;
}

/** From a post until it is due, or from one to the next. */
const EVERY_MS = 2_000;

interface Wanted {
  readonly text: string;
  readonly when: keyof Figure["lateMs"];
  readonly due: number;
}

/**
 * Schedules posts, takes the part away over some of them, gives it back, and waits until all are out. Nothing is
 * restarted by hand.
 */
export async function play(part: Part, { awayMs, posts, patienceMs, onStep = () => undefined }: Play): Promise<Figure> {
  const wanted: Wanted[] = [];
  const post = async (when: Wanted["when"], n: number, at: number) => {
    const text = `${part.name}, ${when}, ${n}`;
    wanted.push({ text, when, due: await part.post(text, Math.max(at - Date.now(), 0)) });
  };
  const began = Date.now();
  for (let n = 0; n < posts.before; n += 1) await post("before", n, Date.now() + EVERY_MS);
  const commandMs = (Date.now() - began) / posts.before;
  const early = part.postsMeanwhile ? Math.ceil(posts.meanwhile / 2) : posts.meanwhile;
  // All of them are written before the part goes, however slow a command is here.
  const cutAt = Date.now() + 2 * commandMs * (early + posts.after) + EVERY_MS;
  const mendAt = cutAt + awayMs;
  const meanwhile = (n: number) => cutAt + ((n + 0.5) * awayMs) / posts.meanwhile;
  for (let n = 0; n < early; n += 1) await post("meanwhile", n, meanwhile(n));
  for (let n = 0; n < posts.after; n += 1) await post("after", n, mendAt + (n + 1) * EVERY_MS);
  await until(cutAt);
  await part.cut();
  onStep(`${part.name}: away`);
  for (let n = early; n < posts.meanwhile; n += 1) await post("meanwhile", n, meanwhile(n));
  await until(mendAt);
  await part.mend();
  const mended = Date.now();
  onStep(`${part.name}: back`);
  const arrived = () => new Set(part.requests().map(({ text }) => text));
  let open: readonly string[] = [];
  for (const deadline = mended + patienceMs; Date.now() < deadline; await Bun.sleep(500)) {
    if (wanted.some(({ text }) => !arrived().has(text))) continue;
    open = await part.open();
    if (open.length === 0) break;
  }
  onStep(`${part.name}: all out`);
  const late = (of: Wanted["when"]) =>
    wanted
      .filter(({ when }) => when === of)
      .flatMap(({ text, due }) => {
        const first = part.requests().find((request) => request.text === text);
        return first === undefined ? [] : [first.at - (of === "meanwhile" ? Math.max(due, mended) : due)];
      })
      .toSorted((a, b) => a - b);
  return {
    part: part.name,
    posts: wanted.length,
    lost: wanted.map(({ text }) => text).filter((text) => !arrived().has(text)),
    doubled: wanted.map(({ text }) => text).filter((text) => idsOf(part.requests(), text).size > 1),
    unsettled: await part.open(),
    lateMs: { before: late("before"), meanwhile: late("meanwhile"), after: late("after") },
  };
}

/** A receiver tells a repeat by its id; two ids are two posts. */
const idsOf = (requests: readonly Taken[], text: string) =>
  new Set(requests.filter((request) => request.text === text).map(({ id }) => id));

async function until(at: number): Promise<void> {
  await Bun.sleep(Math.max(at - Date.now(), 0));
}

/** One line for each part. */
export function tableOf(figures: readonly Figure[]): string {
  const seconds = (ms: number | undefined) => (ms === undefined ? "-" : `${(ms / 1000).toFixed(1)} s`);
  const spread = (of: readonly number[]) => `p50 ${seconds(of[of.length >> 1])}, most ${seconds(of.at(-1))}`;
  return figures
    .map(({ part, posts, lost, doubled, unsettled, lateMs }) =>
      [
        `${part}: ${posts} posts, ${lost.length} lost, ${doubled.length} doubled, ${unsettled.length} not settled`,
        `  late before: ${spread(lateMs.before)}; due meanwhile, from the return: ${spread(lateMs.meanwhile)}; ` +
          `after: ${spread(lateMs.after)}`,
        ...[...lost, ...doubled, ...unsettled].map((text) => `  ✗ ${text}`),
      ].join("\n"),
    )
    .join("\n");
}
