import { changeDeliveries, resolveDelivery } from "@psn/app/change-deliveries.ts";
import { ChangeDocument, changeDocument, MoveDocument, moveDocument } from "@psn/app/documents/change.ts";
import type { Scope } from "@psn/app/scope.ts";
import { exactWallOf, knownZone } from "@psn/domain/schedule.ts";
import { z } from "zod";
import * as inputs from "./inputs.ts";
import { type Control, defineVerb } from "./verb.ts";

const input = z.strictObject({ id: inputs.id, dryRun: inputs.dryRun });

const changing =
  (to: "cancel" | "retry") =>
  async ({ world, user }: Scope, { id, dryRun }: z.output<typeof input>, { noReturn }: Control = {}) => ({
    ...(await changeDeliveries(world, { userId: user.id, id, change: { to }, dryRun, noReturn })),
    dryRun,
  });

export const cancel = defineVerb({
  name: "cancel",
  summary: "cancel a post that is not sent yet",
  effect: "schedule",
  idempotent: true,
  input,
  output: ChangeDocument,
  run: changing("cancel"),
  document: changeDocument,
});

export const retry = defineVerb({
  name: "retry",
  summary: "send a failed, held or cancelled post again",
  effect: "publish",
  idempotent: true,
  input,
  output: ChangeDocument,
  run: changing("retry"),
  document: changeDocument,
});

export const move = defineVerb({
  name: "move",
  summary: "change the time of a scheduled post",
  effect: "schedule",
  idempotent: true,
  input: z.strictObject({
    id: inputs.id,
    due: inputs.instant,
    timeZone: inputs.timeZone.optional(),
    wallTime: inputs.wallTime,
    dryRun: inputs.dryRun,
  }),
  output: MoveDocument,
  run: async ({ world, user }, { id, due: said, dryRun, ...meant }, { noReturn }: Control = {}) => {
    const timeZone = knownZone(meant.timeZone ?? user.timeZone);
    const due = new Date(said);
    const shown = exactWallOf(Temporal.Instant.fromEpochMilliseconds(due.getTime()), timeZone);
    const { wallTime = shown } = meant;
    const change = { to: "move", at: due, wallTime: shown, timeZone, meant: wallTime } as const;
    return { ...(await changeDeliveries(world, { userId: user.id, id, change, dryRun, noReturn })), dryRun, due };
  },
  document: moveDocument,
});

export const resolve = defineVerb({
  name: "resolve",
  summary: "tell psn whether an unconfirmed post is public",
  effect: "publish",
  idempotent: false,
  input: z.strictObject({
    id: inputs.id,
    live: z
      .url({ protocol: /^https?$/, error: "must be the post's address, https://…" })
      .nullable()
      .describe("It is public, at this address; null: it is not public, and is sent again."),
    dryRun: inputs.dryRun,
  }),
  output: ChangeDocument,
  run: async ({ world, user }, { id, live, dryRun }, control: Control = {}) => ({
    ...(await resolveDelivery(world, { userId: user.id, id, live: live ?? undefined, dryRun, ...control })),
    dryRun,
  }),
  document: changeDocument,
});
