import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import x from "@psn/platforms/x/index.ts";
import { describe, expect, test } from "vitest";
import { type Golden, openApiFile, readXApi } from "../support/x/openapi.ts";
import { startX } from "../support/x.ts";
import { testPlatform, type World } from "./platform.ts";

const API = "https://api.x.com";

testPlatform({
  platform: x,
  world: async (): Promise<World> => {
    const fake = await startX();
    const { id, secret = "" } = fake.app;
    return {
      form: {},
      app: { id, secret },
      consent: fake.consent,
      // The fake listens on a port of its own; X's API lives where it does.
      fetch: (input, init) => fetch(String(input).replace(API, fake.origin), init),
      live: () => fake.posts.length,
      close: fake.stop,
    };
  },
  // Accounts live at x.com, and its API beside it.
  loginHosts: [new URL(API).host],
  answers: {
    // A refresh token works once: one that reached X is spent, whatever became of the answer. So a timeout reaches it
    // not at all here; `reset` does, and what a lost refresh means is in tests/platforms/x.test.ts.
    timeout: () => {
      throw new DOMException("The operation timed out.", "TimeoutError");
    },
    // In X's own words: no Retry-After, but the instant in epoch seconds.
    "429": (now) =>
      Response.json(
        { title: "Too Many Requests", detail: "Too Many Requests", type: "about:blank", status: 429 },
        {
          status: 429,
          headers: {
            "x-rate-limit-limit": "100",
            "x-rate-limit-remaining": "0",
            "x-rate-limit-reset": String(now.getTime() / 1000 + 37),
          },
        },
      ),
  },
  // Ids hold the time at which the fake made them. They stay numbers, so that the requests can be held against X's
  // description.
  scrub: (text) => {
    const ids = new Map<string, string>();
    return text.replace(/\d{18,19}/g, (id) => {
      const name = ids.get(id) ?? `${1_000_000_000_000_000_001n + BigInt(ids.size)}`;
      ids.set(id, name);
      return name;
    });
  },
});

describe("X's own description of its API", () => {
  test("what psn sends is what it allows (PSN_X_OPENAPI names the file; without it this is skipped)", async () => {
    const file = openApiFile();
    if (file === undefined) {
      process.stdout.write("x is not held against X's OpenAPI: PSN_X_OPENAPI names no file\n");
      return;
    }
    const golden: Record<string, Golden[]> = JSON.parse(
      await readFile(new URL("golden/x.json", import.meta.url), "utf8"),
    );
    const optional = { text: "x", reply_settings: "mentionedUsers", quote_tweet_id: "20" };
    const requests = [...Object.values(golden).flat(), { method: "POST", url: `${API}/2/tweets`, body: optional }];
    const judge = readXApi(file);
    expect(requests.flatMap((request) => judge(request))).toEqual([]);
  });

  test("the judge knows right from wrong", async () => {
    const folder = await mkdtemp(join(tmpdir(), "psn-x-"));
    const file = join(folder, "openapi.json");
    const schema = {
      type: "object",
      additionalProperties: false,
      properties: { text: { type: "string" } },
      required: ["text"],
    };
    const form = {
      type: "object",
      properties: { segment_index: { type: "integer" }, media: { type: "string", format: "binary" } },
    };
    const paths = {
      "/2/tweets": {
        post: {
          requestBody: {
            required: true,
            content: { "application/json": { schema: { $ref: "#/components/schemas/Post" } } },
          },
        },
      },
      "/2/media/upload/{id}/append": {
        post: { requestBody: { content: { "multipart/form-data": { schema: form } } } },
      },
    };
    await writeFile(file, JSON.stringify({ openapi: "3.0.0", paths, components: { schemas: { Post: schema } } }));
    const judge = readXApi(file);
    await rm(folder, { recursive: true });
    const asked = (path: string, body: unknown) => judge({ method: "POST", url: `${API}${path}`, body });
    expect(asked("/2/tweets", { text: "x" })).toEqual([]);
    expect(
      asked("/2/media/upload/12/append", [
        ["segment_index", "0"],
        ["media", "…"],
      ]),
    ).toEqual([]);
    for (const wrong of [{ text: 1 }, { text: "x", colour: "blue" }, {}, "", [["text", "x"]]])
      expect(asked("/2/tweets", wrong)).not.toEqual([]);
    expect(asked("/2/posts", { text: "x" })).not.toEqual([]);
    expect(asked("/2/media/upload/12/append", [["segment_index", "first"]])).not.toEqual([]);
  });
});
