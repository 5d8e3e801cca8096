import type { Stats } from "node:fs";
import { lstat, readdir, readFile, stat } from "node:fs/promises";
import { homedir } from "node:os";
import { basename, dirname, extname, join, resolve } from "node:path";
import { PsnError } from "@psn/core/errors.ts";
import type { Format } from "@psn/core/types/content.ts";
import { decodeText } from "@psn/domain/draft.ts";
import { distance } from "fastest-levenshtein";
import { shellWord } from "./shell-word.ts";

/*
 * Whether a text argument is the name of a file. A path that exists is never published as the words of its name, and
 * neither is what looks like a path that was mistyped. To post such a text there is --text.
 */

const kinds = (names: string) => new Set(names.split(" ").map((name) => `.${name}`));
const PLAIN = kinds("txt text");
const READ = new Set([...kinds("md markdown mdown mkd mkdn mdwn"), ...PLAIN]);
const MEDIA = kinds(
  "jpg jpeg png gif webp avif heic heif svg bmp tif tiff mp4 m4v mov webm mkv avi mp3 m4a wav ogg pdf",
);
/** Texts with signs of their own, which would be published as they stand. */
const MARKED = kinds("html htm xhtml mdx rst org adoc asciidoc tex rtf doc docx odt pages textile wiki");
/** No top-level domain: a word that ends so is no address. */
const FILES = new Set([...READ, ...MEDIA, ...MARKED].filter((kind) => kind !== ".org"));

/** More than any platform's longest text, in bytes. */
const MOST_BYTES = 10_000_000;
/** A mention, a tag, an address: no path, unless there is one. */
const ON_A_NETWORK = /^(?:[@#]|[a-z][a-z\d+.-]*:\/\/)/i;
const WORDS = "to post exactly this text: psn post --text";

/** What a file is by its name, where it does not say itself. */
export const formatOf = (name: string): Format =>
  PLAIN.has(extname(name.trim()).toLowerCase()) ? "plain" : "markdown";

export interface TextFile {
  readonly path: string;
  readonly text: string;
}

/**
 * The file this argument names, read; undefined where it is a text.
 *
 * @throws PsnError USAGE for a file of another kind, and FILE_UNREADABLE for a folder, a file that may not be read, and
 * a path that leads nowhere; DRAFT_INVALID for a file that is no text.
 */
export async function textFileNamed(argument: string, cwd: string): Promise<TextFile | undefined> {
  const name = argument.trim();
  if (name === "" || name.length > 1_000 || name.includes("\n")) return undefined;
  if (/^file:\/\//i.test(name)) throw missing(`${name} is an address`, `write the path without file://; ${WORDS}`);
  const path = resolve(cwd, name);
  const found = await stat(path).catch(() => undefined);
  if (found) return { path, text: await read(name, path, found) };
  if (name.startsWith("~") && (await isShellPath(name)))
    throw missing(
      `${name} begins with ~, which only a shell expands`,
      `write the complete path, or ~ without quotes; ${WORDS}`,
    );
  if (await lstat(path).catch(() => undefined))
    throw missing(`${name} is a link to a file that does not exist`, `check the path; ${WORDS}`);
  if (ON_A_NETWORK.test(name)) return undefined;
  const near = await nearby(path);
  if (near !== undefined && FILES.has(extname(name).toLowerCase()))
    throw missing(`${name} does not exist`, `did you mean ${join(dirname(name), near)}? ${WORDS}`);
  if (looksLikePath(name)) throw missing(`${name} does not exist`, `check the path; ${WORDS}`);
  return undefined;
}

async function read(name: string, path: string, found: Stats): Promise<string> {
  const kind = extname(name).toLowerCase();
  if (found.isDirectory()) throw missing(`${name} is a folder`, `name a file in it; ${WORDS}`);
  if (!found.isFile())
    throw missing(`${name} is not a file`, `read it from standard input: psn post - < ${shellWord(name)}`);
  if (MEDIA.has(kind)) throw usage(`${name} is not a text file`, `psn post --media ${shellWord(name)}; ${WORDS}`);
  if (MARKED.has(kind))
    throw usage(
      `${name} is a file, and psn reads no ${kind} files`,
      `save its text as .md or .txt, which psn reads; ${WORDS}`,
    );
  if (!READ.has(kind))
    throw usage(
      `${name} is a file, and psn reads .md and .txt files`,
      `to post the content of the file: psn post - < ${shellWord(name)}; ${WORDS}`,
    );
  if (found.size > MOST_BYTES)
    throw new PsnError("DRAFT_INVALID", `${name} has more than ${MOST_BYTES / 1_000_000} MB`, {
      hint: "the file is too large for a post: shorten it",
    });
  const bytes = await readFile(path).catch((cause: unknown) => {
    throw missing(`${name} cannot be read`, "check who may read it: ls -l", cause);
  });
  return decodeText(new Uint8Array(bytes), name);
}

/** A file beside the one that is not there: mistyped, with another ending, or in other letters. */
async function nearby(path: string): Promise<string | undefined> {
  const wanted = basename(path).toLowerCase();
  const names = await readdir(dirname(path)).catch((): string[] => []);
  const stem = (name: string) => name.slice(0, name.length - extname(name).length);
  return names
    .filter((name) => READ.has(extname(name).toLowerCase()))
    .map((name) => ({
      name,
      steps: stem(name.toLowerCase()) === stem(wanted) ? 0 : distance(name.toLowerCase(), wanted),
    }))
    .filter(({ steps }) => steps <= Math.min(2, wanted.length / 3))
    .toSorted((a, b) => a.steps - b.steps)[0]?.name;
}

/** One word with a file's ending, or that begins like a path. */
function looksLikePath(name: string): boolean {
  if (/\s/.test(name)) return false;
  if (/^\.\.?\//.test(name)) return true;
  // `example.com/page.html`
  const isAddress = /^[a-z\d-]+(?:\.[a-z\d-]+)*\.[a-z]{2,}\//i.test(name);
  return !isAddress && FILES.has(extname(name).toLowerCase());
}

async function isShellPath(name: string): Promise<boolean> {
  const isThere =
    name.startsWith("~/") && (await stat(join(homedir(), name.slice(2))).catch(() => undefined)) !== undefined;
  return isThere || /^~[\w.-]*\/\S+$/.test(name);
}

const usage = (message: string, hint: string) => new PsnError("USAGE", message, { hint });
const missing = (message: string, hint: string, cause?: unknown) =>
  new PsnError("FILE_UNREADABLE", message, { hint, cause });
