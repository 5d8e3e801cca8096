import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, expect, test } from "vitest";
import { documentOf, picture, psn, refusedBy, scratch, type TestHub, testHub } from "../support/cli.ts";

/* A Markdown file through psn post, psn edit and into the feed's folder. */

let hub: TestHub;
beforeAll(async () => {
  hub = await testHub();
});

const TEXT = '# Hello\n\nSee [the *docs*](https://example.com/docs).\n\n![A "square"](my%20pic.png)\n\nThe end.\n';

/** A folder of its own, with a picture in it. */
async function file(text: string, name = "post.md"): Promise<string> {
  const folder = await scratch("markdown");
  await picture(folder, "my pic.png");
  await writeFile(join(folder, name), text);
  return join(folder, name);
}

const dry = async (...argv: readonly string[]) => {
  const ran = await hub.psn(["post", ...argv, "--to", "feed", "--dry-run", "--json"]);
  expect(ran.code, ran.stderr).toBe(0);
  return documentOf(ran);
};

const scheduled = async (...argv: readonly string[]): Promise<string> => {
  const ran = await hub.psn(["post", ...argv, "--to", "feed", "--in", "2d", "--json"]);
  expect(ran.code, ran.stderr).toBe(0);
  return String(documentOf(ran)["post"]);
};
const unitOf = async (post: string) =>
  (
    await hub.rows(
      `SELECT u.text, u.body, cardinality(u.media) AS media FROM psn.deliveries d
       JOIN psn.delivery_units u ON u.delivery_id = d.id WHERE d.post_id = $1`,
      [post],
    )
  )[0];
const printed = async (post: string) => (await hub.psn(["edit", post, "--print"])).stdout;

test("a dry run shows what the platform gets, counted as it is shown", async () => {
  const path = await file(TEXT);
  expect(await dry(path)).toMatchObject({
    accounts: [
      {
        units: [
          {
            text: "Hello\n\nSee the docs (https://example.com/docs).\n\nThe end.",
            length: 57,
            media: 1,
            html: expect.stringMatching(
              /<a href="https:\/\/example.com\/docs">the <em>docs<\/em><\/a>\.<\/p>\n<p><img src="cid:/,
            ),
          },
        ],
      },
    ],
  });
  const shown = await hub.psn(["post", path, "--to", "feed", "--dry-run"]);
  expect(shown.stdout).toContain("57 of 100000, 1 media, as HTML\n  │ <h1>Hello</h1>");
});

test("plain text stays as it is typed: format: plain, a .txt file, --text and standard input", async () => {
  const literal = "# *Hello* <b>";
  const texts = [
    await dry(await file(`---\nformat: plain\n---\n${literal}\n`)),
    await dry(await file(`${literal}\n`, "post.txt")),
    await dry("--text", literal),
    await dry(literal),
    documentOf(await hub.psn(["post", "-", "--to", "feed", "--dry-run", "--json"], { stdin: `${literal}\n` })),
  ];
  for (const one of texts) expect(one).toMatchObject({ accounts: [{ units: [{ text: literal }] }] });
  expect(JSON.stringify(texts)).not.toContain('"html"');
  const marked = await dry(await file("---\nformat: markdown\n---\n*Hello*\n", "post.txt"));
  expect(marked).toMatchObject({ accounts: [{ units: [{ text: "Hello" }] }] });
  await refusedBy(
    hub,
    ["post", await file("---\nformat: html\n---\nx\n")],
    "DRAFT_INVALID",
    /post\.md:2: format must be one of markdown, plain/,
  );
});

test("psn edit opens the Markdown again, its image is the post's own, and the same text changes nothing", async () => {
  const post = await scheduled(await file(TEXT));
  const markdown = await printed(post);
  expect(markdown).toMatch(/^# Hello$/m);
  expect(markdown).toMatch(/^!\[A "square"\]\(psn:[\da-f-]{36}\)$/m);
  expect(markdown).not.toContain("media:");
  const before = await unitOf(post);
  const path = await file(`${markdown.replace("The end.", "**More.**")}\n![another](my%20pic.png)\n`, "next.md");
  expect(documentOf(await hub.psn(["edit", post, "--file", path, "--json"]))).toMatchObject({ revision: 2 });
  const after = await unitOf(post);
  expect([before?.["media"], after?.["media"]]).toEqual([1, 2]);
  expect(after?.["text"]).toBe("Hello\n\nSee the docs (https://example.com/docs).\n\nMore.");
  const again = await hub.psn(["edit", post, "-", "--json"], { stdin: await printed(post) });
  expect(documentOf(again)).toMatchObject({ changed: false, revision: 2 });
  // Another description is another image.
  const renamed = (await printed(post)).replace('A "square"', "A rectangle");
  await hub.psn(["edit", post, "-", "--json"], { stdin: renamed });
  expect(JSON.stringify((await unitOf(post))?.["body"])).toContain('"alt":"A rectangle"');
});

test("an archive carries the Markdown and its image", async () => {
  const post = await scheduled(await file(TEXT));
  const folder = await scratch("moved");
  const archive = join(folder, "hub.age");
  const stdin = "five random words are good";
  expect(await hub.psn(["export", archive, "--passphrase-stdin"], { stdin })).toMatchObject({ code: 0 });
  const there = { cwd: folder };
  expect(await psn(["import", archive, "--passphrase-stdin", "--yes"], { ...there, stdin })).toMatchObject({ code: 0 });
  expect((await psn(["edit", post, "--print"], there)).stdout).toBe(await printed(post));
});

test("a plain post stays plain when it is edited, also by a text without front matter", async () => {
  const post = await scheduled("*first* words");
  expect(await printed(post)).toMatch(/^format: plain$/m);
  await hub.psn(["edit", post, "-"], { stdin: "*other* words\n" });
  expect(await unitOf(post)).toMatchObject({ text: "*other* words" });
});

test("images count, are looked for beside the file, and not outside of its folder", async () => {
  await refusedBy(hub, ["post", await file("![x](nowhere.png)\n"), "--to", "feed"], "FILE_UNREADABLE", /nowhere\.png/);
  await refusedBy(
    hub,
    ["post", await file("![x](../../x.png)\n"), "--to", "feed"],
    "MEDIA_OUTSIDE",
    /x\.png is outside/,
  );
  const both = "---\nmedia: { file: my pic.png, alt: A square }\n---\n![](<my pic.png>) ![A square](my%20pic.png)\n";
  expect(await dry(await file(both))).toMatchObject({ accounts: [{ units: [{ media: 1 }] }] });
});

test("the feed shows an image where it stands, and holds no script", async () => {
  const path = await file(`${TEXT}\n<script>alert(1)</script>\n\n[x](javascript:alert(1))\n`);
  const ran = await hub.psn(["post", path, "--to", "feed"]);
  expect(ran.code, ran.stderr).toBe(0);
  const page = await readFile(join(hub.feed, "index.html"), "utf8");
  expect(page).toMatch(/<\/p>\n<p><img class="u-photo" src="media\/[\da-f]{16}\.png" alt="A &#34;square&#34;"/);
  expect(page).toContain("<h3>Hello</h3>");
  expect(page).not.toMatch(/<script|javascript:/);
});
