import { randomBytes } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { noise, png } from "../../scripts/png.ts";
import {
  failed,
  filesOf,
  picture,
  psn,
  type Refusal,
  refusedBy,
  scratch,
  type TestHub,
  testHub,
} from "../support/cli.ts";

/*
 * Whatever a person can get wrong: one message that says what is wrong and what mends it, the exit code of the design,
 * and nothing is changed.
 */

let hub: TestHub;
const PASSWORD = "correct-horse-battery-staple";

beforeAll(async () => {
  hub = await testHub();
});

const refused = (...call: Refusal) => refusedBy(hub, ...call);

describe("the post", () => {
  test("text that is too long, empty, or no text", async () => {
    await refused(["post", "x".repeat(100_001)], "POST_INVALID", /100.?001.*100.?000/);
    await refused(["post", "x".repeat(100_001), "--split"], "POST_INVALID", /100.?000/);
    await refused(["post", ""], "POST_INVALID", /feed:notes/);
    await refused(["post", "   \n\t "], "POST_INVALID", /feed:notes/);
    await refused(["post", "-"], "POST_INVALID", /feed:notes/, "");
    await refused(
      ["post", "-"],
      "DRAFT_INVALID",
      /standard input is not text in UTF-8.*\n.*UTF-8/,
      Uint8Array.of(0x68, 0xff, 0xfe),
    );
    await refused(["post", "-"], "DRAFT_INVALID", /standard input is not text/, "null \0 byte");
  });

  test("an account or a platform there is none of, with what there is", async () => {
    await refused(["post", "hello", "--to", "bluesky"], "AUTH_REQUIRED", "psn connect bluesky");
    await refused(["post", "hello", "--to", "feed:other"], "NOT_FOUND", "feed:notes");
    await refused(["post", "hello", "--to", "fede"], "NOT_FOUND", "feed:notes");
    await refused(["post", "hello", "--to", "feed,nobody"], "NOT_FOUND", "nobody");
    await refused(["connect", "mastodn"], "INPUT_INVALID", "mastodon");
    await refused(["disconnect", "nobody", "--yes"], "NOT_FOUND", "feed:notes");
  });

  test("media that are missing, a folder, no image, damaged, empty or too large", async () => {
    const folder = join(hub.folder, "media");
    await mkdir(folder, { recursive: true });
    const write = (name: string, bytes: string | Uint8Array) => writeFile(join(folder, name), bytes);
    await write("notes.png", "not an image");
    await write("empty.png", "");
    await write("cut.png", png(64, 64).subarray(0, 60));
    await write("huge.png", Buffer.concat([png(64, 64), new Uint8Array(21 * 1024 * 1024)]));
    const media = (name: string) => ["post", "look", "--media", `media/${name}`];
    await refused(media("nowhere.png"), "FILE_UNREADABLE", /nowhere\.png does not exist[\s\S]*check the path/);
    await refused(["post", "look", "--media", "media"], "FILE_UNREADABLE", /is a folder/);
    await refused(media("notes.png"), "MEDIA_INVALID", /not an image[\s\S]*JPEG, PNG/);
    await refused(media("empty.png"), "MEDIA_INVALID", /is empty/);
    await refused(media("cut.png"), "MEDIA_INVALID", /incomplete or damaged/);
    await refused(media("huge.png"), "MEDIA_INVALID", /21\.0 MB; psn accepts at most 20 MB for an image/);
    await refused(["post", "look", "--alt", "nothing to describe"], "USAGE", "--media");
    // What one platform takes may be too large for another.
    const secret = `whsec_${randomBytes(32).toString("base64")}`;
    expect(
      (await hub.psn(["connect", "webhook", "http://127.0.0.1:1/", "--secret-stdin"], { stdin: secret })).code,
    ).toBe(0);
    await write("large.png", noise(5_100_000));
    await refused(
      [...media("large.png"), "--to", "all"],
      "POST_INVALID",
      /^(?!.*feed:notes).*webhook:127\.0\.0\.1:1: the image .*5000000/,
    );
    expect((await hub.psn(["disconnect", "webhook", "--yes"])).code).toBe(0);
  });

  test("more media than the platform takes", async () => {
    const path = await picture(join(hub.folder, "media"));
    await refused(
      ["post", "look", ...Array.from({ length: 40 }, () => ["--media", path]).flat()],
      "POST_INVALID",
      /40/,
    );
  });

  test("files that are missing, folders, no text, or whose front matter is wrong", async () => {
    const file = async (text: string | Uint8Array) => {
      await writeFile(join(hub.folder, "draft.md"), text);
      return ["post", "draft.md"] as const;
    };
    await refused(["post", "nowhere.md"], "FILE_UNREADABLE", /nowhere\.md[\s\S]*check the path/);
    await mkdir(join(hub.folder, "folder.md"), { recursive: true });
    await refused(["post", "folder.md"], "FILE_UNREADABLE", /folder\.md/);
    await refused(await file(Uint8Array.of(0xff, 0xfe, 0x41)), "DRAFT_INVALID", /draft\.md is not text in UTF-8/);
    await refused(
      await file("---\nto: [feed\n---\nhello"),
      "DRAFT_INVALID",
      /draft\.md:\d+: the front matter is not valid YAML/,
    );
    await refused(await file("---\nto: feed\nhello"), "DRAFT_INVALID", /draft\.md:1: the front matter[\s\S]*---/);
    await refused(
      await file("---\nmedai: cat.png\n---\nhello"),
      "DRAFT_INVALID",
      /draft\.md:2: psn does not know the key "medai"[\s\S]*did you mean media\?/,
    );
    await refused(await file("---\ndate: tomorrow\n---\nhello"), "DRAFT_INVALID", /did you mean at\?/);
    await refused(
      await file("---\nvisibility: everybody\n---\nhello"),
      "DRAFT_INVALID",
      /draft\.md:2: visibility must be one of/,
    );
    await refused(await file("---\nmedia: nowhere.png\n---\nhello"), "FILE_UNREADABLE", /nowhere\.png does not exist/);
    await refused(await file("---\nat: yesterday 9am\n---\nhello"), "TIME_INVALID", /past|yesterday/);
    await refused(await file("---\nto: feed\n---\n"), "DRAFT_INVALID", /nothing to post/);
  });

  test("times that are past, ambiguous or absurd", async () => {
    const at = (time: string, ...more: string[]) => ["post", "hello", "--at", time, ...more];
    await refused(at("2020-01-01 09:00"), "TIME_INVALID", /ago|past/);
    await refused(at("tomorrow"), "TIME_INVALID", /without an hour[\s\S]*09:00/);
    await refused(at("tomorrow 9"), "TIME_INVALID", /am or pm[\s\S]*09:00 or .*21:00/);
    await refused(at("03/04 9am"), "TIME_INVALID", /two ways[\s\S]*-0[34]-0[34] 09:00 or .*-0[34]-0[34] 09:00/);
    await refused(at("2027-03-28 02:30"), "TIME_INVALID", /.+\n.*2027-03-28/);
    await refused(at("2027-10-31 02:30"), "TIME_INVALID", /.+\n.*2027-10-31/);
    await refused(at("2027-02-30 09:00"), "TIME_INVALID", /there is no 30 February/);
    await refused(at("9999-01-01 09:00"), "TIME_INVALID", /year/);
    await refused(at("the day after the party"), "TIME_INVALID", "psn help times");
    await refused(at("tomorrow 9am", "--tz", "Mars/Base"), "TIME_INVALID", /Mars\/Base/);
    await refused(["post", "hello", "--in", "-2h"], "TIME_INVALID", /2h/);
    await refused(["post", "hello", "--in", "2 months"], "TIME_INVALID", /months/);
    await refused(at("tomorrow 9am", "--in", "2h"), "USAGE", /use --at or --in, not both/);
  });

  test("a value that is missing where nobody can be asked", async () => {
    await refused(["post"], "INPUT_REQUIRED", /standard input/);
    await refused(["post", "--no-input"], "INPUT_REQUIRED", /standard input/);
    await refused(["connect", "feed"], "INPUT_REQUIRED", "--folder");
    await refused(["connect", "bluesky", "ada.example"], "INPUT_REQUIRED", "--password-stdin");
    await refused(["disconnect", "feed"], "INPUT_REQUIRED", "--yes");
  });

  test("which of several accounts", async () => {
    const second = await hub.psn(["connect", "feed", join(hub.folder, "other"), "--title", "Other"]);
    expect(second.code).toBe(0);
    await refused(["post", "hello"], "INPUT_REQUIRED", /feed:notes, feed:other[\s\S]*--to/);
    await refused(["post", "hello", "--to", "feed"], "AMBIGUOUS", /2 accounts: feed:notes, feed:other/);
    await refused(["disconnect", "feed", "--yes"], "AMBIGUOUS", /feed:notes, feed:other/);
    expect((await hub.psn(["disconnect", "feed:other", "--yes"])).code).toBe(0);
  });

  test("a file name with a space is a file when there is one, and else a text", async () => {
    await writeFile(join(hub.folder, "my draft.md"), "from the file");
    const dry = async (text: string) => (await hub.psn(["post", text, "--dry-run"])).stdout;
    expect(await dry("my draft.md")).toContain("from the file");
    expect(await dry("see README.md")).toContain("see README.md");
  });

  test("the text stands where it stands, before or behind --to, --media and --alt", async () => {
    const path = await picture(join(hub.folder, "media"));
    for (const argv of [
      ["hello", "--to", "feed"],
      ["--to", "feed", "hello"],
      ["--media", path, "--alt", "a square", "--to", "feed", "hello"],
      ["--to", "feed", "--media", path, "hello"],
    ]) {
      const { code, stdout } = await hub.psn(["post", ...argv, "--dry-run"]);
      expect({ argv, code, stdout }).toMatchObject({ code: 0, stdout: expect.stringContaining("hello") });
    }
  });
});

describe("secrets on the command line", () => {
  test("are refused by name, and not repeated", async () => {
    for (const [flag, ...argv] of [
      ["password", "connect", "bluesky", "ada.example", "--password", PASSWORD],
      ["password", "connect", "bluesky", "ada.example", `--password=${PASSWORD}`],
      ["token", "connect", "mastodon", "mastodon.example", "--token", PASSWORD],
      ["secret", "connect", "webhook", "https://example.com", "--secret", PASSWORD],
    ]) {
      await refused(argv, "SECRET_IN_ARGUMENTS", `--${flag}-stdin`);
      expect((await hub.psn(argv)).stderr).not.toContain(PASSWORD);
    }
  });

  test.each([
    [["init", "--database-url", `postgres://ada:${PASSWORD}@127.0.0.1/psn`]],
    [["init", "--database-url", `postgres://ada:${PASSWORD}#x@127.0.0.1/psn`]],
    [["init", "--database-url", `postgres://ada@127.0.0.1/psn?password=${PASSWORD}`]],
    [["config", "set", "DATABASE_URL", `postgres://ada:${PASSWORD}@127.0.0.1/psn`]],
    [["connect", "bluesky", "ada.example", PASSWORD]],
    [["queue", PASSWORD]],
    [["queue", `--limmit=${PASSWORD}`]],
  ])("psn %j", async (argv) => {
    const code = argv[0] === "init" || argv[0] === "config" ? "SECRET_IN_ARGUMENTS" : "USAGE";
    await refused(argv, code, /stdin|--help/);
    expect((await hub.psn(argv)).stderr).not.toContain(PASSWORD);
    const fresh = await scratch();
    if (argv[0] === "init") {
      failed(await psn(argv, { cwd: fresh }), code);
      expect(await filesOf(fresh)).toEqual([]);
    }
  });
});

describe("the same idempotency key", () => {
  test("twice is one post, and the second call answers like the first", async () => {
    const argv = ["post", "once", "--idempotency-key", "launch-1", "--json"];
    const first = JSON.parse((await hub.psn(argv)).stdout);
    const before = await hub.state();
    const second = JSON.parse((await hub.psn(argv)).stdout);
    expect(second).toEqual({ ...first, repeated: true, due: expect.any(String) });
    const other = JSON.parse(
      (await hub.psn(["post", "another text", "--idempotency-key", "launch-1", "--json"])).stdout,
    );
    expect(other).toMatchObject({ post: first.post, repeated: true });
    expect(await hub.state()).toBe(before);
  });

  test("an unusable one is refused", async () => {
    await refused(["post", "once", "--idempotency-key", ""], "USAGE", "--idempotency-key");
    await refused(["post", "once", "--idempotency-key", "k".repeat(201)], "USAGE", "1 to 200 characters");
  });
});

describe("ids", () => {
  test("that are none, unknown, too short or of several", async () => {
    for (const command of ["show", "cancel", "retry", "move"]) {
      const more = command === "move" ? ["--in", "2h"] : [];
      await refused([command, "not-an-id!", ...more], "INPUT_INVALID", "psn queue");
      await refused([command, "abc", ...more], "INPUT_INVALID", "psn queue");
      await refused([command, "00000000", ...more], "NOT_FOUND", "psn queue");
      await refused([command, "' OR 1=1 --", ...more], "INPUT_INVALID", "psn queue");
    }
    await refused(["resolve", "00000000", "--live", "javascript:alert(1)"], "USAGE", "--live");
  });

  test("published deliveries cannot be cancelled, moved or retried", async () => {
    const { post } = JSON.parse((await hub.psn(["post", "out", "--json"])).stdout);
    for (const argv of [
      ["cancel", post],
      ["move", post, "--in", "2h"],
      ["retry", post],
    ]) {
      await refused(argv, "STATE_CONFLICT", /feed:notes is published[\s\S]*psn show/);
    }
  });
});
