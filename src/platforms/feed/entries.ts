import { createHash, randomUUID } from "node:crypto";
import { link, readdir, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PsnError } from "@psn/core/errors.ts";
import type { Owner } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import { z } from "zod";
import { exists, ignore, makeFolders, OWN_FOLDER, readText, removeFile, syncFolder, writeAtomically } from "./files.ts";

const SETTINGS = `${OWN_FOLDER}/settings.json`;
const KEY = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const Settings = z.object({ id: z.uuid(), title: z.string(), url: z.string(), created: z.iso.datetime() });
/** What the feed is, apart from its entries. `url` is where the folder is served, with a `/` at its end, or empty. */
export type Settings = Readonly<z.infer<typeof Settings>>;

const EntryMedia = z.object({
  file: z.string().regex(/^media\/[0-9a-f]{16}\.[a-z]+$/),
  mime: z.string(),
  bytes: z.number(),
  width: z.number().optional(),
  height: z.number().optional(),
  alt: z.string().optional(),
});
const Entry = z.object({
  key: z.string().regex(KEY),
  published: z.iso.datetime(),
  // `html`: of a text in Markdown; an image in it has the address `cid:` and its file's name.
  parts: z.array(z.object({ text: z.string(), html: z.string().optional(), media: z.array(EntryMedia) })).min(1),
  language: z.string().optional(),
  contentWarning: z.string().optional(),
  title: z.string().optional(),
});
/** One published post. Its file is the truth; feed, Atom and page are made from it. */
export type Entry = Readonly<z.infer<typeof Entry>>;
export type EntryMedia = Readonly<z.infer<typeof EntryMedia>>;

/** Undefined in a folder that holds no feed. */
export async function readSettings(root: string): Promise<Settings | undefined> {
  const text = await readText(root, SETTINGS);
  return text === undefined ? undefined : parsed(text, Settings, SETTINGS);
}

/** The settings that hold from now on. Of two processes that begin a feed in one folder, both get the same id. */
export async function saveSettings(root: string, wanted: Omit<Settings, "id">): Promise<Settings> {
  await makeFolders(join(root, OWN_FOLDER));
  // A feed may lie in a repository; what is for psn alone does not belong into it.
  await writeFile(join(root, OWN_FOLDER, ".gitignore"), "*\n", { flag: "wx", flush: true }).catch(ignore("EEXIST"));
  let current = await readSettings(root);
  if (!current) {
    // A link, unlike a rename, never replaces the id another process has just chosen.
    const temporary = join(root, OWN_FOLDER, `${randomUUID()}.tmp`);
    await writeFile(temporary, written({ id: randomUUID(), ...wanted }), { flush: true });
    await link(temporary, join(root, SETTINGS)).catch(ignore("EEXIST"));
    await rm(temporary);
    await syncFolder(join(root, OWN_FOLDER));
    current = await readSettings(root);
  }
  if (!current) throw new PsnError("FILE_UNREADABLE", "the feed's settings were deleted while psn wrote them");
  const settings = { ...current, title: wanted.title, url: wanted.url };
  if (written(settings) !== written(current)) await writeAtomically(root, SETTINGS, written(settings));
  return settings;
}

const OWNER = `${OWN_FOLDER}/owner`;

/** Whose feed this is, in a form that tells nobody the user's id: the folder is served. */
const ownerOf = ({ id }: Settings, { userId }: Owner) => createHash("sha256").update(`${id} ${userId}`).digest("hex");

/**
 * Whether this feed is this user's. One that is nobody's yet, made by an earlier psn or just now, becomes this user's
 * where `adopt` says so: of two who come at the same time, only the first has it.
 */
export async function isOwned(
  root: string,
  { settings, owner, adopt }: { readonly settings: Settings; readonly owner: Owner; readonly adopt: boolean },
): Promise<boolean> {
  const own = `${ownerOf(settings, owner)}\n`;
  if (adopt && !(await exists(root, OWNER))) {
    const temporary = join(root, OWN_FOLDER, `${randomUUID()}.tmp`);
    await writeFile(temporary, own, { flush: true });
    await link(temporary, join(root, OWNER)).catch(ignore("EEXIST"));
    await rm(temporary);
    await syncFolder(join(root, OWN_FOLDER));
  }
  return (await readText(root, OWNER)) === own;
}

/** Whether the feed is this user's or nobody's yet. Writes nothing. */
export async function mayOwn(root: string, settings: Settings, owner: Owner): Promise<boolean> {
  return !(await exists(root, OWNER)) || isOwned(root, { settings, owner, adopt: false });
}

/** Keys of all entries, in one order. */
export async function entryKeys(root: string): Promise<readonly string[]> {
  const names = (await readdir(join(root, "entries")).catch(ignore("ENOENT"))) ?? [];
  return names
    .flatMap((name) => (name.endsWith(".json") && isKey(name.slice(0, -5)) ? [name.slice(0, -5)] : []))
    .sort();
}

/** Undefined when there is none, or none any more. */
export async function readEntry(root: string, key: string): Promise<Entry | undefined> {
  const path = pathOf(key);
  const text = await readText(root, path);
  return text === undefined ? undefined : parsed(text, Entry, path);
}

/** The commit point of a publish: before it there is no post, after it there is one. */
export async function writeEntry(root: string, entry: Entry): Promise<void> {
  await writeAtomically(root, pathOf(entry.key), written(entry));
}

export async function removeEntry(root: string, key: string): Promise<void> {
  await removeFile(root, pathOf(key));
}

/** A unit's key is a file name here, so it is nothing but a UUID. */
function isKey(text: string): boolean {
  return KEY.test(text);
}

export const EXTENSIONS: Readonly<Record<string, string>> = {
  "image/jpeg": "jpg",
  "image/png": "png",
  "image/webp": "webp",
  "image/gif": "gif",
  "image/avif": "avif",
};

export interface Kept {
  readonly file: string;
  readonly content: Uint8Array;
}

/** Reads a media file and names it after its content, so that the same picture is kept once. */
export async function readMedia(media: Media): Promise<Kept> {
  const content = new Uint8Array(await (await media.open()).arrayBuffer());
  const name = createHash("sha256").update(content).digest("hex").slice(0, 16);
  return { file: `media/${name}.${EXTENSIONS[media.mime] ?? "bin"}`, content };
}

export async function keepMedia(root: string, files: readonly Kept[]): Promise<void> {
  for (const { file, content } of files) if (!(await exists(root, file))) await writeAtomically(root, file, content);
}

/**
 * Takes away a removed entry's pictures unless another entry shows them. A picture is first set aside and then the
 * entries are read again, so that one published meanwhile keeps it: its process writes pictures anew that it finds
 * missing.
 */
export async function dropMedia(
  root: string,
  removed: Entry,
  shown: () => Promise<ReadonlySet<string>>,
): Promise<void> {
  for (const file of new Set(filesOf(removed))) {
    if ((await shown()).has(file)) continue;
    const aside = join(root, OWN_FOLDER, `${randomUUID()}.tmp`);
    const moved = await rename(join(root, file), aside).then(() => true, ignore("ENOENT"));
    if (!moved) continue;
    if ((await shown()).has(file)) await rename(aside, join(root, file));
    else await rm(aside, { force: true });
  }
}

/** False when a picture of the entry is missing: a process stopped before it could put it back. */
export async function hasMedia(root: string, entry: Entry): Promise<boolean> {
  for (const file of filesOf(entry)) if (!(await exists(root, file))) return false;
  return true;
}

export function filesOf(entry: Entry): string[] {
  return entry.parts.flatMap(({ media }) => media.map(({ file }) => file));
}

function pathOf(key: string): string {
  if (!isKey(key)) throw new PsnError("INPUT_INVALID", "the id of a feed's entry is a UUID");
  return `entries/${key}.json`;
}

function written(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}

function parsed<T extends z.ZodType>(text: string, schema: T, path: string): z.output<T> {
  try {
    return schema.parse(JSON.parse(text));
  } catch (cause) {
    throw new PsnError("PLATFORM_REJECTED", `${path} in the feed's folder was changed, and psn can no longer read it`, {
      cause,
      hint: `restore ${path} from a backup, or delete it`,
    });
  }
}
