import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { documentOf, picture, type Refusal, refusedBy, scratch, type TestHub, testHub } from "../support/cli.ts";

/* What a file, an argument and flags say of a post, through the whole of psn post. */

let hub: TestHub;
beforeAll(async () => {
  hub = await testHub();
});
const refused = (...call: Refusal) => refusedBy(hub, ...call);
const file = async (name: string, text: string) => {
  await mkdir(join(hub.folder, "posts"), { recursive: true });
  await writeFile(join(hub.folder, "posts", name), text);
  return `posts/${name}`;
};
const dry = async (...argv: readonly string[]) => {
  const ran = await hub.psn(["post", ...argv, "--dry-run"]);
  expect(ran.code, ran.stderr).toBe(0);
  return ran.stdout;
};

test("a text file is read, and its name is the text only by --text and from standard input", async () => {
  const name = await file("note.txt", "from the file\n");
  expect(await dry(name)).toContain("│ from the file");
  expect(await dry("--text", name)).toContain(`│ ${name}`);
  expect((await hub.psn(["post", "-", "--dry-run"], { stdin: `${name}\n` })).stdout).toContain(`│ ${name}`);
  await refused(["post", "posts"], "FILE_UNREADABLE", /posts is a folder/);
  await refused(["post", await picture(join(hub.folder, "posts"), "a.png")], "USAGE", /psn post --media/);
});

test("front matter on standard input or in an argument is refused, and taken by --text", async () => {
  const text = "---\ndraft: true\n---\nsecret\n";
  await refused(
    ["post", "-"],
    "DRAFT_INVALID",
    /standard input begins with front matter[\s\S]*psn post post\.md/,
    text,
  );
  await refused(["post", "--", text], "DRAFT_INVALID", /the text begins with front matter/);
  expect(await dry("--text", text)).toContain("│ draft: true");
});

test("a draft, TOML and front matter in the wrong place are never published", async () => {
  await refused(
    ["post", await file("draft.md", "---\ndraft: true\n---\nHello\n")],
    "DRAFT_INVALID",
    /draft\.md:2: this is not to be published/,
  );
  await refused(
    ["post", await file("hidden.txt", "---\npublished: no\n---\nHello\n")],
    "DRAFT_INVALID",
    /not to be published/,
  );
  await refused(
    ["post", await file("hugo.md", '+++\ntitle = "Launch"\ndraft = true\n+++\nHello\n')],
    "DRAFT_INVALID",
    /hugo\.md:1: .*TOML[\s\S]*psn reads YAML between two --- lines, from the first line on/,
  );
});

test("a dry run shows the text that goes out, and says how many comments do not", async () => {
  const name = await file(
    "comments.md",
    "one <!-- a -->\n<!-- b\n---\n-->\n---\n`<!-- code -->` \u0007two\u001b[31m!\n",
  );
  const said = await dry(name);
  expect(said).toContain("left out 2 HTML comments");
  expect(said).toContain("│ <p><code>&#60;!-- code --&#62;</code> two!</p>");
  expect(said).not.toMatch(/<!-- [ab]|u001b|u0007/);
  const json = documentOf(await hub.psn(["post", name, "--dry-run", "--json"]));
  expect(json).toMatchObject({ leftOut: { comments: 2 } });
  expect(JSON.stringify(json)).not.toMatch(/<!-- [ab]/);
  expect(await dry("plain")).not.toContain("left out");
});

test("what is stored has no control characters: text, title, warning, descriptions", async () => {
  const path = await picture(join(hub.folder, "posts"), "b.png");
  const evil = "a\u0007b\u001b[31mc\u009bd\u0085e\u007f";
  const argv = ["--title", evil, "--content-warning", evil, "--media", path, "--alt", evil, "--in", "1d", "--json"];
  const ran = await hub.psn(["post", evil, ...argv]);
  expect(ran.code, ran.stdout).toBe(0);
  const [post] = await hub.rows("SELECT row_to_json(p)::text AS row FROM psn.posts p ORDER BY created_at DESC LIMIT 1");
  const [unit] = await hub.rows("SELECT body::text AS row FROM psn.delivery_units ORDER BY id DESC LIMIT 1");
  for (const one of [post, unit]) {
    const row = String(one?.["row"]);
    expect(row).toMatch(/abc/);
    expect(row).not.toMatch(/[\p{Cc}]|\\u00[0189]|\[31m/u);
  }
});

describe("media that front matter names", () => {
  test("inside of the file's folder are taken, also by a whole path and by a link that stays inside", async () => {
    await picture(join(hub.folder, "posts", "img"), "c.png");
    await symlink("img/c.png", join(hub.folder, "posts", "link.png"));
    for (const media of ["img/c.png", "./img/../img/c.png", join(hub.folder, "posts", "img", "c.png"), "link.png"])
      expect(await dry(await file("inside.md", `---\nmedia: ${media}\n---\nHello\n`))).toContain("1 media");
  });

  test("outside of it need --allow-outside", async () => {
    const outside = await picture(await scratch("outside"), "private.png");
    await picture(hub.folder, "top.png");
    await symlink(outside, join(hub.folder, "posts", "away.png"));
    await symlink(join(outside, ".."), join(hub.folder, "posts", "away"));
    for (const media of [outside, "../top.png", "away.png", "away/private.png", "img/../../top.png"]) {
      const name = await file(
        "outside.md",
        `---\nplatforms: { feed: { text: other } }\nmedia: [{ file: ${media}, alt: x }]\n---\nHello\n`,
      );
      await refused(
        ["post", name],
        "MEDIA_OUTSIDE",
        /outside\.md: the media file .* is outside of the folder[\s\S]*--allow-outside/,
      );
      expect(await dry(name, "--allow-outside")).toContain("1 media");
    }
    // What the command line names is the user's own.
    expect(await dry(await file("plain.md", "Hello\n"), "--media", outside)).toContain("1 media");
  });

  test("that are not there are not there, and whether one outside is there stays unsaid", async () => {
    await refused(
      ["post", await file("no.md", "---\nmedia: no.png\n---\nHello\n")],
      "FILE_UNREADABLE",
      /no\.png does not exist/,
    );
    await refused(
      ["post", await file("no.md", "---\nmedia: ../no.png\n---\nHello\n")],
      "MEDIA_OUTSIDE",
      /is outside of/,
    );
  });
});

describe("a flag passes the checks that front matter passes", () => {
  const path = () => join(hub.folder, "posts", "b.png");
  test.each([
    ["--language", "en_US", /--language must be a language.*did you mean en-US\?/],
    ["--language", "english", /did you mean en\?/],
    ["--language", "not a tag", /must be a language/],
    ["--language", "", /must be a language.*empty/],
    ["--title", "  ", /--title must be a text.*empty/],
    ["--title", "\u0007", /--title must be a text.*empty/],
    ["--content-warning", "", /--content-warning must be a text.*empty/],
    ["--content-warning", " \n", /--content-warning must be a text.*empty/],
    ["--visibility", "secret", /--visibility must be one of public/],
    ["--media", "", /--media must be a path.*empty/],
    ["--media", "https://example.com/cat.png", /--media is an address/],
    ["--to", " , ", /--to must be a name.*empty/],
    ["--at", " ", /--at must be a time.*empty/],
    ["--tz", "", /--tz must be a time zone.*empty/],
    ["--idempotency-key", "  ", /--idempotency-key must have 1 to 200 characters/],
  ])("%s %j", async (flag, value, says) => {
    await refused(["post", "hello", flag, value], "USAGE", says);
  });

  test("a description of blanks is refused, and an empty one says that there is none", async () => {
    await refused(["post", "hello", "--media", path(), "--alt", "  "], "USAGE", /--alt must be a description.*empty/);
    expect(await dry("hello", "--media", path(), "--alt", "", "--media", path(), "--alt", "x")).toContain("2 media");
    expect(await dry(await file("alt.md", '---\nmedia: { file: b.png, alt: "" }\n---\nHello\n'))).toContain("1 media");
  });

  test("move and connect feed do too", async () => {
    await refused(["move", "12345678", "--at", ""], "USAGE", /--at must be a time.*empty/);
    await refused(["move", "12345678", "--in", "1h", "--tz", " "], "USAGE", /--tz must be a time zone.*empty/);
    const folder = join(await scratch("feed"), "new");
    for (const [flag, value] of [
      ["--title", "  "],
      ["--title", ""],
      ["--url", " "],
    ] as const)
      await refused(["connect", "feed", folder, flag, value], "USAGE", new RegExp(`${flag} is empty`));
    const ran = await hub.psn(["connect", "feed", folder, "--title", "A\u0007da's\nnotes", "--json"]);
    expect(documentOf(ran)).toMatchObject({ handle: "ada-s-notes" });
  });
});
