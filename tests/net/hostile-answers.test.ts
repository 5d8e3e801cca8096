import { createServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { openBucket } from "@psn/core/bucket/index.ts";
import type { PsnError } from "@psn/core/errors.ts";
import { BODY_BYTES, ERROR_BYTES } from "@psn/core/net/answer-body.ts";
import { fetchAsPsn, fetchBounded, USER_AGENT } from "@psn/core/net/fetch.ts";
import { loadHubEnv } from "@psn/core/utils/env.ts";
import { call, parse } from "@psn/platforms/kit/http.ts";
import { ask } from "@psn/provision/request.ts";
import { triggerQueue } from "@psn/queue/trigger.ts";
import { notifierOf } from "@psn/wiring/parts.ts";
import { afterEach, expect, test } from "vitest";
import { z } from "zod";

/*
 * Answers that do not end, end too early or are not what they say: over real sockets, counted in bytes that the server
 * could write before psn closed the connection.
 */

interface Hostile {
  readonly url: string;
  /** The requests as they came. */
  readonly requests: readonly string[];
  /** Bytes that the server has written, when the connection was closed. */
  readonly closed: Promise<number>;
}

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

const head = (status: number, ...headers: string[]) => `HTTP/1.1 ${status} Whatever\r\n${headers.join("\r\n")}\r\n\r\n`;
const chunk = (bytes: Uint8Array) =>
  Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from("\r\n")]);
const CHUNKED = "transfer-encoding: chunked";
/** A megabyte of blanks in a thousand bytes, as one of any number of members of a gzip file. */
const MEMBER = gzipSync(Buffer.alloc(1024 * 1024, 32));

/** Writes this once for each request, and then `piece` again and again for as long as somebody listens. */
async function hostile(begin: string | Buffer, piece?: Buffer, everyMs = 0): Promise<Hostile> {
  const { promise: closed, resolve } = Promise.withResolvers<number>();
  const requests: string[] = [];
  const serve = async (socket: Socket) => {
    let written = 0;
    let open = true;
    socket.on("error", () => undefined);
    socket.on("close", () => {
      open = false;
      resolve(written);
    });
    requests.push(String(await new Promise((done) => socket.once("data", done))));
    socket.write(begin);
    if (!piece) return void socket.end();
    while (open) {
      written += piece.length;
      if (!socket.write(piece)) await new Promise((done) => socket.once("drain", done).once("close", done));
      if (everyMs > 0) await sleep(everyMs);
    }
  };
  const server = createServer((socket) => void serve(socket));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  stops.push(() => server.close());
  const address = server.address();
  if (typeof address !== "object" || !address) throw new Error("no port");
  return { url: `http://127.0.0.1:${address.port}/`, closed, requests };
}

const ENDLESS = () => hostile(head(200, CHUNKED), chunk(Buffer.alloc(65_536, 32)));
/** Every piece is a gigabyte for a megabyte. */
const BOMB = () =>
  hostile(
    head(200, "content-encoding: gzip", CHUNKED),
    chunk(Buffer.concat(Array.from({ length: 1024 }, () => MEMBER))),
  );
const TRICKLE = () => hostile(head(200, CHUNKED), chunk(Buffer.from(" ")), 50);
const CUT = () => hostile(`${head(200, "content-length: 100")}{"id":`);
const BROKEN = (encoding: string) =>
  hostile(`${head(200, `content-encoding: ${encoding}`, "content-length: 9")}not at al`);

const CASES = [
  ["endless", ENDLESS],
  ["a gzip bomb", BOMB],
  ["trickling", TRICKLE],
  ["cut", CUT],
  ["broken gzip", () => BROKEN("gzip")],
  ["broken br", () => BROKEN("br")],
  ["broken zstd", () => BROKEN("zstd")],
] as const;

const session = () => ({ fetch: fetchAsPsn, now: () => new Date(), signal: new AbortController().signal });
const publish = { method: "POST", body: "{}", effect: "publish" } as const;
const caught = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable("it must throw"),
    (error: unknown) => error as PsnError,
  );
/**
 * What sockets hold on the way, on both sides (12 MB), and what Bun reads while this thread waits for a processor. A
 * body without an end that nobody stopped would pass it in a second.
 */
const ON_THE_WAY = 64 * 1024 * 1024;

test.each(CASES)(
  "%s: a 2xx is a 2xx by its status where nothing of its body is needed, and the connection is closed",
  async (_, serve) => {
    const { url, closed } = await serve();
    expect(await call(session(), url, { ...publish, needsBody: false })).toMatchObject({ status: 200 });
    expect(await closed).toBeLessThan(ON_THE_WAY);
  },
);

test.each(CASES)(
  "%s: where the body is needed it is an unknown outcome, and for a read a platform that is down",
  async (_, serve) => {
    for (const [effect, code] of [
      ["publish", "OUTCOME_UNKNOWN"],
      ["none", "PLATFORM_DOWN"],
    ] as const) {
      const { url, closed } = await serve();
      const asked = call(session(), url, { ...publish, effect, timeoutMs: 1_500 }).then((answer) =>
        parse(answer, z.object({ id: z.string() })),
      );
      expect(await caught(asked)).toMatchObject({ code });
      expect(await closed).toBeLessThan(BODY_BYTES + ON_THE_WAY);
    }
  },
);

test("of a body that inflates without an end psn takes the limit and no more", async () => {
  const { url, closed } = await BOMB();
  const answer = await call(session(), url, publish);
  expect(answer).toMatchObject({ status: 200, cut: true, text: "" });
  await closed;
});

test.each([
  [422, "PLATFORM_REJECTED"],
  [401, "AUTH_EXPIRED"],
  [429, "RATE_LIMITED"],
  [500, "OUTCOME_UNKNOWN"],
  [307, "PLATFORM_REJECTED"],
] as const)(
  "a %i whose body does not end is what its status says, with the pause it asks for",
  async (status, code) => {
    const { url, closed } = await hostile(head(status, CHUNKED, "retry-after: 7"), chunk(Buffer.alloc(65_536, 32)));
    const error = await caught(call(session(), url, publish));
    expect(error).toMatchObject({ code, ...(status === 307 ? {} : { retryAfterMs: 7_000 }) });
    expect(await closed).toBeLessThan(ERROR_BYTES + ON_THE_WAY);
  },
);

test.each([
  ["cut", () => hostile(`${head(422, "content-length: 100")}{"error":`)],
  ["broken gzip", () => hostile(`${head(422, "content-encoding: gzip", "content-length: 9")}not at al`)],
] as const)("a 422 whose body is %s is a clear no all the same", async (_, serve) => {
  const { url } = await serve();
  expect(await caught(call(session(), url, publish))).toMatchObject({ code: "PLATFORM_REJECTED" });
});

/** Everything else of psn that reads an answer. */
const READERS: readonly (readonly [string, (url: string) => Promise<unknown>, number, string | undefined])[] = [
  [
    "a vendor's API",
    (url) => ask(vendorAt(url), { method: "POST", path: "/x", repeat: false }),
    BODY_BYTES,
    "VENDOR_UNREACHABLE",
  ],
  ["Trigger.dev's queue", (url) => queueAt(url).forget("run_1"), BODY_BYTES, "VENDOR_UNREACHABLE"],
  ["an object of a known size", (url) => bucketAt(url).get("psn/a/b", "0".repeat(64), 1000), 1000, "VENDOR_REFUSED"],
  [
    "the bucket's word on an upload",
    (url) => bucketAt(url).put("psn/a/b", { bytes: new Uint8Array(3), mime: "image/png" }),
    BODY_BYTES,
    "VENDOR_REFUSED",
  ],
  ["a library with a fetch of psn's", (url) => fetchBounded(url, {}, BODY_BYTES), BODY_BYTES, "TypeError"],
  [
    "who takes notifications",
    (url) => notifierOf(hubEnv(url)).notify?.("one line") ?? Promise.reject(new Error("none")),
    0,
    undefined,
  ],
];

const vendorAt = (url: string) => ({
  name: "Vendor",
  url,
  token: "a-secret-token",
  fetch: fetchAsPsn,
  sleep: async () => undefined,
  noEffect: [],
  setting: "X",
  refuse: () => expect.unreachable("a 2xx is no refusal"),
});
const queueAt = (url: string) =>
  triggerQueue({ url, secretKey: "tr_x", platforms: [], fetch: fetchAsPsn, now: () => new Date() });
const bucketAt = (endpoint: string) =>
  openBucket(
    { endpoint, region: "auto", bucket: "media", accessKeyId: "id", secretAccessKey: "secret" },
    { requestMs: 10_000, bytesPerMs: 100, pausesMs: [] },
  );
const hubEnv = (url: string) => loadHubEnv(undefined, { PSN_NOTIFY_URL: url });

test.each(READERS)("%s: an answer without an end costs the limit and no more", async (_, read, most, fails) => {
  for (const serve of [ENDLESS, BOMB]) {
    const { url, closed, requests } = await serve();
    const failed = await read(url).then(
      () => undefined,
      (error: unknown) => (error instanceof Error && "code" in error ? error.code : (error as Error).name),
    );
    expect(failed).toBe(fails);
    expect(requests[0]?.toLowerCase()).toContain(`user-agent: ${USER_AGENT}\r\n`);
    expect(await closed).toBeLessThan(most + ON_THE_WAY);
  }
});
