import { chooseAccounts } from "@psn/app/choose-accounts.ts";
import { wakeDocument } from "@psn/app/documents/change.ts";
import { deliveryDocument } from "@psn/app/documents/delivery.ts";
import { PostDocument, PostPlanDocument, previewDocument } from "@psn/app/documents/post.ts";
import { accountsOf } from "@psn/app/queries/accounts.ts";
import { deliveriesOf } from "@psn/app/queries/posts.ts";
import { type Due, type Preview, previewPost, schedulePost } from "@psn/app/schedule-post.ts";
import type { Scope } from "@psn/app/scope.ts";
import { type Woken, wakeUp } from "@psn/app/wake-up.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import { defined } from "@psn/core/types/defined.ts";
import { LATE_POLICIES } from "@psn/core/types/index.ts";
import * as fields from "@psn/domain/draft/fields.ts";
import { exactWallOf, formatInstant, knownZone } from "@psn/domain/schedule.ts";
import { z } from "zod";
import { draftOf, source } from "./draft.ts";
import * as inputs from "./inputs.ts";
import { type Control, defineVerb } from "./verb.ts";

const due = z
  .strictObject({
    at: inputs.instant,
    timeZone: inputs.timeZone.optional(),
    wallTime: inputs.wallTime,
  })
  .describe("When it goes out; absent: now.");

const written = source.extend({
  to: z
    .array(z.string())
    .default([])
    .describe("Accounts or platforms, or `all`. Not needed where there is one account."),
  due: due.optional(),
});

interface DueFacts extends Due {
  /** As a person reads it. */
  readonly said: string;
}

export interface PostFacts {
  readonly postId: string;
  readonly repeated: boolean;
  readonly due: DueFacts;
  readonly woken: Woken;
  readonly deliveries: readonly DeliverySummary[];
}

export interface PostControl extends Control {
  /** The accounts that `to` names, where the caller has found them already. */
  readonly accounts?: readonly Account[];
  /** The caller publishes it at once, so nobody else is told of it. */
  readonly publishesHere?: boolean;
}

export const post = defineVerb({
  name: "post",
  summary: "publish a post, now or at a time",
  effect: "publish",
  idempotent: false,
  input: written.extend({
    late: z
      .enum(LATE_POLICIES)
      .optional()
      .describe("What becomes of it when it can be sent only a day or more after its time; else PSN_LATE."),
    idempotencyKey: fields.idempotencyKey.optional().describe("The same key twice is one post."),
  }),
  output: PostDocument,
  run: async (scope, input, control: PostControl = {}): Promise<PostFacts> => {
    const { world, user } = scope;
    const { signal, noReturn, publishesHere = false } = control;
    const accounts = await chosen(scope, input.to, control);
    const at = dueOf(scope, input.due);
    const late = input.late ?? scope.late;
    const { postId, repeated } = await schedulePost(world, {
      userId: user.id,
      draft: await draftOf(scope, input),
      accounts,
      due: { ...at, ...defined({ late }) },
      idempotencyKey: input.idempotencyKey ?? null,
      ...defined({ signal, noReturn }),
    });
    // A post that was there before is continued too.
    noReturn?.();
    const deliveries = await deliveriesOf(scope, postId);
    const woken = await wakeUp(publishesHere ? {} : world, user.id, deliveries);
    return { postId, repeated, due: at, woken, deliveries };
  },
  document: ({ postId, repeated, due: { at, said }, woken, deliveries }) => ({
    post: postId,
    repeated,
    due: at.toISOString(),
    said,
    wake: wakeDocument(woken),
    deliveries: deliveries.map(deliveryDocument),
  }),
});

export interface PreviewFacts {
  readonly due: DueFacts;
  readonly previews: readonly Preview[];
  /** How many HTML comments of a file were left out. */
  readonly comments?: number;
  /** What was taken out of the media. */
  readonly taken?: readonly { readonly file: string; readonly taken: readonly string[] }[];
}

export const preview = defineVerb({
  name: "preview",
  summary: "what each platform would receive",
  effect: "read",
  idempotent: true,
  input: written,
  output: PostPlanDocument,
  run: async (scope, input, control: PostControl = {}): Promise<PreviewFacts> => {
    const accounts = await chosen(scope, input.to, control);
    const at = dueOf(scope, input.due);
    return { due: at, previews: await previewPost(scope.world, await draftOf(scope, input), accounts) };
  },
  document: ({ due: { at }, previews, comments = 0, taken = [] }) => ({
    dryRun: true as const,
    due: at.toISOString(),
    leftOut: { comments },
    accounts: previews.map(previewDocument),
    takenOut: taken,
  }),
});

/** The accounts that are meant. Throws what `chooseAccounts` does. */
async function chosen(scope: Scope, to: readonly string[], { accounts }: PostControl): Promise<readonly Account[]> {
  return accounts ?? chooseAccounts(await accountsOf(scope), to, scope.world.platforms.ids);
}

function dueOf({ world, user }: Scope, said: z.output<typeof due> | undefined): DueFacts {
  if (said === undefined) return { at: world.now(), wallTime: null, timeZone: null, said: "now" };
  const at = new Date(said.at);
  const timeZone = knownZone(said.timeZone ?? user.timeZone);
  const instant = Temporal.Instant.fromEpochMilliseconds(at.getTime());
  const { wallTime = exactWallOf(instant, timeZone) } = said;
  return { at, wallTime, timeZone, said: formatInstant(instant, timeZone) };
}
