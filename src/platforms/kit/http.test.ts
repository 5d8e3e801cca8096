import { PsnError } from "@psn/core/errors.ts";
import { expect, test } from "vitest";
import { z } from "zod";
import { call, parse, pauseMs } from "./http.ts";

const now = new Date("2026-12-01T09:00:00Z");
const net = (fetch: (input: string | URL, init?: RequestInit) => Promise<Response>) => ({
  fetch,
  now: () => now,
  signal: new AbortController().signal,
});
const answering = (response: () => Response) => net(async () => response());
const failing = (code: string) => net(async () => Promise.reject(Object.assign(new TypeError("fetch failed"), { code })));
const publish = { method: "POST", body: JSON.stringify({ text: "a secret launch on the first of May" }), effect: "publish" } as const;
const caught = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable("it must throw"),
    (error: unknown) => error as PsnError,
  );

test.each([
  [{ "retry-after": "30" }, 30_000],
  [{ "retry-after": "Tue, 01 Dec 2026 09:01:00 GMT" }, 60_000],
  [{ "x-ratelimit-reset": "2026-12-01T09:05:00.000Z" }, 300_000],
  [{ "ratelimit-reset": String(Date.parse("2026-12-01T09:00:10Z") / 1000) }, 10_000],
  [{ "ratelimit-reset": "7" }, 7_000],
  [{ "x-ratelimit-reset": "2026-12-01T12:01:00Z", date: "Tue, 01 Dec 2026 12:00:00 GMT" }, 60_000],
  [{ "retry-after": "soon" }, undefined],
  [{ "retry-after": "Mon, 30 Nov 2026 09:00:00 GMT" }, 0],
  [{ "retry-after": "99999999" }, 24 * 3_600_000],
  [{}, undefined],
])("a pause of %o is %s ms", (headers, ms) => {
  expect(pauseMs(new Headers(headers), now)).toBe(ms);
});

test.each(["ECONNREFUSED", "ENOTFOUND", "CERT_HAS_EXPIRED", "DEPTH_ZERO_SELF_SIGNED_CERT"])(
  "%s proves that nothing was sent",
  async (code) => {
    expect(await caught(call(failing(code), "https://a.example/", publish))).toMatchObject({
      code: "PLATFORM_UNREACHABLE",
      retry: "backoff",
    });
  },
);

test.each(["ECONNRESET", "ETIMEDOUT", "EPIPE", "UNKNOWN"])("%s leaves a publish unknown, and a read only unlucky", async (code) => {
  expect(await caught(call(failing(code), "https://a.example/", publish))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
  expect(await caught(call(failing(code), "https://a.example/", { effect: "none" }))).toMatchObject({ code: "PLATFORM_DOWN" });
});

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
    (await caught(call({ ...refusing(error), credentials: { access: "t0ken", scopes: [] } }, "https://a.example/", publish))).message;
  expect(await said("Text is too long")).toBe("a.example refused with 422: Text is too long");
  expect(await said("not allowed for t0ken")).toBe("a.example refused with 422: not allowed for •••");
  expect(await said('bad word in "a secret launch on the first"')).toBe("a.example refused with 422");
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
