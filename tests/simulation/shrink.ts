import { type Told, tellHistory } from "./history.ts";
import type { Postgres } from "./postgres.ts";
import type { Scenario } from "./scenario.ts";

/*
 * From a history that breaks something to a small one that breaks the same: leaves out one thing after the other, and
 * keeps what is left as long as it still breaks.
 */

/** The kind of what broke: its first word. */
const kindOf = (broken: string): string => broken.split(/[: ]/)[0] ?? broken;

const without = <T>(some: readonly T[], index: number): readonly T[] => some.filter((_one, at) => at !== index);

/** Everything that could be left out next, the largest first. */
function* smaller(scenario: Scenario, befallen: readonly string[]): Generator<Scenario> {
  const { posts, happenings, workers, spared, rates } = scenario;
  for (const kind of ["death", "pause", "bucket", "queue", "database", "request"] as const)
    if (rates[kind] > 0) yield { ...scenario, rates: { ...rates, [kind]: 0 } };
  // A post keeps its number, since happenings name it: one without accounts is not written.
  for (const [index, post] of posts.entries())
    if (post.accounts.length > 0)
      yield { ...scenario, posts: posts.map((one, at) => (at === index ? { ...one, accounts: [] } : one)) };
  for (const index of happenings.keys()) yield { ...scenario, happenings: without(happenings, index) };
  if (workers.length > 1) yield { ...scenario, workers: workers.slice(0, -1) };
  for (const [index, post] of posts.entries()) {
    const change = (less: Partial<typeof post>) => ({
      ...scenario,
      posts: posts.map((one, at) => (at === index ? { ...one, ...less } : one)),
    });
    if (post.accounts.length > 1)
      for (const at of post.accounts.keys()) yield change({ accounts: without(post.accounts, at) });
    if (post.accounts.length > 0 && post.parts > 1) yield change({ parts: post.parts - 1 });
    if (post.accounts.length > 0 && post.media) yield change({ media: false });
    if (post.accounts.length > 0 && post.follows) yield change({ follows: false });
    if (post.accounts.length > 0 && post.keyed) yield change({ keyed: false });
  }
  if (scenario.machines.some((ahead) => ahead !== 0)) yield { ...scenario, machines: scenario.machines.map(() => 0) };
  for (const name of befallen) if (!spared.includes(name)) yield { ...scenario, spared: [...spared, name] };
}

/** `most`: how many histories it may tell. */
export async function shrink(
  postgres: Postgres,
  failing: Told,
  most = 200,
  plant?: Parameters<typeof tellHistory>[2],
): Promise<Told> {
  const kinds = new Set(failing.broken.map(kindOf));
  let best = failing;
  let left = most;
  for (let found = true; found && left > 0; ) {
    found = false;
    for (const scenario of smaller(best.scenario, best.befallen)) {
      if (left <= 0) break;
      left -= 1;
      const told = await tellHistory(postgres, scenario, plant);
      if (!told.broken.some((one) => kinds.has(kindOf(one)))) continue;
      best = told;
      found = true;
      break;
    }
  }
  return best;
}
