import { chooseAccounts, nameOf } from "@psn/app/choose-accounts.ts";
import { shortId } from "@psn/app/find-deliveries.ts";
import { assertOutcome, followPost, progressKey, stoppedPost } from "@psn/app/follow-post.ts";
import { accountsOf } from "@psn/app/queries/accounts.ts";
import { isWorking } from "@psn/app/queries/workers.ts";
import { assertValid } from "@psn/app/schedule-post.ts";
import type { Scope } from "@psn/app/scope.ts";
import { post, preview } from "@psn/app/verbs/post.ts";
import { wakeUp } from "@psn/app/wake-up.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { optionsOfPlatforms } from "@psn/cli/completion/options.ts";
import { readDraft } from "@psn/cli/draft.ts";
import { draftForVerb } from "@psn/cli/draft-input.ts";
import { type Output, paragraphs } from "@psn/cli/output.ts";
import { previewText } from "@psn/cli/preview.ts";
import { deliveryTable, nextWords, stateWord, when } from "@psn/cli/render.ts";
import { showingUploads } from "@psn/cli/uploads.ts";
import { notePublisher } from "@psn/cli/wake.ts";
import { dueInput, dueOf, TIME_FLAGS, timeSchema } from "@psn/cli/when.ts";
import { EXIT, PsnError } from "@psn/core/errors.ts";
import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import { defined } from "@psn/core/types/defined.ts";
import { LATE_POLICIES, VISIBILITIES } from "@psn/core/types/index.ts";
import { TERMINAL } from "@psn/domain/delivery.ts";
import * as fields from "@psn/domain/draft/fields.ts";
import { z } from "zod";

const list = z.array(z.string()).default([]);

/** How long a pause may be for `psn post` to wait for its end without `--wait`, in milliseconds. */
const PATIENCE_MS = 5 * 60_000;

export default defineCommand({
  name: "post",
  summary: "publish a post, now or at a time",
  details:
    "Without a time psn publishes the post now and waits until it is published; if a platform asks for a pause of " +
    "more than five minutes, a worker publishes it later. With a time psn stores the post, and a worker " +
    "publishes it when it is due; with --wait this command publishes it. Using the same --idempotency-key " +
    "twice creates one post. Ctrl-C before the post is stored stores nothing; afterwards psn finishes the " +
    "request that it is sending, starts no other, and says what is stored and how to cancel it. Empty " +
    "standard input is never a post. Text from a pipe must end with a line break, so that psn notices " +
    "text that was cut off (psn help files).",
  examples: [
    { line: 'psn post "hello, world" --to bluesky', does: "now" },
    { line: 'psn post "good morning" --to all --at "tomorrow 9am"', does: "to every account, tomorrow" },
    {
      line: 'psn post "look" --to feed --media cat.jpg --alt "a sleeping cat"',
      does: "with an image and its description",
    },
    { line: 'psn post "news" --to x --option x.reply=following', does: "only accounts that you follow can reply" },
    { line: "psn post launch.md --dry-run", does: "show what each platform would receive, and send nothing" },
    { line: "git log -1 --format=%B | psn post - --to feed --json", does: "in a script" },
  ],
  args: [
    {
      name: "[text-or-file]",
      help: "the text; a text file (.md, .txt; psn help files); or - for standard input",
      anyText: true,
      takes: "file",
    },
  ],
  flags: [
    {
      flags: "--to <accounts>",
      help:
        "accounts or platforms, separated by commas or in several --to; all means every account; not needed if " +
        "you have one account",
      many: true,
      takes: "accounts",
    },
    ...TIME_FLAGS,
    { flags: "--text <text>", help: "the text exactly as typed, even if a file has this name" },
    { flags: "--media <file>", help: "an image, a video or a PDF; repeat it for each file, in order", many: true },
    { flags: "--alt <text>", help: "the description of a media file; repeat it in the same order", many: true },
    {
      flags: "--keep-metadata",
      help: "keep position, serial numbers, names and comments in the media; by default psn removes them",
    },
    {
      flags: "--option <option>",
      help: "an option of one platform, such as x.reply=following; see docs/platforms.md",
      many: true,
      takes: optionsOfPlatforms,
    },
    {
      flags: "--late <policy>",
      help:
        `what to do if the post can be sent only a day or more after its time: ${LATE_POLICIES.join(", ")}; ` +
        `default: PSN_LATE`,
      takes: LATE_POLICIES,
    },
    { flags: "--allow-outside", help: "allow media outside of the file's folder in front matter" },
    { flags: "--allow-partial", help: "with -: accept text from a pipe that does not end with a line break" },
    { flags: "--split", help: "split a text that is too long into a thread" },
    { flags: "--numbered", help: "number the parts of a thread" },
    { flags: "--visibility <who>", help: `${VISIBILITIES.join(", ")}`, takes: VISIBILITIES },
    {
      flags: "--content-warning <text>",
      help: "a content warning, shown instead of the post until the reader opens it",
    },
    { flags: "--title <text>", help: "a title, for platforms that have titles" },
    { flags: "--language <tag>", help: "language of the text, as BCP 47: en, pt-BR" },
    { flags: "--dry-run", help: "check the post and show it; no network, nothing is stored" },
    { flags: "--wait", help: "wait, and publish it with this command when it is due" },
    { flags: "--no-wait", help: "without a time: do not wait; store it as due now, and let a worker publish it" },
    { flags: "--idempotency-key <key>", help: "using the same key twice creates one post" },
  ],
  document: z.union([post.output, preview.output]),
  schema: timeSchema.extend({
    "text-or-file": z.string().optional(),
    text: z.string().optional(),
    to: fields.accounts.default([]),
    media: z.array(fields.mediaFile).default([]),
    alt: z.array(fields.alt).default([]),
    option: list,
    allowOutside: z.boolean().default(false),
    keepMetadata: z.boolean().default(false),
    allowPartial: z.boolean().default(false),
    split: z.boolean().default(false),
    numbered: z.boolean().default(false),
    visibility: fields.visibility.optional(),
    late: z.enum(LATE_POLICIES, { error: `must be one of ${LATE_POLICIES.join(", ")}` }).optional(),
    contentWarning: fields.contentWarning.optional(),
    title: fields.title.optional(),
    language: fields.language.optional(),
    dryRun: z.boolean().default(false),
    wait: z.boolean().optional(),
    idempotencyKey: fields.idempotencyKey.optional(),
  }),
  run: async (input, context) => {
    const { output, signal, version } = context;
    const { draft, comments, nothingPiped, to, at, tz, taken } = await readDraft(
      { ...input, source: input["text-or-file"] },
      context,
    );
    const hub = await context.hub("once", input.dryRun ? "tell" : "refuse");
    const { world, user } = hub;
    const names = input.to.length > 0 ? input.to : to;
    const accounts = chooseAccounts(await accountsOf(hub), names, world.platforms.ids);
    if (nothingPiped)
      throw new PsnError(
        "POST_INVALID",
        `standard input is empty, so there is nothing to post to ${accounts.map(nameOf).join(", ")}`,
        {
          hint: "pipe a text into psn post -; to post only media, omit the -",
        },
      );
    const idle = input.option
      .map((option) => option.split(".")[0])
      .find((id) => !accounts.some(({ platform }) => platform === id));
    if (idle !== undefined)
      throw new PsnError("USAGE", `an option is for ${idle}, but the post does not go to ${idle}`, {
        hint: world.platforms.ids.includes(idle)
          ? `add ${idle} to --to, or omit the option`
          : `platforms are ${world.platforms.ids.join(", ")}`,
      });
    const time = { at: input.at ?? (input.in === undefined ? at : undefined), in: input.in, tz: input.tz ?? tz };
    const now = time.at === undefined && time.in === undefined;
    const due = now ? undefined : dueOf(time, user.timeZone, context.now());
    const { input: source, readMedia } = draftForVerb(draft);
    const scope: Scope = { ...hub, readMedia };
    const wanted = { ...source, to: [...names], due: due && dueInput(due) };

    if (input.dryRun) {
      const found = await preview.run(scope, wanted, { accounts });
      const { previews } = found;
      const leftOut = comments === 0 ? [] : [`left out ${comments} HTML comment${comments === 1 ? "" : "s"}`];
      const tellPreviews = () =>
        output.result(preview.document({ ...found, comments, taken }), () =>
          paragraphs([
            ...(due ? [`due ${due.said}`] : []),
            ...leftOut,
            ...(taken.length > 0 ? [taken.map((one) => `removed from ${one.file}: ${one.taken.join(", ")}`)] : []),
            ...previews.map((one) => previewText(output, one)),
          ]),
        );
      // With --json there is one document: the failure's, when it failed.
      if (!output.json) tellPreviews();
      assertValid(previews);
      if (output.json) tellPreviews();
      return EXIT.ok;
    }

    const waits = input.wait ?? now;
    const { late, idempotencyKey } = input;
    // What goes out from here at once needs nobody else; should this process die, a worker or the watchdog finds it.
    const publishesHere = waits && now;
    const files = draft.parts.flatMap(({ media }) => media);
    const stored = await showingUploads(
      output,
      () =>
        post.run(
          scope,
          { ...wanted, late, idempotencyKey },
          { signal, noReturn: context.noReturn, accounts, publishesHere },
        ),
      files.reduce((sum, { bytes }) => sum + bytes, 0),
    );
    const { postId, repeated } = stored;
    const head = repeated ? " (this key was used before; nothing new was written)" : due ? `, due ${due.said}` : "";
    const tell = (deliveries: readonly DeliverySummary[]) =>
      output.result(post.document({ ...stored, deliveries }), () => [
        `post ${shortId(postId)}${head}`,
        deliveryTable(output, deliveries, user.timeZone),
      ]);
    if (!waits) {
      tell(stored.deliveries);
      await notePublisher(output, { world, deliveries: stored.deliveries, woken: stored.woken });
      return EXIT.ok;
    }
    const tellStored = () =>
      output.note(
        `post ${shortId(postId)} is stored; psn finishes the request that it is sending, and starts no other`,
      );
    if (signal.aborted) tellStored();
    else signal.addEventListener("abort", tellStored, { once: true });
    const goesOn = world.queue !== undefined || (await isWorking(world));
    const ended = await showingUploads(output, () =>
      followPost({
        world,
        userId: user.id,
        postId,
        version,
        stop: signal,
        ...defined({ patienceMs: input.wait ? undefined : PATIENCE_MS }),
        onProgress: progressOf(output, user.timeZone, goesOn),
      }),
    );
    // With --json there is one document: the failure's, when it failed.
    if (!output.json) tell(ended);
    const stopped = signal.aborted ? stoppedPost(ended, (at) => when(at, user.timeZone), goesOn) : undefined;
    if (stopped) throw stopped;
    // A worker publishes what is not published when this command has ended.
    if (ended.some(({ state, health }) => state === "scheduled" && health === "ok"))
      await notePublisher(output, { world, deliveries: ended, woken: await wakeUp(world, user.id, ended) });
    assertOutcome(ended);
    if (output.json) tell(ended);
    return EXIT.ok;
  },
});

/**
 * One line for each change. Where stderr is no terminal only for what a person may wonder about: another try, a missing
 * answer, a platform that works on it, one account of several. There, what goes smoothly is told by the result alone.
 */
function progressOf(output: Output, zone: string, goesOn: boolean): (deliveries: readonly DeliverySummary[]) => void {
  const told = new Map<string, string>();
  const leave = goesOn ? "after Ctrl-C the worker publishes it" : "after Ctrl-C the post waits until psn worker runs";
  return (deliveries) => {
    for (const delivery of deliveries) {
      const { id, platform, handle, state, code, message, units, unitsPublished, atWork } = delivery;
      const key = progressKey(delivery);
      if (told.get(id) === key) continue;
      const isFirst = !told.has(id);
      told.set(id, key);
      const hasEnded = TERMINAL.has(state);
      // The account that ends last is told by the result.
      const isSmooth = hasEnded
        ? isFirst || deliveries.every((one) => TERMINAL.has(one.state))
        : code === null && state !== "pending" && unitsPublished === 0;
      if (isSmooth && !output.interactive) continue;
      const next = hasEnded ? undefined : nextWords(delivery, zone);
      const count = units > 1 ? ` ${unitsPublished}/${units}` : "";
      const why = code === null || atWork ? "" : ` (${code}: ${message})`;
      const words = [`${stateWord(output, delivery)}${count}${why}`, ...(next === undefined ? [] : [next, leave])];
      output.note(`${platform}:${handle}  ${words.join("; ")}`);
    }
  };
}
