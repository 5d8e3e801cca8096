import { hasWholeBoxes } from "./image-type.ts";
import type { VideoFile } from "./video.ts";

/** So many frames tell how many there are in a second. */
const RATED_FRAMES = 250;

/**
 * What a video is, by its bytes; undefined when it is cut off, damaged, or has no picture. Bytes made for it may keep
 * it busy forever: `readVideo` (video.ts) asks it in a thread that can be ended.
 */
export async function videoFacts(bytes: Uint8Array): Promise<VideoFile | undefined> {
  // Some megabytes of code that only a video needs.
  const { BufferSource, Input, MP4, QTFF, WEBM } = await import("mediabunny");
  using input = new Input({ formats: [MP4, QTFF, WEBM], source: new BufferSource(bytes) });
  try {
    const format = await input.getFormat();
    const track = await input.getPrimaryVideoTrack();
    const mime = format === MP4 ? "video/mp4" : format === QTFF ? "video/quicktime" : "video/webm";
    const seconds = await input.computeDuration();
    const { averagePacketRate } = (await track?.computePacketStats(RATED_FRAMES)) ?? { averagePacketRate: 0 };
    const whole = format === WEBM ? hasWholeSegment(bytes) : hasWholeBoxes(bytes);
    if (!track || !whole || !(track.displayWidth > 0 && track.displayHeight > 0 && seconds > 0)) return undefined;
    const frameRate = Math.round(averagePacketRate * 10) / 10;
    return {
      mime,
      width: track.displayWidth,
      height: track.displayHeight,
      durationMs: Math.round(seconds * 1000),
      frameRate,
    };
  } catch {
    return undefined;
  }
}

/**
 * The segment ends within the file; one of unknown length, as a stream leaves it, ends with the file (RFC 9559, 5.1;
 * RFC 8794, 6).
 */
function hasWholeSegment(bytes: Uint8Array): boolean {
  const header = vint(bytes, 4);
  if (!header) return false;
  const at = 4 + header.length + header.value;
  const size = vint(bytes, at + 4);
  if (!size) return false;
  const unknown = size.value === 2 ** (7 * size.length) - 1;
  return unknown || at + 4 + size.length + size.value <= bytes.length;
}

/** A number whose length its first bit says (RFC 8794, 4). */
function vint(bytes: Uint8Array, at: number): { readonly length: number; readonly value: number } | undefined {
  const first = bytes[at] ?? 0;
  const length = Math.clz32(first) - 23;
  if (first === 0 || at + length > bytes.length) return undefined;
  let value = first - 2 ** (8 - length);
  for (let n = 1; n < length; n += 1) value = value * 256 + (bytes[at + n] ?? 0);
  return { length, value };
}
