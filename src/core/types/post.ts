import type { Content } from "./content.ts";
import type { Visibility } from "./index.ts";

/* What the author wrote, as an adapter sees it. */

/** A `document` is a PDF that a platform shows page by page. */
export type MediaKind = "image" | "video" | "document";

/** The IANA media types psn reads. */
export const MEDIA_TYPES = [
  "image/jpeg",
  "image/png",
  "image/gif",
  "image/webp",
  "image/avif",
  "video/mp4",
  "video/quicktime",
  "video/webm",
  "application/pdf",
] as const;
export type MediaType = (typeof MEDIA_TYPES)[number];

/** A media file's description: all that composing needs. */
export interface MediaInfo {
  readonly id: string;
  readonly kind: MediaKind;
  /** IANA media type, found from the bytes and not from the file's name. */
  readonly mime: string;
  /** Size in bytes. */
  readonly bytes: number;
  /** Pixels, when the format tells. */
  readonly width?: number;
  readonly height?: number;
  /** How long a video plays, in milliseconds, when the format tells. */
  readonly durationMs?: number;
  /** Frames a second of a video, as its first seconds show them. */
  readonly frameRate?: number;
  /** Text for people who cannot see it. */
  readonly alt?: string;
}

/** A media file that can be read. */
export interface Media extends MediaInfo {
  /** Opened lazily, so that a retry reads it again from where it is kept. */
  readonly open: () => Promise<Blob>;
  /**
   * A public address under which it can be fetched for so many seconds; absent where the hub has no bucket. Throws
   * VENDOR_….
   */
  readonly link?: (seconds: number) => Promise<string>;
}

export interface Part {
  readonly text: string;
  /** `text`, where it is Markdown; absent: it is plain text. */
  readonly content?: Content;
  /** In the order in which they are to be shown. */
  readonly media: readonly MediaInfo[];
}

export interface Post {
  readonly id: string;
  /** One part, or the parts of a thread in order. */
  readonly parts: readonly [Part, ...Part[]];
  /** BCP 47, for example `en` or `pt-BR`. */
  readonly language?: string;
  readonly visibility?: Visibility;
  /** Shown in place of the post until the reader asks for it. */
  readonly contentWarning?: string;
  /** A title, where a platform has one (a feed). */
  readonly title?: string;
  /** Split what is too long into a thread. */
  readonly split?: boolean;
  /** Number the parts of a thread: `1/3`. */
  readonly numbered?: boolean;
  /** What only this platform knows, by the names in `Capabilities.options`. */
  readonly options?: Readonly<Record<string, string>>;
}
