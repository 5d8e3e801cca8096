import { createHash } from "node:crypto";
import { PsnError } from "@psn/core/errors.ts";
import { uploading } from "@psn/core/net/uploads.ts";
import type { Bucket, Content, ListedObject } from "@psn/core/ports/outside.ts";
import { type Answer, type BucketSettings, type Limits, placeOf, requestsTo } from "./request.ts";

export type { BucketSettings, Limits } from "./request.ts";

const LIMITS: Limits = { requestMs: 15_000, bytesPerMs: 16, pausesMs: [250, 1_000] };
/** More than any platform takes, in bytes. */
const MOST_BYTES = 1024 ** 3;
/** S3 lists a thousand names at a time; so many pages are read at most. */
const MOST_PAGES = 1_000;

const CHECKED_BYTES = 36 * 8 * 1024;

/** Throws BUG for a name that is not `psn/…/…`: one with `..` or an empty segment is another name to some services. */
function assertKey(key: string): void {
  if (!/^psn(\/[0-9A-Za-z_-]+){2}$/.test(key))
    throw new PsnError("BUG", "the object's name does not have the form that psn uses");
}

/**
 * A bucket at any service that speaks S3 and takes path-style addresses. Its methods throw VENDOR_AUTH, VENDOR_REFUSED,
 * VENDOR_QUOTA and VENDOR_UNREACHABLE; and CONFIG_INVALID for an endpoint with a path, which stops what needs the
 * bucket and nothing else.
 */
export function openBucket(
  settings: BucketSettings,
  limits: Limits = LIMITS,
  now: () => Date = () => new Date(),
): Bucket {
  const { send, attempt, link } = requestsTo(settings, limits, now);

  const get = async (key: string, most: number): Promise<Answer | undefined> => {
    assertKey(key);
    return send({ method: "GET", verb: "read", key, most });
  };
  const put = async (key: string, { bytes, mime, signal }: Content): Promise<void> => {
    assertKey(key);
    const file = { what: "file", to: placeOf(settings.endpoint).host, bytes: bytes.length };
    const kept = await uploading(file, () =>
      send({ method: "PUT", verb: "write", key, body: { bytes, mime }, signal }),
    );
    // A captive page says 200 as well.
    if (kept?.md5 === hash("md5", bytes)) return;
    const found = await send({ method: "GET", verb: "read", key, most: bytes.length, signal });
    if (!found || hash("sha256", found.bytes) !== hash("sha256", bytes)) throw notGivenBack();
  };
  const remove = async (key: string): Promise<void> => {
    assertKey(key);
    const gone = await send({ method: "DELETE", verb: "delete", key });
    if (gone && gone.bytes.length > 0) throw notTheService();
  };

  return {
    get address() {
      return `${placeOf(settings.endpoint).origin}/${settings.bucket}`;
    },
    put,
    remove,
    async get(key, sha256, most = MOST_BYTES) {
      const isIt = ({ bytes }: Answer) => hash("sha256", bytes) === sha256;
      const first = await get(key, most);
      if (first && isIt(first)) return first.bytes;
      const second = await get(key, most);
      if (second && isIt(second)) return second.bytes;
      if (!first && !second) return undefined;
      // The service's own word for what it has tells a file that was changed there from bytes that were changed on the
      // way.
      if (first && second?.md5 !== undefined && [first, second].every(({ bytes }) => hash("md5", bytes) === second.md5))
        throw new PsnError("MEDIA_GONE", "a media file in the bucket differs from the one that psn stored");
      throw new PsnError("VENDOR_REFUSED", "the bucket's service does not return the data that psn stored", {
        hint: "psn doctor",
      });
    },
    link(key, seconds) {
      assertKey(key);
      return link(key, seconds);
    },
    async list(folder) {
      assertKey(`${folder}x`);
      const objects: ListedObject[] = [];
      let token: string | undefined;
      for (let page = 0; page < MOST_PAGES; page += 1) {
        const more = token === undefined ? [] : ([["continuation-token", token]] as const);
        const answer = await send({
          method: "GET",
          verb: "list",
          query: [["list-type", "2"], ["prefix", folder], ...more],
        });
        const text = new TextDecoder().decode(answer?.bytes);
        if (!answer || !/<ListBucketResult[\s>]/.test(text)) throw notTheService();
        objects.push(...listed(text, answer.at).filter(({ key }) => key.startsWith(folder)));
        token = /<NextContinuationToken>([^<]+)</
          .exec(text)?.[1]
          ?.replace(/&(amp|lt|gt|quot|apos|#34|#39);/g, (_, name) => ENTITIES[name] ?? "");
        if (token === undefined) break;
      }
      return objects;
    },
    async check(folder) {
      const id = crypto.randomUUID();
      const key = `${folder}check-${id}`;
      // As large as the smallest file that psn puts there: a disk or a quota may have room for less.
      const written = new TextEncoder().encode(id.repeat(CHECKED_BYTES / id.length));
      try {
        await put(key, { bytes: written, mime: "text/plain" });
        const found = await get(key, written.length);
        if (!found || hash("sha256", found.bytes) !== hash("sha256", written)) throw notGivenBack();
      } catch (error) {
        // What failed first is what there is to say; the object may still be there.
        await attempt({ method: "DELETE", verb: "delete", key }).catch(() => undefined);
        throw error;
      }
      await remove(key);
    },
  };
}

const ENTITIES: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  "#34": '"',
  "#39": "'",
};

/** The objects of one page of a list that have names of psn's form. */
function listed(text: string, now: Date): readonly ListedObject[] {
  return [...text.matchAll(/<Contents>(.*?)<\/Contents>/gs)].flatMap(([, one = ""]) => {
    const key = /<Key>(psn(?:\/[0-9A-Za-z_-]+){2})<\/Key>/.exec(one)?.[1];
    const at = Date.parse(/<LastModified>([^<]+)</.exec(one)?.[1] ?? "");
    return key === undefined || Number.isNaN(at) ? [] : [{ key, ageMs: now.getTime() - at }];
  });
}

const hash = (algorithm: "md5" | "sha256", bytes: Uint8Array) => createHash(algorithm).update(bytes).digest("hex");

const notGivenBack = () =>
  new PsnError("VENDOR_REFUSED", "the bucket does not return the data that psn stored", {
    hint: "psn config set S3_ENDPOINT",
  });
const notTheService = () =>
  new PsnError("VENDOR_REFUSED", "the server at S3_ENDPOINT is not the bucket's service", {
    hint: "psn config set S3_ENDPOINT",
  });
