import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { createPrompt, givenSecret } from "@psn/cli/prompt.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "psn-prompt-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** A terminal in which somebody types these lines, and what it showed. */
function typing(lines: string) {
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => input });
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  const shown: Buffer[] = [];
  output.on("data", (chunk: Buffer) => shown.push(chunk));
  setTimeout(() => input.write(lines), 10);
  const prompt = createPrompt({
    interactive: true,
    yes: false,
    input: input as unknown as NodeJS.ReadStream,
    output: output as unknown as NodeJS.WriteStream,
  });
  return { prompt, shown: () => Buffer.concat(shown).toString() };
}

const refused = (code: string, hint: RegExp) => expect.objectContaining({ code, hint: expect.stringMatching(hint) });

describe("on a terminal", () => {
  test("a text is asked for and shown", async () => {
    const { prompt, shown } = typing("ada.example \r");
    expect(await prompt.text("Your handle", "--identifier")).toBe("ada.example");
    expect(shown()).toContain("? Your handle: ");
    expect(shown()).toContain("ada.example");
  });

  test("a question that holds a server's words steers nothing", async () => {
    const { prompt, shown } = typing("y\r");
    expect(await prompt.confirm("Disconnect mastodon:ada\u001b]0;owned\u0007\nFAKE  published?")).toBe(true);
    expect(shown()).toContain(String.raw`? Disconnect mastodon:ada\u001b]0;owned\u0007 FAKE  published? (y/N) `);
    expect(shown()).not.toContain("\u001b]0;");
  });

  test("a secret is asked for and not shown", async () => {
    const { prompt, shown } = typing("hunter2\r");
    expect(await prompt.secret("App password", "--password-stdin")).toBe("hunter2");
    expect(shown()).toBe("? App password: (not shown) \n");
  });

  test.each([
    ["y\r", true],
    ["YES\r", true],
    ["\r", false],
    ["no\r", false],
    ["yikes\r", false],
  ])("consent: %j", async (typed, given) => {
    expect(await typing(typed).prompt.confirm("Sure?")).toBe(given);
  });

  test.each(["\u0003", "\u0004"])("Ctrl-C and Ctrl-D end the asking: %j", async (key) => {
    await expect(typing(key).prompt.secret("App password", "--password-stdin")).rejects.toMatchObject({
      name: "AbortError",
    });
  });

  test.each(["\u0003", "\u0004"])("and the waiting for a pasted address: %j", async (key) => {
    await expect(typing(key).prompt.line(new AbortController().signal)).rejects.toMatchObject({ code: "INTERRUPTED" });
  });
});

describe("elsewhere", () => {
  const nobody = (yes: boolean) =>
    createPrompt({
      interactive: false,
      yes,
      input: new PassThrough() as unknown as NodeJS.ReadStream,
      output: new PassThrough() as unknown as NodeJS.WriteStream,
    });

  test("every question names its flag", async () => {
    await expect(nobody(false).text("Your handle", "--identifier")).rejects.toThrow(
      refused("INPUT_REQUIRED", /--identifier/),
    );
    await expect(nobody(false).secret("App password", "--password-stdin")).rejects.toThrow(
      refused("INPUT_REQUIRED", /--password-stdin/),
    );
    await expect(nobody(false).confirm("Sure?")).rejects.toThrow(refused("INPUT_REQUIRED", /--yes/));
  });

  test("--yes gives consent, not data", async () => {
    expect(await nobody(true).confirm("Sure?")).toBe(true);
    await expect(nobody(true).text("Your handle", "--identifier")).rejects.toThrow(
      refused("INPUT_REQUIRED", /--identifier/),
    );
  });
});

describe("a secret by a flag", () => {
  const stdin = (text: string) => async () => new TextEncoder().encode(text);

  test("from standard input or a file, without the line's end", async () => {
    const file = join(folder, "secret");
    await writeFile(file, "from file\r\n");
    expect(await givenSecret("password", { fromStdin: true, file: undefined, stdin: stdin("from stdin\n") })).toBe(
      "from stdin",
    );
    expect(await givenSecret("password", { fromStdin: false, file, stdin: stdin("") })).toBe("from file");
    expect(
      await givenSecret("password", { fromStdin: false, file: undefined, stdin: stdin("unread") }),
    ).toBeUndefined();
  });

  test("what cannot be one is refused, and never repeated", async () => {
    await expect(givenSecret("password", { fromStdin: true, file: "file", stdin: stdin("x") })).rejects.toThrow(
      refused("USAGE", /./),
    );
    await expect(
      givenSecret("password", { fromStdin: false, file: join(folder, "none"), stdin: stdin("") }),
    ).rejects.toThrow(refused("FILE_UNREADABLE", /--password-file/));
    for (const text of ["", "\n", "two\nlines\n"]) {
      const error = await givenSecret("password", { fromStdin: true, file: undefined, stdin: stdin(text) }).catch(
        (thrown: unknown) => thrown,
      );
      expect(error).toMatchObject({ code: "INPUT_INVALID" });
      expect(String(error)).not.toContain("lines\n");
    }
  });
});
