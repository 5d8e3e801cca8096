import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openHub, PsnError } from "@psn/index.ts";
import { expect, test } from "vitest";
import { picture, scratch, testHub } from "../support/cli.ts";
import { schemaErrors } from "../support/documents.ts";

/*
 * psn as a library: the example of docs/library.md as another program, with a process and a package of its own, and the
 * verbs called from here.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs a program that has psn as a dependency. */
async function program(source: string, cwd: string) {
  const folder = await scratch("program");
  await mkdir(join(folder, "node_modules"));
  await symlink(root, join(folder, "node_modules", "psn"));
  await writeFile(join(folder, "main.ts"), source);
  const child = spawn(process.execPath, [join(folder, "main.ts")], { cwd, env: process.env });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const code = await new Promise<number | null>((done) => child.on("close", done));
  return { code, stdout, stderr };
}

test("the example of docs/library.md schedules a post, lists it, and ends", async () => {
  const hub = await testHub();
  const page = readFileSync(join(root, "docs/library.md"), "utf8");
  const [, example = ""] = /<!-- example[^>]*-->\s*```ts\n(.*?)```/s.exec(page) ?? [];
  expect(example).toContain("openHub");
  const ran = await program(example, hub.folder);
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  const [said, listed] = ran.stdout.trim().split("\n");
  expect(said).toMatch(/^[0-9a-f-]{36} is due .+ \(.*UTC\)$/);
  expect(listed).toMatch(/^feed scheduled \d{4}-\d\d-\d\dT.+Z Good morning$/);
  const rows = await hub.rows("SELECT id FROM psn.posts WHERE idempotency_key = 'good-morning-1'");
  expect(rows).toEqual([{ id: said?.split(" ")[0] }]);
  // The same key: the same post.
  expect(await program(example, hub.folder)).toMatchObject({ code: 0, stderr: "" });
  expect(await hub.rows("SELECT id FROM psn.posts")).toHaveLength(1);
});

test("what verbs answer is what their commands print, and is as its schema says", async () => {
  const { folder, psn } = await testHub();
  await picture(folder);
  const hub = await openHub({ folder });
  try {
    const at = new Date(Date.now() + 86_400_000).toISOString();
    const written = await hub.post({ text: "look", media: [{ file: "picture.png", alt: "a square" }], due: { at } });
    expect(written).toMatchObject({ repeated: false, due: at, deliveries: [{ state: "scheduled", text: "look" }] });
    const id = written.post;
    const answers = {
      post: written,
      queue: await hub.queue({}),
      show: await hub.show({ id }),
      accounts: await hub.accounts({}),
      today: await hub.today({}),
      move: await hub.move({ id, due: at, dryRun: true }),
      cancel: await hub.cancel({ id, dryRun: true }),
      delete: await hub.delete({ id, dryRun: true }),
    };
    for (const [name, answer] of Object.entries(answers)) expect(await schemaErrors([name], answer), name).toEqual([]);
    for (const name of ["queue", "accounts"] as const)
      expect(JSON.parse((await psn([name, "--json"])).stdout)).toEqual(answers[name]);
    expect(JSON.parse((await psn(["show", id, "--json"])).stdout)).toEqual(answers.show);
    expect(JSON.parse((await psn(["--json"])).stdout)).toEqual(answers.today);
    const preview = await hub.preview({ parts: [{ text: "one" }, { text: "two" }] });
    expect(preview.accounts[0]?.units.map(({ text }) => text).join()).toContain("one");
    const [moved] = (await hub.move({ id, due: at, timeZone: "Europe/Berlin" })).deliveries;
    expect(moved).toMatchObject({ due: at });
    expect((await hub.cancel({ id })).deliveries).toMatchObject([{ state: "cancelled" }]);
  } finally {
    await hub.close();
  }
});

test("what is wrong is a PsnError, and its message names no command", async () => {
  const { folder } = await testHub({ feed: false });
  const hub = await openHub({ folder });
  try {
    const errors = await Promise.all(
      [
        () => hub.post({ text: "hello", to: ["bluesky"] }),
        () => hub.post({ text: "hello" }),
        () => hub.show({ id: "00000000" }),
        () => hub.show({ id: "it" }),
        () => hub.cancel({ id: "00000000" }),
        () => hub.queue({ limit: 0 }),
        () => hub.post({ text: "hello", media: [{ file: "nowhere.png" }] }),
      ].map((call) => call().catch((error: unknown) => error)),
    );
    for (const error of errors) {
      expect(error).toBeInstanceOf(PsnError);
      expect((error as PsnError).message).not.toMatch(/\bpsn [a-z]/);
    }
    expect(errors).toMatchObject([
      { code: "AUTH_REQUIRED", remedy: { run: "connect" } },
      { code: "AUTH_REQUIRED", remedy: { run: "connect" } },
      { code: "NOT_FOUND" },
      { code: "INPUT_INVALID", remedy: { run: "queue" } },
      { code: "NOT_FOUND" },
      { code: "INPUT_INVALID" },
      { code: "AUTH_REQUIRED" },
    ]);
  } finally {
    await hub.close();
  }
});

test("a verb whose signal is aborted changes nothing", async () => {
  const { folder, rows } = await testHub();
  const hub = await openHub({ folder });
  try {
    const signal = AbortSignal.abort();
    await expect(hub.post({ text: "hello" }, { signal })).rejects.toThrow();
    expect(await rows("SELECT id FROM psn.posts")).toEqual([]);
  } finally {
    await hub.close();
  }
});
