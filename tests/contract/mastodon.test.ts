import mastodon from "@psn/platforms/mastodon/index.ts";
import { startMastodon } from "../support/mastodon.ts";
import { testPlatform, type World } from "./platform.ts";

const HOME = "https://mastodon.example";

testPlatform({
  vouches: "the author's own statuses have been searched after the refusal",
  platform: mastodon,
  world: async (): Promise<World> => {
    const fake = await startMastodon({ processing: 1, requests: 10_000 });
    return {
      form: { server: HOME, token: fake.token },
      // The fake listens on a port of its own; the account lives where a real one would.
      fetch: (input, init) => fetch(String(input).replace(HOME, fake.origin), init),
      live: () => fake.statuses.length,
      close: fake.stop,
    };
  },
  // Ids hold the time at which the fake made them.
  scrub: (text) => {
    const ids = new Map<string, string>();
    return text.replace(/\d{18,}/g, (id) => {
      const name = ids.get(id) ?? `id-${ids.size + 1}`;
      ids.set(id, name);
      return name;
    });
  },
});
