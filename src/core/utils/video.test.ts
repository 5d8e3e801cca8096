import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import {
  BufferTarget,
  EncodedPacket,
  EncodedVideoPacketSource,
  MovOutputFormat,
  Mp4OutputFormat,
  Output,
  WebMOutputFormat,
} from "mediabunny";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { isShort } from "../../../tests/support/how-much.ts";
import type { PsnError } from "../errors.ts";
import { readMedia } from "./media.ts";
import { readVideo } from "./video.ts";

/* Videos and documents, made here by another program's muxer, and what becomes of them on the way. */

/** Each read starts a thread. */
const RUNS = isShort ? 10 : 80;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "psn-video-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Three seconds of nothing worth seeing. */
async function make(format: Mp4OutputFormat | MovOutputFormat | WebMOutputFormat): Promise<Uint8Array> {
  const target = new BufferTarget();
  const output = new Output({ format, target });
  const source = new EncodedVideoPacketSource("vp9");
  output.addVideoTrack(source, { frameRate: 10 });
  await output.start();
  const colorSpace = { primaries: "bt709", transfer: "bt709", matrix: "bt709", fullRange: false } as const;
  const decoderConfig = { codec: "vp09.00.10.08", codedWidth: 320, codedHeight: 180, colorSpace };
  for (let n = 0; n < 30; n += 1)
    await source.add(
      new EncodedPacket(new Uint8Array([128, 1, 2, 3, n]), n % 10 === 0 ? "key" : "delta", n / 10, 0.1),
      { decoderConfig },
    );
  await output.finalize();
  return new Uint8Array(target.buffer ?? new ArrayBuffer(0));
}

const pdf = new TextEncoder().encode("%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n");

async function read(bytes: Uint8Array, name = "file") {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return readMedia(path);
}
const refusal = (bytes: Uint8Array) =>
  read(bytes).then(
    () => expect.unreachable("it must be refused"),
    (error: unknown) => error as PsnError,
  );

describe.each([
  ["MP4, its index first", new Mp4OutputFormat({ fastStart: "in-memory" }), "video/mp4"],
  ["MP4, its index last", new Mp4OutputFormat({ fastStart: false }), "video/mp4"],
  ["QuickTime", new MovOutputFormat(), "video/quicktime"],
  ["WebM", new WebMOutputFormat(), "video/webm"],
] as const)("%s", (_name, format, mime) => {
  test("is known by its bytes, whatever it is called", async () => {
    expect(await read(await make(format), "holiday.jpg")).toMatchObject({
      kind: "video",
      mime,
      width: 320,
      height: 180,
      durationMs: 3_000,
      frameRate: 10,
    });
  });

  test("is refused where it is cut off", async () => {
    const bytes = await make(format);
    for (const part of [0.1, 0.3, 0.6, 0.9, 0.99]) {
      const error = await refusal(bytes.slice(0, Math.floor(bytes.length * part)));
      expect(error, String(part)).toMatchObject({ code: "MEDIA_INVALID" });
      expect(error.message).toContain("incomplete or damaged");
    }
  });
});

test("a PDF is a document, and is refused where its end is missing", async () => {
  expect(await read(pdf)).toMatchObject({ kind: "document", mime: "application/pdf", bytes: pdf });
  expect(await refusal(pdf.slice(0, 40))).toMatchObject({
    code: "MEDIA_INVALID",
    message: expect.stringContaining("begins like a PDF"),
  });
});

test("what is none of them is told what would be", async () => {
  expect(await refusal(new TextEncoder().encode("Hello"))).toMatchObject({
    code: "MEDIA_INVALID",
    message: expect.stringContaining("not an image, a video or a PDF"),
  });
});

test("any bytes behind a video's first ones are read or refused, and nothing else", async () => {
  const heads = [
    [0, 0, 0, 24, 0x66, 0x74, 0x79, 0x70],
    [0x1a, 0x45, 0xdf, 0xa3],
  ];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 200 }), async (head, tail) => {
      expect(await readVideo(new Uint8Array([...head, ...tail]))).toBeUndefined();
    }),
    { numRuns: RUNS },
  );
});

test.each([
  ["MP4", new Mp4OutputFormat({ fastStart: "in-memory" }), 607, 16],
  ["WebM", new WebMOutputFormat(), 53, 16],
])("%s with a size that keeps its reader busy for ever is refused, and psn goes on", async (_, format, at, by) => {
  const bytes = await make(format);
  bytes[at] = (bytes[at] ?? 0) ^ by;
  expect(await readVideo(bytes, 3_000)).toBeUndefined();
});

test("a video with a byte turned is read or refused, and nothing else", async () => {
  const bytes = await make(new Mp4OutputFormat({ fastStart: "in-memory" }));
  await fc.assert(
    fc.asyncProperty(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
      const other = bytes.slice();
      other[at] = (other[at] ?? 0) ^ by;
      await readVideo(other, 5_000);
    }),
    { numRuns: RUNS },
  );
});
