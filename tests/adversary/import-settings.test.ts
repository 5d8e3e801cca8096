import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { createIo } from "@psn/cli/io.ts";
import { run } from "@psn/cli/program.ts";
import { armor, Encrypter } from "age-encryption";
import { beforeAll, describe, expect, test } from "vitest";
import { closedHub, documentOf, filesOf, psn, scratch } from "../support/cli.ts";

/*
 * A hub's file that somebody else has made, and to which its victim knows the passphrase: what it would set is shown
 * and asked for.
 */

const PASSPHRASE = "five random words are good";
const USER = Bun.randomUUIDv7();
const SETTINGS = {
  PSN_NOTIFY_URL: "https://eve.example/secret-topic",
  S3_ENDPOINT: "https://s3.eve.example",
  S3_BUCKET: "eves-bucket",
  S3_ACCESS_KEY_ID: "eves-id",
  S3_SECRET_ACCESS_KEY: "canary-s3-secret",
  DATABASE_URL: "postgres://eve@eve.example/x",
  PSN_ORIGINS: "https://api.x.com=http://127.0.0.1:1",
  HUB_ENCRYPTION_KEY: "ab".repeat(32),
  NOPE: "1",
};
/** An address of this machine, in a row. */
const INSIDE = "http://127.0.0.1:8500/v1/agent";
const KEYS = {
  X_CLIENT_ID: "eves-app",
  LD_PRELOAD: "/tmp/eve.so",
  NODE_OPTIONS: "--require /tmp/eve.js",
  "odd\u001b]0;name": "1",
};
const row = (table: string, columns: object) => `${table}\t${JSON.stringify(columns)}`;
const sealed = (name: string, value: string) =>
  row("api_keys", { id: Bun.randomUUIDv7(), user_id: USER, name, value, updated_at: "2026-11-01T00:00:00Z" });

let file: string;
let bytes: Uint8Array;
beforeAll(async () => {
  const head = {
    psn: "hub",
    version: 1,
    schema: 1,
    at: "2026-11-01T00:00:00Z",
    moved: true,
    user: USER,
    handle: "eve",
    timeZone: "UTC",
    settings: SETTINGS,
    keys: KEYS,
  };
  const rows = [
    row("users", { id: USER, handle: "eve", time_zone: "UTC" }),
    row("accounts", {
      id: Bun.randomUUIDv7(),
      user_id: USER,
      platform: "webhook",
      subject: INSIDE,
      handle: "inside",
      url: INSIDE,
      home: INSIDE,
      limits: {},
      health: "ok",
    }),
    sealed("LINKEDIN_CLIENT_ID", "eves-linkedin-app"),
    sealed("NOPE_KEY", "1"),
  ];
  const encrypter = new Encrypter();
  encrypter.setPassphrase(PASSPHRASE);
  bytes = await encrypter.encrypt(
    `${[JSON.stringify(head), ...rows, JSON.stringify({ end: rows.length })].join("\n")}\n`,
  );
  file = join(await scratch("eve"), "hub.age");
  await writeFile(file, bytes);
});

const argv = (...more: readonly string[]) => ["import", file, "--passphrase-stdin", ...more];
const importing = (folder: string, ...more: readonly string[]) =>
  psn(argv(...more), { cwd: folder, stdin: PASSPHRASE });
const textOf = (folder: string, name: string) => readFile(join(folder, "config", `${name}.env`), "utf8");
const sealedIn = async (folder: string) =>
  (
    documentOf(await psn(["keys", "list", "--json"], { cwd: folder }))["keys"] as {
      name: string;
      sealed: string | null;
    }[]
  )
    .filter((key) => key.sealed !== null)
    .map(({ name }) => name);

describe("without consent", () => {
  test.each([[[]], [["--json"]]])(
    "nobody to ask: refused, with everything it would set, and nothing is made (%j)",
    async (more) => {
      const folder = await scratch("victim");
      const ran = await importing(folder, ...more);
      expect(ran.code).toBe(2);
      const said = `${ran.stdout}${ran.stderr}`;
      for (const name of ["PSN_NOTIFY_URL", "S3_ENDPOINT", "S3_BUCKET", "X_CLIENT_ID", "LINKEDIN_CLIENT_ID"])
        expect(said).toContain(name);
      expect(said).toContain("--no-settings");
      expect(said).not.toMatch(/canary|secret-topic/);
      if (more.length > 0)
        expect(documentOf(ran)).toMatchObject({
          error: {
            code: "INPUT_REQUIRED",
            details: {
              settings: expect.arrayContaining([
                { name: "PSN_NOTIFY_URL", place: "hub.env", value: "https://eve.example/••••••••" },
                { name: "S3_BUCKET", place: "hub.env", value: "eves-bucket" },
                { name: "X_CLIENT_ID", place: "keys.env", value: "eves-app" },
                { name: "LINKEDIN_CLIENT_ID", place: "sealed in the hub", value: "••••••••" },
              ]),
            },
          },
        });
      expect(existsSync(join(folder, "config"))).toBe(false);
    },
  );

  test("an account of the file opens no private address of a hub that has no list of them yet", async () => {
    const folder = await closedHub();
    const path = join(folder, "config", "hub.env");
    const before = await readFile(path, "utf8");
    await writeFile(path, before.replace(/^PSN_PRIVATE_ORIGINS=.*\n/m, ""));
    expect(await importing(folder, "--no-settings")).toMatchObject({ code: 0 });
    expect((await psn(["accounts"], { cwd: folder })).stdout).toContain("inside");
    expect(await textOf(folder, "hub")).toMatch(/^PSN_PRIVATE_ORIGINS=none$/m);
  });

  test("at a terminal it is shown and asked, and a no imports nothing", async () => {
    const folder = await closedHub();
    const before = await filesOf(join(folder, "config"));
    const secret = join(await scratch(), "passphrase");
    await writeFile(secret, PASSPHRASE);
    const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => input });
    let said = "";
    const output = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
    output.on("data", (chunk: Buffer) => {
      const isAsked = !said.includes("(y/N)");
      said += chunk.toString();
      if (isAsked && said.includes("(y/N)")) input.write("n\r");
    });
    const io = createIo({
      stdin: input as unknown as NodeJS.ReadStream,
      stdout: { isTTY: true, write: () => undefined },
      stderr: output as unknown as NodeJS.WriteStream,
      cwd: folder,
      version: "0.0.0",
      signal: new AbortController().signal,
    });
    expect(await run(["import", file, "--passphrase-file", secret], io)).toBe(130);
    expect(said).toMatch(/PSN_NOTIFY_URL +https:\/\/eve\.example\/••••••••/);
    expect(said).toMatch(/X_CLIENT_ID +eves-app +keys\.env/);
    expect(said).toContain("psn import FILE --no-settings");
    expect(await filesOf(join(folder, "config"))).toEqual(before);
  });
});

test("--no-settings takes accounts and posts alone", async () => {
  const folder = await closedHub();
  const ran = await importing(folder, "--no-settings", "--json");
  expect(documentOf(ran)).toMatchObject({
    rows: 2,
    settings: { taken: [], left: expect.arrayContaining(["S3_BUCKET", "X_CLIENT_ID", "LINKEDIN_CLIENT_ID"]) },
  });
  expect(`${await textOf(folder, "hub")}${await textOf(folder, "keys")}`).not.toMatch(/eve/);
  expect(await sealedIn(folder)).toEqual([]);
});

test("--yes takes what psn knows, and writes no other name into a file", async () => {
  const folder = await closedHub();
  const ran = await importing(folder, "--yes", "--json");
  const { settings } = documentOf(ran) as { settings: { unknown: string[] } };
  expect(settings).toMatchObject({ left: [], kept: [] });
  expect(settings.unknown.toSorted()).toEqual([
    "DATABASE_URL",
    "HUB_ENCRYPTION_KEY",
    "LD_PRELOAD",
    "NODE_OPTIONS",
    "NOPE",
    "PSN_ORIGINS",
  ]);
  expect(await textOf(folder, "hub")).toMatch(/S3_BUCKET=eves-bucket/);
  expect(await textOf(folder, "hub")).not.toMatch(/DATABASE_URL|PSN_ORIGINS|abababab|NOPE/);
  expect((await textOf(folder, "keys")).split("\n").filter((line) => line !== "" && !line.startsWith("#"))).toEqual([
    "X_CLIENT_ID=eves-app",
  ]);
  // A row that nothing reads.
  expect(await sealedIn(folder)).toEqual(["LINKEDIN_CLIENT_ID", "NOPE_KEY"]);
});

test("what the hub says already stands, and is not asked for", async () => {
  const folder = await closedHub();
  const hubEnv = join(folder, "config", "hub.env");
  const mine =
    `${await readFile(hubEnv, "utf8")}PSN_NOTIFY_URL=https://mine.example/\nS3_ENDPOINT=https://mine.example\n` +
    "S3_BUCKET=mine\nS3_ACCESS_KEY_ID=mine\nS3_SECRET_ACCESS_KEY=mine\n";
  await writeFile(hubEnv, mine, { mode: 0o600 });
  await writeFile(join(folder, "config", "keys.env"), "X_CLIENT_ID=mine\n", { mode: 0o600 });
  const ran = await importing(folder, "--json");
  expect(documentOf(ran)).toMatchObject({ error: { message: "the file would set LINKEDIN_CLIENT_ID in this hub" } });
  expect(documentOf(await importing(folder, "--yes", "--json"))).toMatchObject({
    settings: {
      taken: ["LINKEDIN_CLIENT_ID"],
      kept: ["PSN_NOTIFY_URL", "S3_ENDPOINT", "S3_BUCKET", "S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY", "X_CLIENT_ID"],
    },
  });
  expect(`${await textOf(folder, "hub")}${await textOf(folder, "keys")}`).not.toMatch(/eve/);
});

describe("an armored file", () => {
  test.each([
    ["as age --armor writes it", (text: string) => text],
    ["with Windows' line ends and blanks around it", (text: string) => `\n\n${text.replaceAll("\n", "\r\n")}\n \n`],
  ])("%s", async (_how, form) => {
    const armored = join(await scratch("armored"), "hub.age");
    await writeFile(armored, form(armor.encode(bytes)));
    const folder = await closedHub();
    const ran = await psn(["import", armored, "--passphrase-stdin", "--no-settings", "--json"], {
      cwd: folder,
      stdin: PASSPHRASE,
    });
    expect(documentOf(ran)).toMatchObject({ rows: 2 });
  });

  test.each([
    ["cut", (text: string) => text.slice(0, -80), /damaged or incomplete/],
    [
      "changed",
      (text: string) => text.replace(/\n(.)/, (_all, first: string) => `\n${first === "A" ? "B" : "A"}`),
      /damaged or incomplete/,
    ],
    ["of something else", () => "-----BEGIN PGP MESSAGE-----\n", /was not created by psn export/],
  ])("%s: one clear error", async (_how, form, says) => {
    const armored = join(await scratch("armored"), "hub.age");
    await writeFile(armored, form(armor.encode(bytes)));
    const folder = await scratch("victim");
    const ran = await psn(["import", armored, "--passphrase-stdin"], { cwd: folder, stdin: PASSPHRASE });
    expect(ran).toMatchObject({ code: 2, stderr: expect.stringMatching(says) });
    expect(existsSync(join(folder, "config"))).toBe(false);
  });
});
