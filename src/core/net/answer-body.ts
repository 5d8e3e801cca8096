/*
 * An answer's body, as much of it as psn takes: a server may send without an end, slowly, or a small file that inflates
 * to gigabytes.
 */

/**
 * Most of an answer's body that psn reads, in bytes after decompressing: the longest list that a platform answers with
 * is a tenth of it.
 */
export const BODY_BYTES = 4 * 1024 * 1024;
/** Most of an answer that is an error: its words are at its beginning. */
export const ERROR_BYTES = 256 * 1024;

export interface AnswerBody {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /**
   * False where the rest is missing: it is longer than was asked for, was cut off, cannot be decompressed, or takes too
   * long.
   */
  readonly whole: boolean;
}

/**
 * Reads at most `most` bytes and discards the rest. Never throws: what cannot be read is not `whole`. `signal` ends
 * it early. The caller closes the connection of what is not whole, by the signal that it gave to `fetch`: a kept
 * connection is otherwise read to its end, whatever the size.
 */
export async function readBody(
  response: Pick<Response, "body">,
  most: number,
  signal?: AbortSignal,
): Promise<AnswerBody> {
  const reader = response.body?.getReader();
  if (!reader) return { bytes: new Uint8Array(0), whole: true };
  const stop = () => void reader.cancel().catch(() => undefined);
  signal?.addEventListener("abort", stop, { once: true });
  const chunks: Uint8Array[] = [];
  let size = 0;
  let whole = false;
  try {
    while (!signal?.aborted) {
      const next = await reader.read();
      // A reader that was cancelled says that it is done.
      whole = next.done && !signal?.aborted;
      if (next.done) break;
      chunks.push(next.value);
      size += next.value.length;
      if (size > most) break;
    }
  } catch {
    whole = false;
  } finally {
    signal?.removeEventListener("abort", stop);
  }
  if (!whole) stop();
  return { bytes: joined(chunks, Math.min(size, most)), whole };
}

export const textOf = ({ bytes }: Pick<AnswerBody, "bytes">): string => new TextDecoder().decode(bytes);

/** Discards a body that is not read. */
export async function discard(response: Pick<Response, "body">): Promise<void> {
  await response.body?.cancel().catch(() => undefined);
}

function joined(chunks: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk.subarray(0, size - at), at);
    at = Math.min(size, at + chunk.length);
  }
  return bytes;
}
