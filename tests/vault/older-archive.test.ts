import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { failed } from "../support/cli.ts";
import { grounds } from "./stage.ts";

/*
 * Archives that an older psn made are read. Where the schema had 21 migrations: `psn init`, `psn connect feed
 * ./public`, three posts (one at a wall time in a zone with other words for the feed, one with a picture, one that went
 * out), and `psn export`. Where it had 22, which is as old as removals: a post at a wall time, two that are out, and
 * one that was deleted.
 */

const fixture = (name: string) => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url));
const PASSPHRASE = "five random words are good";

test("an archive of schema 21 comes in with its posts, their times and their pictures", async () => {
  const there = await grounds.embedded();
  const ran = await there.psn(["import", fixture("hub-of-schema-21.age"), "--passphrase-stdin", "--yes"], PASSPHRASE);
  expect(ran).toMatchObject({ code: 0 });
  const { deliveries } = await there.run(["queue", "--all"]);
  const shown = Array.isArray(deliveries) ? deliveries : [];
  expect(shown.map(({ text, state }) => [text, state]).sort()).toEqual([
    ["out already", "published"],
    ["with a picture", "held"],
    ["words for the feed alone", "held"],
  ]);
  expect(shown.find(({ text }) => text === "words for the feed alone")).toMatchObject({
    due: "2031-03-30T07:00:00.000Z",
  });
  expect(
    await there.rows(
      `SELECT d.wall_time, d.time_zone, d.held_reason, d.revision, p.revision AS written,
         p.options, p.overrides IS NOT NULL AS kept
       FROM psn.deliveries d JOIN psn.posts p ON p.id = d.post_id WHERE d.due_at = '2031-03-30T07:00:00Z'`,
    ),
  ).toEqual([
    {
      wall_time: "2031-03-30T09:00",
      time_zone: "Europe/Zurich",
      held_reason: "imported",
      revision: 1,
      written: 1,
      options: null,
      kept: true,
    },
  ]);
  expect(await there.rows("SELECT alt, width, bytes, octet_length(content) AS held FROM psn.media")).toEqual([
    { alt: "a sleeping cat", width: expect.any(Number), bytes: 1998, held: 1998 },
  ]);
});

test("an archive of schema 22 comes in with what was deleted", async () => {
  const there = await grounds.embedded();
  const archive = fixture("hub-of-schema-22.age");
  expect(await there.psn(["import", archive, "--passphrase-stdin", "--yes"], PASSPHRASE)).toMatchObject({ code: 0 });
  expect(
    await there.rows(
      `SELECT u.text, d.state, d.operation, u.state AS unit, d.wall_time, d.held_reason, d.revision, p.options,
         u.removed_at IS NOT NULL AS gone
       FROM psn.deliveries d JOIN psn.posts p ON p.id = d.post_id JOIN psn.delivery_units u ON u.delivery_id = d.id
       ORDER BY u.text`,
    ),
  ).toEqual([
    row({ text: "out already", state: "published", unit: "published" }),
    row({ text: "removal to come", state: "published", unit: "published" }),
    row({ text: "taken back", state: "removed", operation: "remove", unit: "removed", gone: true }),
    row({
      text: "words for the feed alone",
      state: "held",
      unit: "waiting",
      wall_time: "2031-03-30T09:00",
      held_reason: "imported",
    }),
  ]);
  const [gone] = await there.rows("SELECT id FROM psn.deliveries WHERE state = 'removed'");
  const ran = await there.psn(["edit", String(gone?.["id"]), "-"], "other words\n");
  expect(failed(ran, "STATE_CONFLICT")).toContain("feed:public is removed");
});

const row = (fields: object) => ({
  operation: "publish",
  wall_time: null,
  held_reason: null,
  revision: 1,
  options: null,
  gone: false,
  ...fields,
});
