import { readFileSync } from "node:fs";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { USER_AGENT } from "@psn/core/net/fetch.ts";
import type { Ref } from "@psn/core/types/platform.ts";
import type { Post } from "@psn/core/types/post.ts";
import { contentsOf } from "@psn/domain/markdown/parse.ts";
import { expect } from "vitest";
import type { Promised, Subject } from "../platform.ts";
import { keyOf, mediaOf, postOf, type Seen, type Stage, settled } from "../stage.ts";

const withMedia = (text: string, ...ids: string[]) => postOf(text, { parts: [{ text, media: ids.map(mediaOf) }] });

/** A file with everything in it that Markdown has. */
function everything(): Post {
  const text = readFileSync(new URL("../golden/everything.md", import.meta.url), "utf8").trim();
  const media = [mediaOf("image-1")];
  const [content = []] = contentsOf([{ text, media }]);
  return { id: "post-1", parts: [{ text, content, media }], split: true };
}

/** Every kind of unit there is; what a platform does not take is left out of its file. */
export const POSTS: Readonly<Record<string, Post>> = {
  text: postOf("Hello, world!"),
  links: postOf("Read https://example.com/a_(b)?c=d#e, and #wombats.\n\nMore: 👩‍👩‍👧 & <b>"),
  mention: postOf("Thanks, @ada and @bob.example"),
  bare: withMedia("Look", "bare-1"),
  picture: withMedia("Look", "image-1"),
  pictures: withMedia("Four of them", "image-1", "image-2", "image-3", "image-4"),
  video: withMedia("It moves", "video-1"),
  document: withMedia("To read", "document-1"),
  long: postOf(Array.from({ length: 30 }, (_, n) => `Sentence ${n + 1} says something new.`).join(" "), {
    split: true,
  }),
  thread: {
    id: "post-1",
    parts: [
      { text: "First", media: [] },
      { text: "Second", media: [] },
      { text: "Third", media: [] },
    ],
  },
  language: postOf("Olá", { language: "pt-BR" }),
  followers: postOf("Among us", { visibility: "followers" }),
  unlisted: postOf("Quietly", { visibility: "unlisted" }),
  warning: postOf("Everybody dies", { contentWarning: "The ending" }),
  title: postOf("With a title", { title: "A title" }),
  markdown: everything(),
};

/** The requests themselves, committed: a change to what is sent is a diff to read. */
export const golden = {
  golden: {
    says: "the requests of every kind of unit are the committed ones (PSN_GOLDEN=write writes them)",
    holds: async (subject) => {
      const file = fileURLToPath(new URL(`../golden/${subject.platform.id}.json`, import.meta.url));
      const written = `${JSON.stringify(await requestsOf(subject), null, 2)}\n`;
      if (process.env["PSN_GOLDEN"] === "write") {
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, written);
      }
      const committed = await readFile(file, "utf8").catch(
        () => "there is no golden file yet: PSN_GOLDEN=write makes it",
      );
      expect(written).toBe(committed);
    },
  },
} as const satisfies Record<string, Promised>;

async function requestsOf({ open, platform, contract }: Subject) {
  const kinds: Record<string, unknown> = {};
  for (const [kind, post] of Object.entries(POSTS)) {
    const stage = await open();
    if (!platform.compose(post, platform.capabilities).ok) continue;
    stage.requests.length = 0;
    let root: Ref | undefined;
    let parent: Ref | undefined;
    for (const [index, unit] of stage.units(post).entries()) {
      const request = await stage.ready(unit, keyOf(index + 1), root && parent ? { root, parent } : undefined);
      parent = await settled(platform, request, stage.session);
      root ??= parent;
    }
    kinds[kind] = stage.requests.map((seen) => readable(seen, stage));
  }
  const text = JSON.stringify(kinds);
  return JSON.parse(contract.scrub?.(text) ?? text) as unknown;
}

function readable({ method, url, headers, body }: Seen, { secrets }: Stage) {
  let text = JSON.stringify({ method, url, headers, body: parsed(body) }).replaceAll(USER_AGENT, "psn/VERSION");
  for (const secret of secrets) text = text.replaceAll(JSON.stringify(secret).slice(1, -1), "•••");
  return JSON.parse(text) as unknown;
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}
