import { randomBytes } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { importHub, type OpenHub, openHub, type PsnError } from "@psn/index.ts";
import { expect, test } from "vitest";
import { copy } from "../recover/stage.ts";
import { closedHub, psn, scratch, testHub } from "../support/cli.ts";
import { schemaErrors } from "../support/documents.ts";
import { isShort } from "../support/how-much.ts";

/*
 * The verbs about a hub as a whole, called from a program: accounts and keys, doctor, archives, recovery. Each answer
 * is held against the schema of its command.
 */

const PASSPHRASE = "five random words are good";
const newSecret = () => `whsec_${randomBytes(32).toString("base64")}`;

async function withHub<T>(folder: string, work: (hub: OpenHub) => Promise<T>): Promise<T> {
  const hub = await openHub({ folder });
  try {
    return await work(hub);
  } finally {
    await hub.close();
  }
}

/** The answer, which is as the schema of its command says. */
async function checked<T>(command: string, answer: Promise<T>): Promise<T> {
  const found = await answer;
  expect(await schemaErrors(command.split(" "), found), `${command}: ${JSON.stringify(found)}`).toEqual([]);
  return found;
}

const refusal = (answer: Promise<unknown>) =>
  answer.then(
    () => expect.unreachable("it was not refused"),
    (error: unknown) => error,
  );

test("an account is connected by a form, seen by doctor, connected again and disconnected", async () => {
  const { folder, rows } = await testHub({ feed: false });
  await withHub(folder, async (hub) => {
    const form = { url: "http://127.0.0.1:1/hook", secret: newSecret() };
    const plan = await checked("connect", hub.connect({ platform: "webhook", form, dryRun: true }));
    expect(plan).toMatchObject({ dryRun: true, way: "form", form: { secret: "••••••••" }, again: false });
    expect(await rows("SELECT id FROM psn.accounts")).toEqual([]);
    expect(await checked("connect", hub.connect({ platform: "webhook", form }))).toMatchObject({ again: false });
    const { accounts } = await hub.accounts({});
    expect(accounts).toMatchObject([{ platform: "webhook", health: "ok" }]);
    const name = accounts[0]?.name ?? "";
    // What is not given stays as the account has it; the program owns the folder, so the address may be private.
    expect(await checked("connect", hub.connect({ platform: name }))).toMatchObject({ again: true });
    expect(await readFile(join(folder, "config/hub.env"), "utf8")).toContain("http://127.0.0.1:1");

    const seen = await checked("doctor", hub.doctor({ offline: true }));
    expect(seen.checks).toContainEqual({ name: `account ${name}`, status: "ok", said: expect.any(String), fix: null });
    expect(seen.checks).toContainEqual({ name: "hub", status: "ok", said: expect.any(String), fix: null });

    await hub.post({ text: "to come", due: { at: new Date(Date.now() + 86_400_000).toISOString() } });
    const planned = await checked("disconnect", hub.disconnect({ account: "webhook", dryRun: true }));
    expect(planned).toEqual({ account: name, cancelled: 1, unconfirmed: 0, revoked: false, dryRun: true });
    expect(await checked("disconnect", hub.disconnect({ account: name }))).toEqual({ ...planned, dryRun: false });
    expect(await hub.accounts({})).toEqual({ accounts: [] });
  });
});

test("what a form lacks, and what needs a browser, is said before anything is written", async () => {
  const { folder, rows } = await testHub({ feed: false });
  await withHub(folder, async (hub) => {
    const errors = await Promise.all(
      [
        hub.connect({ platform: "x" }),
        hub.connect({ platform: "x", way: "form" }),
        hub.connect({ platform: "mastodon", form: { server: "http://127.0.0.1:1" } }),
        hub.connect({ platform: "feed", form: { password: "hello" } }),
        hub.connect({ platform: "feed:nowhere" }),
        hub.disconnect({ account: "feed" }),
      ].map(refusal),
    );
    expect(errors).toMatchObject([
      { code: "INPUT_REQUIRED", remedy: { run: "connect", args: { platform: "x" } } },
      { code: "INPUT_INVALID" },
      { code: "INPUT_REQUIRED", message: expect.stringContaining("token") },
      { code: "INPUT_INVALID" },
      { code: "NOT_FOUND", remedy: { run: "accounts" } },
      { code: "AUTH_REQUIRED" },
    ]);
    for (const error of errors) expect((error as PsnError).message).not.toMatch(/\bpsn [a-z]/);
    expect(await rows("SELECT id FROM psn.accounts")).toEqual([]);
  });
});

test("keys go in and are listed, and their values do not come out", async () => {
  const { folder } = await testHub({ feed: false });
  await writeFile(join(folder, "config/keys.env"), "THREADS_APP_ID=canary-12345\nNO_SUCH_KEY=1\n", { mode: 0o600 });
  await withHub(folder, async (hub) => {
    expect(await checked("keys set", hub.setKey({ name: "X_CLIENT_SECRET", value: " canary " }))).toEqual({
      name: "X_CLIENT_SECRET",
      sealed: true,
    });
    const pushed = { sealed: ["THREADS_APP_ID"], same: 0, unknown: ["NO_SUCH_KEY"], dryRun: true };
    expect(await checked("keys push", hub.pushKeys({ dryRun: true }))).toEqual(pushed);
    expect(await checked("keys push", hub.pushKeys({}))).toEqual({ ...pushed, dryRun: false });
    expect(await hub.pushKeys({})).toMatchObject({ sealed: [], same: 1 });
    const { keys } = await checked("keys list", hub.listKeys({}));
    expect(keys).toMatchObject([
      { name: "NO_SUCH_KEY", file: "keys.env:2", sealed: null },
      { name: "THREADS_APP_ID", file: "keys.env:1", sealed: expect.any(String) },
      { name: "X_CLIENT_SECRET", file: null, sealed: expect.any(String) },
    ]);
    expect(JSON.stringify(keys)).not.toContain("canary");
    expect(await checked("keys rm", hub.removeKey({ name: "X_CLIENT_SECRET" }))).toMatchObject({ removed: true });
    expect(await refusal(hub.removeKey({ name: "X_CLIENT_SECRET" }))).toMatchObject({ code: "NOT_FOUND" });
    expect(await refusal(hub.setKey({ name: "NO_SUCH_KEY", value: "1" }))).toMatchObject({ code: "SETTING_UNKNOWN" });
    expect(await refusal(hub.setKey({ name: "X_CLIENT_SECRET", value: " " }))).toMatchObject({ code: "INPUT_INVALID" });
  });
});

test.skipIf(isShort)(
  "a hub goes into a file and comes out of it, and starts only where no other publishes",
  async () => {
    const { folder, feed } = await testHub();
    const other = join(await scratch("other"), "hub");
    await withHub(folder, async (hub) => {
      await hub.post({ text: "to come", due: { at: new Date(Date.now() + 86_400_000).toISOString() } });
      // A name counts from the hub's folder.
      const made = await checked("export", hub.export({ file: "hub.age", passphrase: PASSPHRASE }));
      expect(made).toMatchObject({ file: join(folder, "hub.age"), moved: false, lost: [] });
    });
    const file = join(folder, "hub.age");
    const given = { folder: other, file, passphrase: PASSPHRASE };
    expect(await refusal(importHub({ ...given, start: true }))).toMatchObject({ code: "INPUT_REQUIRED" });
    expect(await refusal(importHub({ folder: other, file }))).toMatchObject({ code: "INPUT_REQUIRED" });
    expect(await refusal(importHub({ folder: other }))).toMatchObject({ code: "INPUT_REQUIRED" });
    const brought = await checked("import", importHub(given));
    expect(brought).toMatchObject({ hub: other, made: true, started: 0 });
    await withHub(other, async (hub) => {
      expect((await hub.queue({})).deliveries).toMatchObject([{ state: "held", text: "to come" }]);
    });
    expect(await refusal(importHub({ folder: other, start: true }))).toMatchObject({ code: "INPUT_REQUIRED" });
    const begun = await checked("import", importHub({ folder: other, start: true, alone: true }));
    expect(begun).toEqual({ started: 1 });
    await withHub(other, async (hub) => {
      expect((await hub.queue({})).deliveries).toMatchObject([{ state: "scheduled" }]);
      expect((await hub.accounts({})).accounts).toMatchObject([
        { platform: "feed", url: expect.stringContaining(feed) },
      ]);
    });
  },
);

test("a hub that was copied publishes again once its program says that no other runs", async () => {
  const folder = await closedHub();
  await psn(["connect", "feed", join(folder, "public"), "--title", "Notes"], { cwd: folder });
  const at = new Date(Date.now() + 86_400_000).toISOString();
  await withHub(folder, async (hub) => {
    await hub.post({ text: "to come", due: { at } });
    expect(await checked("recover", hub.recover({}))).toEqual({
      found: null,
      since: null,
      dryRun: false,
      deliveries: [],
    });
  });
  const copied = join(await scratch("copy"), "hub");
  copy(folder, copied);
  await withHub(copied, async (hub) => {
    expect(await refusal(hub.post({ text: "no" }))).toMatchObject({ code: "HUB_COPIED" });
    expect((await hub.doctor({ offline: true })).checks).toContainEqual(
      expect.objectContaining({ name: "hub", status: "fail", fix: "psn recover" }),
    );
    const plan = await checked("recover", hub.recover({ dryRun: true }));
    expect(plan).toMatchObject({ found: "copied", dryRun: true, deliveries: [{ becomes: "scheduled" }] });
    expect(await refusal(hub.recover({}))).toMatchObject({ code: "INPUT_REQUIRED" });
    expect(await refusal(hub.post({ text: "no" }))).toMatchObject({ code: "HUB_COPIED" });
    const done = await checked("recover", hub.recover({ alone: true }));
    expect(done).toMatchObject({ found: "copied", dryRun: false, deliveries: [{ becomes: "scheduled", due: at }] });
    expect(await hub.post({ text: "again", due: { at } })).toMatchObject({ deliveries: [{ state: "scheduled" }] });
    expect((await hub.doctor({ offline: true })).checks).toContainEqual(
      expect.objectContaining({ name: "hub", status: "ok" }),
    );
  });
});
