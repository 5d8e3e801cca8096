import linkedin from "@psn/platforms/linkedin/index.ts";
import { addressOf, HOSTS, startLinkedIn } from "../support/linkedin.ts";
import { testPlatform, type World } from "./platform.ts";

testPlatform({
  platform: linkedin,
  world: async (): Promise<World> => {
    // The contract publishes the same words again and counts on two posts; what LinkedIn does is in
    // tests/platforms/linkedin.test.ts. It has the app of a partner, which is given refresh tokens and may comment.
    const fake = await startLinkedIn({ renews: true, comments: true, duplicateMs: 0 });
    const { id, secret } = fake.app;
    return {
      form: {},
      app: { id, secret },
      consent: fake.consent,
      fetch: async (input, init) => {
        const address = addressOf(fake, input);
        // The fake listens on a port of its own; beside LinkedIn there is no network, and so no page to make a card of.
        if (address === undefined) throw Object.assign(new Error("Unable to connect"), { code: "ConnectionRefused" });
        return fetch(address, init);
      },
      live: () => fake.posts.length + fake.comments.length,
      close: fake.stop,
    };
  },
  // Members live at www.linkedin.com, the API beside it.
  loginHosts: [new URL(HOSTS[0]).host],
  skip: {
    "compose.thread":
      "parts after the first are comments, which take no media; src/platforms/linkedin/index.test.ts has the rest " +
      "of it",
  },
  // Ids hold the time at which the fake made them, and uploads are random.
  scrub: (text) => {
    const names = new Map<string, string>();
    return text.replace(
      /(?<![0-9a-f])\d{19}(?![0-9a-f])|(?<=D4E10AQ)[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g,
      (id) => {
        const name = names.get(id) ?? `${1_000_000_000_000_000_001n + BigInt(names.size)}`;
        names.set(id, name);
        return name;
      },
    );
  },
});
