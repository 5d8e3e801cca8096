import threads from "@psn/platforms/threads/index.ts";
import { startThreads } from "../support/threads.ts";
import { testPlatform, type World } from "./platform.ts";
import { REDIRECT } from "./stage.ts";

const GRAPH = "https://graph.threads.net";

testPlatform({
  vouches: "the container has said after the refusal that it is not published",
  platform: threads,
  world: async (): Promise<World> => {
    // The contract comes back to 127.0.0.1, and renews a token that is a moment old; Meta takes neither
    // (tests/platforms/threads.test.ts).
    const fake = await startThreads({ httpsOnly: false, renewableAfterMs: 0 }, { redirects: [REDIRECT] });
    const { id, secret } = fake.app;
    return {
      form: {},
      app: { id, secret },
      consent: fake.consent,
      // The fake listens on a port of its own; Graph lives where it does.
      fetch: (input, init) => fetch(String(input).replace(GRAPH, fake.origin), init),
      link: fake.host,
      live: () => fake.posts.length,
      close: fake.stop,
    };
  },
  skip: {
    "publish.one-request": "the text went with the container: what publishes names the container alone",
    "token.home":
      "Meta wants the token and the app's secret in the query when a token is exchanged; the rest is in " +
      "tests/platforms",
    "lookup.own":
      "a container says that it is published, so one whose post is not there is no answer; see tests/platforms",
    "remove.idempotent": "the lookup of a post that was removed is no answer, for the same reason; see tests/platforms",
  },
  answers: {
    // In Graph's own words: a dead token is a 400.
    "401": () =>
      Response.json(
        {
          error: {
            message: "Error validating access token: Session has expired",
            type: "OAuthException",
            code: 190,
            error_subcode: 463,
          },
        },
        { status: 400 },
      ),
    "403": () =>
      Response.json(
        {
          error: { message: "Application does not have permission for this action", type: "OAuthException", code: 10 },
        },
        { status: 400 },
      ),
  },
  // The bucket is the fake's, on a port of its own.
  scrub: (text) => text.replaceAll(/http(:\/\/|%3A%2F%2F)127\.0\.0\.1(:|%3A)\d+/g, "https$1media.example"),
});
