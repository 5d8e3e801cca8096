import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { grounds } from "./stage.ts";

/*
 * An archive that an older psn made (its schema had 21 migrations) is read: `psn init`, `psn connect feed ./public`,
 * three posts (one at a wall time in a zone with other words for the feed, one with a picture, one that went out), and
 * `psn export`.
 */

const ARCHIVE = fileURLToPath(new URL("../fixtures/hub-of-schema-21.age", import.meta.url));

test("an archive of schema 21 comes in with its posts, their times and their pictures", async () => {
  const there = await grounds.embedded();
  const ran = await there.psn(["import", ARCHIVE, "--passphrase-stdin", "--yes"], "five random words are good");
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
      `SELECT d.wall_time, d.time_zone, d.held_reason, d.revision, p.revision AS written, p.options, p.overrides IS NOT NULL AS kept
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
