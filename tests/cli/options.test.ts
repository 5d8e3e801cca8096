import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { FILE } from "@psn/cli/commands/help.ts";
import { parseDraft } from "@psn/domain/draft.ts";
import { platformIds } from "@psn/platforms/index.ts";
import { beforeAll, describe, expect, test } from "vitest";
import { documentOf, failed, type TestHub, testHub } from "../support/cli.ts";
import { thrown } from "../support/thrown.ts";
import { connectX } from "./x-account.ts";

/* What only one platform knows, said by a flag or in front matter. */

let hub: TestHub;
beforeAll(async () => {
  hub = await testHub();
  await connectX(hub);
});

const unitsOf = async () =>
  (
    await hub.rows(
      "SELECT u.body FROM psn.delivery_units u JOIN psn.deliveries d ON d.id = u.delivery_id " +
        "ORDER BY u.id DESC LIMIT 1",
    )
  ).map(({ body }) => body);

test("a flag reaches the request of its platform, and no other", async () => {
  const ran = await hub.psn(["post", "hello", "--to", "all", "--option", "x.reply=following", "--in", "1d", "--json"]);
  expect(ran.code, ran.stdout).toBe(0);
  const rows = await hub.rows(
    "SELECT a.platform, u.body::text AS body " +
      "FROM psn.delivery_units u JOIN psn.deliveries d ON d.id = u.delivery_id JOIN psn.accounts a ON a.id = " +
      "d.account_id",
  );
  expect(rows.map(({ platform, body }) => [platform, String(body).includes("following")])).toEqual(
    expect.arrayContaining([
      ["feed", false],
      ["x", true],
    ]),
  );
});

test("front matter says it too, a flag stands above it, and it is passed over where the post does not go", async () => {
  const file = join(hub.folder, "post.md");
  await writeFile(file, "---\nplatforms:\n  x: { options: { reply: mentionedUsers } }\n---\nfrom a file\n");
  expect((await hub.psn(["post", "post.md", "--to", "x", "--in", "1d"])).code).toBe(0);
  expect(JSON.stringify(await unitsOf())).toContain("mentionedUsers");
  expect((await hub.psn(["post", "post.md", "--to", "x", "--in", "1d", "--option", "x.reply=subscribers"])).code).toBe(
    0,
  );
  expect(JSON.stringify(await unitsOf())).toContain("subscribers");
  expect((await hub.psn(["post", "post.md", "--to", "feed", "--in", "1d"])).code).toBe(0);
});

describe("is refused, and nothing is written", () => {
  test.each([
    ["USAGE", "x.reply", "platform.name=value"],
    ["USAGE", "reply=following", "platform.name=value"],
    ["USAGE", "mastodon.mood=calm", "but the post does not go to"],
    ["POST_INVALID", "x.mood=calm", "mood"],
    ["POST_INVALID", "x.reply=nobody", "nobody"],
    ["POST_INVALID", "feed.sticky=1", 'no option "sticky"'],
  ] as const)("%s: %s", async (code, option, says) => {
    const before = await hub.state();
    const ran = await hub.psn(["post", "hello", "--to", "x,feed", "--in", "1d", "--option", option]);
    expect(failed(ran, code)).toContain(says);
    expect(await hub.state()).toBe(before);
    expect(
      documentOf(await hub.psn(["post", "hello", "--to", "x,feed", "--in", "1d", "--option", option, "--json"])),
    ).toMatchObject({
      error: { code },
    });
  });
});

test("what psn help files shows is a file psn takes, and all that one may say", () => {
  const file = FILE.map(([line]) => line).join("\n");
  const draft = parseDraft(file, "example.md", { platforms: platformIds, format: "markdown" });
  expect(draft).toMatchObject({
    parts: [
      { text: "The *first* part.\n![a bird](bird.jpg)", media: [{ file: "cat.jpg" }] },
      { text: "The second.", media: [{ file: "dog.jpg" }] },
    ],
    overrides: { x: [{ text: "shorter" }], mastodon: [{ text: "one" }, { text: "two" }] },
    options: { x: { reply: "following" } },
  });
  // Whoever leaves a key out of the example is told which there are.
  const all = keysKnown(() =>
    parseDraft("---\nnope: 1\n---\nx", "x.md", { platforms: platformIds, format: "markdown" }),
  );
  for (const name of all) expect(file).toMatch(new RegExp(`^${name}:`, "m"));
});

function keysKnown(run: () => unknown): readonly string[] {
  const known = /it knows (.*)/.exec(thrown(run).hint ?? "")?.[1] ?? "";
  expect(known).not.toBe("");
  return known.split(", ");
}
