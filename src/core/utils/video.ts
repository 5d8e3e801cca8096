import { Worker } from "node:worker_threads";

export interface VideoFile {
  readonly mime: "video/mp4" | "video/quicktime" | "video/webm";
  /** Pixels, as the video is shown. */
  readonly width: number;
  readonly height: number;
  /** How long it plays, in milliseconds. */
  readonly durationMs: number;
  /** Frames a second, rounded to a tenth. */
  readonly frameRate: number;
}

/** True for what begins like MP4, QuickTime (`ftyp`, ISO/IEC 14496-12, 4.3) or WebM (EBML, RFC 8794, 11.2.1). */
export function looksLikeVideo(bytes: Uint8Array): boolean {
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, 12));
  return (
    (head.toString("latin1", 4, 8) === "ftyp" && !STILL.test(head.toString("latin1", 8))) || head.indexOf(EBML) === 0
  );
}
const EBML = Buffer.of(0x1a, 0x45, 0xdf, 0xa3);
/** Brands of photographs, which come in the same boxes (ISO/IEC 23008-12, 10; AVIF, 8). */
const STILL = /^(he[iv]|mif|msf|avi|jp)/;

/** What the thread says before it reads. */
export const BEGUN = "begun";

/** Reading the tables of a whole video takes well under a second; in milliseconds. */
const PATIENCE_MS = 60_000;

/**
 * What a video is, by its bytes; undefined when it is cut off, damaged, or has no picture.
 *
 * A table whose sizes were damaged, or made to do so, keeps the reading library busy without end. So it reads in a
 * thread of its own, which is ended when its time is over: the bytes are no video then.
 *
 * @param patienceMs how long it may take, in milliseconds.
 * @throws what kept the thread from starting.
 */
export async function readVideo(bytes: Uint8Array, patienceMs = PATIENCE_MS): Promise<VideoFile | undefined> {
  const thread = new Worker(new URL("./video-thread.ts", import.meta.url), {
    workerData: bytes,
    stdout: true,
    stderr: true,
  });
  const { promise, resolve, reject } = Promise.withResolvers<VideoFile | undefined>();
  const timer = setTimeout(() => resolve(undefined), patienceMs);
  let hasBegun = false;
  thread.on("message", (told: typeof BEGUN | VideoFile | undefined) => {
    if (told === BEGUN) hasBegun = true;
    else resolve(told);
  });
  // Before it has begun, it is the thread that fails, and not the video.
  thread.once("error", (error) => (hasBegun ? resolve(undefined) : reject(error)));
  thread.once("exit", () => resolve(undefined));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    await thread.terminate();
  }
}
