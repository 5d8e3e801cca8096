import { Readable, type Transform } from "node:stream";
import { createBrotliDecompress, createGunzip, createUnzip, createZstdDecompress } from "node:zlib";

/*
 * Decompressing answers piece by piece, as they are read. Left to itself Bun (1.4.5) goes on inflating what has arrived
 * when the body was cancelled: forty answers of 1 MB that inflate to 1 GB each took 350 MB and ten seconds though
 * nobody read them.
 */

/** Larger than zlib's own 16 kB, which leaves many small pieces to be collected. */
const PIECES = { chunkSize: 64 * 1024 };

const MAKERS: ReadonlyMap<string, () => Transform> = new Map<string, () => Transform>([
  ["gzip", () => createGunzip(PIECES)],
  ["x-gzip", () => createGunzip(PIECES)],
  ["deflate", () => createUnzip(PIECES)],
  ["br", () => createBrotliDecompress(PIECES)],
  ["zstd", () => createZstdDecompress(PIECES)],
]);

/** What `inflated` can decompress, for Accept-Encoding. */
export const ENCODINGS = "gzip, deflate, br, zstd";

/**
 * The answer with its body decompressed while it is read; as it is where it is not compressed, or in a way that psn
 * does not know.
 */
export function inflated(response: Response): Response {
  const names = (response.headers.get("content-encoding") ?? "")
    .toLowerCase()
    .split(/\s*,\s*/)
    .filter((name) => name !== "" && name !== "identity");
  const makers = names.map((name) => MAKERS.get(name));
  const { body, status, statusText } = response;
  if (!body || makers.length === 0 || makers.includes(undefined)) return response;
  const headers = new Headers(response.headers);
  for (const name of ["content-encoding", "content-length"]) headers.delete(name);
  // The last that was applied is the first to be taken off.
  const plain = makers
    .toReversed()
    .reduce<ReadableStream<Uint8Array>>((raw, make) => (make ? lazily(raw, make) : raw), body);
  return Object.defineProperty(new Response(plain, { status, statusText, headers }), "url", { value: response.url });
}

/** Begins when somebody reads: what is cancelled before is never inflated. */
function lazily(raw: ReadableStream<Uint8Array>, make: () => Transform): ReadableStream<Uint8Array> {
  const source = raw.getReader();
  let pieces: AsyncIterator<Uint8Array> | undefined;
  const begin = () => {
    const transform = make();
    const compressed = Readable.from(piecesOf(source), { objectMode: false });
    compressed.on("error", (error) => transform.destroy(error));
    return compressed.pipe(transform)[Symbol.asyncIterator]();
  };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        pieces ??= begin();
        const next = await pieces.next();
        if (next.done) controller.close();
        else controller.enqueue(next.value);
      },
      async cancel() {
        await pieces?.return?.();
        await source.cancel();
      },
    },
    { highWaterMark: 0 },
  );
}

async function* piecesOf(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<Uint8Array> {
  for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value;
}
