import bluesky from "@psn/platforms/bluesky/index.ts";
import { afterAll, beforeAll } from "vitest";
import { z } from "zod";
import { type Pds, type PdsAccount, startPds } from "../support/pds.ts";
import { testPlatform, type World } from "./platform.ts";

const HOME = "https://pds.example";

let pds: Pds;
let account: PdsAccount;
beforeAll(async () => {
  pds = await startPds();
  account = await pds.createAccount("ada.test");
});
afterAll(() => pds?.stop());

testPlatform({
  vouches: "the record's key has been read after the refusal",
  platform: bluesky,
  // One real server and one account, whose posts are deleted before every promise.
  world: async (): Promise<World> => {
    await pds.clear(account);
    const posts = `${pds.url}/xrpc/com.atproto.repo.listRecords?repo=${account.did}&collection=app.bsky.feed.post`;
    return {
      form: { identifier: account.handle, password: account.password, server: HOME },
      // The server listens on a port of its own; the account lives where a real one would. Beside it there is no
      // network.
      fetch: async (input, init) => {
        if (!String(input).startsWith(`${HOME}/`))
          throw Object.assign(new Error("Unable to connect"), { code: "ConnectionRefused" });
        return fetch(String(input).replace(HOME, pds.url), init);
      },
      live: async () =>
        z.object({ records: z.array(z.unknown()) }).parse(await (await fetch(posts)).json()).records.length,
    };
  },
  // Every run makes an account with a DID of its own, and content ids are made of it.
  scrub: (text) => {
    const names = new Map<string, string>();
    return text.replace(/did:plc:[a-z2-7]{24}|bafyrei[a-z2-7]{52}/g, (id) => {
      const kind = id.startsWith("did") ? "did:plc" : "cid";
      const name = names.get(id) ?? `${kind}:${names.size + 1}`;
      names.set(id, name);
      return name;
    });
  },
});
