import { resolveDelivery } from "@psn/app/change-deliveries.ts";
import { deliveryDocument } from "@psn/app/documents/delivery.ts";
import { RecoverDocument } from "@psn/app/documents/hub.ts";
import { shortId } from "@psn/app/find-deliveries.ts";
import { partedAt, planRecovery, recoverHub, type Step, wakeRecovered } from "@psn/app/recover-hub.ts";
import { type Context, defineCommand } from "@psn/cli/command.ts";
import { clip, table } from "@psn/cli/output.ts";
import { when } from "@psn/cli/render.ts";
import { EXIT, PsnError } from "@psn/core/errors.ts";
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
  summary: "go on after the hub was copied or restored",
  details:
    "A copy of a hub has the same posts as its original, and one that was restored from a backup does not know " +
    "what was published since: both would publish a post a second time. psn notices it, holds everything, and " +
    "refuses to publish. This command first asks you whether any other copy of this hub still runs. Then it asks " +
    "each platform for the posts whose time has come; what is public counts as published, and what is not goes " +
    "out. Webhooks and LinkedIn cannot be asked: for these psn asks you, one by one. Without a terminal they " +
    "become unconfirmed, for psn resolve, and the command ends with 8. It may be stopped anywhere and run again.",
  examples: [
    { line: "psn recover --dry-run", does: "what was found, and what would become of each post" },
    { line: "psn recover", does: "asks, and goes on" },
    { line: "psn recover --yes --json", does: "for scripts; no other copy of this hub runs" },
  ],
  flags: [{ flags: "--dry-run", help: "say what was found and what would be done; asks no platform" }],
  document: RecoverDocument,
  schema: z.object({ dryRun: z.boolean().default(false) }),
  run: async ({ dryRun }, context) => {
    const { output, prompt, signal } = context;
    const { world, user, folder, notes, parted: why } = await context.hub("session", "leave");
    if (why === undefined) {
      output.result(
        { found: null, since: null, dryRun, deliveries: [] },
        () => "this hub is the one it was: nothing to recover",
      );
      return EXIT.ok;
    }
    const since = await partedAt(world);
    const { usersOf } = await import("@psn/wiring/users.ts");
    const users = await usersOf(folder, user.id);
    const plan = await planRecovery({ world, users });
    const document = (steps: readonly Step[]) => ({
      found: why,
      since: since?.toISOString() ?? null,
      dryRun,
      deliveries: steps.map(({ delivery, becomes, why: because, url }) => ({
        ...deliveryDocument(delivery),
        becomes,
        why: because,
        url,
      })),
    });
    const lines = (steps: readonly Step[]) =>
      table(
        steps.map(({ delivery, becomes, why: because, url }) => [
          shortId(delivery.id),
          WORDS[becomes],
          `${delivery.platform}:${delivery.handle}`,
          when(delivery.dueAt, user.timeZone),
          clip(delivery.text, 30),
          becomes === "published" && url !== null ? url : because,
        ]),
      );
    if (!output.json)
      output.note(`${FOUND[why]}${since === null ? "" : `; psn noticed on ${when(since, user.timeZone)}`}`);
    if (dryRun) {
      output.result(document(plan), () => lines(plan));
      return EXIT.ok;
    }
    if (plan.length > 0 && !output.json) output.note(lines(plan));
    if (!(await prompt.confirm("Does no other copy of this hub run any more, neither here nor on another machine?")))
      throw new PsnError(
        "INTERRUPTED",
        "nothing was changed; stop the other hub first, or go on there and leave this one",
      );
    context.leaves(
      "stopped; what was settled so far stays, the rest is held, and psn recover goes on with it",
      "psn recover",
    );
    const steps: Step[] = [];
    const onStep = async (step: Step) =>
      void steps.push(step.becomes === "unconfirmed" && prompt.interactive ? await settled(step, context) : step);
    await recoverHub({ world, notes, users, signal, onStep });
    await wakeRecovered(world, users);
    output.result(document(steps), () => (steps.length === 0 ? "nothing was open; psn publishes again" : lines(steps)));
    const open = steps.filter(({ becomes }) => becomes === "unconfirmed");
    if (open.length > 0)
      output.note(`nobody but you can tell of ${open.length}: psn resolve ID --live URL | --not-live`);
    return open.length > 0 ? EXIT.unknown : EXIT.ok;
  },
});

/** Asks the person who can look. */
async function settled(step: Step, { prompt, output, signal, hub }: Context): Promise<Step> {
  const { world, user } = await hub("session", "leave");
  const { delivery, userId, why } = step;
  output.note([
    `${delivery.platform}:${delivery.handle}, due ${when(delivery.dueAt, user.timeZone)}: "${clip(delivery.text, 60)}"`,
    `  ${why}; look there: ${delivery.url ?? delivery.handle}`,
  ]);
  for (;;) {
    const said = await prompt.text("Is it public? Its address, n for no, or nothing to say it later", "--yes");
    const live = z.url({ protocol: /^https?$/ }).safeParse(said).data;
    if (said === "") return step;
    if (live === undefined && !/^n(o)?$/i.test(said)) continue;
    const { deliveries } = await resolveDelivery(world, userId, delivery.id, live, { signal });
    const [now] = deliveries;
    const becomes = now?.state === "published" || now?.state === "unconfirmed" ? now.state : "scheduled";
    if (becomes !== "unconfirmed") return { ...step, becomes, why: "you said so", url: now?.url ?? null };
    output.note(`part ${(now?.unitsPublished ?? 0) + 1} of ${delivery.units} may be public too`);
  }
}
