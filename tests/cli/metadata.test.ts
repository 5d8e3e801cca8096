import { copyFile, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { readExif } from "@psn/core/utils/metadata/exif.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { documentOf, type TestHub, testHub } from "../support/cli.ts";

/* A photograph with its position (of a public landmark), from the command line to what anybody can fetch. */

const PHOTO = fileURLToPath(new URL("../fixtures/gps6.jpg", import.meta.url));

let hub: TestHub;
beforeAll(async () => {
  hub = await testHub();
  await copyFile(PHOTO, join(hub.folder, "a.jpg"));
});
afterAll(() => hub.close());

/** What anybody can fetch, and what its EXIF says. */
async function published() {
  const media = join(hub.folder, "public", "media");
  const names = await readdir(media);
  return Promise.all(
    names.map(async (name) => {
      const bytes = await readFile(join(media, name));
      const { shown, taken } = readExif(new Uint8Array(bytes.subarray(bytes.indexOf("Exif\0\0") + 6)));
      return { shown, taken: [...taken], maker: bytes.includes("PhoneMaker1") };
    }),
  );
}

test("--dry-run says what is taken out of which file, and nothing where there is nothing", async () => {
  const told = await hub.psn(["post", "look", "--media", "a.jpg", "--alt", "a tower", "--dry-run"]);
  expect(told.stdout).toContain("removed from a.jpg: position, comment, camera data\n");
  const { takenOut } = documentOf(await hub.psn(["post", "look", "--media", "a.jpg", "--dry-run", "--json"]));
  expect(takenOut).toEqual([{ file: "a.jpg", taken: ["position", "comment", "camera data"] }]);
  const kept = await hub.psn(["post", "look", "--media", "a.jpg", "--keep-metadata", "--dry-run"]);
  expect(kept.stdout).not.toContain("taken out");
});

test("what anybody can fetch holds the orientation and no position", async () => {
  expect((await hub.psn(["post", "look", "--media", "a.jpg", "--alt", "a tower"])).code).toBe(0);
  expect(await published()).toEqual([{ shown: { orientation: 6 }, taken: [], maker: false }]);
});

test("a file of front matter has it too, and keepMetadata: true is for those who mean it", async () => {
  await writeFile(join(hub.folder, "post.md"), "---\nmedia: a.jpg\n---\nlook\n");
  const { takenOut } = documentOf(await hub.psn(["post", "post.md", "--dry-run", "--json"]));
  expect(takenOut).toEqual([{ file: "a.jpg", taken: ["position", "comment", "camera data"] }]);
  await writeFile(join(hub.folder, "meant.md"), "---\nmedia: a.jpg\nkeepMetadata: true\n---\nlook\n");
  expect((await hub.psn(["post", "meant.md"])).code).toBe(0);
  expect(await published()).toContainEqual({
    shown: { orientation: 6 },
    taken: ["camera data", "position"],
    maker: true,
  });
});
