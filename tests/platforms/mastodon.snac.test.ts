import type { PublishRequest, Ref, Session } from "@psn/core/types/platform.ts";
import type { Media, Part, Post } from "@psn/core/types/post.ts";
import type { Body } from "@psn/platforms/mastodon/compose.ts";
import mastodon from "@psn/platforms/mastodon/index.ts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { prepareAll } from "../support/adapter.ts";
import { type Snac, snacProgram, startSnac } from "../support/snac.ts";

// One transparent pixel.
const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);

let snac: Snac | undefined;
let missing = "";
let session: Session;

beforeAll(async () => {
  const program = await snacProgram();
  if ("missing" in program) {
    missing = program.missing;
    return;
  }
  snac = await startSnac(program.path);
  const net = { fetch: globalThis.fetch, now: () => new Date(), signal: new AbortController().signal };
  session = { ...net, ...(await mastodon.connect({ server: snac.origin, token: snac.token }, net)) };
});

afterAll(() => snac?.stop());

beforeEach((context) => {
  if (missing !== "") context.skip(`needs snac2: ${missing}`);
});

const picture = (id: string, alt: string): Media => ({
  id,
  kind: "image",
  mime: "image/png",
  bytes: PIXEL.length,
  alt,
  open: async () => new Blob([PIXEL], { type: "image/png" }),
});

function requestsOf(parts: [Part, ...Part[]], more: Partial<Post> = {}): PublishRequest<Body>[] {
  const composed = mastodon.compose(
    { id: "p", parts, ...more },
    { ...mastodon.capabilities, ...session.profile.limits },
  );
  if (!composed.ok) throw new Error(JSON.stringify(composed.issues));
  const all = parts.flatMap(({ media }) => media as readonly Media[]);
  return composed.units.map((unit) => ({
    unit,
    prepared: null,
    media: all.filter(({ id }) => unit.media.includes(id)),
    key: crypto.randomUUID(),
    at: new Date(),
  }));
}

async function publish(request: PublishRequest<Body>): Promise<Ref> {
  const prepared = request.unit.prepare ? await prepareAll(mastodon, request, session) : null;
  const outcome = await mastodon.publish({ ...request, prepared }, session);
  if (outcome.status !== "published") throw new Error("snac publishes at once");
  return outcome.ref;
}

async function read(ref: Ref): Promise<Record<string, unknown>> {
  const answer = await fetch(`${session.profile.home}/api/v1/statuses/${ref.id}`, {
    headers: { authorization: `Bearer ${session.credentials.access}` },
    keepalive: false,
  });
  return answer.json() as Promise<Record<string, unknown>>;
}

const found = (request: PublishRequest<Body>, known: string[] = []) =>
  mastodon.lookup?.(request, session, new Set(known));

describe("snac2", () => {
  test("connects without /api/v2/instance and takes the server's own limits", async () => {
    expect(session.profile).toMatchObject({
      handle: `alice@${new URL(session.profile.home).host}`,
      home: snac?.origin,
      url: `${snac?.origin}/alice`,
      limits: { text: { max: 100_000, unit: "grapheme", urlCost: 32, mention: "local" } },
    });
    expect(await mastodon.identify(session)).toEqual(session.profile);
    await expect(mastodon.connect({ server: session.profile.home, token: "wrong" }, session)).rejects.toMatchObject({
      code: "AUTH_REVOKED",
    });
  });

  test("a post is found again by its words, a second like it only when the first is known", async () => {
    const [request] = requestsOf(
      [{ text: "hello *bold* https://www.example.com/a/b?x=1&y=<2>\n> @alice@a.example #tag 👩‍🚀", media: [] }],
      { contentWarning: "food", language: "en" },
    );
    if (!request) throw new Error("no unit");
    expect(await found(request)).toBeUndefined();
    const ref = await publish(request);
    expect(new URL(ref.url).origin).toBe(session.profile.home);
    expect(await found(request)).toEqual(ref);
    expect(await found(request, [ref.id])).toBeUndefined();
    // This server makes a second post of the same key: that is why psn looks before it sends again.
    const twin = await publish(request);
    expect(twin.id).not.toBe(ref.id);
    expect(await found(request, [ref.id])).toEqual(twin);
    expect(await read(ref)).toMatchObject({ spoiler_text: "food", sensitive: true });
  });

  test("the same from its HTML alone", async () => {
    const [request] = requestsOf([
      { text: "only *html* https://www.example.com/?x=1&y=2 <b>\n\n- a `list` #tag\n> quoted & done", media: [] },
    ]);
    if (!request) throw new Error("no unit");
    const ref = await publish(request);
    const without = {
      ...session,
      fetch: async (url: string | URL, init?: RequestInit) =>
        String(url).endsWith("/source") ? new Response("", { status: 404 }) : fetch(url, init),
    };
    expect(await mastodon.lookup?.(request, without, new Set())).toEqual(ref);
  });

  test("a thread with pictures: the parents are right, and each picture keeps its own alt text", async () => {
    const requests = requestsOf([
      { text: "thread one", media: [picture("a", "first ü")] },
      { text: "thread two", media: [] },
      { text: "thread three", media: [picture("b", "second"), picture("c", "third")] },
    ]);
    const refs: Ref[] = [];
    for (const request of requests) {
      const parent = refs.at(-1);
      const answering = parent ? { ...request, parent } : request;
      refs.push(await publish(answering));
      expect(
        await found(
          answering,
          refs.slice(0, -1).map(({ id }) => id),
        ),
      ).toEqual(refs.at(-1));
    }
    const held = await Promise.all(refs.map(read));
    expect(held.map((one) => one["in_reply_to_id"])).toEqual([null, refs[0]?.id, refs[1]?.id]);
    expect(
      held.map((one) => (one["media_attachments"] as { description: string }[]).map(({ description }) => description)),
    ).toEqual([["first ü"], [], ["second", "third"]]);
  });

  test.each(["followers", "direct"] as const)("a %s post, which its list hides, is found", async (visibility) => {
    const [request] = requestsOf([{ text: `for few: ${visibility}`, media: [] }], { visibility });
    if (!request) throw new Error("no unit");
    expect(await found(request)).toBeUndefined();
    const ref = await publish(request);
    expect(await found(request)).toEqual(ref);
  });

  test("it cannot delete, and psn says so in place of believing its 404", async () => {
    const [request] = requestsOf([{ text: "to be removed", media: [] }]);
    if (!request) throw new Error("no unit");
    const ref = await publish(request);
    await expect(mastodon.remove(ref, session)).rejects.toMatchObject({
      code: "PLATFORM_REJECTED",
      hint: expect.stringContaining(ref.url),
    });
    await mastodon.remove({ id: "nothing", url: ref.url }, session);
    expect(await found(request)).toEqual(ref);
  });
});
