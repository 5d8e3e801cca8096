import { type Edit, hasContent, latin1, viewOf } from "./bytes.ts";

/*
 * Boxes (ISO/IEC 14496-12, 4.2; QuickTime calls them atoms): a length, a type, and what they hold. Their offsets are
 * absolute, so nothing is ever moved: what goes becomes a `free` box of the same length, full of nulls.
 */

export interface Box {
  readonly type: string;
  readonly start: number;
  /** Where what it holds begins, behind its length and type. */
  readonly body: number;
  readonly end: number;
}

/** A file has far fewer; what is made to have more is not worth the time. */
const BOXES_MOST = 200_000;

/** The boxes from `start` to `end`. Throws RangeError where one reaches further. */
export function boxesIn(bytes: Uint8Array, start: number, end: number): readonly Box[] {
  const view = viewOf(bytes);
  const boxes: Box[] = [];
  // QuickTime ends a list with a null, which is shorter than a box.
  for (let at = start; at + 8 <= end; ) {
    if (boxes.length === BOXES_MOST) throw new RangeError("too many boxes");
    const short = view.getUint32(at);
    const length = short === 1 ? Number(view.getBigUint64(at + 8)) : short === 0 ? end - at : short;
    const body = at + (short === 1 ? 16 : 8);
    if (length < body - at || at + length > end) throw new RangeError("a box reaches out of what holds it");
    boxes.push({ type: latin1(bytes.subarray(at + 4, at + 8)), start: at, body, end: at + length });
    at += length;
  }
  return boxes;
}

export const boxIn = (bytes: Uint8Array, { body, end }: Box, type: string): Box | undefined =>
  boxesIn(bytes, body, end).find((box) => box.type === type);

/** Makes room of a box. */
export const freed = ({ start, body, end }: Box): readonly Edit[] => [
  { start: start + 4, end: start + 8, put: Buffer.from("free") },
  { start: body, end },
];

/** Whether a box that may go holds anything; many programs write empty ones. */
export const isFilled = (bytes: Uint8Array, { body, end }: Box) => hasContent(bytes.subarray(body, end));
