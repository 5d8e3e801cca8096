import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { readBody, textOf } from "./answer-body.ts";
import { inflated } from "./inflate.ts";

const WORDS = "it is what it is, and it is said again and again. ".repeat(20_000);
const compressed = (bytes: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>, encoding: string) =>
  inflated(new Response(bytes, { headers: { "content-encoding": encoding } }));

test.each([
  ["gzip", gzipSync(WORDS)],
  ["GZIP", Buffer.concat([gzipSync(WORDS.slice(0, 1000)), gzipSync(WORDS.slice(1000))])],
  ["deflate", deflateSync(WORDS)],
  ["br", brotliCompressSync(WORDS)],
  ["zstd", zstdCompressSync(WORDS)],
  ["br, gzip", gzipSync(brotliCompressSync(WORDS))],
  ["identity", Buffer.from(WORDS)],
  ["unheard-of", Buffer.from(WORDS)],
])("%s is read as it was written", async (encoding, bytes) => {
  const response = compressed(new Uint8Array(bytes), encoding);
  const read = await readBody(response, 2 * WORDS.length);
  expect(read.whole).toBe(true);
  expect(textOf(read)).toBe(WORDS);
});

test.each([
  ["cut", gzipSync(WORDS).subarray(0, 500)],
  ["no gzip at all", Buffer.from("not gzip, and longer than a header")],
  ["raw deflate", deflateRawSync(WORDS)],
])("what is %s is not whole, and throws nothing", async (_, bytes) => {
  expect(await readBody(compressed(new Uint8Array(bytes), "gzip"), 2 * WORDS.length)).toMatchObject({ whole: false });
});

/** A file of gzip without an end, each piece a megabyte in a thousand bytes; counts what is taken of it. */
function bomb() {
  const member = new Uint8Array(gzipSync(Buffer.alloc(1024 * 1024)));
  const seen = { taken: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        seen.taken += 1;
        controller.enqueue(member);
      },
      cancel: () => {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { response: compressed(body, "gzip"), seen };
}

test("of what inflates without an end no more is taken than what is read, and then it is let go of", async () => {
  const { response, seen } = bomb();
  const read = await readBody(response, 4 * 1024 * 1024);
  expect([read.bytes.length, read.whole]).toEqual([4 * 1024 * 1024, false]);
  // Streams hold up to 64 kB ahead of their reader, of what is still compressed.
  expect(seen.taken).toBeLessThan(200);
  await expect.poll(() => seen.cancelled).toBe(true);
});

test("what nobody reads is never inflated", async () => {
  const { response, seen } = bomb();
  await response.body?.cancel();
  expect(seen).toEqual({ taken: 0, cancelled: true });
});
