export const latin1 = (bytes: Uint8Array) =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
export const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces));
}

/** What is written over a file without moving anything in it: nulls from `start` to `end`, then `put` at `start`. */
export interface Edit {
  readonly start: number;
  readonly end: number;
  readonly put?: Uint8Array;
  /** Instead of nulls. */
  readonly fill?: number;
}

/**
 * A copy with the edits made; the file itself where there are none. Throws RangeError for an edit that reaches out of
 * it.
 */
export function edited(bytes: Uint8Array, edits: readonly Edit[]): Uint8Array {
  if (edits.length === 0) return bytes;
  const copy = bytes.slice();
  for (const { start, end, put = new Uint8Array(), fill = 0 } of edits) {
    if (!(start >= 0 && start <= end && end <= copy.length && put.length <= end - start))
      throw new RangeError("out of the file");
    copy.fill(fill, start, end);
    copy.set(put, start);
  }
  return copy;
}

/** Whether anything but nulls and spaces is there. */
export const hasContent = (bytes: Uint8Array) => bytes.some((byte) => byte !== 0 && byte !== 0x20);

/** The file itself where nothing of it has changed. */
export const unlessSame = (bytes: Uint8Array, clean: Uint8Array) =>
  Buffer.compare(bytes, clean) === 0 ? bytes : clean;
