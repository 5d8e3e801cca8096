import type { Connection } from "@psn/core/types/account.ts";
import type { Json } from "@psn/core/types/index.ts";
import type { Fetch, Net, Platform, Preparation, PublishRequest, Session } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import bluesky from "@psn/platforms/bluesky/index.ts";
import linkedin from "@psn/platforms/linkedin/index.ts";
import mastodon from "@psn/platforms/mastodon/index.ts";
import threads from "@psn/platforms/threads/index.ts";
import x from "@psn/platforms/x/index.ts";
import { afterEach, describe, expect, test } from "vitest";
import { connectTo, REDIRECT } from "../contract/stage.ts";
import { failure, post, text } from "../support/adapter.ts";
import { addressOf, startLinkedIn } from "../support/linkedin.ts";
import { startMastodon } from "../support/mastodon.ts";
import { startThreads } from "../support/threads.ts";
import { atMost } from "../support/until.ts";
import { startX } from "../support/x.ts";

/*
 * What was uploaded is never lost: whatever fails after it, the next call goes on from the handle, and every file is
 * uploaded once. And nobody waits for minutes: what a platform works on becomes pending.
 */

const stops: (() => void | Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==",
  "base64",
);
const media = (id: string, mime: string): Media => ({
  id,
  kind: mime.startsWith("video/") ? "video" : "image",
  mime,
  bytes: PIXEL.length,
  alt: `alt of ${id}`,
  open: async () => new Blob([PIXEL], { type: mime }),
});
const pictures = ["a", "b", "c"].map((id) => media(id, "image/png"));

interface World {
  readonly platform: Platform;
  readonly connection: Connection;
  /** The platform's side. */
  readonly fetch: Fetch;
  /** Whole files that the platform has, of those a post could take. */
  readonly uploaded: () => number;
  readonly link?: (one: Media) => Promise<string>;
}

/** How many questions each file is worked on, and what X says how long to wait. */
interface Slow {
  readonly processing: number;
  readonly checkAfterSecs?: string;
}

const QUICK: Slow = { processing: 1 };

async function worldOf(platform: Platform, fetch: Fetch, fake: Partial<Parameters<typeof connectTo>[1]>) {
  const connection = await connectTo(platform, { form: {}, fetch, live: () => 0, ...fake }, net(fetch));
  return { platform, connection, fetch };
}

const net = (fetch: Fetch): Net => ({ fetch, now: () => new Date(), signal: new AbortController().signal });

const WORLDS: Readonly<Record<string, (slow: Slow) => Promise<World>>> = {
  x: async (slow) => {
    const fake = await startX({ checkAfterSecs: "0", ...slow });
    stops.push(fake.stop);
    const fetch: Fetch = (input, init) =>
      globalThis.fetch(String(input).replace("https://api.x.com", fake.origin), init);
    const world = await worldOf(x, fetch, { app: fake.app, consent: fake.consent });
    return { ...world, uploaded: () => [...fake.media.values()].filter(({ state }) => state !== "open").length };
  },
  mastodon: async ({ processing }) => {
    const fake = await startMastodon({ processing: processing + 1 });
    stops.push(fake.stop);
    const world = await worldOf(mastodon, globalThis.fetch, { consent: fake.consent, form: { server: fake.origin } });
    return { ...world, uploaded: () => fake.media.size };
  },
  linkedin: async ({ processing }) => {
    const fake = await startLinkedIn({ processing });
    stops.push(fake.stop);
    const fetch: Fetch = (input, init) => globalThis.fetch(addressOf(fake, input) ?? "http://127.0.0.1:1/", init);
    const world = await worldOf(linkedin, fetch, { app: fake.app, consent: fake.consent });
    return { ...world, uploaded: () => [...fake.media.values()].filter(({ bytes }) => bytes > 0).length };
  },
  threads: async ({ processing }) => {
    const fake = await startThreads({ processing, httpsOnly: false }, { redirects: [REDIRECT] });
    stops.push(fake.stop);
    const fetch: Fetch = (input, init) =>
      globalThis.fetch(String(input).replace("https://graph.threads.net", fake.origin), init);
    const world = await worldOf(threads, fetch, { app: fake.app, consent: fake.consent });
    return {
      ...world,
      uploaded: () => [...fake.containers.values()].filter(({ item }) => item).length,
      link: fake.host,
    };
  },
  /** A PDS that takes blobs and knows a handle: the real one is asked in bluesky.test.ts. */
  bluesky: async () => {
    let blobs = 0;
    const fetch: Fetch = async (input) => {
      if (String(input).includes("resolveHandle")) return Response.json({ did: "did:plc:grace" });
      blobs += 1;
      return Response.json({
        blob: { $type: "blob", ref: { $link: `cid-${blobs}` }, mimeType: "image/png", size: PIXEL.length },
      });
    };
    const profile = {
      subject: "did:plc:ada",
      handle: "ada.test",
      url: "https://bsky.app/profile/ada.test",
      home: "https://pds.test",
    };
    const connection = { credentials: { access: "a-token-of-its-own", scopes: [] }, profile };
    return { platform: bluesky, connection, fetch, uploaded: () => blobs };
  },
};

/** What befalls the requests that match, from the nth on, until it is over. */
interface Trouble {
  readonly match: RegExp;
  readonly nth: number;
  readonly befalls: () => Response;
}

async function begin(name: string, files: Media[], slow = QUICK) {
  const world = await (WORLDS[name] ?? expect.unreachable())(slow);
  let trouble: (Trouble & { seen: number }) | undefined;
  let [aheadMs, requests] = [0, 0];
  const lines: string[] = [];
  const fetch: Fetch = async (input, init) => {
    requests += 1;
    const url = new URL(input);
    const line =
      `${init?.method ?? "GET"} ${url.pathname}${url.search} ` + `${typeof init?.body === "string" ? init.body : ""}`;
    lines.push(line);
    if (trouble?.match.test(line) && ++trouble.seen >= trouble.nth) return trouble.befalls();
    return world.fetch(input, init);
  };
  const session: Session = { ...world.connection, ...net(fetch), now: () => new Date(Date.now() + aheadMs) };
  const { platform } = world;
  const composed = platform.compose(
    post(text(name === "bluesky" ? "hello @grace.test" : "hello", files)),
    platform.capabilities,
  );
  if (!composed.ok) throw new Error(JSON.stringify(composed.issues));
  const [unit] = composed.units;
  const { link } = world;
  const own = files.map((one): Media => (link ? { ...one, link: () => link(one) } : one));
  const request: PublishRequest = { unit, prepared: null, media: own, key: crypto.randomUUID(), at: new Date() };
  return {
    world,
    lines,
    requests: () => requests,
    trouble: (one: Trouble | undefined) => {
      trouble = one && { ...one, seen: 0 };
    },
    later: (ms: number) => {
      aheadMs += ms;
    },
    prepare: async (handle?: Json, more: Partial<Session> = {}): Promise<Preparation> =>
      JSON.parse(
        JSON.stringify(
          await platform.prepare?.(
            { ...request, ...(handle === undefined ? {} : { handle }) },
            { ...session, ...more },
          ),
        ),
      ),
  };
}

type Begun = Awaited<ReturnType<typeof begin>>;

/** As the engine does, without its pauses. */
async function finish({ prepare }: Begun, first: Preparation): Promise<Json> {
  let made = first;
  for (let asked = 0; made.status === "pending" && asked < 50; asked += 1) made = await prepare(made.handle);
  if (made.status === "pending") throw new Error("still pending");
  return made.prepared;
}

function pending(made: Preparation) {
  if (made.status !== "pending") throw new Error(`not pending: ${JSON.stringify(made)}`);
  return made;
}

const reset = () =>
  Promise.reject(Object.assign(new Error("The socket connection was closed unexpectedly."), { code: "ECONNRESET" }));
const TROUBLES: readonly (readonly [says: string, befalls: () => Response, pauseMs: number])[] = [
  ["a 429", () => new Response("{}", { status: 429, headers: { "retry-after": "7" } }), 7_000],
  ["a 503", () => new Response("{}", { status: 503 }), 5_000],
  ["a 503 with a pause", () => new Response("{}", { status: 503, headers: { "retry-after": "90" } }), 90_000],
  ["a gateway's page", () => new Response("<html>Bad gateway</html>", { status: 502 }), 5_000],
  ["a reset", () => reset() as never, 5_000],
  ["a 401", () => new Response("{}", { status: 401 }), 0],
];

/** Every request after which something is uploaded: which, and how many of them go well first. */
const STEPS: readonly (readonly [platform: string, step: string, match: RegExp, nth: number, files: Media[]])[] = [
  ["x", "the second file's INIT", /upload\/initialize/, 2, pictures],
  ["x", "the second file's segment", /append/, 2, pictures],
  ["x", "the second file's FINALIZE", /finalize/, 2, pictures],
  ["x", "an alt text", /media\/metadata/, 1, pictures],
  ["x", "the last alt text", /media\/metadata/, 3, pictures],
  ["x", "STATUS", /command=STATUS/, 1, [media("v", "video/mp4")]],
  ["mastodon", "the second file", /POST \/api\/v2\/media/, 2, pictures],
  ["mastodon", "the question", /GET \/api\/v1\/media\//, 1, pictures],
  ["linkedin", "the second file's place", /action=initializeUpload/, 2, pictures],
  ["linkedin", "the second file", /PUT/, 2, pictures],
  ["linkedin", "the question", /GET \/rest\/images\//, 1, pictures],
  ["threads", "the second child", /POST \/v1.0\/me\/threads /, 2, pictures],
  ["threads", "the question", /fields=status/, 1, pictures],
  ["threads", "the carousel", /CAROUSEL/, 1, pictures],
  ["bluesky", "the second blob", /uploadBlob/, 2, pictures],
  ["bluesky", "who is mentioned", /resolveHandle/, 1, pictures],
];

describe.each(STEPS)("%s, %s", (name, _step, match, nth, files) => {
  test.each(TROUBLES)("meets %s: every file is uploaded once", async (_says, befalls, pauseMs) => {
    const begun = await begin(name, files);
    begun.trouble({ match, nth, befalls });
    const made = pending(await begun.prepare());
    expect(made.checkAfterMs).toBe(pauseMs);
    if (pauseMs === 0) {
      // The same token once more: there is nothing new to lose, and the engine exchanges it.
      begun.trouble({ match, nth: 1, befalls });
      expect(await failure(begun.prepare(made.handle))).toMatchObject({ code: "AUTH_EXPIRED" });
    }
    begun.trouble(undefined);
    await finish(begun, made);
    expect(begun.world.uploaded()).toBe(files.length);
  });
});

const FIRST: Readonly<Record<string, RegExp>> = {
  x: /upload\/initialize/,
  mastodon: /POST \/api\/v2\/media/,
  linkedin: /action=initializeUpload/,
  threads: /POST \/v1.0\/me\/threads /,
  bluesky: /uploadBlob/,
};

describe.each(Object.entries(FIRST))("%s", (name, match) => {
  test("before anything is uploaded a failure is thrown as what it is", async () => {
    const begun = await begin(name, pictures);
    const codes = ["RATE_LIMITED", "PLATFORM_DOWN", "PLATFORM_DOWN", "PLATFORM_DOWN", "PLATFORM_DOWN", "AUTH_EXPIRED"];
    for (const [index, [, befalls]] of TROUBLES.entries()) {
      begun.trouble({ match, nth: 1, befalls });
      expect(await failure(begun.prepare())).toMatchObject({ code: codes[index] });
    }
  });

  test("a refusal is thrown, whatever is uploaded already", async () => {
    const begun = await begin(name, pictures);
    begun.trouble({ match, nth: 2, befalls: () => new Response("{}", { status: 422 }) });
    expect(await failure(begun.prepare())).toMatchObject({ code: "PLATFORM_REJECTED" });
  });

  test("the pauses between failures grow, and six hours of them are enough", async () => {
    const begun = await begin(name, pictures);
    begun.trouble({ match, nth: 2, befalls: () => new Response("{}", { status: 502 }) });
    let made = pending(await begun.prepare());
    begun.trouble({ match, nth: 1, befalls: () => new Response("{}", { status: 502 }) });
    const pauses: number[] = [];
    let error: unknown;
    for (; error === undefined && pauses.length < 40; ) {
      pauses.push(made.checkAfterMs);
      await begun.prepare(made.handle).then(
        (next) => {
          made = pending(next);
        },
        (thrown: unknown) => {
          error = thrown;
        },
      );
    }
    expect(error).toMatchObject({ code: "PLATFORM_DOWN" });
    // The first file may become ready meanwhile, which counts anew.
    const row = pauses.slice(pauses.lastIndexOf(5_000));
    expect(row).toHaveLength(30);
    expect(row.slice(0, 4)).toEqual([5_000, 10_000, 20_000, 40_000]);
    expect(Math.max(...row)).toBe(900_000);
    expect(row.reduce((sum, pause) => sum + pause)).toBeGreaterThan(5 * 3_600_000);
  });

  test("a stop in between keeps what is uploaded; one at the beginning sends nothing", async () => {
    const begun = await begin(name, pictures);
    const stop = new AbortController();
    begun.trouble({
      match,
      nth: 2,
      befalls: () => {
        stop.abort();
        return reset() as never;
      },
    });
    const made = pending(await begun.prepare(undefined, { signal: stop.signal }));
    const before = begun.requests();
    await expect(begun.prepare(made.handle, { signal: stop.signal })).rejects.toThrow();
    expect(begun.requests()).toBe(before);
    begun.trouble(undefined);
    await finish(begun, made);
    expect(begun.world.uploaded()).toBe(pictures.length);
  });

  test.each([
    ["no handle of psn's", { unknown: true }],
    ["of another shape", { begun: 0, asked: 0, failures: 0, again: 0, items: [{ id: 7 }] }],
    ["text", "handle"],
    ["nothing", null],
  ])("a handle that cannot be read (%s) begins from nothing", async (_, handle) => {
    const begun = await begin(name, pictures);
    await finish(begun, await begun.prepare(handle));
    expect(begun.world.uploaded()).toBe(pictures.length);
  });

  test("a handle of half a day ago begins from nothing: what it names may be gone", async () => {
    const begun = await begin(name, pictures);
    begun.trouble({
      match,
      nth: 2,
      befalls: () => new Response("{}", { status: 429, headers: { "retry-after": "82800" } }),
    });
    const made = pending(await begun.prepare());
    expect(made).toMatchObject({ checkAfterMs: 82_800_000, pausedForMs: 82_800_000 });
    begun.trouble(undefined);
    begun.later(made.checkAfterMs);
    await finish(begun, await begun.prepare(made.handle));
    expect(begun.world.uploaded()).toBe(pictures.length + 1);
  });
});

const SLOW: Readonly<Record<string, readonly [question: RegExp, files: Media[]]>> = {
  x: [/command=STATUS/, [media("v", "video/mp4")]],
  mastodon: [/GET \/api\/v1\/media\//, [media("v", "video/mp4")]],
  linkedin: [/GET \/rest\/images\//, [media("a", "image/png")]],
  threads: [/fields=status/, [media("v", "video/mp4")]],
};

describe.each(Object.entries(SLOW))("%s works on a file for long", (name, [question, files]) => {
  test("it is asked for three seconds at most, and then once at each call, until it is ready", async () => {
    const begun = await begin(name, files, { processing: 8 });
    const questions = () => begun.lines.filter((line) => question.test(line)).length;
    const from = performance.now();
    let made = pending(await begun.prepare());
    expect(performance.now() - from).toBeLessThan(atMost(5_000));
    const asked = questions();
    expect(asked).toBeLessThanOrEqual(5);
    const pauses: number[] = [];
    for (; made.status === "pending"; ) {
      const before = questions();
      pauses.push(made.checkAfterMs);
      const next = await begun.prepare(made.handle);
      expect(questions() - before).toBe(1);
      if (next.status === "prepared") break;
      made = next;
    }
    expect(pauses.length).toBeGreaterThanOrEqual(3);
    expect(pauses.slice(0, 3)).toEqual([1_000, 2_000, 4_000]);
    expect(begun.world.uploaded()).toBe(name === "threads" ? 0 : 1);
  });

  test("an hour is enough", async () => {
    const begun = await begin(name, files, { processing: 1_000, checkAfterSecs: "50" });
    const made = pending(await begun.prepare());
    begun.later(3_590_000);
    const late = pending(await begun.prepare(made.handle));
    expect(late.checkAfterMs).toBeLessThanOrEqual(50_000);
    begun.later(20_000);
    expect(await failure(begun.prepare(late.handle))).toMatchObject({
      code: "PLATFORM_DOWN",
      message: /still processing/,
    });
  });

  test("an hour is enough after the clock has stepped back a day, too", async () => {
    const begun = await begin(name, files, { processing: 1_000, checkAfterSecs: "50" });
    const made = pending(await begun.prepare());
    begun.later(-24 * 3_600_000);
    const stepped = pending(await begun.prepare(made.handle));
    begun.later(3_610_000);
    expect(await failure(begun.prepare(stepped.handle))).toMatchObject({
      code: "PLATFORM_DOWN",
      message: /still processing/,
    });
  });
});

describe("X", () => {
  test.each([
    ["5", 5_000],
    ["40", 40_000],
    ["99999999", 300_000],
    ["1e308", 300_000],
  ])("names the pause, within bounds: %s s", async (checkAfterSecs, pauseMs) => {
    const begun = await begin("x", [media("v", "video/mp4")], { processing: 3, checkAfterSecs });
    expect(pending(await begun.prepare()).checkAfterMs).toBe(pauseMs);
    expect(begun.requests()).toBe(3);
  });
});

const FORGETS: Readonly<Record<string, readonly number[]>> = { x: [400, 404], mastodon: [404], linkedin: [404] };

describe.each(Object.entries(FORGETS))("%s has forgotten a file", (name, statuses) => {
  test.each(statuses)("%i: that file begins anew, once; then it is a refusal", async (status) => {
    const [question, files] = SLOW[name] ?? expect.unreachable();
    const begun = await begin(name, files);
    begun.trouble({ match: question, nth: 1, befalls: () => new Response("{}", { status }) });
    expect(await failure(begun.prepare())).toMatchObject({ code: "PLATFORM_REJECTED" });
    expect(begun.world.uploaded()).toBe(2);
    const other = await begin(name, files);
    let left = 1;
    other.trouble({
      match: question,
      nth: 1,
      befalls: () => {
        if (left-- > 0) return new Response("{}", { status });
        other.trouble(undefined);
        return new Response("{}", { status: 503 });
      },
    });
    await finish(other, await other.prepare());
    expect(other.world.uploaded()).toBe(2);
  });
});
