import { PsnError } from "@psn/core/errors.ts";
import { VISIBILITIES } from "@psn/core/types/index.ts";
import type { Draft, DraftMedia } from "@psn/domain/draft.ts";
import { distance } from "fastest-levenshtein";
import { isMap, isNode, isScalar, LineCounter, parseDocument } from "yaml";
import { z } from "zod";

const said = (what: string) => z.string({ error: `must be ${what}` }).refine((value) => value.trim() !== "", { error: `must be ${what}` });
const yes = z.boolean({ error: "must be true or false" });

const medium = z.union(
  [
    said("a path").transform((file): DraftMedia => ({ file })),
    z
      .strictObject({ file: said("a path"), alt: said("a description").optional() })
      .transform(({ file, alt }): DraftMedia => (alt === undefined ? { file } : { file, alt })),
  ],
  { error: "must be a path, or { file: path, alt: what is to be seen }" },
);

/** What front matter may say. */
const SHAPE = {
  to: z.union(
    [
      said("names").transform((names) =>
        names
          .split(",")
          .map((name) => name.trim())
          .filter((name) => name !== ""),
      ),
      z.array(said("a name")),
    ],
    {
      error: "must be a name or a list of names",
    },
  ),
  at: said("a time, such as 2026-12-01 09:00"),
  tz: said("a time zone, such as Europe/Berlin"),
  media: z.union([medium.transform((one) => [one]), z.array(medium)], {
    error: "must be a path, { file: path, alt: what is to be seen }, or a list of these",
  }),
  visibility: z.enum(VISIBILITIES, { error: `must be one of ${VISIBILITIES.join(", ")}` }),
  language: said("a language, such as en"),
  title: said("a text; a number or a date goes in quotes"),
  contentWarning: said("a text"),
  thread: yes,
  numbered: yes,
};
const override = z.strictObject({ text: said("a text") }, { error: "must hold text: and nothing else" });

/** Words of other programs for ours. */
const MEANT: ReadonlyMap<string, string> = new Map([
  ["cw", "contentWarning"],
  ["spoiler", "contentWarning"],
  ["lang", "language"],
  ["zone", "tz"],
  ["timezone", "tz"],
  ["images", "media"],
  ["date", "at"],
]);

export interface FrontMatter extends Pick<Draft, "to" | "at" | "tz" | "visibility" | "language" | "title" | "contentWarning"> {
  readonly media: readonly DraftMedia[];
  readonly thread?: boolean;
  readonly numbered?: boolean;
  /** By platform id, the text that platform gets. */
  readonly overrides: Readonly<Record<string, string>>;
}

/**
 * @param yaml what stands between the two `---` lines; the first of its lines is line 2 of the file.
 * @throws PsnError POST_INVALID for what is no YAML, a key psn does not know, or a value that is not of its key's form.
 */
export function readFrontMatter(yaml: string, file: string, platforms: readonly string[]): FrontMatter {
  const counter = new LineCounter();
  const document = parseDocument(yaml, { lineCounter: counter, prettyErrors: false });
  const lineOf = (offset: number) => counter.linePos(offset).line + 1;
  const [problem] = [...document.errors, ...document.warnings];
  if (problem)
    throw invalid(`${file}:${lineOf(problem.pos[0])}: the front matter is no YAML: ${problem.message}`, "quote texts that hold : or #");
  if (document.contents === null) return { media: [], overrides: {} };
  if (!isMap(document.contents)) throw invalid(`${file}:2: the front matter is no list of keys and values`, "write it like: to: bluesky");

  const known = [...Object.keys(SHAPE), ...platforms];
  for (const { key } of document.contents.items) {
    const name = isScalar(key) ? String(key.value) : "";
    if (!known.includes(name)) {
      const line = isNode(key) && key.range ? lineOf(key.range[0]) : 2;
      throw invalid(`${file}:${line}: psn does not know the key "${name}"`, nearHint(name, known));
    }
  }
  const schema = z.strictObject({ ...SHAPE, ...Object.fromEntries(platforms.map((id) => [id, override])) }).partial();
  const parsed = schema.safeParse(plain(() => document.toJS(), file));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = (issue?.path ?? []).filter((step) => typeof step !== "symbol");
    const node = document.getIn(path, true);
    const line = isNode(node) && node.range ? lineOf(node.range[0]) : 2;
    throw invalid(
      `${file}:${line}: ${path.join(".")} ${issue?.code === "unrecognized_keys" ? `does not know "${issue.keys.join(", ")}"` : issue?.message}`,
      undefined,
    );
  }
  const { media = [], to, at, tz, visibility, language, title, contentWarning, thread, numbered, ...rest } = parsed.data;
  const overrides = Object.entries(rest as Record<string, z.output<typeof override> | undefined>).flatMap(([id, own]) =>
    own ? [[id, own.text]] : [],
  );
  return {
    media,
    overrides: Object.fromEntries(overrides),
    ...given({ to, at, tz, visibility, language, title, contentWarning, thread, numbered }),
  };
}

/** Without what was not said. */
function given<Values extends object>(values: Values): { [Key in keyof Values]?: Exclude<Values[Key], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}

function plain(read: () => unknown, file: string): unknown {
  try {
    return read();
  } catch (cause) {
    throw new PsnError("POST_INVALID", `${file}:2: the front matter repeats itself without end`, {
      cause,
      hint: "write the values out instead of *names",
    });
  }
}

function nearHint(name: string, known: readonly string[]): string {
  const wanted = name.toLowerCase();
  const [near] = known.map((key) => ({ key, steps: distance(wanted, key.toLowerCase()) })).toSorted((a, b) => a.steps - b.steps);
  const meant = MEANT.get(wanted) ?? (near !== undefined && near.steps <= Math.floor((near.key.length + 1) / 3) ? near.key : undefined);
  return meant === undefined ? `it knows ${known.join(", ")}` : `did you mean ${meant}?`;
}

function invalid(message: string, hint: string | undefined): PsnError {
  return new PsnError("POST_INVALID", message, { hint: hint ?? "put the value right and try again" });
}
