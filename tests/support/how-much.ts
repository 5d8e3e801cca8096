/** `check` runs less than everything (THOROUGH, IN_PART): what is left out here runs in `bun run thorough`. */
export const isShort = process.env["TESTS"] === "short";

/** All of them; in `check` every other, from the first. */
export const someOf = <T>(all: readonly T[]): T[] => all.filter((_, n) => !isShort || n % 2 === 0);

/**
 * Each of these takes most of a minute, and shows at length what others show in short. `check` leaves them out, so that
 * it takes less than eight minutes on two cores; `bun run thorough` runs them, and CI does both at every push.
 */
export const THOROUGH = [
  "tests/adversary/disk.test.ts",
  "tests/adversary/files.test.ts",
  "tests/adversary/import-settings.test.ts",
  "tests/adversary/suspended.test.ts",
  "tests/build/binary.test.ts",
  "tests/build/deploy.test.ts",
  "tests/build/install.test.ts",
  "tests/build/package.test.ts",
  "tests/build/types.test.ts",
  "tests/chaos/neighbours.test.ts",
  "tests/chaos/short.test.ts",
  "tests/cli/bad-remote.test.ts",
  "tests/cli/bucket.test.ts",
  "tests/cli/init-killed.test.ts",
  "tests/cli/stopping-any-moment.test.ts",
  "tests/cli/stopping.test.ts",
  "tests/cli/synced.test.ts",
  "tests/cli/uploads.test.ts",
  "tests/contract/toy.test.ts",
  "tests/db/durable-commit.test.ts",
  "tests/db/embedded.test.ts",
  "tests/db/first-hub.test.ts",
  "tests/db/owners.test.ts",
  "tests/db/power-cut.test.ts",
  "tests/db/prepared-fresh.test.ts",
  "tests/docs/man.test.ts",
  "tests/docs/record.test.ts",
  "tests/docs/webhook-page.test.ts",
  "tests/engine/deaf-worker.test.ts",
  "tests/engine/neon-outage.test.ts",
  "tests/engine/refused-repeats.test.ts",
  "tests/journeys/feed-and-webhook.test.ts",
  "tests/journeys/killed.test.ts",
  "tests/journeys/linkedin.test.ts",
  "tests/journeys/pooler.test.ts",
  "tests/journeys/receivers.test.ts",
  "tests/journeys/threads.test.ts",
  "tests/journeys/x-canary.test.ts",
  "tests/outages/outages.test.ts",
  "tests/recover/asking.test.ts",
  "tests/recover/copies.test.ts",
  "tests/recover/stopped.test.ts",
  "tests/service-restarts.test.ts",
  "tests/support/neon-gateway.test.ts",
  "tests/support/neon-truths.test.ts",
  "tests/support/postgres.test.ts",
  "tests/trigger/bundle.test.ts",
  "tests/trigger/burst.test.ts",
  "tests/trigger/execution.test.ts",
  "tests/trigger/wake.test.ts",
  "tests/vault/move.test.ts",
  "tests/vault/older-archive.test.ts",
  "tests/vault/refusals.test.ts",
  "tests/vault/reseal.test.ts",
  "tests/vault/rotate.test.ts",
  "tests/vault/two-hubs.test.ts",
];

/** In part in `check`, and whole in `bun run thorough`: what asks `isShort` or `someOf`. */
export const IN_PART = [
  "src/core/utils/video.test.ts",
  "src/domain/text.test.ts",
  "tests/adversary/{brakes,fair-share,locks,login,tampering,tokens}.test.ts",
  "tests/cli/{advice,canary,completion,progress}.test.ts",
  "tests/db/{earlier-hubs,rls,stores}.test.ts",
  "tests/engine/{batching,hub-trouble,lost-answers,threads,unwritable-answers}.test.ts",
  "tests/journeys/{mastodon,remote}.test.ts",
  "tests/library/hub-verbs.test.ts",
  "tests/platforms/bluesky-oauth.test.ts",
  "tests/simulation/simulation.test.ts",
];
