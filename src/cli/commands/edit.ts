import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { nameOf } from "@psn/app/choose-accounts.ts";
import type { EditFacts } from "@psn/app/documents/edit.ts";
import { editedMeanwhile } from "@psn/app/edit-post.ts";
import { shortId } from "@psn/app/find-deliveries.ts";
import { filesNamed } from "@psn/app/inline-images.ts";
import type { Scope } from "@psn/app/scope.ts";
import { edit, source } from "@psn/app/verbs/edit.ts";
import { type Context, defineCommand } from "@psn/cli/command.ts";
import { readMediaFile } from "@psn/cli/draft.ts";
import { editText } from "@psn/cli/editor.ts";
import { assertInside } from "@psn/cli/inside.ts";
import { paragraphs } from "@psn/cli/output.ts";
import { previewText } from "@psn/cli/preview.ts";
import { noteLeft } from "@psn/cli/render.ts";
import { formatOf } from "@psn/cli/text-file.ts";
import { showingUploads } from "@psn/cli/uploads.ts";
import { notePublisher } from "@psn/cli/wake.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Format } from "@psn/core/types/content.ts";
import { defined } from "@psn/core/types/defined.ts";
import { TO_COME } from "@psn/core/types/index.ts";
import { writeEnvFile } from "@psn/core/utils/env.ts";
import type { Written } from "@psn/domain/draft/write.ts";
import { type Draft, decodeText, type FileRules, parseDraft } from "@psn/domain/draft.ts";
import { z } from "zod";

const NAME = "post.md";

export default defineCommand({
  name: "edit",
  summary: edit.summary,
  details:
    "Changes its words, media and options. Opens the post as Markdown with front matter in VISUAL or EDITOR. What " +
    "is saved is checked for every account, and replaces what has not been sent; what is out, or on its way, " +
    "stays as it is and is named. A file that is not " +
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
    { name: "<id>", help: "of a post or of one of its deliveries, or its end", takes: { ids: TO_COME } },
    { name: "[source]", help: "- for standard input", takes: ["-"] },
  ],
  flags: [
    { flags: "--file <path>", help: "take this Markdown file in place of an editor" },
    { flags: "--print", help: "print the post as Markdown, and change nothing" },
    { flags: "--revision <number>", help: "only where the post has this revision, as --print --json tells it" },
    { flags: "--allow-outside", help: "take media that the file names outside of its folder" },
    { flags: "--dry-run", help: "say what would change, and change nothing" },
  ],
  document: z.union([source.output, edit.output]),
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
    const hub = await context.hub();
    const opened = await source.run(hub, { id });
    const { post, markdown } = opened;
    if (input.revision !== undefined && input.revision !== post.source.revision) throw editedMeanwhile(post);
    if (input.print) {
      output.result(source.document(opened), () => markdown.trimEnd().split("\n"));
      return undefined;
    }
    const given = await givenText(input, markdown, context);
    return keeping(given, context, async () => {
      const { platforms } = hub.world;
      // As it was printed: whatever a file cannot say stays.
      const rules = { platforms: platforms.ids, format: given.format ?? post.written.format ?? "plain" };
      const draft = given.text === markdown ? undefined : await draftOf(given, rules, input.allowOutside);
      const readMedia: Scope["readMedia"] = ({ file, alt }) =>
        readMediaFile(resolve(given.folder, file), alt, draft?.keepMetadata === true);
      const facts = await showingUploads(output, () =>
        edit.run(
          { ...hub, readMedia },
          { ...verbInput(draft ?? post.written), id, dryRun },
          { post, signal: context.signal, noReturn: context.noReturn },
        ),
      );
      output.result(edit.document(facts), () => told(facts, context));
      noteLeft(output, facts.left);
      if (facts.left.length > 0) output.note("what is out cannot be edited; of what failed: psn retry ID");
      if (facts.isOther && !dryRun)
        await notePublisher(output, {
          world: hub.world,
          deliveries: facts.changed.map(({ delivery }) => delivery),
          woken: facts.woken,
        });
      return undefined;
    });
  },
});

function told({ changed, postId, revision, isOther, dryRun }: EditFacts, { output }: Context) {
  if (!isOther) return `nothing was changed: post ${shortId(postId)} is as it was`;
  const verb = dryRun ? "would change" : "changed";
  return paragraphs([
    `${verb} ${changed.map(({ preview }) => nameOf(preview.account)).join(", ")}; revision ${revision}`,
    ...changed.map(({ preview }) => previewText(output, preview)),
  ]);
}

interface Given {
  readonly text: string;
  /** What to call it in a message. */
  readonly name: string;
  /** From where its media are read. */
  readonly folder: string;
  /** It was typed in an editor, and is nowhere else. */
  readonly typed: boolean;
  /** What a file is by its name; absent: what the post is. */
  readonly format?: Format;
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
    return {
      text: decodeText(new Uint8Array(bytes), file),
      name: file,
      folder: dirname(path),
      typed: false,
      format: formatOf(file),
    };
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

/** What the text says. Throws DRAFT_INVALID. */
async function draftOf({ text, name, folder, typed }: Given, rules: FileRules, allowOutside: boolean): Promise<Draft> {
  const draft = parseDraft(text, name, rules);
  if (draft.to !== undefined || draft.at !== undefined || draft.tz !== undefined)
    throw new PsnError(
      "DRAFT_INVALID",
      `${name}: an edit changes what a post says, and not when or where it goes out`,
      { hint: "take out to:, at: and tz:; for another time: psn move ID --at TIME" },
    );
  if (!typed && !allowOutside) await assertInside(await filesNamed(draft), folder, name);
  return draft;
}

/** A draft as the verb takes it. */
function verbInput({ parts, overrides, options, split, numbered, ...rest }: Written) {
  const { format, title, language, visibility, contentWarning } = rest;
  const listed = (some: Written["parts"]) => some.map(({ text, media }) => ({ text, media: [...media] }));
  return {
    media: [],
    parts: listed(parts),
    overrides: Object.fromEntries(Object.entries(overrides).map(([id, own]) => [id, listed(own)])),
    options: Object.fromEntries(Object.entries(options).map(([id, own]) => [id, { ...own }])),
    split,
    numbered,
    ...defined({ format, title, language, visibility, contentWarning }),
  };
}
