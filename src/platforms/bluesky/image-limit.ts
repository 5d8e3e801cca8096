import { PsnError } from "@psn/core/errors.ts";
import type { Limits, MediaRule } from "@psn/core/types/capabilities.ts";
import type { Net, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import { parse } from "@psn/platforms/kit/http.ts";
import { Writable } from "@psn/platforms/kit/writable.ts";
import { z } from "zod";
import { xrpc } from "./xrpc.ts";

/*
 * A server checks a post against the lexicon it was built with, and no answer of it tells which that is. Until 2026 an
 * image was up to 1,000,000 bytes (PDS 0.4.217), and the record is refused only after the upload, in a thread after its
 * first parts are out. So the server is shown a record with a large image that it must refuse anyway, and its reason
 * read.
 */

/** Every server takes so many bytes: the bound of the first lexicon. */
const ANYWHERE_BYTES = 1_000_000;

/**
 * app.bsky.embed.images: maxLength, maxSize and accept image/* (lexicon in @atproto/api 0.21.0); the kinds are those
 * the app makes itself.
 */
export const IMAGES = {
  max: 4,
  maxBytes: 2_000_000,
  mimes: ["image/jpeg", "image/png", "image/webp", "image/gif"],
} as const satisfies MediaRule;

/** Content ids of nothing, as a file and as data: no repository has this as its newest commit. */
const NO_FILE = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const NO_COMMIT = "bafyreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const COLLECTION = "app.bsky.feed.post";

/** As PDS 0.4.217 says it: `blob too big (maximum 1000000, got 2000000)`. */
const TOO_BIG = /blob too big \(maximum (\d{4,8})\b/;

type Asking = Pick<Session, "credentials" | "profile"> & Net;

/**
 * The images rule of the account's server where it takes smaller ones than psn knows of, for the account's limits.
 * Empty where it takes those, or where it does not say: what cannot be found out keeps nobody from connecting. It
 * publishes nothing: the record's date is none, and it is to follow a commit that does not exist. Throws when it is
 * stopped.
 */
export async function imageLimits(asking: Asking): Promise<Pick<Limits, "images">> {
  const { home, subject } = asking.profile;
  const image = { $type: "blob", ref: { $link: NO_FILE }, mimeType: "image/jpeg", size: IMAGES.maxBytes };
  const embed = { $type: "app.bsky.embed.images", images: [{ alt: "", image }] };
  const record = { $type: COLLECTION, text: "", embed, createdAt: "never" };
  try {
    const answer = await xrpc(asking, {
      home,
      method: "com.atproto.repo.createRecord",
      options: {
        body: { repo: subject, collection: COLLECTION, validate: true, swapCommit: NO_COMMIT, record },
        token: asking.credentials.access,
      },
    });
    // A server that checks nothing at all has kept it. It is no post to anybody, and is taken back.
    const { uri } = parse(answer, z.object({ uri: Writable }));
    const rkey = uri.split("/").at(-1) ?? "";
    await xrpc(asking, {
      home,
      method: "com.atproto.repo.deleteRecord",
      options: {
        body: { repo: subject, collection: COLLECTION, rkey },
        token: asking.credentials.access,
      },
    });
  } catch (error) {
    asking.signal.throwIfAborted();
    const most = error instanceof PsnError ? Number(TOO_BIG.exec(error.message)?.[1]) : Number.NaN;
    if (most > 0 && most < IMAGES.maxBytes) return { images: { ...IMAGES, maxBytes: most } };
  }
  return {};
}

/**
 * For an account that was connected before psn asked: refuses a file that the server does not take, before anything of
 * this unit is uploaded or sent. Throws PLATFORM_REJECTED.
 */
export async function assertTaken(files: readonly Media[], session: Session): Promise<void> {
  const largest = Math.max(0, ...files.map(({ bytes }) => bytes));
  if (largest <= ANYWHERE_BYTES || session.profile.limits?.images) return;
  const { images } = await imageLimits(session);
  if (!images || largest <= images.maxBytes) return;
  const { host } = new URL(session.profile.home);
  throw new PsnError(
    "PLATFORM_REJECTED",
    `an image has ${largest} bytes, and ${host} accepts at most ${images.maxBytes}`,
    {
      hint: "save the image smaller; run psn connect bluesky, so that psn checks this limit when you write a post",
    },
  );
}
