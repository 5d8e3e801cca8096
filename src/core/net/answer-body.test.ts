import { expect, test } from "vitest";
import { readBody, textOf } from "./answer-body.ts";

/** A body of chunks of 1,000 bytes that counts what is taken from it. */
function counted(chunks: number) {
  const seen = { given: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (seen.given / 1000 >= chunks) return controller.close();
        seen.given += 1000;
        controller.enqueue(new Uint8Array(1000).fill(97));
      },
      cancel: () => {
        seen.cancelled = true;
      },
    },
    { highWaterMark: 0 },
  );
  return { response: new Response(body), seen };
}

test("a body within the limit is whole", async () => {
  const { response, seen } = counted(3);
  const read = await readBody(response, 3000);
  expect(read).toMatchObject({ whole: true });
  expect(textOf(read)).toBe("a".repeat(3000));
  expect(seen).toEqual({ given: 3000, cancelled: false });
  expect(await readBody(new Response(null), 0)).toMatchObject({ whole: true });
});

test("of a body without an end no more is taken than the limit and one chunk, and it is let go of", async () => {
  const { response, seen } = counted(Number.POSITIVE_INFINITY);
  const read = await readBody(response, 10_500);
  expect(read).toMatchObject({ whole: false });
  expect(read.bytes).toHaveLength(10_500);
  expect(seen).toEqual({ given: 11_000, cancelled: true });
});

test("a body that fails, or takes longer than its reader, is what came of it", async () => {
  const failing = new Response(
    new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode("begun"));
      },
      pull: (controller) => controller.error(new Error("cut")),
    }),
  );
  const cut = await readBody(failing, 100);
  expect([textOf(cut), cut.whole]).toEqual(["begun", false]);
  const stop = new AbortController();
  const silent = new Response(new ReadableStream({ pull: () => stop.abort() }));
  expect(await readBody(silent, 100, stop.signal)).toMatchObject({ whole: false });
  expect(await readBody(counted(1).response, 100, AbortSignal.abort())).toMatchObject({ whole: false });
});
