import { chmodSync, readdirSync, statSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { documentOf, failed, picture, scratch, type TestHub, testHub } from "../support/cli.ts";

/*
 * `psn edit`: by an editor, from a file, from standard input; and what changes nothing.
 */

let hub: TestHub;
beforeAll(async () => {
  hub = await testHub();
});

async function scheduled(...more: readonly string[]): Promise<string> {
  const ran = await hub.psn(["post", "first words", "--to", "feed", "--in", "2d", "--json", ...more]);
  expect(ran).toMatchObject({ code: 0 });
  return String(documentOf(ran)["post"]);
}
const wordsOf = async (post: string) =>
  (
    await hub.rows(
      `SELECT p.revision, d.revision AS carries, u.text, cardinality(u.media) AS media FROM psn.posts p
       JOIN psn.deliveries d ON d.post_id = p.id JOIN psn.delivery_units u ON u.delivery_id = d.id WHERE p.id = $1`,
      [post],
    )
  )[0];
const printed = async (post: string) => (await hub.psn(["edit", post, "--print"])).stdout;

const inEditor = async (post: string, script: string) => {
  const [folder, tmp] = [await scratch("editor"), await scratch("tmp")];
  const editor = join(folder, "my editor.sh");
  await writeFile(editor, `#!/bin/sh\nstat -c %a "$1" "$(dirname "$1")" > '${folder}/modes'\n${script}\n`);
  chmodSync(editor, 0o700);
  const ran = await hub.binary(["edit", post], { env: { EDITOR: `'${editor}'`, TMPDIR: tmp } }).ended;
  const modes = await readFile(join(folder, "modes"), "utf8");
  return { ran, modes, left: readdirSync(tmp).filter((name) => name.startsWith("psn-edit-")) };
};

describe("psn edit", () => {
  test("an editor changes the words, and its private copy is gone", async () => {
    const post = await scheduled();
    const { ran, modes, left } = await inEditor(post, 'sed -i "s/first words/other words/" "$1"');
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringContaining("changed feed:notes; revision 2") });
    expect([modes, left]).toEqual(["600\n700\n", []]);
    expect(await wordsOf(post)).toMatchObject({ revision: 2, carries: 2, text: "other words" });
  });

  test("an editor that fails, and a file that stays as it was, change nothing; refused words are kept", async () => {
    const post = await scheduled();
    const before = await hub.state();
    const broken = await inEditor(post, 'echo more >> "$1"; exit 3');
    expect(failed(broken.ran, "INTERRUPTED")).toContain("nothing was changed");
    expect(broken.left).toEqual([]);
    expect((await inEditor(post, ":")).ran).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("nothing was changed"),
    });
    expect(await hub.state()).toBe(before);
    const wrong = await inEditor(post, 'sed -i "s/split: false/splitt: false/" "$1"');
    expect(failed(wrong.ran, "DRAFT_INVALID")).toContain("what you wrote is kept in");
    const kept = join(hub.folder, "config", "refused.post.md");
    expect(await readFile(kept, "utf8")).toContain("splitt: false");
    expect(statSync(kept).mode & 0o777).toBe(0o600);
    expect(await wordsOf(post)).toMatchObject({ revision: 1, text: "first words" });
  });

  test("a file, standard input, --dry-run, and the revision that was meant", async () => {
    const post = await scheduled("--media", await picture(hub.folder), "--alt", "a square");
    const markdown = (await printed(post)).replace("first words", "words of a file");
    expect(markdown).toContain("alt: a square");
    const file = join(hub.folder, "next.md");
    await writeFile(file, markdown);
    const before = await hub.state();
    const dry = await hub.psn(["edit", post, "--file", file, "--dry-run", "--json"]);
    expect(documentOf(dry)).toMatchObject({ dryRun: true, changed: true, revision: 2, left: [] });
    expect(await hub.state()).toBe(before);
    expect(await hub.psn(["edit", post, "--file", file, "--revision", "1"])).toMatchObject({ code: 0 });
    expect(await wordsOf(post)).toMatchObject({ revision: 2, text: "words of a file", media: 1 });

    const late = await hub.psn(["edit", post, "-", "--revision", "1"], { stdin: markdown });
    expect(failed(late, "CHANGED_MEANWHILE")).toMatch(/has revision 2 now[\s\S]*psn edit [0-9a-f]{8} --print/);
    const stdin = markdown.replace("a square", "a blue square").replace("of a file", "of a pipe");
    expect(await hub.psn(["edit", post, "-"], { stdin })).toMatchObject({ code: 0 });
    expect(await wordsOf(post)).toMatchObject({ revision: 3, text: "words of a pipe", media: 1 });
    expect(await printed(post)).toContain("alt: a blue square");
    const timed = stdin.replace("split:", "at: tomorrow 9am\nsplit:");
    expect(failed(await hub.psn(["edit", post, "-"], { stdin: timed }), "DRAFT_INVALID")).toContain("psn move");
  });

  test("somebody edits while the editor is open: one is told, and the words are kept", async () => {
    const post = await scheduled();
    const other = join(hub.folder, "other.md");
    await writeFile(other, (await printed(post)).replace("first words", "the other one's"));
    const main = new URL("../../src/cli/main.ts", import.meta.url).pathname;
    const meanwhile = `'${process.execPath}' '${main}' edit ${post} --file '${other}' --hub '${hub.folder}' >&2`;
    const { ran } = await inEditor(post, `${meanwhile} || exit 9\nsed -i "s/first words/mine/" "$1"`);
    expect(ran.code).toBe(1);
    expect(ran.stderr).toMatch(/somebody has edited this post meanwhile[\s\S]*what you wrote is kept in/);
    expect(await wordsOf(post)).toMatchObject({ revision: 2, text: "the other one's" });
  });

  test("what is out is not edited", async () => {
    const ran = await hub.psn(["post", "out", "--to", "feed", "--json"]);
    const post = String(documentOf(ran)["post"]);
    const stdin = (await printed(post)).replace("\nout", "\nother");
    expect(failed(await hub.psn(["edit", post, "-"], { stdin }), "STATE_CONFLICT")).toContain(
      "feed:notes is published",
    );
  });
});
