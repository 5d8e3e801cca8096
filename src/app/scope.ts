import type { User } from "@psn/core/ports/accounts.ts";
import type { NewMedia } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { LatePolicy } from "@psn/core/types/index.ts";

/** Through which door a use case is called: for history, and for rules about who may do what. */
export interface Actor {
  readonly kind: "person" | "program" | "agent" | "task";
  readonly name: string;
}

/** What a use case may touch, and for whom: its first argument. An edge has it of the wiring. */
export interface Scope {
  readonly world: World;
  readonly user: User;
  /** Absent: a person at the command line. */
  readonly actor?: Actor;
  /** What becomes of a post that is very late, where the post does not say. */
  readonly late?: LatePolicy;
  /**
   * Reads a media file by the name that its author gave. Absent where the caller reads no files. Throws
   * FILE_UNREADABLE, MEDIA_INVALID.
   */
  readonly readMedia?: (media: { readonly file: string; readonly alt?: string }) => Promise<NewMedia>;
}
