import { FORMATS } from "@psn/core/types/content.ts";
import { VISIBILITIES } from "@psn/core/types/index.ts";
import { cleaned, cleanedLine } from "@psn/domain/clean.ts";
import { isLanguage, languageMeant } from "@psn/domain/language.ts";
import { z } from "zod";

/*
 * What each value of a post may be, wherever it is written: a flag of the command line and a key of front matter pass
 * the same checks. A message goes on where the name of the flag or key ends: "title must be a text; it is empty".
 */

type Wrong = (issue: { readonly input?: unknown }) => string;

const isBlank = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  (typeof value === "string" && value.trim() === "") ||
  (Array.isArray(value) && value.length === 0);

/** What is wrong with a value that should be `what`. */
const mustBe =
  (what: string): Wrong =>
  ({ input }) => {
    if (isBlank(input)) return `must be ${what}; it is empty`;
    return Array.isArray(input) ? `must be ${what}, and not a list` : `must be ${what}`;
  };

/** Text that says something, made clean. */
const filled = (what: string, clean = cleaned) =>
  z
    .string({ error: mustBe(what) })
    .overwrite(clean)
    .regex(/\S/, { error: mustBe(what) });

const TEXT = "a text; a number or a date goes in quotes";
export const title = filled(TEXT, cleanedLine);
export const contentWarning = filled(TEXT, (text) => cleaned(text).trim());
/** An empty one says that the file has none. */
export const alt = z
  .string({ error: mustBe("a description") })
  .overwrite(cleaned)
  .regex(/^$|\S/, { error: mustBe("a description") });
export const bodyText = filled("a text");
export const when = filled("a time, such as 2026-12-01 09:00");
export const duration = filled("a duration, such as 45m or 2h");
export const zone = filled("a time zone, such as Europe/Berlin");
export const option = filled("a value");
export const format = z.enum(FORMATS, { error: `must be one of ${FORMATS.join(", ")}` });
export const visibility = z.enum(VISIBILITIES, { error: `must be one of ${VISIBILITIES.join(", ")}` });

const LANGUAGE = "a language, such as en or pt-BR";
export const language = z.string({ error: mustBe(LANGUAGE) }).refine(isLanguage, {
  error: ({ input }) => {
    const meant = typeof input === "string" ? languageMeant(input) : undefined;
    return `${mustBe(LANGUAGE)({ input })}${meant === undefined ? "" : `; did you mean ${meant}?`}`;
  },
});

/** `http://`, `//cdn`, `data:`; a drive's letter is none. */
const ADDRESS = /^\s*(?:(?:[a-z][a-z\d+.-]+:)?\/\/|(?:data|blob|mailto|magnet):)/i;
export const isAddress = (file: unknown): boolean => typeof file === "string" && ADDRESS.test(file);
export const mediaFile = z
  .string({ error: mustBe("a path") })
  .regex(/\S/, { error: mustBe("a path") })
  .refine((file) => !isAddress(file), {
    error: "is an address, and psn attaches files: download it, or write the address in the text",
  });

const NAMES = "a name or a list of names";
/** Names of accounts or platforms; one text may hold several, with commas between them. */
export const accounts = z.preprocess(
  (value) => (typeof value === "string" ? [value] : value),
  z
    .array(z.string({ error: mustBe("a name") }), { error: mustBe(NAMES) })
    .transform((names) => names.flatMap((one) => one.split(",").flatMap((name) => name.trim() || [])))
    .refine((names) => names.length > 0, { error: `must be ${NAMES}; it is empty` }),
);

export const idempotencyKey = z
  .string()
  .max(200, { error: "must have 1 to 200 characters" })
  .regex(/\S/, { error: "must have 1 to 200 characters, and not blanks alone" });

const TRUE = ["true", "yes", "y", "on", "1"];
const FALSE = ["false", "no", "n", "off", "0"];
/** True or false as YAML 1.1, YAML 1.2, people and programs write it; undefined for anything else. */
export function truth(value: unknown): boolean | undefined {
  if (typeof value !== "boolean" && typeof value !== "string" && typeof value !== "number") return undefined;
  const word = String(value).trim().toLowerCase();
  if (TRUE.includes(word)) return true;
  return FALSE.includes(word) ? false : undefined;
}
