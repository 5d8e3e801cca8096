import { randomUUID } from "node:crypto";
import { basename, join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { PsnError } from "@psn/core/errors.ts";
import type { Connection, Profile } from "@psn/core/types/account.ts";
import type { Capabilities } from "@psn/core/types/capabilities.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import { cleanedLine } from "@psn/domain/clean.ts";
import { definePlatform } from "@psn/platforms/kit/define.ts";
import { CID, withImages } from "@psn/platforms/kit/html.ts";
import { type Merged, mergePost } from "@psn/platforms/kit/merged.ts";
import {
  dropMedia,
  type Entry,
  EXTENSIONS,
  entryKeys,
  filesOf,
  hasMedia,
  isOwned,
  type Kept,
  keepMedia,
  mayOwn,
  readEntry,
  readMedia,
  readSettings,
  removeEntry,
  type Settings,
  saveSettings,
  writeEntry,
} from "./entries.ts";
import { assertWritable, codeOf, exists, makeFolders, readText, sweep, unreachable, writeAtomically } from "./files.ts";
import { homeOf, rootOf } from "./home.ts";
import { atom, idOf, jsonFeed, newest, page, renderUntilStill } from "./render.ts";

const CAPABILITIES: Capabilities = {
  text: { max: 100_000, unit: "grapheme" },
  images: { max: 20, maxBytes: 20_000_000, mimes: Object.keys(EXTENSIONS) },
  altText: 2_000,
  thread: "merge",
  markup: "html",
  visibilities: ["public"],
  contentWarning: true,
  duplicates: "client-id",
  concurrency: 1,
  needsMachine: true,
};
const ABOUT = { id: "feed", name: "Feed", capabilities: CAPABILITIES } as const;

/**
 * Publishes into a folder the user serves, or reads with a browser: `feed.json`, `atom.xml`, `index.html`, `media/`.
 * `entries/<key>.json` is the truth and the commit point; everything else is rendered from it.
 */
export default definePlatform({
  ...ABOUT,
  docs: "https://www.jsonfeed.org/version/1.1/",
  unasked: "not asked: a feed has no platform to ask; its folder exists and belongs to this account",
  auth: [
    {
      kind: "form",
      fields: [
        {
          name: "folder",
          secret: false,
          help: "the folder to publish into; it is made when it is missing",
          known: ({ home }, hub) => rootOf(home, hub),
          check: (value) => void folderOf(value),
        },
        {
          name: "url",
          secret: false,
          help: "where the folder is served, for example https://example.com/feed/",
          fallback: "",
          check: (value) => void baseOf(value),
        },
        { name: "title", secret: false, help: "the feed's title; without one the folder's name", fallback: "" },
      ],
    },
  ],

  async connect(form, { signal, now, owner, hub, dryRun }) {
    signal.throwIfAborted();
    const root = folderOf(form["folder"] ?? "");
    const url = baseOf(form["url"] ?? "");
    try {
      await (dryRun ? assertWritable(root) : makeFolders(root));
      const before = await readSettings(root);
      if (!before) await refuseStrangers(root);
      else if (
        owner &&
        !(await (dryRun ? mayOwn(root, before, owner) : isOwned(root, { settings: before, owner, adopt: true })))
      )
        throw notOwned(root);
      const title = cleanedLine(form["title"] ?? "") || before?.title || basename(root) || "Feed";
      const wanted = { title, url: url || (before?.url ?? ""), created: before?.created ?? now().toISOString() };
      if (dryRun) return connectionOf(root, { id: before?.id ?? randomUUID(), ...wanted }, root);
      const settings = await saveSettings(root, wanted);
      if (owner && !(await isOwned(root, { settings, owner, adopt: true }))) throw notOwned(root);
      return connectionOf(root, settings, await homeOf(root, hub));
    } catch (error) {
      if (["EEXIST", "ENOTDIR"].includes(codeOf(error)))
        throw new PsnError("INPUT_INVALID", `${root} is not a folder`, {
          cause: error,
          hint: "psn connect feed ./public",
        });
      throw unreachable(root, error);
    }
  },

  async identify(session) {
    return using(session, async (root, settings) => profileOf(root, settings, session.profile.home));
  },

  compose: (post, limits) => mergePost(post, limits, ABOUT),

  async publish({ unit, media, key, at, again }: PublishRequest<Merged>, session) {
    return using(session, async (root, settings) => {
      await sweep(root, session.now());
      // An entry nobody can read would stop the rendering: better before the commit than after it.
      const cache = new Map<string, Entry>();
      await entriesOf(root, cache);
      const kept = cache.get(key);
      if (!kept || !(await hasMedia(root, kept))) {
        const files = new Map<string, Kept>();
        for (const one of media) files.set(one.id, await readMedia(one));
        const entry = entryOf(unit.body, { key, at, files });
        session.signal.throwIfAborted();
        await keepMedia(root, [...files.values()]);
        // Last before the commit: another worker may act on this entry by now.
        await session.assertHeld?.();
        await writeEntry(root, entry);
        // Another process may have taken away a picture that nothing showed until now.
        await afterCommit(() => keepMedia(root, [...files.values()]));
      }
      await afterCommit(() => render(root, settings, cache));
      return { status: "published", ref: refOf(root, settings, key) } as const;
    }).catch((error: unknown) => unreadable(error, again));
  },

  /**
   * Found only when every entry that should be shown is shown: after a crash between commit and rendering, or in the
   * middle of it, the answer is "not there", and publishing once more with the same key completes the rendering.
   */
  async lookup({ key }, session) {
    return using(session, async (root, settings) => {
      const cache = new Map<string, Entry>();
      const shown = newest(await entriesOf(root, cache));
      if (!cache.has(key)) return undefined;
      const files = await Promise.all(RENDERED.map(({ path }) => readText(root, path)));
      const complete = RENDERED.every(({ make }, index) => make(settings, shown) === files[index]);
      return complete ? refOf(root, settings, key) : undefined;
    });
  },

  async remove(ref, session) {
    await using(session, async (root, settings) => {
      const removed = await readEntry(root, ref.id);
      await removeEntry(root, ref.id);
      await render(root, settings, new Map());
      if (removed)
        await dropMedia(root, removed, async () => new Set((await entriesOf(root, new Map())).flatMap(filesOf)));
    });
  },
});

const RENDERED = [
  { path: "feed.json", make: jsonFeed },
  { path: "atom.xml", make: atom },
  { path: "index.html", make: page },
] as const;

async function render(root: string, settings: Settings, cache: Map<string, Entry>): Promise<void> {
  await renderUntilStill(
    () => entriesOf(root, cache),
    async (entries) => {
      const shown = newest(entries);
      for (const { path, make } of RENDERED) await writeAtomically(root, path, make(settings, shown));
    },
  );
}

/** All entries as they are now. An entry never changes, so each is read once. */
async function entriesOf(root: string, cache: Map<string, Entry>): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const key of await entryKeys(root)) {
    const entry = cache.get(key) ?? (await readEntry(root, key));
    if (!entry) continue;
    cache.set(key, entry);
    entries.push(entry);
  }
  return entries;
}

/**
 * A file of the feed that somebody changed is no verdict on an entry that an earlier attempt may have written: a repeat
 * is made again.
 */
function unreadable(error: unknown, again: true | undefined): never {
  if (!again || !(error instanceof PsnError) || error.code !== "PLATFORM_REJECTED") throw error;
  const hint = error.hint === undefined ? {} : { hint: error.hint };
  throw new PsnError("FILE_UNREADABLE", error.message, { cause: error, ...hint });
}

/** Past the commit a failure is no refusal: the entry is there, and the next rendering shows it. */
async function afterCommit(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (cause) {
    throw new PsnError("OUTCOME_UNKNOWN", "the entry is written, but psn could not render the feed", { cause });
  }
}

/** A folder with a site of its own is not taken over: rendering would replace its pages. */
async function refuseStrangers(root: string): Promise<void> {
  for (const path of [...RENDERED.map((one) => one.path), "entries"]) {
    if (!(await exists(root, path))) continue;
    const hint = "choose an empty folder, for example one named feed inside this one";
    throw new PsnError(
      "INPUT_INVALID",
      `the folder ${basename(root)} already contains ${path}, which psn did not write`,
      {
        hint,
      },
    );
  }
}

/** The account's folder and settings, if they are still the account's own. */
async function using<T>(session: Session, work: (root: string, settings: Settings) => Promise<T>): Promise<T> {
  const { signal, profile, owner } = session;
  signal.throwIfAborted();
  const root = rootOf(profile.home, session.hub);
  try {
    const settings = await readSettings(root);
    const hint = "restore the folder, or connect the feed at its new place: psn connect feed";
    if (!settings) throw new PsnError("FILE_UNREADABLE", `there is no feed in the folder ${basename(root)}`, { hint });
    if (settings.id !== profile.subject)
      throw new PsnError("FILE_UNREADABLE", `the folder ${basename(root)} contains another feed`, { hint });
    // A row says which folder, and a row is its user's to write: the folder says whose it is.
    if (owner && !(await isOwned(root, { settings, owner, adopt: owner.ownsHub }))) throw notOwned(root);
    return await work(root, settings);
  } catch (error) {
    if (signal.aborted && error === signal.reason) throw error;
    throw unreachable(root, error);
  }
}

function notOwned(root: string): PsnError {
  return new PsnError("AUTH_SCOPE", `the feed in the folder ${basename(root)} belongs to another user or another hub`, {
    hint: "choose another folder; or, if that feed is yours, remove .feed/owner in its folder, then: psn connect feed",
  });
}

function entryOf(
  { parts, language, contentWarning, title }: Merged,
  { key, at, files }: { readonly key: string; readonly at: Date; readonly files: ReadonlyMap<string, Kept> },
): Entry {
  const fileOf = (id: string) => {
    const file = files.get(id)?.file;
    if (!file) throw new PsnError("BUG", "a unit refers to media that were not passed with it");
    return file;
  };
  const kept = parts.map(({ text, html, media }) => ({
    text,
    ...defined({ html: html && withImages(html, (id, alt) => `<img src="${CID}${fileOf(id)}" alt="${alt}">`) }),
    media: media.map(({ id, ...about }) => ({ file: fileOf(id), ...about })),
  }));
  return {
    key,
    published: at.toISOString(),
    parts: kept,
    ...defined({
      language: language ? language : undefined,
      contentWarning: contentWarning ? contentWarning : undefined,
      title: title ? title : undefined,
    }),
  };
}

function folderOf(entered: string): string {
  const path = entered.trim();
  if (path === "")
    throw new PsnError("INPUT_REQUIRED", "a feed needs a folder", { hint: "psn connect feed --folder ./public" });
  if (path.startsWith("~"))
    throw new PsnError("INPUT_INVALID", "the folder begins with ~, which only a shell expands", {
      hint: "write the whole path",
    });
  if (path.includes("\0"))
    throw new PsnError("INPUT_INVALID", "the folder's name has a character that is not allowed in folder names");
  return resolve(path);
}

/** With a `/` at its end: the pages lie in it. */
function baseOf(entered: string): string {
  if (entered.trim() === "") return "";
  const url = URL.parse(entered.trim());
  if (!url || !["https:", "http:"].includes(url.protocol) || url.username || url.password || url.search || url.hash) {
    throw new PsnError("INPUT_INVALID", "a feed's url must be only the address at which its folder is served", {
      hint: "for example https://example.com/feed/",
    });
  }
  return url.href.endsWith("/") ? url.href : `${url.href}/`;
}

function connectionOf(root: string, settings: Settings, home: string): Connection {
  return { credentials: { access: "", scopes: [] }, profile: profileOf(root, settings, home) };
}

function profileOf(root: string, settings: Settings, home: string): Profile {
  const slug = settings.title
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, "-")
    .replace(/^-+|-+$/g, "");
  return {
    subject: settings.id,
    handle: slug || basename(root) || idOf(settings.id),
    url: addressOf(root, settings),
    home,
  };
}

function refOf(root: string, settings: Settings, key: string): Ref {
  return { id: key, url: `${addressOf(root, settings)}#${key}` };
}

function addressOf(root: string, { url }: Settings): string {
  return url || pathToFileURL(join(root, "index.html")).href;
}
