import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openBucket } from "@psn/core/bucket/index.ts";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { noise } from "../../scripts/png.ts";
import { closedHub, psn, type Running, type TestHub, testHub } from "../support/cli.ts";
import { type S3, startS3 } from "../support/s3.ts";
import { until } from "../support/until.ts";

/*
 * A hub with a bucket, from the command line: settings that change while a worker runs, settings of a shell, and what
 * destroy takes away.
 */

let s3: S3;
beforeAll(async () => {
  s3 = await startS3({ bucket: "media" });
});
afterAll(() => s3.stop());

const running: Running[] = [];
afterEach(async () => {
  for (const { child, ended } of running.splice(0)) {
    child.kill("SIGTERM");
    await ended;
  }
});

const settingsOf = (server: S3, more: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> => ({
  S3_ENDPOINT: server.endpoint,
  S3_BUCKET: server.bucket,
  S3_ACCESS_KEY_ID: server.accessKeyId,
  S3_SECRET_ACCESS_KEY: server.secretAccessKey,
  ...more,
});

async function set(folder: string, settings: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, value] of Object.entries(settings)) {
    const secret = name === "S3_SECRET_ACCESS_KEY";
    const { code, stderr } = await psn(["config", "set", name, secret ? "--stdin" : value], {
      cwd: folder,
      stdin: secret ? value : "",
    });
    if (code !== 0) throw new Error(stderr);
  }
}

/** A picture that is too large for its row where there is a bucket. */
async function large(folder: string): Promise<string> {
  const path = join(folder, "large.png");
  await writeFile(path, noise(300 * 1024));
  return path;
}

function start(hub: TestHub, env: Readonly<Record<string, string>> = {}): Running {
  const worker = hub.binary(["worker"], { env });
  running.push(worker);
  return worker;
}

const states = async (hub: TestHub) =>
  (await hub.rows("SELECT state FROM psn.deliveries ORDER BY id")).map(({ state }) => state);
const doctor = async (hub: TestHub) => (await hub.psn(["doctor", "--offline"])).stdout;

test("a worker older than the bucket's settings reads them again, and waiting posts go on", async () => {
  const hub = await testHub();
  await set(hub.folder, settingsOf(s3));
  const file = await large(hub.folder);
  for (const text of ["one", "two"])
    expect(await hub.psn(["post", text, "--media", file, "--alt", "a", "--to", "feed", "--in", "1s"])).toMatchObject({
      code: 0,
    });
  // The key was changed at the service, and hub.env does not know it.
  await set(hub.folder, { S3_SECRET_ACCESS_KEY: "an older one" });
  const worker = start(hub);
  await until(
    "both wait",
    async () =>
      (await hub.rows("SELECT FROM psn.deliveries WHERE code = 'VENDOR_AUTH' AND state = 'scheduled'")).length === 2,
  );
  expect(await doctor(hub)).toMatch(
    /fail\twaiting posts\t2 posts are on hold until this is fixed: the secret of the bucket's key is wrong/,
  );
  await hub.rows(
    "UPDATE psn.deliveries SET attempt = 20, wake_at = now() + interval '15 minutes' WHERE state = 'scheduled' " +
      "RETURNING id",
  );
  await set(hub.folder, settingsOf(s3));
  await until("both are out", async () => (await states(hub)).every((state) => state === "published"));
  expect(worker.child.exitCode).toBeNull();
  expect(await doctor(hub)).not.toContain("waiting posts");
});

test("settings of a shell: psn doctor names those of its own shell and those of a worker's", async () => {
  const hub = await testHub();
  await set(hub.folder, settingsOf(s3));
  start(hub, { S3_BUCKET: "somebody-elses" });
  await until("the worker is heard of", async () => (await hub.rows("SELECT FROM psn.workers")).length === 1);
  expect(await doctor(hub)).toMatch(
    /warn\tworker\t\S+ uses S3_BUCKET of the shell that started it.*\tunset S3_BUCKET there/,
  );
  const own = await hub.binary(["doctor", "--offline"], { env: { S3_BUCKET: "somebody-elses" } }).ended;
  expect(own.stdout).toMatch(/warn\tsettings\tS3_BUCKET differs between this shell and hub\.env.*\tunset S3_BUCKET/);
  // The same value is no other setting.
  const same = await hub.binary(["doctor", "--offline"], { env: { S3_BUCKET: "media" } }).ended;
  expect(same.stdout).not.toContain("differs between");
});

test("a bucket's name from the shell, where the hub has no bucket, is named as the shell's", async () => {
  const hub = await testHub();
  const ran = await hub.binary(["queue"], { env: { S3_BUCKET: "somebody-elses" } }).ended;
  expect(ran.stderr).toMatch(/this shell sets S3_BUCKET[\s\S]*→ unset S3_BUCKET/);
});

test("psn doctor names the bucket, and says when it is full", async () => {
  const hub = await testHub();
  await set(hub.folder, settingsOf(s3));
  expect((await hub.psn(["doctor"])).stdout).toMatch(
    new RegExp(`ok\\tbucket\\tpsn can write, read, list and delete files in ${RegExp.escape(s3.endpoint)}/media`),
  );
  s3.full("quota");
  expect((await hub.psn(["doctor"])).stdout).toMatch(/fail\tbucket\tthe bucket's quota is used up/);
  s3.full(null);
});

test("an endpoint with a path is refused when it is set", async () => {
  const hub = await testHub();
  const { code, stderr } = await hub.psn(["config", "set", "S3_ENDPOINT", "https://s3.example.com/my-bucket"]);
  expect([code, stderr]).toEqual([
    expect.any(Number),
    expect.stringMatching(/S3_ENDPOINT must be .*without a path: the bucket's name goes into S3_BUCKET/),
  ]);
  expect(code).not.toBe(0);
});

test("an endpoint with a path, from before that was refused, stops only what needs the bucket", async () => {
  const hub = await testHub();
  const folder = join(hub.folder, "public");
  expect(await hub.psn(["connect", "feed", folder])).toMatchObject({ code: 0 });
  await set(hub.folder, settingsOf(s3));
  const path = join(hub.folder, "config", "hub.env");
  await writeFile(path, (await readFile(path, "utf8")).replace(s3.endpoint, `${s3.endpoint}/media`));
  for (const argv of [
    ["queue"],
    ["accounts"],
    ["post", "words", "--to", "feed"],
    ["config", "set", "PSN_LATE", "drop"],
  ])
    expect(await hub.psn(argv)).toMatchObject({ code: 0 });
  const { stdout } = await hub.psn(["doctor"]);
  expect(stdout).toMatch(/fail\tbucket\tS3_ENDPOINT must be .*without a path/);
  const file = await large(hub.folder);
  const ran = await hub.psn(["post", "a file", "--media", file, "--alt", "a", "--to", "feed", "--in", "3d"]);
  expect(ran).toMatchObject({
    stderr: expect.stringMatching(/S3_ENDPOINT must be .*without a path.*\n?.*psn config set S3_ENDPOINT/s),
  });
  expect(ran.code).not.toBe(0);
});

test("psn destroy names the bucket, removes the files of this hub from it, and nobody else's", async () => {
  const own = await startS3({ bucket: "own" });
  const folder = await closedHub();
  await psn(["connect", "feed", join(folder, "public")], { cwd: folder });
  await set(folder, settingsOf(own));
  const file = await large(folder);
  expect(
    await psn(["post", "one", "--media", file, "--alt", "a", "--to", "feed", "--in", "3d"], { cwd: folder }),
  ).toMatchObject({
    code: 0,
  });
  const theirs = "psn/0199c0de-0000-7000-8000-0000000000ff/theirs";
  await openBucket({ ...own, region: "auto" }).put(theirs, { bytes: Buffer.from("x"), mime: "image/png" });
  // What a hub that was imported from this one has put there is that hub's.
  const [mine = ""] = (await own.objects()).filter((key) => key !== theirs);
  const imported = mine.replace(/[^/]*$/, "0123456789-0199c0de-0000-7000-8000-000000000001");
  await openBucket({ ...own, region: "auto" }).put(imported, { bytes: Buffer.from("x"), mime: "image/png" });
  expect(await own.objects()).toHaveLength(3);
  const plan = await psn(["destroy", "--dry-run"], { cwd: folder });
  expect(plan.stdout).toContain(
    `would remove  bucket             the files of this hub's users in own at ${own.endpoint}`,
  );
  expect(await own.objects()).toHaveLength(3);
  const done = await psn(["destroy", "--yes"], { cwd: folder });
  expect(done).toMatchObject({ code: 0, stdout: expect.stringMatching(/removed +bucket +.*own at .*1 file; 1 stay/) });
  expect(await own.objects()).toEqual([imported, theirs].toSorted());
  await own.stop();
});

test("psn destroy removes the files from before the key was changed, twice", async () => {
  const own = await startS3({ bucket: "rotated" });
  const folder = await closedHub();
  await psn(["connect", "feed", join(folder, "public")], { cwd: folder });
  await set(folder, settingsOf(own));
  const file = await large(folder);
  const post = () => psn(["post", "one", "--media", file, "--alt", "a", "--to", "feed", "--in", "3d"], { cwd: folder });
  for (let key = 0; key < 3; key += 1) {
    if (key > 0) expect(await psn(["vault", "rotate"], { cwd: folder })).toMatchObject({ code: 0 });
    expect(await post()).toMatchObject({ code: 0 });
  }
  // Of a hub that was imported from this one.
  const [mine = ""] = await own.objects();
  const imported = mine.replace(/[^/]*$/, "0123456789-0199c0de-0000-7000-8000-000000000001");
  await openBucket({ ...own, region: "auto" }).put(imported, { bytes: Buffer.from("x"), mime: "image/png" });
  expect(await own.objects()).toHaveLength(4);
  expect(await psn(["destroy", "--yes"], { cwd: folder })).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/removed +bucket +.*3 files; 1 stay/),
  });
  expect(await own.objects()).toEqual([imported]);
  await own.stop();
});

test("psn destroy of a hub whose bucket is away removes the hub, and says what is left there", async () => {
  const folder = await closedHub();
  await set(folder, settingsOf(s3, { S3_SECRET_ACCESS_KEY: "an older one" }));
  const done = await psn(["destroy", "--yes"], { cwd: folder });
  expect(done).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(
      /left +bucket +.*the secret of the bucket's key is wrong: remove what is under psn\//,
    ),
  });
  expect(done.stdout).toMatch(/removed +embedded database/);
});
