import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { textFileNamed } from "@psn/cli/text-file.ts";
import { beforeAll, describe, expect, test } from "vitest";
import { scratch } from "../support/cli.ts";

/* Whether the argument of psn post is a text or the name of a file. */

let cwd = "";
beforeAll(async () => {
  cwd = await scratch("text-file");
  const names =
    "note.txt NOTE.TEXT launch.md a.markdown b.mdown c.mkd page.html page.mdx page.rst page.org data.json README " +
    "cat.png talk.pdf clip.mov";
  for (const name of names.split(" ")) await writeFile(join(cwd, name), `of ${name}`);
  await writeFile(join(cwd, "my note.txt"), "of my note.txt");
  await writeFile(join(cwd, "it's.json"), "{}");
  await writeFile(join(cwd, "utf16.txt"), Buffer.from("\ufeffwords", "utf16le"));
  await writeFile(join(cwd, "picture.txt"), Uint8Array.of(0x89, 0x50, 0x4e, 0x47));
  await mkdir(join(cwd, "posts"));
  await writeFile(join(cwd, "posts", "deep.md"), "of deep.md");
  await symlink("nowhere", join(cwd, "broken"));
  await symlink("note.txt", join(cwd, "linked.txt"));
});

test.each([
  "note.txt",
  "NOTE.TEXT",
  "launch.md",
  "a.markdown",
  "b.mdown",
  "c.mkd",
  "my note.txt",
  "./note.txt",
  "posts/deep.md",
  " note.txt ",
])("%s is read", async (name) => {
  expect((await textFileNamed(name, cwd))?.text).toBe(`of ${name.trim().replace(/^.*\//, "")}`);
});

test("a link to a text, and a whole path, are read", async () => {
  expect((await textFileNamed("linked.txt", cwd))?.text).toBe("of note.txt");
  expect((await textFileNamed(join(cwd, "note.txt"), "/"))?.text).toBe("of note.txt");
});

test.each([
  ["cat.png", "USAGE", /not a text/, /psn post --media cat\.png; .*--text/],
  ["talk.pdf", "USAGE", /not a text/, /--media talk\.pdf/],
  ["clip.mov", "USAGE", /not a text/, /--media clip\.mov/],
  ["page.html", "USAGE", /psn reads no \.html files/, /\.md or \.txt/],
  ["page.mdx", "USAGE", /psn reads no \.mdx files/, /\.md or \.txt/],
  ["page.rst", "USAGE", /psn reads no \.rst files/, /\.md or \.txt/],
  ["page.org", "USAGE", /psn reads no \.org files/, /\.md or \.txt/],
  ["data.json", "USAGE", /psn reads \.md and \.txt files/, /psn post - < data\.json/],
  ["it's.json", "USAGE", /psn reads/, /psn post - < 'it'\\''s\.json'/],
  ["README", "USAGE", /psn reads/, /psn post - < README/],
  ["posts", "FILE_UNREADABLE", /is a folder/, /name a file in it/],
  [".", "FILE_UNREADABLE", /is a folder/, /--text/],
  ["/dev/null", "FILE_UNREADABLE", /is not a file/, /psn post - < \/dev\/null/],
  ["broken", "FILE_UNREADABLE", /is a link to a file that does not exist/, /check the path/],
  ["utf16.txt", "DRAFT_INVALID", /not text in UTF-8, but in UTF-16/, /UTF-8/],
  ["picture.txt", "DRAFT_INVALID", /not text in UTF-8/, /--media/],
  ["lauch.md", "FILE_UNREADABLE", /lauch\.md does not exist/, /did you mean launch\.md\?/],
  ["launch.txt", "FILE_UNREADABLE", /does not exist/, /did you mean launch\.md\?/],
  ["posts/deap.md", "FILE_UNREADABLE", /does not exist/, /did you mean posts\/deep\.md\?/],
  ["my nota.txt", "FILE_UNREADABLE", /does not exist/, /did you mean my note\.txt\?/],
  ["nowhere.md", "FILE_UNREADABLE", /nowhere\.md does not exist/, /check the path; .*--text/],
  ["nowhere.txt", "FILE_UNREADABLE", /does not exist/, /check the path/],
  ["dog.jpeg", "FILE_UNREADABLE", /does not exist/, /check the path/],
  ["./nowhere", "FILE_UNREADABLE", /does not exist/, /check the path/],
  ["../up/nowhere.markdown", "FILE_UNREADABLE", /does not exist/, /check the path/],
  ["~/no-such-folder/a.md", "FILE_UNREADABLE", /begins with ~/, /complete path/],
  ["file:///tmp/a.md", "FILE_UNREADABLE", /is an address/, /without file:/],
] as const)("%s is refused", async (name, code, message, hint) => {
  await expect(textFileNamed(name, cwd)).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
    hint: expect.stringMatching(hint),
  });
});

describe("a text", () => {
  test.each([
    "hello",
    "see README.md",
    "I wrote note.txt",
    "https://example.com/README.md",
    "https://example.com/cat.png",
    "example.com/page.html",
    "example.org",
    "Node.js",
    "main.rs",
    "#note.txt",
    "@ada.md",
    "and/or",
    "/shrug",
    "~5 degrees",
    "1/2",
    "...",
    "note.txt\nsecond line",
    "",
    "x".repeat(5_000),
    "x".repeat(300),
  ])("%j", async (text) => {
    expect(await textFileNamed(text, cwd)).toBeUndefined();
  });
});
