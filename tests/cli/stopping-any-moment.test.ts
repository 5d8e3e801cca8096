import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { COMMANDS, dishonest, INIT_MS, stopCommands } from "../chaos/stops.ts";
import { type TestHub, testHub } from "../support/cli.ts";

const SEED = 20;

let hub: TestHub;
beforeAll(async () => {
  hub = await testHub({ feed: false });
  expect(await hub.psn(["connect", "feed", join(hub.folder, "public")])).toMatchObject({ code: 0 });
});

test("Ctrl-C at random moments of every command is answered honestly", async () => {
  let at = SEED;
  const random = () => {
    at = (at * 16_807) % 2_147_483_647;
    return at / 2_147_483_647;
  };
  const ground = {
    folder: hub.folder,
    env: {},
    ask: (argv: readonly string[]) => hub.psn(argv),
    shown: async () => {
      const feed: unknown = JSON.parse(
        await readFile(join(hub.folder, "public", "feed.json"), "utf8").catch(() => '{"items":[]}'),
      );
      return (
        feed as { readonly items: readonly { readonly content_html?: string; readonly content_text?: string }[] }
      ).items.map(({ content_text = "", content_html = content_text }) =>
        content_html.replaceAll(/<[^>]+>/g, "").trim(),
      );
    },
  };
  const quick = COMMANDS.filter((name) => name !== "init");
  const stops = [
    ...(await stopCommands({ ground, random, count: 2, only: quick.slice(0, 3), tag: "post" })),
    ...(await stopCommands({ ground, random, count: 1, only: quick.slice(3), tag: "other" })),
    ...(await stopCommands({ ground, random, count: 1, only: ["init"], tag: "init", lastsMs: INIT_MS })),
  ];
  expect(dishonest(stops)).toEqual([]);
  expect(stops.length).toBeGreaterThan(25);
});
