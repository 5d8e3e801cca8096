import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * What takes longest, as the list of slowest files at the end of a run says. The first of them that needs the PDS
 * installs it, and the others come when it is there.
 */
const SLOWEST = [
  "platforms/bluesky-oauth",
  "db/stores",
  "adversary/files",
  "simulation/simulation",
  "journeys/remote",
  "trigger/wake",
  "db/embedded",
  "db/rls",
  "library/hub-verbs",
  "platforms/uploads",
  "engine/batching",
  "platforms/bluesky",
  "journeys/bluesky",
  "contract/bluesky",
  "engine/unwritable-answers",
  "cli/golden",
  "cli/advice",
  "engine/deaf-worker",
  "journeys/feed-and-webhook",
  "adversary/deputy",
  "trigger/bundle",
];

function rank({ moduleId }: TestSpecification): number {
  const at = SLOWEST.findIndex((name) => moduleId.endsWith(`/tests/${name}.test.ts`));
  return at === -1 ? SLOWEST.length : at;
}

/**
 * Starts the slowest files first, so that none of them runs alone at the end while a processor has nothing to do; the
 * rest from the largest to the smallest.
 */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((one, other) => rank(one) - rank(other));
  }
}
