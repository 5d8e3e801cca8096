import { createHash, randomBytes } from "node:crypto";
import { PsnError } from "@psn/core/errors.ts";
import type { Fetch, PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { Media, Post } from "@psn/core/types/post.ts";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { describe, expect, test } from "vitest";
import webhook from "./index.ts";

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;

const NOON = new Date("2026-11-02T12:00:00.000Z");

async function connected(url: string, secret = SECRET, send: Fetch = fetch): Promise<Session> {
  const net = {
    fetch: (input: string | URL, init?: RequestInit) => send(input, init),
    now: () => new Date(),
    signal: new AbortController().signal,
  };
  return { ...(await webhook.connect({ url, secret }, net)), ...net };
}

function requestOf(post: Post, media: readonly Media[] = []): PublishRequest<never> {
  const composed = webhook.compose(post, webhook.capabilities);
  if (!composed.ok) throw new Error(JSON.stringify(composed.issues));
  return { unit: composed.units[0] as never, prepared: null, media, key: crypto.randomUUID(), at: new Date() };
}

describe("a real receiver", () => {
  test("verifies what it is sent with the library of the specification, whatever the text and the secret", async () => {
    let secret = SECRET;
    const verified: { type: string; data: { id: string; parts: { text: string }[] } }[] = [];
    await using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        verified.push(
          new Webhook(secret).verify(
            await request.text(),
            Object.fromEntries(request.headers),
          ) as (typeof verified)[number],
        );
        return new Response(null, { status: 204 });
      },
      error: () => new Response("bad signature", { status: 401 }),
    });
    const text = fc.string({ unit: "binary", minLength: 1 }).filter((one) => one.trim() !== "");
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 24, max: 64 }), async (words, size) => {
        secret = `whsec_${randomBytes(size).toString("base64")}`;
        const session = await connected(`http://127.0.0.1:${server.port}/hook`, secret);
        const request = requestOf({ id: "1", parts: [{ text: words, media: [] }] });
        await webhook.publish(request, session);
        expect(verified.at(-1)).toMatchObject({
          type: "post.published",
          data: { id: request.key, parts: [{ text: words }] },
        });
      }),
      { numRuns: 50 },
    );
  });

  test("is sent every picture with its bytes, its alt text and its sha256, part by part", async () => {
    const received: unknown[] = [];
    await using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => {
        received.push(new Webhook(SECRET).verify(await request.text(), Object.fromEntries(request.headers)));
        return new Response(null, { status: 204 });
      },
    });
    const session = await connected(`http://127.0.0.1:${server.port}/hook`);
    const bytes = new Uint8Array(randomBytes(3_000));
    const media: Media = {
      id: "m1",
      kind: "image",
      mime: "image/png",
      bytes: 3_000,
      width: 10,
      height: 20,
      alt: "noise",
      open: async () => new Blob([bytes]),
    };
    const post: Post = {
      id: "1",
      parts: [
        { text: "one", media: [] },
        { text: "two", media: [media] },
      ],
      language: "en",
      title: "T",
      contentWarning: "W",
      visibility: "direct",
    };
    const request = requestOf(post, [media]);
    await webhook.publish(request, session);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const picture = {
      mime: "image/png",
      bytes: 3_000,
      width: 10,
      height: 20,
      alt: "noise",
      sha256,
      data: Buffer.from(bytes).toString("base64"),
    };
    expect(received.at(-1)).toEqual({
      type: "post.published",
      timestamp: request.at.toISOString(),
      data: {
        id: request.key,
        parts: [
          { text: "one", media: [] },
          { text: "two", media: [picture] },
        ],
        visibility: "direct",
        language: "en",
        contentWarning: "W",
        title: "T",
      },
    });
  });

  test("that does not listen is unreachable, one that hangs up leaves the outcome open", async () => {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
    const url = `http://127.0.0.1:${server.port}/`;
    await server.stop(true);
    const post: Post = { id: "1", parts: [{ text: "hello", media: [] }] };
    await expect(webhook.publish(requestOf(post), await connected(url))).rejects.toMatchObject({
      code: "PLATFORM_UNREACHABLE",
    });
    using rude = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: (socket) => void socket.terminate() } });
    await expect(
      webhook.publish(requestOf(post), await connected(`http://127.0.0.1:${rude.port}/`)),
    ).rejects.toMatchObject({
      code: "OUTCOME_UNKNOWN",
    });
  });

  test("that answers 410 wants no more posts; for a removal it is gone already", async () => {
    await using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => new Response(null, { status: 410 }),
    });
    const session = await connected(`http://127.0.0.1:${server.port}/`);
    const request = requestOf({ id: "1", parts: [{ text: "hello", media: [] }] });
    await expect(webhook.publish(request, session)).rejects.toMatchObject({ code: "AUTH_REVOKED" });
    await webhook.remove({ id: request.key, url: "https://example.com/" }, session);
  });
});

describe("connecting", () => {
  const refusedForm = async (form: Record<string, string>) => {
    const net = {
      fetch: () => Promise.reject(new Error("nothing may be sent")),
      now: () => NOON,
      signal: new AbortController().signal,
    };
    const error: unknown = await webhook.connect(form, net).catch((thrown: unknown) => thrown);
    if (!(error instanceof PsnError)) throw new Error("must be refused");
    return error;
  };

  test.each([
    ["", "INPUT_REQUIRED"],
    ["example.com/hook", "INPUT_INVALID"],
    ["ftp://example.com/", "INPUT_INVALID"],
    ["http://example.com/", "INPUT_INVALID"],
    ["http://127.0.0.1.example.com/", "INPUT_INVALID"],
    ["http://localhost.example.com/", "INPUT_INVALID"],
    ["https://ada:hunter2@example.com/", "INPUT_INVALID"],
    ["https://hunter2@example.com/", "INPUT_INVALID"],
  ])("refuses the url %j", async (url, code) => {
    const error = await refusedForm({ url, secret: SECRET });
    expect(error.code).toBe(code);
    expect(error.hint).toBeDefined();
    expect(JSON.stringify(error)).not.toContain("hunter2");
  });

  test.each([
    ["", "INPUT_REQUIRED"],
    ["secret", "INPUT_INVALID"],
    [Buffer.alloc(32, 1).toString("base64"), "INPUT_INVALID"],
    [`whsec_${Buffer.alloc(23, 1).toString("base64")}`, "INPUT_INVALID"],
    [`whsec_${Buffer.alloc(65, 1).toString("base64")}`, "INPUT_INVALID"],
    [`whsec_${"A".repeat(41)}`, "INPUT_INVALID"],
    [`whsec_${Buffer.alloc(32, 255).toString("base64url")}`, "INPUT_INVALID"],
  ])("refuses the secret %j", async (secret, code) => {
    const error = await refusedForm({ url: "https://example.com/", secret });
    expect(error.code).toBe(code);
    expect(error.hint).toContain("openssl rand");
    if (secret.length > 6) expect(JSON.stringify(error)).not.toContain(secret);
  });

  test.each(["http://127.0.0.1:1/", "http://[::1]:1/x", "http://localhost:1/", "https://example.com/hook?list=1#part"])(
    "takes %s",
    async (url) => {
      const refused = Object.assign(new Error("Unable to connect"), { code: "ConnectionRefused" });
      const { profile } = await connected(url, SECRET, () => Promise.reject(refused));
      expect(profile.subject).toMatch(/^[0-9a-f]{16}$/);
      expect(profile.home).toBe(url.replace("#part", ""));
      expect(profile.url).not.toContain("?");
    },
  );

  test.each([200, 204, 304, 400, 401, 404, 405, 410, 429, 500])(
    "asks the receiver nothing it could take for an event (%i)",
    async (status) => {
      const asked: { method: string; body: string; headers: string[] }[] = [];
      await using server = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        fetch: async (request) => {
          asked.push({ method: request.method, body: await request.text(), headers: [...request.headers.keys()] });
          return new Response(null, { status });
        },
      });
      await connected(`http://127.0.0.1:${server.port}/hook?token=s3cret`);
      expect(asked).toMatchObject([{ method: "HEAD", body: "" }]);
      expect(asked[0]?.headers.filter((name) => /webhook|signature|content|authorization/.test(name))).toEqual([]);
    },
  );

  test.each([
    [301, "/hook/", (origin: string) => `${origin}/hook/`],
    [302, "https://www.example.com/hook?token=s3cret", () => "https://www.example.com/hook"],
    [308, "https://ada:s3cret@www.example.com/it's", () => "https://www.example.com/it's"],
  ] as const)(
    "refuses a receiver that redirects (%i to %s), and names the address",
    async (status, location, named) => {
      await using server = Bun.serve({
        hostname: "127.0.0.1",
        port: 0,
        fetch: () => new Response(null, { status, headers: { location } }),
      });
      const error: unknown = await connected(`http://127.0.0.1:${server.port}/hook`).catch((thrown: unknown) => thrown);
      const to = named(`http://127.0.0.1:${server.port}`);
      expect(error).toMatchObject({ code: "INPUT_INVALID", message: `127.0.0.1:${server.port} redirects to ${to}` });
      expect(error).toMatchObject({
        hint: `psn connect webhook ${to.includes("'") ? `'${to.replace("'", "%27")}'` : to}`,
      });
      expect(JSON.stringify(error)).not.toContain("s3cret");
    },
  );

  test("a post that meets a redirect later is refused with the same command", async () => {
    let moved = false;
    await using server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () =>
        new Response(
          null,
          moved ? { status: 301, headers: { location: "https://www.example.com/hook" } } : { status: 202 },
        ),
    });
    const session = await connected(`http://127.0.0.1:${server.port}/hook`);
    moved = true;
    const request = requestOf({ id: "1", parts: [{ text: "hello", media: [] }] });
    for (const again of [{}, { again: true as const }])
      await expect(webhook.publish({ ...request, ...again }, session)).rejects.toMatchObject({
        code: "PLATFORM_REJECTED",
        message: `127.0.0.1:${server.port} redirects to https://www.example.com/hook`,
        hint: "psn connect webhook https://www.example.com/hook",
        neverTaken: false,
      });
  });
});
