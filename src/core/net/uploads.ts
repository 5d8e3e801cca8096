import { AsyncLocalStorage } from "node:async_hooks";

/*
 * What of an upload has left this machine, for whom a person watches. Every body goes out by `fetch.ts`, which counts
 * it here; what is uploaded, and where to, is said where a file is uploaded, for all platforms in one place
 * (`platforms/kit/uploads.ts`). Where nobody watches, nothing is counted and nothing is sent in another way.
 */

/** One file on its way. */
export interface Upload {
  /** `video`, `image`, `document`. */
  readonly what: string;
  /** The server's host. */
  readonly to: string;
  readonly bytes: number;
  /** So many of its bytes have left this machine. */
  readonly sent: number;
  /** `processing`: all of it has arrived, and the server works on it. */
  readonly state: "sending" | "processing" | "done";
}

/**
 * Told of an upload each time that it changes: the same object while it is sent, another one once the server works on
 * it.
 */
export type UploadWatch = (upload: Upload) => void;

/** Pieces in which a body is sent, in bytes: a smaller one is counted when it is answered. */
const PIECE_BYTES = 128 * 1024;

type Known = Pick<Upload, "what" | "to" | "bytes">;
type Counted = { -readonly [key in keyof Upload]: Upload[key] };
interface Watched {
  readonly watch: UploadWatch;
  readonly upload?: Counted;
}

const watched = new AsyncLocalStorage<Watched>();

/** Tells `watch` of every upload that `work` makes, in whatever it calls. */
export function watchUploads<T>(watch: UploadWatch, work: () => Promise<T>): Promise<T> {
  return watched.run({ watch }, work);
}

/** What is sent within `work` is this file. */
export async function uploading<T>(file: Known, work: () => Promise<T>): Promise<T> {
  const { watch } = watched.getStore() ?? {};
  if (!watch) return work();
  const upload: Counted = { ...file, sent: 0, state: "sending" };
  watch(upload);
  try {
    return await watched.run({ watch, upload }, work);
  } finally {
    upload.state = "done";
    watch(upload);
  }
}

/** The server has the file, and works on it still, or no longer. */
export function processing(file: Known, isOver: boolean): void {
  watched.getStore()?.watch({ ...file, sent: file.bytes, state: isOver ? "done" : "processing" });
}

/**
 * Sends a request, and counts what leaves of its body. A long body goes out in pieces, with its length, as it does
 * without: Bun (1.4.5) asks for a piece when the line has taken the one before. What is not taken does not count.
 */
export async function counting(init: RequestInit, send: (init: RequestInit) => Promise<Response>): Promise<Response> {
  const { watch, upload } = watched.getStore() ?? {};
  const blob = watch && upload ? await blobOf(init.body) : undefined;
  if (!watch || !upload || !blob) return send(init);
  let counted = 0;
  const count = (bytes: number) => {
    counted += bytes;
    upload.sent = Math.max(0, Math.min(upload.bytes, upload.sent + bytes));
    watch(upload);
  };
  const headers = new Headers(init.headers);
  if (blob.type !== "" && !headers.has("content-type")) headers.set("content-type", blob.type);
  headers.set("content-length", String(blob.size));
  try {
    const response = await send({ ...init, headers, body: inPieces(blob, count) });
    if (!response.ok) count(-counted);
    return response;
  } catch (error) {
    count(-counted);
    throw error;
  }
}

/** Undefined for a body that is short, or is read already. */
async function blobOf(body: RequestInit["body"]): Promise<Blob | undefined> {
  const blob = body instanceof FormData ? await new Response(body).blob() : body instanceof Blob ? body : bytesOf(body);
  return blob && blob.size > PIECE_BYTES ? blob : undefined;
}

function bytesOf(body: RequestInit["body"]): Blob | undefined {
  return body instanceof ArrayBuffer || ArrayBuffer.isView(body) ? new Blob([body as BlobPart]) : undefined;
}

function inPieces(blob: Blob, count: (bytes: number) => void): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        if (at >= blob.size) return controller.close();
        const piece = await blob.slice(at, at + PIECE_BYTES).bytes();
        at += piece.length;
        controller.enqueue(piece);
        count(piece.length);
      },
    },
    { highWaterMark: 0 },
  );
}
