import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { nameOf } from "@psn/app/choose-accounts.ts";
import { wakeDocument } from "@psn/app/documents/change.ts";
import { deliveryDocument } from "@psn/app/documents/delivery.ts";
import { EditDocument, SourceDocument } from "@psn/app/documents/edit.ts";
import { previewDocument } from "@psn/app/documents/post.ts";
import {
  type EditPlan,
  editedMeanwhile,
  editPost,
  isSame,
  isStored,
  type OpenPost,
  openPost,
  planEdit,
  storedMedia,
} from "@psn/app/edit-post.ts";
import { shortId } from "@psn/app/find-deliveries.ts";
import type { DraftParts, DraftPost } from "@psn/app/schedule-post.ts";
import { NOBODY_WOKEN } from "@psn/app/wake-up.ts";
import { type Context, defineCommand } from "@psn/cli/command.ts";
import { readMediaFile } from "@psn/cli/draft.ts";
import { editText } from "@psn/cli/editor.ts";
import { assertInside } from "@psn/cli/inside.ts";
import { paragraphs } from "@psn/cli/output.ts";
import { previewText } from "@psn/cli/preview.ts";
import { noteLeft } from "@psn/cli/render.ts";
import { notePublisher } from "@psn/cli/wake.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { NewMedia } from "@psn/core/ports/posts.ts";
import { writeEnvFile } from "@psn/core/utils/env.ts";
import { writeDraft } from "@psn/domain/draft/write.ts";
import { type Draft, type DraftMedia, decodeText, parseDraft } from "@psn/domain/draft.ts";
import type { Hub } from "@psn/wiring/hub.ts";
import { z } from "zod";

const NAME = "post.md";

export default defineCommand({
  name: "edit",
  summary: "change the words, media and options of a post that is still to come",
  details:
    "Opens the post as Markdown with front matter in VISUAL or EDITOR. What is saved is checked for every account, " +
    "and replaces what has not been sent; what is out, or on its way, stays as it is and is named. A file that is not " +
    "changed, and an editor that ends with an error, change nothing. Where somebody else has edited the post " +
    "meanwhile nothing is changed, and psn says so. When it goes out is not in the file (psn move), and where is " +
    "not either. Media that the post has are named by psn: and an id; the path of a file adds one.",
  examples: [
    { line: "psn edit 9f2c11aa", does: "in your editor" },
    { line: "psn edit 9f2c11aa --print > post.md", does: "the post as Markdown" },
    { line: "psn edit 9f2c11aa --file post.md --dry-run", does: "what each account would receive, and what stays" },
    { line: "psn edit 9f2c11aa - < post.md", does: "from standard input" },
  ],
  args: [
    { name: "<id>", help: "of a post or of one of its deliveries, or its end" },
    { name: "[source]", help: "- for standard input" },
  ],
  flags: [
    { flags: "--file <path>", help: "take this Markdown file in place of an editor" },
    { flags: "--print", help: "print the post as Markdown, and change nothing" },
    { flags: "--revision <number>", help: "only where the post has this revision, as --print --json tells it" },
    { flags: "--allow-outside", help: "take media that the file names outside of its folder" },
    { flags: "--dry-run", help: "say what would change, and change nothing" },
  ],
  document: z.union([SourceDocument, EditDocument]),
  schema: z.object({
    id: z.string(),
    source: z.literal("-", { error: "must be - for standard input; a file goes with --file" }).optional(),
    file: z.string().optional(),
    print: z.boolean().default(false),
    revision: z.coerce.number({ error: "must be a number" }).int().min(1).optional(),
    allowOutside: z.boolean().default(false),
    dryRun: z.boolean().default(false),
  }),
  run: async (input, context) => {
    const { output } = context;
    const { id, dryRun } = input;
    const { world, user } = await context.hub();
    const post = await openPost(world, user.id, id);
    const { postId, revision } = post.source;
    if (input.revision !== undefined && input.revision !== revision) throw editedMeanwhile(post);
    const { platformIds } = await import("@psn/platforms/index.ts");
    const before = markdownOf(post, platformIds);
    if (input.print) {
      output.result({ post: postId, revision, markdown: before }, () => before.trimEnd().split("\n"));
      return undefined;
    }
    const given = await givenText(input, before, context);
    const unchanged = () => {
      const wake = wakeDocument(NOBODY_WOKEN);
      const none = { deliveries: [], accounts: [], left: [] };
      const document = { dryRun, post: postId, revision, changed: false, wake, ...none };
      output.result(document, () => `nothing was changed: post ${shortId(postId)} is as it was`);
      return undefined;
    };
    if (given.text === before) return unchanged();
    return keeping(given, context, async () => {
      const draft = await resolved(given, { world, userId: user.id, post, platformIds, ...input });
      if (draft === undefined) return unchanged();
      const edited = dryRun ? undefined : await editPost(world, user.id, post, draft, context);
      const plan = edited ?? (await planEdit(world, user.id, post, draft));
      const after = dryRun ? [] : await world.stores.posts.ofPost(user.id, postId);
      const changed = plan.changed.map(({ delivery }) => after.find((one) => one.id === delivery.id) ?? delivery);
      const woken = edited?.woken;
      output.result(
        {
          dryRun,
          post: postId,
          revision: plan.revision,
          changed: true,
          wake: wakeDocument(woken ?? NOBODY_WOKEN),
          deliveries: changed.map(deliveryDocument),
          accounts: plan.changed.map(({ preview }) => previewDocument(preview)),
          left: plan.left.map(deliveryDocument),
        },
        () => told(plan, dryRun, context),
      );
      noteLeft(output, plan.left);
      if (plan.left.length > 0) output.note("what is out cannot be edited; of what failed: psn retry ID");
      if (woken) await notePublisher(output, world, changed, woken);
      return undefined;
    });
  },
});

function told({ changed, revision }: EditPlan, dryRun: boolean, { output }: Context) {
  const verb = dryRun ? "would change" : "changed";
  return paragraphs([
    `${verb} ${changed.map(({ preview }) => nameOf(preview.account)).join(", ")}; revision ${revision}`,
    ...changed.map(({ preview }) => previewText(output, preview)),
  ]);
}

function markdownOf({ source, written }: OpenPost, platforms: readonly string[]): string {
  const about = ({ file }: DraftMedia) => {
    const found = source.media.find(({ id }) => file.endsWith(id));
    if (!found) return undefined;
    const size = found.width === undefined ? "" : `, ${found.width} x ${found.height}`;
    return `${found.mime}${size}, ${found.bytes} bytes`;
  };
  const head = source.options === null ? ["An older psn wrote this post, and kept none of its options."] : [];
  return writeDraft(written, { platforms, about, head });
}

interface Given {
  readonly text: string;
  /** What to call it in a message. */
  readonly name: string;
  /** From where its media are read. */
  readonly folder: string;
  /** It was typed in an editor, and is nowhere else. */
  readonly typed: boolean;
}

async function givenText(
  { id, file, source }: { readonly id: string; readonly file?: string | undefined; readonly source?: "-" | undefined },
  before: string,
  context: Context,
): Promise<Given> {
  const { cwd, stdin } = context;
  if (file !== undefined && source !== undefined)
    throw new PsnError("USAGE", "the text is given twice: by --file and as -", { hint: "leave one of them out" });
  if (source === "-" || file === "-")
    return { text: decodeText(await stdin(), "standard input"), name: "standard input", folder: cwd, typed: false };
  if (file !== undefined) {
    const path = resolve(cwd, file);
    const bytes = await readFile(path).catch((cause: unknown) => {
      throw new PsnError("FILE_UNREADABLE", `${file} cannot be read`, { hint: "check the path", cause });
    });
    return { text: decodeText(new Uint8Array(bytes), file), name: file, folder: dirname(path), typed: false };
  }
  const text = await editText({ text: before, name: NAME, command: `psn edit ${id}` }, context);
  return { text, name: NAME, folder: cwd, typed: true };
}

/** What was typed is not lost when it cannot be used. */
async function keeping<T>({ text, typed }: Given, { folder }: Context, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!typed || !(error instanceof PsnError)) throw error;
    const path = join(await folder(), "config", `refused.${NAME}`);
    writeEnvFile(path, text);
    throw new PsnError(error.code, error.message, {
      cause: error,
      details: error.details,
      hint: `${error.hint === undefined ? "" : `${error.hint}; `}what you wrote is kept in ${path}`,
    });
  }
}

interface Resolving extends Pick<Hub, "world"> {
  readonly userId: string;
  readonly post: OpenPost;
  readonly platformIds: readonly string[];
  readonly allowOutside: boolean;
}

/** The draft with its media; undefined where it says what the post says already. */
async function resolved(
  { text, name, folder, typed }: Given,
  { world, userId, post, platformIds, allowOutside }: Resolving,
): Promise<DraftPost | undefined> {
  const draft = parseDraft(text, name, platformIds);
  if (draft.to !== undefined || draft.at !== undefined || draft.tz !== undefined)
    throw new PsnError("POST_INVALID", `${name}: an edit changes what a post says, and not when or where it goes out`, {
      hint: "take out to:, at: and tz:; for another time: psn move ID --at TIME",
    });
  if (isSame(draft, post.written)) return undefined;
  if (!typed && !allowOutside) await assertInside(draft, folder, name);
  const files = new Map<string, Promise<NewMedia>>();
  const load = (medium: DraftMedia) => {
    const key = JSON.stringify([medium.file, medium.alt]);
    const found = files.get(key) ?? read(medium);
    files.set(key, found);
    return found;
  };
  const read = (medium: DraftMedia) =>
    isStored(medium.file)
      ? storedMedia(world, userId, post.source, medium)
      : readMediaFile(resolve(folder, medium.file), medium.alt, draft.keepMetadata === true);
  const partsOf = async ([first, ...others]: Draft["parts"]): Promise<DraftParts> => {
    const one = async (part: Draft["parts"][number]) => ({
      text: part.text,
      media: await Promise.all(part.media.map(load)),
    });
    return [await one(first), ...(await Promise.all(others.map(one)))];
  };
  const overrides = await Promise.all(
    Object.entries(draft.overrides).map(async ([id, own]) => [id, await partsOf(own)] as const),
  );
  const { options, title, language, visibility, contentWarning, split, numbered } = draft;
  return {
    parts: await partsOf(draft.parts),
    overrides: Object.fromEntries(overrides),
    options,
    split,
    numbered,
    ...(title === undefined ? {} : { title }),
    ...(language === undefined ? {} : { language }),
    ...(visibility === undefined ? {} : { visibility }),
    ...(contentWarning === undefined ? {} : { contentWarning }),
  };
}
