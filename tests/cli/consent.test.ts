import { connect } from "node:net";
import { PassThrough } from "node:stream";
import { type Consenting, withConsent } from "@psn/cli/authorize.ts";
import type { Context } from "@psn/cli/command.ts";
import { CALLBACK, listen } from "@psn/cli/loopback.ts";
import { createOutput } from "@psn/cli/output.ts";
import { createPrompt } from "@psn/cli/prompt.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { ExchangeRequest, OAuthAuth } from "@psn/core/types/account.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import { afterEach, describe, expect, test } from "vitest";
import { recorder } from "../engine/recorder.ts";

/*
 * From the address a person opens to the answer the browser brings, and everything that can come in its place.
 */

const way: OAuthAuth = { kind: "oauth", fields: [] };
const platform: Platform = { ...recorder("chosen", { duplicates: "client-id" }), name: "Example", auth: [way] };
const stops = new Set<AbortController>();
afterEach(() => {
  for (const stop of stops) stop.abort();
  stops.clear();
});

interface Scene {
  /** What is typed or piped in. */
  readonly stdin: PassThrough;
  readonly said: () => string;
  readonly stop: AbortController;
  /** The address the person opens, once it is shown. */
  readonly url: Promise<URL>;
  readonly ended: Promise<ExchangeRequest>;
}

function begin(
  more: Partial<Consenting> = {},
  work: (answer: ExchangeRequest) => Promise<unknown> = async () => undefined,
): Scene {
  const stdin = new PassThrough();
  const stop = new AbortController();
  stops.add(stop);
  let stderr = "";
  const { promise: url, resolve: shown } = Promise.withResolvers<URL>();
  const sink = {
    isTTY: false,
    write: (text: string) => {
      stderr += text;
    },
  };
  const context = {
    output: createOutput({ json: true, stdout: sink, stderr: sink, color: false }),
    prompt: createPrompt({
      interactive: false,
      yes: false,
      input: stdin as unknown as NodeJS.ReadStream,
      output: process.stderr,
    }),
    signal: stop.signal,
  } as unknown as Context;
  let answer: ExchangeRequest | undefined;
  const ended = withConsent(
    {
      platform,
      way,
      form: { server: "example.com" },
      app: undefined,
      port: undefined,
      redirect: undefined,
      browser: false,
      authorize: async ({ redirectUri, state, challenge }) => {
        const page = new URL("https://example.com/authorize");
        for (const [name, value] of Object.entries({ redirect_uri: redirectUri, state, challenge }))
          page.searchParams.set(name, value);
        shown(page);
        return { url: page.href, keep: { nonce: 1 } };
      },
      ...more,
    },
    context,
    async (given) => {
      await work(given);
      answer = given;
      return { ok: true, title: "Example: ada is connected", text: "Close this page." };
    },
  ).then(() => {
    if (!answer) throw new Error("nothing was brought");
    return answer;
  });
  ended.catch(() => undefined);
  return { stdin, said: () => stderr, stop, url, ended };
}

function back(url: URL, query: Readonly<Record<string, string>>): URL {
  const target = new URL(url.searchParams.get("redirect_uri") ?? "");
  for (const [name, value] of Object.entries(query)) target.searchParams.set(name, value);
  return target;
}
const stateOf = (url: URL) => url.searchParams.get("state") ?? "";
const refusal = (ended: Promise<unknown>) =>
  ended.then(
    () => expect.unreachable("it must be refused"),
    (error: unknown) => error as PsnError,
  );

describe("the browser comes back", () => {
  test("with a code: the exchange gets it, the page says who is connected, its address has no code", async () => {
    const scene = begin();
    const url = await scene.url;
    const response = await fetch(back(url, { state: stateOf(url), code: "c0de", iss: "https://example.com" }));
    const request = await scene.ended;
    expect(request).toMatchObject({
      code: "c0de",
      form: { server: "example.com" },
      keep: { nonce: 1 },
      answer: { iss: "https://example.com" },
    });
    const hash = new Bun.CryptoHasher("sha256").update(request.verifier).digest("base64url");
    expect(request.challenge).toBe(hash);
    expect(url.searchParams.get("challenge")).toBe(hash);
    expect(request.verifier.length).toBeGreaterThanOrEqual(43);
    expect(new URL(response.url).search).toBe("");
    expect(response.status).toBe(200);
    expect(await response.text()).toContain("Example: ada is connected");
    expect(response.headers.get("cache-control")).toBe("no-store");
    expect(response.headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(scene.said()).toContain(url.href);
    expect(scene.said()).not.toContain(request.verifier);
  });

  test("with somebody else's state: it is refused in the browser, and the right one is still waited for", async () => {
    const scene = begin();
    const url = await scene.url;
    const foreign = await fetch(back(url, { state: "guessed", code: "evil" }));
    expect([foreign.status, await foreign.text()]).toEqual([400, expect.stringContaining("Not the expected answer")]);
    expect((await fetch(back(url, { code: "evil" }))).status).toBe(400);
    void fetch(back(url, { state: stateOf(url), code: "right" })).catch(() => undefined);
    expect((await scene.ended).code).toBe("right");
  });

  test("with a no", async () => {
    const scene = begin();
    const url = await scene.url;
    const page = fetch(back(url, { state: stateOf(url), error: "access_denied", error_description: "<b>no</b>" }));
    expect(await refusal(scene.ended)).toMatchObject({
      code: "AUTH_REVOKED",
      message: "you declined access at Example",
    });
    expect((await page).status).toBe(400);
    expect(await (await page).text()).not.toContain("<b>");
  });

  test.each([
    ["user_cancelled_authorize", "AUTH_REVOKED", "you declined access at Example", /^psn connect/],
    [
      "unauthorized_scope_error",
      "AUTH_SCOPE",
      "Example refused: unauthorized_scope_error: a product is missing",
      /psn connect/,
    ],
  ])("with %s", async (error, code, message, hint) => {
    const scene = begin();
    const url = await scene.url;
    void fetch(back(url, { state: stateOf(url), error, error_description: "a product is missing" })).catch(
      () => undefined,
    );
    expect(await refusal(scene.ended)).toMatchObject({ code, message, hint: expect.stringMatching(hint) });
  });

  test("without a code", async () => {
    const scene = begin();
    const url = await scene.url;
    void fetch(back(url, { state: stateOf(url) })).catch(() => undefined);
    expect(await refusal(scene.ended)).toMatchObject({ code: "AUTH_REVOKED" });
  });

  test("and the exchange fails: the page says so too, and repeats nothing secret", async () => {
    const scene = begin({}, async () => {
      throw new PsnError("AUTH_REVOKED", "example.com refused: invalid_grant");
    });
    const url = await scene.url;
    const page = fetch(back(url, { state: stateOf(url), code: "c0de-s3cret" }));
    expect(await refusal(scene.ended)).toMatchObject({ code: "AUTH_REVOKED" });
    const text = await (await page).text();
    expect(text).toContain("example.com refused: invalid_grant");
    expect(text).not.toContain("s3cret");
  });

  test("from a page elsewhere, by another method or to another path: refused", async () => {
    const scene = begin();
    const url = await scene.url;
    const target = back(url, { state: stateOf(url), code: "c" });
    expect((await fetch(target, { method: "POST" })).status).toBe(403);
    expect((await fetch(target, { headers: { host: "evil.example" } })).status).toBe(403);
    expect((await fetch(new URL("/else", target))).status).toBe(404);
    scene.stop.abort();
    expect(await refusal(scene.ended)).toMatchObject({ code: "INTERRUPTED" });
  });
});

describe("the address is pasted", () => {
  test("whole, with blanks around it", async () => {
    const scene = begin();
    const url = await scene.url;
    scene.stdin.write(`  ${back(url, { state: stateOf(url), code: "pasted" }).href}#_ \n`);
    expect((await scene.ended).code).toBe("pasted");
  });

  test("at an address of the user's own, where nothing listens here", async () => {
    const scene = begin({ redirect: "https://ada.example/psn" });
    const url = await scene.url;
    expect(url.searchParams.get("redirect_uri")).toBe("https://ada.example/psn");
    scene.stdin.write(`https://ada.example/psn?state=${encodeURIComponent(stateOf(url))}&code=own\n`);
    expect(await scene.ended).toMatchObject({ code: "own", redirectUri: "https://ada.example/psn" });
  });

  test.each([
    ["something else", "hello", "this is not the address"],
    ["the page itself", "https://example.com/authorize?client_id=1", "this is not the address"],
    ["another attempt's", "http://127.0.0.1/callback?state=old&code=1", "another attempt"],
  ])("wrongly: %s", async (_what, line, says) => {
    const scene = begin();
    await scene.url;
    scene.stdin.write(`${line}\n`);
    const error = await refusal(scene.ended);
    expect(error).toMatchObject({ code: "INPUT_INVALID" });
    expect(error.message).toContain(says);
  });

  test("by nobody: the end of standard input ends only what has no browser to wait for", async () => {
    const scene = begin();
    const url = await scene.url;
    scene.stdin.end();
    await Bun.sleep(50);
    void fetch(back(url, { state: stateOf(url), code: "late" })).catch(() => undefined);
    expect((await scene.ended).code).toBe("late");

    const alone = begin({ redirect: "https://ada.example/psn" });
    await alone.url;
    alone.stdin.end();
    expect(await refusal(alone.ended)).toMatchObject({ code: "INPUT_REQUIRED" });
  });
});

test("a port that another program has is named, with the way out", async () => {
  const taken = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response() });
  try {
    const error = await refusal(begin({ port: taken.port ?? 0 }).ended);
    expect(error).toMatchObject({ code: "PORT_TAKEN", hint: expect.stringContaining("--port") });
  } finally {
    await taken.stop(true);
  }
});

test("a request that names no host is refused, and nothing of it is printed or shown", async () => {
  const door = listen(0, () => true);
  const answer = Promise.withResolvers<string>();
  const socket = connect(Number(new URL(door.redirectUri).port), "127.0.0.1", () =>
    socket.write("GET /callback?code=canary-code&state=x HTTP/1.0\r\n\r\n"),
  );
  socket.once("data", (chunk) => answer.resolve(String(chunk)));
  const said = await answer.promise;
  socket.destroy();
  await door.close({ ok: true, title: "", text: "" });
  expect(said).toMatch(/^HTTP\/1\.[01] 403/);
  expect(said).not.toContain("canary-code");
});

test("nothing listens any more when it is over", async () => {
  const door = listen(0, () => true);
  const address = new URL(door.redirectUri);
  expect([address.hostname, address.pathname]).toEqual(["127.0.0.1", CALLBACK]);
  await door.close({ ok: true, title: "", text: "" });
  await expect(fetch(address)).rejects.toThrow();
});
