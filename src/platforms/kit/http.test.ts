import { ERRORS, PsnError } from "@psn/core/errors.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { z } from "zod";
import { call, parse } from "./http.ts";

const now = new Date("2026-12-01T09:00:00Z");
const net = (fetch: (input: string | URL, init?: RequestInit) => Promise<Response>) => ({
  fetch,
  now: () => now,
  signal: new AbortController().signal,
});
const answering = (response: () => Response) => net(async () => response());
const failing = (code: string) =>
  net(async () => Promise.reject(Object.assign(new TypeError("fetch failed"), { code })));
const publish = {
  method: "POST",
  body: JSON.stringify({ text: "a secret launch on the first of May" }),
  effect: "publish",
} as const;
const caught = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable("it must throw"),
    (error: unknown) => error as PsnError,
  );

test.each(["ECONNREFUSED", "ENOTFOUND", "CERT_HAS_EXPIRED", "DEPTH_ZERO_SELF_SIGNED_CERT"])(
  "%s proves that nothing was sent",
  async (code) => {
    expect(await caught(call(failing(code), "https://a.example/", publish))).toMatchObject({
      code: "PLATFORM_UNREACHABLE",
      retry: "backoff",
    });
  },
);

test.each(["ECONNRESET", "ETIMEDOUT", "EPIPE", "UNKNOWN"])(
  "%s leaves a publish unknown, and a read only unlucky",
  async (code) => {
    expect(await caught(call(failing(code), "https://a.example/", publish))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect(await caught(call(failing(code), "https://a.example/", { effect: "none" }))).toMatchObject({
      code: "PLATFORM_DOWN",
    });
  },
);

test("a publish opens its own connection and follows no redirect", async () => {
  let seen: RequestInit | undefined;
  await call(
    net(async (_url, init) => {
      seen = init;
      return new Response("{}");
    }),
    "https://a.example/",
    publish,
  );
  expect(seen).toMatchObject({ redirect: "manual", keepalive: false });
});

test("the platform's reason is kept, the post's own words and the secrets are not", async () => {
  const refusing = (error: string) => answering(() => Response.json({ error }, { status: 422 }));
  const said = async (error: string) =>
    (
      await caught(
        call({ ...refusing(error), credentials: { access: "t0ken", scopes: [] } }, "https://a.example/", publish),
      )
    ).message;
  expect(await said("Text is too long")).toBe("a.example refused with 422: Text is too long");
  expect(await said("not allowed for t0ken")).toBe("a.example refused with 422: not allowed for •••");
  expect(await said('bad word in "a secret launch on the first"')).toBe(
    'a.example refused with 422: bad word in "•••"',
  );
});

test("a shape psn does not know is PLATFORM_CHANGED, which is settled and not resent", async () => {
  const answer = await call(
    answering(() => Response.json({ id: 7 })),
    "https://a.example/",
    publish,
  );
  let error: unknown;
  try {
    parse(answer, z.object({ id: z.string() }));
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toMatchObject({ code: "PLATFORM_CHANGED", retry: "reconcile" });
  expect(error).toBeInstanceOf(PsnError);
});

const MOVED = "https://a.example/hooks/one?token=s3cret";
const moving = async (status: number, location: string | undefined, effect: "publish" | "none" = "publish") =>
  caught(
    call(
      {
        ...answering(() => new Response(null, { status, headers: location ? { location } : {} })),
        credentials: { access: "t0ken", scopes: [] },
      },
      MOVED,
      { ...publish, effect, moved: ({ href }) => `psn connect webhook ${href}` },
    ),
  );

test.each([
  ["https://b.example/new", "https://b.example/new"],
  ["/hooks/one/", "https://a.example/hooks/one/"],
  ["https://ada:s3cret@b.example/new?token=s3cret#s3cret", "https://b.example/new"],
  ["https://b.example/t0ken/new", "https://b.example"],
  ["https://b.example/a%20secret%20launch%20on%20the%20first", "https://b.example"],
  ["https://b\u00fc.example/\u00e9", new URL("https://b\u00fc.example/\u00e9").href],
])("a redirect to %s carried nothing out: a clear no that names %s", async (location, named) => {
  for (const status of [300, 301, 302, 303, 305, 307, 308, 399]) {
    for (const effect of ["publish", "none"] as const) {
      const error = await moving(status, location, effect);
      expect(error).toMatchObject({
        code: "PLATFORM_REJECTED",
        retry: "never",
        message: `a.example redirects to ${named}`,
      });
      expect(error.hint).toMatch(/^psn connect webhook https:/);
      expect(`${error.message} ${error.hint}`).not.toMatch(/s3cret|t0ken|launch/);
    }
  }
});

test.each([
  [304, undefined],
  [302, undefined],
  [302, "mailto:a@b.example"],
  [302, "https://"],
])("a redirect (%i) to %s names no address, and is as clear a no", async (status, location) => {
  const message = `a.example answered ${status}, a redirect without an address`;
  expect(await moving(status, location)).toMatchObject({
    code: "PLATFORM_REJECTED",
    message,
    hint: "psn connect PLATFORM",
  });
});

test("what the session itself throws before the bytes leave stays what it is, but for a stop", async () => {
  const lost = new PsnError("LEASE_LOST", "another worker took over");
  for (const thrown of [lost, new TypeError("wrapped", { cause: lost })])
    expect(
      await caught(
        call(
          net(async () => Promise.reject(thrown)),
          "https://a.example/",
          publish,
        ),
      ),
    ).toBe(lost);
  const stop = new AbortController();
  const stopped = net(async () => {
    stop.abort(new PsnError("INTERRUPTED", "stopped"));
    throw stop.signal.reason;
  });
  const read = caught(call({ ...stopped, signal: stop.signal }, "https://a.example/", { effect: "none" }));
  expect(await read).toMatchObject({ code: "PLATFORM_DOWN" });
});

test.each([400, 401, 403, 404, 408, 425, 429, 500, 502, 503, 504])(
  "the pause that a %i asks for is kept",
  async (status) => {
    const refusing = answering(
      () => new Response("", { status, headers: { "retry-after": "120", "x-ratelimit-reset": "7" } }),
    );
    for (const options of [publish, { effect: "none" } as const])
      expect(await caught(call(refusing, "https://a.example/", options))).toMatchObject({ retryAfterMs: 120_000 });
    const counting = answering(() => new Response("", { status, headers: { "x-ratelimit-reset": "7" } }));
    const error = await caught(call(counting, "https://a.example/", publish));
    expect(error.retryAfterMs, "an allowance that is counted down is a pause only on a 429").toBe(
      status === 429 ? 7_000 : undefined,
    );
  },
);

test("a platform that explains in plain words is heard, and a page for a browser is none", async () => {
  const saying = (text: string, type: string) =>
    answering(() => new Response(text, { status: 422, headers: { "content-type": type } }));
  const said = async (net: ReturnType<typeof saying>) =>
    (await caught(call(net, "https://a.example/", publish))).message;
  expect(await said(saying("text is\n too long", "text/plain; charset=utf-8"))).toBe(
    "a.example refused with 422: text is too long",
  );
  expect(await said(saying("<html>no</html>", "text/plain"))).toBe("a.example refused with 422");
  expect(await said(saying("no", "text/html"))).toBe("a.example refused with 422");
});

test.each([
  ["CERT_HAS_EXPIRED", "its certificate has expired"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "its certificate is not trusted on this machine"],
  ["ERR_TLS_CERT_ALTNAME_INVALID", "its certificate is for another host name"],
  ["ConnectionRefused", "no program listens on that port"],
  ["ENOTFOUND", "its name does not resolve"],
])("%s is told in words, with what helps", async (code, says) => {
  const error = await caught(call(failing(code), "https://a.example/", publish));
  expect(error).toMatchObject({ code: "PLATFORM_UNREACHABLE", message: `could not connect to a.example: ${says}` });
  if (says.includes("trusted")) expect(error.hint).toContain("NODE_EXTRA_CA_CERTS");
});

test("the code of a failed handshake proves nothing: Bun gives the same when the request was read", async () => {
  const error = await caught(call(failing("EPROTO"), "https://a.example/", publish));
  expect(error).toMatchObject({
    code: "OUTCOME_UNKNOWN",
    message: "no answer from a.example: the TLS handshake failed",
  });
});

/** Anything a server may write; header values are what HTTP lets through. */
const words = fc.oneof(fc.string({ unit: "binary", maxLength: 400 }), fc.string({ unit: "grapheme", maxLength: 300 }));
const number = fc.oneof(
  fc.double().map(String),
  fc.bigInt().map(String),
  fc.constantFrom("1e999", "-1", "9".repeat(400), "NaN", "Infinity"),
);
const value = fc.oneof(
  number,
  fc.string(),
  fc
    .date()
    .filter((at) => !Number.isNaN(at.getTime()))
    .map((at) => at.toUTCString()),
);
const header = value.map((text) => text.replaceAll(/[^\x20-\x7e]/g, "").trim());
const HEADERS = ["retry-after", "x-ratelimit-reset", "ratelimit", "date", "location"] as const;
const body = fc.oneof(
  words,
  fc.json(),
  fc
    .dictionary(
      fc.constantFrom("error", "error_description", "message", "detail", "title"),
      fc.oneof(words, fc.jsonValue()),
    )
    .map((one) => JSON.stringify(one)),
);

test("any status, headers and body: a message that can be written, and a finite pause", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 300, max: 599 }),
      fc.dictionary(fc.constantFrom(...HEADERS), header),
      body,
      fc.constantFrom("publish" as const, "none" as const),
      async (status, headers, text, effect) => {
        const response = () => new Response(status === 304 ? null : text, { status, headers });
        const error = await caught(call(answering(response), "https://a.example/", { ...publish, effect }));
        expect(error).toBeInstanceOf(PsnError);
        expect(Object.keys(ERRORS)).toContain(error.code);
        expect(error.message.isWellFormed()).toBe(true);
        expect(error.message).not.toMatch(/\p{Cc}/u);
        expect(error.message.length).toBeLessThanOrEqual(300);
        expect(error.hint ?? "").not.toMatch(/\p{Cc}/u);
        if (error.retryAfterMs === undefined) return;
        expect(error.retryAfterMs).toBeGreaterThanOrEqual(0);
        expect(error.retryAfterMs).toBeLessThanOrEqual(24 * 3_600_000);
      },
    ),
    { numRuns: 500 },
  );
});
