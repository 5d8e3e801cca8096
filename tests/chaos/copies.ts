import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import type { Lane, Target } from "./ground.ts";
import type { Psn } from "./process.ts";
import { finish, type Judged, NotBroken, platformsOf, type Run, type Scheduled, schedule } from "./runs.ts";

/*
 * The hub's folder is copied or restored, and what was open in it has been published by another life of the hub.
 */

/** Of these psn finds out by itself what another life has published, or says that it cannot. */
const told = ({ platform }: Target) => platform !== "webhook" && platform !== "linkedin";

const wanted = (lane: Lane) =>
  lane.targets
    .filter((target) => told(target) && target.name !== "mastodon")
    .map((target) => ({ target, content: target.threads ? "thread" : "text" }) as const);

export function copyRuns(): Run[] {
  return [
    {
      breaks: "a copy of the hub beside its original",
      platform: "all",
      database: "embedded",
      go: async (lane, tag) => {
        const deliveries = await schedule(await lane.psn(), tag, wanted(lane));
        await lane.quiet();
        const copy = `${lane.folder}-${tag}`;
        clone(lane.folder, copy);
        const [original, beside] = [await lane.psn(), await lane.another({}, copy)];
        const platforms = platformsOf(deliveries);
        await Promise.all([original, beside].map((psn) => psn.work({ platforms, untilQuiet: true })));
        const judged = await finish(lane, deliveries, original);
        const worst = judged.find(({ verdict }) => verdict === "lost" || verdict === "doubled");
        return worst ? judged : recovered(lane, beside, deliveries);
      },
    },
    {
      breaks: "the hub restored from an older copy",
      platform: "all",
      database: "embedded",
      go: async (lane, tag) => {
        const first = await lane.psn();
        const deliveries = await schedule(first, tag, wanted(lane));
        await lane.quiet();
        const backup = `${lane.folder}-${tag}`;
        clone(lane.folder, backup);
        const psn = await lane.psn();
        await psn.work({ platforms: platformsOf(deliveries), untilQuiet: true });
        await lane.quiet();
        rmSync(lane.folder, { recursive: true });
        clone(backup, lane.folder);
        const restored = await lane.psn();
        await restored.work({ platforms: platformsOf(deliveries), untilQuiet: true });
        return recovered(lane, restored, deliveries);
      },
    },
  ];
}

async function recovered(lane: Lane, psn: Psn, deliveries: readonly Scheduled[]): Promise<readonly Judged[]> {
  if (!psn.troubles.some((said) => said.startsWith("HUB_COPIED"))) throw new NotBroken("psn did not notice it");
  await psn.ask({ do: "recover" });
  return finish(lane, deliveries, psn);
}

function clone(from: string, to: string): void {
  const { status, stderr } = spawnSync("cp", ["-a", from, to], { encoding: "utf8" });
  if (status !== 0) throw new NotBroken(`the hub was not copied: ${stderr}`);
}
