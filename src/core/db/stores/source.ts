import type { Builder, Database } from "@psn/core/db/database.ts";
import { media, posts } from "@psn/core/db/schema.ts";
import { storableJson } from "@psn/core/db/storable.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Posts, StoredMedia } from "@psn/core/ports/posts.ts";
import type { MediaInfo } from "@psn/core/types/post.ts";
import { eq, sql } from "drizzle-orm";
import { mediaColumns, mediaOf } from "./loaded.ts";

/* What the author wrote: read as it is, and replaced by its next revision. */

const columns = {
  postId: posts.id,
  revision: posts.revision,
  parts: posts.parts,
  overrides: posts.overrides,
  options: posts.options,
  title: posts.title,
  language: posts.language,
  visibility: posts.visibility,
  contentWarning: posts.contentWarning,
  split: posts.split,
  numbered: posts.numbered,
};

/** Raised by `psn.edit`. */
const REFUSED: Readonly<Record<string, "revision" | "deliveries">> = { PSN03: "revision", PSN04: "deliveries" };

export function insertMedia(
  db: Builder,
  {
    userId,
    postId,
    file,
  }: { readonly userId: string; readonly postId: string; readonly file: MediaInfo & StoredMedia },
) {
  const { alt = null, width = null, height = null, durationMs = null, frameRate = null, ...rest } = file;
  return db
    .insert(media)
    .values({ ...rest, alt, width, height, durationMs, frameRate, userId, postId })
    .returning({ id: media.id });
}

export function sourceStore(database: Database): Pick<Posts, "source" | "edit"> {
  return {
    async source(userId, postId) {
      const [found, files] = await database.run(
        { userId },
        (db) => [
          db.select(columns).from(posts).where(eq(posts.id, postId)),
          db
            .select({ ...mediaColumns, sha256: media.sha256 })
            .from(media)
            .where(eq(media.postId, postId)),
        ],
        { repeatable: true },
      );
      const row = found[0];
      return row && { ...row, media: files.map(({ sha256, ...file }) => ({ ...mediaOf(file), sha256 })) };
    },

    async edit(userId, { postId, revision, source, media: files, deliveries }) {
      const changes = deliveries.map(({ id, fence, units }) => ({
        id,
        fence,
        units: units.map(({ id: key, unit: { body, text, length, media: shown, prepare } }, position) => ({
          id: key,
          position,
          body,
          text,
          length,
          media: shown,
          prepare,
        })),
      }));
      try {
        await database.run({ userId }, (db) => [
          db.select({ done: sql<boolean>`done` }).from(
            sql`psn.edit(${postId}::uuid, ${revision}::integer, ${storableJson(source)}::jsonb,
                ${storableJson(changes)}::jsonb) as edited(done)`,
          ),
          ...files.map((file) => insertMedia(db, { userId, postId, file })),
        ]);
        return "done";
      } catch (error) {
        const refused = error instanceof PsnError ? REFUSED[String(error.details["code"])] : undefined;
        if (refused !== undefined) return refused;
        throw error;
      }
    },
  };
}
