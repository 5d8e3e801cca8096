import { resolveDelivery } from "@psn/app/change-deliveries.ts";
import type { RecoverFacts } from "@psn/app/documents/recover.ts";
import { shortId } from "@psn/app/find-deliveries.ts";
import type { Step } from "@psn/app/recover-hub.ts";
import { recover } from "@psn/app/verbs/recover.ts";
import { type Context, defineCommand } from "@psn/cli/command.ts";
import { fitted } from "@psn/cli/list.ts";
import { clip, type Lines, type Output } from "@psn/cli/output.ts";
import { timeIn, when } from "@psn/cli/render.ts";
import { EXIT, PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { FOUND } from "@psn/domain/incarnation.ts";
import { z } from "zod";

const WORDS: Readonly<Record<Step["becomes"], string>> = {
  published: "published",
  scheduled: "scheduled again",
  unconfirmed: "could not be confirmed",
  pending: "pending",
  ask: "is looked for",
};

export default defineCommand({
  name: "recover",
  summary: recover.summary,
  details:
    "A copy of a hub has the same posts as its original, and a hub restored from a backup does not know what was " +
    "published since the backup. Both would publish a post a second time. psn detects this, puts all posts on " +
    "hold, and refuses to publish. This command first asks you whether another copy of this hub still runs. " +
    "Then it asks each platform for the posts that are due: a post that is public counts as published, and a " +
    "post that is not public is sent. psn cannot ask webhooks and LinkedIn, so it asks you about each of " +
    "those posts. Without a terminal they become unconfirmed, for psn resolve, and the command exits " +
    "with 8. You can stop the command at any time and run it again.",
  examples: [
    { line: "psn recover --dry-run", does: "show what was found, and what would happen to each post" },
    { line: "psn recover", does: "ask you and the platforms, then publish again" },
    { line: "psn recover --yes --json", does: "in a script, if no other copy of this hub runs" },
  ],
  flags: [{ flags: "--dry-run", help: "show what was found and what would be done; contacts no platform" }],
  document: recover.output,
  schema: z.object({ dryRun: z.boolean().default(false) }),
  run: async ({ dryRun }, context) => {
    const { output, prompt, signal } = context;
    const hub = await context.hub("session", "leave");
    const { timeZone } = hub.user;
    const plan = await recover.run(hub, { alone: false, dryRun: true });
    const { found, since } = plan;
    if (found === undefined) {
      output.result(
        recover.document({ ...plan, dryRun }),
        () => "this hub was not copied or restored: nothing to recover",
      );
      return EXIT.ok;
    }
    if (!output.json)
      output.note(`${FOUND[found]}${since === null ? "" : `; psn noticed on ${when(since, timeZone)}`}`);
    if (dryRun) {
      output.result(recover.document(plan), () => lines(output, plan, timeZone));
      return EXIT.ok;
    }
    if (plan.steps.length > 0 && !output.json) output.note(lines(output, plan, timeZone));
    if (!(await prompt.confirm("Have all other copies of this hub stopped, here and on other machines?")))
      throw new PsnError(
        "INTERRUPTED",
        "nothing was changed; stop the other hub first, or keep the other one and do not use this one",
      );
    context.leaves(
      "stopped; what was settled so far stays, the rest is on hold; psn recover continues with it",
      "psn recover",
    );
    const ask = prompt.interactive ? (step: Step) => settled(step, context) : undefined;
    const done = await recover.run(hub, { alone: true, dryRun }, { plan, signal, ...defined({ ask }) });
    const { steps } = done;
    output.result(recover.document(done), () =>
      steps.length === 0 ? "no post was in doubt; psn publishes again" : lines(output, done, timeZone),
    );
    const open = steps.filter(({ becomes }) => becomes === "unconfirmed");
    if (open.length > 0)
      output.note(`only you can find out about ${open.length}: psn resolve ID --live URL | --not-live`);
    return open.length > 0 ? EXIT.unknown : EXIT.ok;
  },
});

function lines(output: Output, { steps }: RecoverFacts, timeZone: string): Lines {
  return fitted(output, steps, [
    { head: "ID", cell: ({ delivery }) => shortId(delivery.id) },
    { head: "BECOMES", cell: ({ becomes }) => WORDS[becomes], least: 9 },
    { head: "ACCOUNT", cell: ({ delivery: { platform, handle } }) => `${platform}:${handle}`, least: 8, rank: 2 },
    { head: "DUE", cell: ({ delivery }) => timeIn(output, delivery.dueAt, timeZone), rank: 1 },
    { head: "TEXT", cell: ({ delivery }) => clip(delivery.text, 30), least: 12 },
    {
      head: "WHY",
      cell: ({ becomes, why, url }) => (becomes === "published" ? (url ?? why) : why),
      least: 16,
      folds: true,
    },
  ]);
}

/** Asks the person who can look. */
async function settled(step: Step, { prompt, output, signal, hub }: Context): Promise<Step> {
  const { world, user } = await hub("session", "leave");
  const { delivery, userId, why } = step;
  output.note([
    `${delivery.platform}:${delivery.handle}, due ${when(delivery.dueAt, user.timeZone)}: "${clip(delivery.text, 60)}"`,
    `  ${why}; check ${delivery.url ?? delivery.handle}`,
  ]);
  for (;;) {
    const said = await prompt.text("Is it public? Enter its address, n for no, or nothing to decide later", "--yes");
    const live = z.url({ protocol: /^https?$/ }).safeParse(said).data;
    if (said === "") return step;
    if (live === undefined && !/^n(o)?$/i.test(said)) continue;
    const { deliveries } = await resolveDelivery(world, { userId, id: delivery.id, live, signal });
    const [now] = deliveries;
    const becomes = now?.state === "published" || now?.state === "unconfirmed" ? now.state : "scheduled";
    if (becomes !== "unconfirmed") return { ...step, becomes, why: "you said so", url: now?.url ?? null };
    output.note(`part ${(now?.unitsPublished ?? 0) + 1} of ${delivery.units} may be public too`);
  }
}
