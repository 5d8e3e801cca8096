import { assertDeleted, type Planned, planDeletion, type Step, stoppedDeletion, whyNot } from "@psn/app/delete-post.ts";
import { shortId } from "@psn/app/find-deliveries.ts";
import { followPost } from "@psn/app/follow-post.ts";
import { isWorking } from "@psn/app/queries/workers.ts";
import { deletion } from "@psn/app/verbs/delete.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { fitted } from "@psn/cli/list.ts";
import type { Lines, Output } from "@psn/cli/output.ts";
import { stateOf } from "@psn/cli/render.ts";
import { notePublisher } from "@psn/cli/wake.ts";
import { PsnError } from "@psn/core/errors.ts";
import { z } from "zod";

/** How far ahead another try may be for it to be waited for, in milliseconds. */
const PATIENCE_MS = 10_000;

export default defineCommand({
  name: "delete",
  summary: deletion.summary,
  details:
    "Deletes the post from every platform that has it, the last part of a thread first, after asking you. Cancels " +
    "deliveries that were not sent yet. If a platform does not remove the post, psn shows its address. A post " +
    "that is being sent can be deleted after it is published. It is safe to run the command twice.",
  examples: [
    { line: "psn delete 9f2c11aa", does: "a post from all its accounts, or a single delivery" },
    { line: "psn delete 9f2c11aa --dry-run", does: "show what would be removed, and from where" },
    { line: "psn delete 9f2c11aa --yes --json", does: "without asking" },
  ],
  args: [{ name: "<id>", help: "the id of a delivery or a post, or the end of the id", takes: { ids: ["published"] } }],
  flags: [{ flags: "--dry-run", help: "show what would be removed, and change nothing" }],
  document: deletion.output,
  schema: z.object({ id: z.string(), dryRun: z.boolean().default(false) }),
  run: async ({ id, dryRun }, context) => {
    const { output, signal, version } = context;
    const hub = await context.hub();
    const { world, user } = hub;
    const plan = await deletion.run(hub, { id, dryRun: true });
    const { deliveries } = plan;
    if (dryRun) {
      output.result(deletion.document(plan), () => [
        "would be deleted:",
        rows(output, deliveries, ({ step }) => WORDS[step]),
      ]);
      return undefined;
    }
    const changes = deliveries.filter(({ step }) => step === "remove" || step === "cancel");
    if (changes.length > 0) {
      const names = changes.map(({ delivery: { platform, handle } }) => `${platform}:${handle}`).join(", ");
      if (!(await context.prompt.confirm(`This cannot be undone. Delete this post from ${names}?`)))
        throw new PsnError("INTERRUPTED", "nothing was changed");
    }
    const asked = await deletion.run(hub, { id, dryRun }, { noReturn: context.noReturn, plan: deliveries });
    const removals = asked.deliveries.filter(({ delivery }) => delivery.operation === "remove");
    const [first] = removals;
    if (first) {
      const only = removals.map(({ delivery }) => delivery.id);
      const { postId } = first.delivery;
      const tellStored = () =>
        output.note(
          `the deletion of post ${shortId(postId)} is stored; psn finishes the request that it is sending, ` +
            "and starts no other",
        );
      if (signal.aborted) tellStored();
      else signal.addEventListener("abort", tellStored, { once: true });
      await followPost({ world, userId: user.id, postId, only, version, stop: signal, patienceMs: PATIENCE_MS });
    }
    const ended = { ...asked, deliveries: await planDeletion(world, user.id, id) };
    const tell = () =>
      output.result(deletion.document(ended), () =>
        rows(output, ended.deliveries, ({ delivery }) => stateOf(delivery)),
      );
    for (const one of deliveries) if (LEFT.includes(one.step)) output.note(`${whyNot(one)}${helps(one)}`);
    if (signal.aborted) {
      const stopped = stoppedDeletion(ended.deliveries, world.queue !== undefined || (await isWorking(world)));
      if (stopped) throw stopped;
    }
    const now = ended.deliveries.map(({ delivery }) => delivery);
    await notePublisher(output, { world, deliveries: now, woken: asked.woken });
    // With --json there is one document: the failure's, when it failed.
    if (!output.json) tell();
    assertDeleted(ended.deliveries);
    if (output.json) tell();
    return undefined;
  },
});

/** What psn leaves as it is. */
const LEFT: readonly Step[] = ["busy", "unsure", "by-hand"];

const WORDS: Readonly<Record<Step, string>> = {
  remove: "is removed",
  cancel: "was not sent; is cancelled",
  going: "psn is removing it",
  gone: "nothing of it is public",
  busy: "is being sent; delete it after it is published",
  unsure: "not confirmed whether it was published; psn resolve first",
  "by-hand": "its account is disconnected; delete it there",
};

function rows(output: Output, all: readonly Planned[], say: (one: Planned) => string): Lines {
  return fitted(output, all, [
    { head: "ID", cell: ({ delivery }) => shortId(delivery.id) },
    { head: "ACCOUNT", cell: ({ delivery: { platform, handle } }) => `${platform}:${handle}`, least: 8 },
    { head: "STATE", cell: say, least: 20, folds: true },
    { head: "ADDRESS", cell: ({ addresses }) => addresses.join(" "), least: 24, rank: 1 },
  ]);
}

function helps({ delivery: { id }, step }: Planned): string {
  if (step === "busy") return `; then: psn delete ${shortId(id)}`;
  return step === "unsure" ? `; first: psn resolve ${shortId(id)} --live URL | --not-live` : "";
}
