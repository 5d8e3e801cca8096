import { mkdtempSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import feed from "@psn/platforms/feed/index.ts";
import { NETWORK_PROMISES, skipAll, testPlatform, type World } from "./platform.ts";

testPlatform({
  platform: feed,
  world: (): World => {
    const parent = mkdtempSync(join(tmpdir(), "psn-feed-"));
    return {
      form: { folder: join(parent, "made", "here"), url: "https://ada.example/feed", title: "Ada's notes" },
      fetch: () => Promise.reject(new Error("a feed uses no network")),
      live: async () => (await readdir(join(parent, "made", "here", "entries")).catch(() => [])).length,
      close: () => rm(parent, { recursive: true }),
    };
  },
  skip: skipAll(NETWORK_PROMISES, "it writes files and sends nothing"),
});
