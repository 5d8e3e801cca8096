import { spawn } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BucketSettings, type Limits, openBucket } from "@psn/core/bucket/index.ts";
import { type ErrorCode, PsnError } from "@psn/core/errors.ts";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { certificate } from "./support/certificate.ts";
import { type CuttingServer, type Reply, startCutting } from "./support/cutting-server.ts";
import { type Manner, type S3, type S3Options, startS3 } from "./support/s3.ts";
import { atMost, slowness } from "./support/until.ts";

const QUICK: Limits = { requestMs: 10_000, bytesPerMs: 100, pausesMs: [10, 10] };
const FOLDER = "psn/0199c0de-0000-7000-8000-000000000001/";
const KEY = `${FOLDER}0199c0de-0000-7000-8000-000000000002`;
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const etag = (bytes: Uint8Array) => `"${createHash("md5").update(bytes).digest("hex")}"`;

/** The PsnError with which this fails, and nothing else. */
async function failure(run: Promise<unknown>): Promise<PsnError> {
  const outcome = await run.then(
    () => new Error("nothing was thrown"),
    (error: unknown) => error,
  );
  if (outcome instanceof PsnError) return outcome;
  throw outcome;
}

describe("a real server", () => {
  let s3: S3;
  beforeAll(async () => {
    s3 = await startS3({ bucket: "media" });
  });
  afterAll(() => s3.stop());
  const open = (other: Partial<BucketSettings> = {}) => openBucket({ ...s3, region: "auto", ...other }, QUICK);

  test.each([0, 1, 6 * 1024 * 1024])("keeps and gives back %i bytes", async (size) => {
    const bytes = new Uint8Array(randomBytes(size));
    const bucket = open();
    await bucket.put(KEY, { bytes, mime: "image/png" });
    expect(await s3.objects()).toEqual([KEY]);
    const found = await bucket.get(KEY, sha256(bytes));
    expect(found && Buffer.compare(found, bytes)).toBe(0);
    await bucket.remove(KEY);
    expect(await s3.objects()).toEqual([]);
  });

  test("puts over what is there", async () => {
    const bucket = open();
    await bucket.put(KEY, { bytes: Buffer.from("longer than the other"), mime: "image/png" });
    await bucket.put(KEY, { bytes: Buffer.from("other"), mime: "image/jpeg" });
    expect(await bucket.get(KEY, sha256(Buffer.from("other")))).toEqual(new Uint8Array(Buffer.from("other")));
    await bucket.remove(KEY);
  });

  test("has no missing object, and removes it twice", async () => {
    const bucket = open();
    expect(await bucket.get(KEY, sha256(Buffer.from("")))).toBeUndefined();
    await bucket.put(KEY, { bytes: Buffer.from("x"), mime: "image/png" });
    await bucket.remove(KEY);
    await bucket.remove(KEY);
    expect(await bucket.get(KEY, sha256(Buffer.from("x")))).toBeUndefined();
  });

  test("gives nothing that is not what was put there", async () => {
    const bucket = open();
    await bucket.put(KEY, { bytes: Buffer.from("one"), mime: "image/png" });
    expect(await failure(bucket.get(KEY, sha256(Buffer.from("two"))))).toMatchObject({ code: "MEDIA_GONE" });
    await bucket.remove(KEY);
  });

  test("check leaves nothing behind", async () => {
    await open().check(FOLDER);
    expect(await s3.objects()).toEqual([]);
  });

  const REFUSED: readonly [string, Partial<BucketSettings>, ErrorCode, string][] = [
    ["a wrong secret", { secretAccessKey: "S3RVERS" }, "VENDOR_AUTH", "psn config set S3_SECRET_ACCESS_KEY"],
    ["a wrong key", { accessKeyId: "SOMEBODY" }, "VENDOR_AUTH", "psn config set S3_ACCESS_KEY_ID"],
    ["no such bucket", { bucket: "medium" }, "VENDOR_REFUSED", "psn config set S3_BUCKET"],
  ];
  test.each(REFUSED)("%s", async (_, other, code, hint) => {
    const bucket = open(other);
    const runs = [
      bucket.put(KEY, { bytes: Buffer.from("x"), mime: "image/png" }),
      bucket.get(KEY, sha256(Buffer.from("x"))),
      bucket.remove(KEY),
      bucket.check(FOLDER),
    ];
    for (const error of await Promise.all(runs.map(failure))) expect(error).toMatchObject({ code, hint });
    expect(await s3.objects()).toEqual([]);
  });

  test("a name that another service might read as another name is refused before it is sent", async () => {
    const bucket = open();
    for (const key of [
      "psn/../x",
      "psn/a/..",
      "/psn/a/b",
      "psn/a/b/",
      "psn//b",
      "psn/a/b?c",
      "psn/a/b c",
      "a/b/c",
      "psn/a",
    ])
      expect(await failure(bucket.put(key, { bytes: Buffer.from("x"), mime: "image/png" }))).toMatchObject({
        code: "BUG",
      });
  });

  test("the AWS session of a shell plays no part", async () => {
    const script = `
      import { openBucket } from "@psn/core/bucket/index.ts";
      const settings = JSON.parse(process.argv[1]);
      const failed = ({ code, hint }) => console.log(code, hint);
      await openBucket(settings).check("${FOLDER}").then(() => console.log("fine"), failed);
    `;
    const env = {
      PATH: process.env["PATH"] ?? "",
      AWS_SESSION_TOKEN: "somebody's",
      S3_SESSION_TOKEN: "somebody's",
      AWS_ACCESS_KEY_ID: "other",
    };
    const child = spawn(process.execPath, ["-e", script, JSON.stringify({ ...s3, region: "auto" })], {
      cwd: fileURLToPath(new URL("..", import.meta.url)),
      env,
    });
    let said = "";
    for await (const chunk of child.stdout) said += String(chunk);
    expect(said.trim()).toBe("fine");
  });

  test("lists what is in a folder, by the server's clock, and nothing of another", async () => {
    const bucket = open();
    const other = "psn/0199c0de-0000-7000-8000-000000000009/x";
    for (const key of [KEY, `${FOLDER}another`, other])
      await bucket.put(key, { bytes: Buffer.from("x"), mime: "image/png" });
    await s3.age(KEY, 3 * 24 * 3_600_000);
    const found = new Map((await bucket.list(FOLDER)).map(({ key, ageMs }) => [key, Math.round(ageMs / 3_600_000)]));
    expect(found).toEqual(
      new Map([
        [KEY, 72],
        [`${FOLDER}another`, 0],
      ]),
    );
    for (const key of [KEY, `${FOLDER}another`, other]) await bucket.remove(key);
  });

  test("a full bucket and a full disk have words of their own", async () => {
    s3.full("quota");
    expect(await failure(open().put(KEY, { bytes: Buffer.from("x"), mime: "image/png" }))).toMatchObject({
      code: "VENDOR_QUOTA",
      message: "the bucket's quota is used up",
    });
    s3.full("disk");
    expect(await failure(open().put(KEY, { bytes: Buffer.from("x"), mime: "image/png" }))).toMatchObject({
      code: "VENDOR_QUOTA",
      message: "the disk of the bucket's service is full",
    });
    s3.full(null);
  });
});

describe("a key, a region and a clock that are not plain", () => {
  let s3: S3 | undefined;
  afterEach(() => s3?.stop());
  const start = async (options: Partial<S3Options> = {}) => {
    s3 = await startS3({ bucket: "media", ...options });
    return s3;
  };

  test.each(["my.user@x", "a+b", "sp ace", "test:tester", "ü", "a/b", "100%41", "a&b=c", "!'()*"])(
    "the key's id %s",
    async (accessKeyId) => {
      const bucket = openBucket({ ...(await start({ accessKeyId })), region: "auto" }, QUICK);
      await bucket.check(FOLDER);
      await bucket.put(KEY, { bytes: Buffer.from("x"), mime: "image/png" });
      const answer = await fetch(bucket.link(KEY, 60));
      expect([answer.status, await answer.text()]).toEqual([200, "x"]);
    },
  );

  test("a secret with signs in it", async () => {
    await openBucket({ ...(await start({ secretAccessKey: "a+/= ü" })), region: "auto" }, QUICK).check(FOLDER);
  });

  test("a link lasts a week and no longer", async () => {
    const bucket = openBucket({ ...(await start()), region: "auto" }, QUICK);
    await bucket.put(KEY, { bytes: Buffer.from("x"), mime: "image/png" });
    expect((await fetch(bucket.link(KEY, 7 * 24 * 3600))).status).toBe(200);
    expect((await fetch(bucket.link(KEY, 7 * 24 * 3600 + 1))).status).toBe(400);
  });

  test("the right region is in the words", async () => {
    const there = await start({ region: "eu-central-1" });
    expect(await failure(openBucket({ ...there, region: "us-east-1" }, QUICK).check(FOLDER))).toMatchObject({
      code: "VENDOR_REFUSED",
      message: "the bucket is in another region, eu-central-1",
      hint: "psn config set S3_REGION eu-central-1",
    });
    await openBucket({ ...there, region: "eu-central-1" }, QUICK).check(FOLDER);
  });

  const CLOCKS = (["versitygw", "minio", "s3s-fs"] as const).flatMap((manner) => [
    [manner, "behind", -20] as const,
    ...(manner === "versitygw" ? [] : [[manner, "ahead of", 20] as const]),
  ]);
  test.each(CLOCKS)("%s: a clock that is 20 minutes %s its own", async (manner: Manner, words, minutes) => {
    const there = await start({ manner });
    const bucket = openBucket({ ...there, region: "auto" }, QUICK, () => new Date(Date.now() + minutes * 60_000));
    expect(await failure(bucket.check(FOLDER))).toMatchObject({
      code: "VENDOR_AUTH",
      message: `this machine's clock is 20 minutes ${words} the bucket's`,
      hint: "set this machine's clock (ntp)",
    });
    await openBucket(
      { ...there, region: "auto" },
      QUICK,
      () => new Date(Date.now() + (minutes / 20) * 14 * 60_000),
    ).check(FOLDER);
  });

  test("a wrong secret on a machine whose clock is three minutes off: both are told", async () => {
    const there = await start();
    const bucket = openBucket(
      { ...there, secretAccessKey: "other", region: "auto" },
      QUICK,
      () => new Date(Date.now() - 180_000),
    );
    expect(await failure(bucket.check(FOLDER))).toMatchObject({
      message: "the secret of the bucket's key is wrong; this machine's clock is 3 minutes behind the bucket's",
      hint: "psn config set S3_SECRET_ACCESS_KEY",
    });
  });

  test.each(["/media", "/?x=1", "/#x", "/a/b/"])("an endpoint with %s is refused where it is used", async (more) => {
    const there = await start();
    const refused = { code: "CONFIG_INVALID", hint: "psn config set S3_ENDPOINT" };
    const bucket = openBucket({ ...there, endpoint: `${there.endpoint}${more}`, region: "auto" }, QUICK);
    expect(() => bucket.address).toThrow(expect.objectContaining(refused));
    expect(await failure(bucket.check(FOLDER))).toMatchObject(refused);
    expect(await failure(bucket.get("psn/a/b", ""))).toMatchObject(refused);
    expect(await failure(bucket.put("psn/a/b", { bytes: Buffer.from("x"), mime: "image/png" }))).toMatchObject(refused);
    await openBucket({ ...there, endpoint: `${there.endpoint}/`, region: "auto" }, QUICK).check(FOLDER);
  });
});

describe("a server that misbehaves", () => {
  const SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY";
  const BYTES = Buffer.from("the bytes of a picture");
  const servers: CuttingServer[] = [];
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.stop();
  });

  /** Answers with the first, then the second, and with the last for ever; counts. */
  async function serve(...replies: readonly (() => Reply | Promise<Reply>)[]) {
    const seen: string[] = [];
    const server = await startCutting(async (request) => {
      const reply = replies[Math.min(seen.length, replies.length - 1)];
      seen.push(`${request.method} ${await request.text()}`);
      return reply?.() ?? "reset";
    });
    servers.push(server);
    return { endpoint: server.origin, seen };
  }
  const open = (endpoint: string, limits: Limits = QUICK) =>
    openBucket({ endpoint, region: "auto", bucket: "media", accessKeyId: "AKIA", secretAccessKey: SECRET }, limits);
  /** A service that has the bytes. */
  const fine = () => new Response(BYTES.toString(), { headers: { etag: etag(BYTES) } });
  const xml =
    (status: number, code: string, more = "") =>
    () =>
      new Response(`<Error><Code>${code}</Code><Message>${BYTES} ${SECRET}</Message>${more}</Error>`, { status });
  const plain =
    (status: number, text: string | null = null, headers = {}) =>
    () =>
      new Response(text, { status, headers });

  /** All three, one after the other. */
  async function failures(endpoint: string, limits?: Limits): Promise<PsnError[]> {
    const bucket = open(endpoint, limits);
    return [
      await failure(bucket.put(KEY, { bytes: BYTES, mime: "image/png" })),
      await failure(bucket.get(KEY, sha256(BYTES))),
      await failure(bucket.remove(KEY)),
    ];
  }

  test.each([
    ["503", xml(503, "SlowDown")],
    ["503 without a body", plain(503)],
    ["429", plain(429)],
    ["a connection cut before the answer", (): Reply => "reset"],
    ["a connection cut in the middle of the answer", (): Reply => "cut"],
  ])("%s once, then fine", async (_, first) => {
    const { endpoint, seen } = await serve(first, fine);
    await open(endpoint).put(KEY, { bytes: BYTES, mime: "image/png" });
    expect(seen).toEqual([`PUT ${BYTES}`, `PUT ${BYTES}`]);
    const other = await serve(first, fine);
    expect(await open(other.endpoint).get(KEY, sha256(BYTES))).toEqual(new Uint8Array(BYTES));
    const third = await serve(first, plain(204));
    await open(third.endpoint).remove(KEY);
    expect([other.seen, third.seen]).toEqual([
      ["GET ", "GET "],
      ["DELETE ", "DELETE "],
    ]);
  });

  const DOWN: readonly [string, () => Reply | Promise<Reply>, () => Limits][] = [
    ["500", plain(500, "<html>"), () => QUICK],
    ["503", xml(503, "SlowDown"), () => QUICK],
    ["429", plain(429), () => QUICK],
    ["S3's own time-out", xml(400, "RequestTimeout"), () => QUICK],
    ["cut before every answer", () => "reset", () => QUICK],
    ["cut in every answer", () => "cut", () => QUICK],
    // Long enough for every request to arrive.
    ["no answer", () => new Promise<Reply>(() => undefined), () => ({ ...QUICK, requestMs: atMost(100) })],
  ];
  test.each(DOWN)("%s: tried three times and given up", async (_, reply, limits) => {
    const { endpoint, seen } = await serve(reply);
    for (const error of await failures(endpoint, limits()))
      expect(error).toMatchObject({ code: "VENDOR_UNREACHABLE", hint: "psn doctor" });
    expect(seen.map((line) => line.split(" ")[0]).join(" ")).toBe("PUT PUT PUT GET GET GET DELETE DELETE DELETE");
  });

  test("an answer that stops coming is given up", async () => {
    let asked = 0;
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () => {
        asked++;
        return new Response(new ReadableStream({ start: (stream) => stream.enqueue(BYTES) }));
      },
    });
    const bucket = open(`http://127.0.0.1:${server.port}`, { ...QUICK, requestMs: atMost(100) });
    expect(await failure(bucket.get(KEY, sha256(BYTES)))).toMatchObject({
      code: "VENDOR_UNREACHABLE",
      details: { said: "Timeout" },
    });
    expect(asked).toBe(3);
    await server.stop(true);
  });

  test("what is large has more time", async () => {
    const { endpoint, seen } = await serve(async () => {
      await Bun.sleep(200);
      return plain(200, null, { etag: etag(new Uint8Array(2_000)) })();
    });
    await open(endpoint, { requestMs: 50, bytesPerMs: 1, pausesMs: [] }).put(KEY, {
      bytes: new Uint8Array(2_000),
      mime: "image/png",
    });
    expect(seen).toHaveLength(1);
  });

  test("nobody at that port", async () => {
    const { endpoint } = await serve(plain(200));
    await servers.splice(0)[0]?.stop();
    for (const error of await failures(endpoint))
      expect(error).toMatchObject({ code: "VENDOR_UNREACHABLE", hint: "psn doctor" });
  });

  const ALLOW = "give the key that permission, or psn config set S3_SECRET_ACCESS_KEY";
  const CLOCK = "set this machine's clock (ntp)";
  const MOVED = "psn config set S3_ENDPOINT, and psn config set S3_REGION eu-west-1";
  const ROOM = "delete files that are not needed from the bucket, or raise its quota; then run psn doctor";
  const SMALLER = "make the file smaller, or raise the limit of the bucket's server and of any proxy before it";
  const SAID: readonly [string, () => Reply, ErrorCode, string][] = [
    ["access denied", xml(403, "AccessDenied"), "VENDOR_AUTH", ALLOW],
    ["denied without a word", plain(403), "VENDOR_AUTH", ALLOW],
    ["R2 and an unknown key", xml(401, "Unauthorized"), "VENDOR_AUTH", ALLOW],
    ["a wrong secret", xml(403, "SignatureDoesNotMatch"), "VENDOR_AUTH", "psn config set S3_SECRET_ACCESS_KEY"],
    [
      "MinIO's words for a signature that is past",
      xml(403, "AccessDenied", "<Message>Request has expired</Message>"),
      "VENDOR_AUTH",
      CLOCK,
    ],
    ["a plain 403 a day off", plain(403, null, { date: "Thu, 01 Jan 2026 00:00:00 GMT" }), "VENDOR_AUTH", CLOCK],
    [
      "a region at another endpoint",
      xml(301, "PermanentRedirect", "<Region>eu-west-1</Region>"),
      "VENDOR_REFUSED",
      MOVED,
    ],
    [
      "a redirect that names the region alone",
      plain(301, null, { "x-amz-bucket-region": "eu-west-1" }),
      "VENDOR_REFUSED",
      MOVED,
    ],
    ["a quota", xml(403, "QuotaExceeded"), "VENDOR_QUOTA", ROOM],
    ["MinIO's quota", xml(400, "XMinioAdminBucketQuotaExceeded"), "VENDOR_QUOTA", ROOM],
    ["a full disk", plain(507), "VENDOR_QUOTA", "free disk space on the bucket's server; then run psn doctor"],
    [
      "MinIO's full disk",
      xml(507, "XMinioStorageFull"),
      "VENDOR_QUOTA",
      "free disk space on the bucket's server; then run psn doctor",
    ],
    ["too large", xml(400, "EntityTooLarge"), "VENDOR_REFUSED", SMALLER],
    ["too large for a proxy", plain(413, "<html>"), "VENDOR_REFUSED", SMALLER],
    [
      "http to an https port of Go's",
      plain(400, "Client sent an HTTP request to an HTTPS server.\n"),
      "VENDOR_REFUSED",
      "begin S3_ENDPOINT with https://: psn config set S3_ENDPOINT",
    ],
    [
      "http to an https port of nginx's",
      plain(400, "<h1>400 Bad Request</h1>The plain HTTP request was sent to HTTPS port"),
      "VENDOR_REFUSED",
      "begin S3_ENDPOINT with https://: psn config set S3_ENDPOINT",
    ],
    [
      "a signature that is past",
      xml(403, "AccessDenied", "<ServerTime>2026</ServerTime>"),
      "VENDOR_AUTH",
      "set this machine's clock (ntp)",
    ],
    ["a clock that is wrong", xml(403, "RequestTimeTooSkewed"), "VENDOR_AUTH", "set this machine's clock (ntp)"],
    ["the wrong region", xml(400, "AuthorizationQueryParametersError"), "VENDOR_REFUSED", "psn config set S3_REGION"],
    ["a bucket elsewhere", xml(301, "PermanentRedirect"), "VENDOR_REFUSED", "psn config set S3_ENDPOINT"],
    ["a website", plain(404, "<html>not found</html>"), "VENDOR_REFUSED", "psn config set S3_ENDPOINT"],
    ["a 404 that says nothing", plain(404), "VENDOR_REFUSED", "psn config set S3_ENDPOINT"],
    [
      "a code that is a property of every object",
      xml(400, "constructor"),
      "VENDOR_REFUSED",
      "psn config set S3_ENDPOINT",
    ],
  ];
  test.each(SAID)("%s: asked once", async (_, reply, code, hint) => {
    const { endpoint, seen } = await serve(reply);
    for (const error of await failures(endpoint)) expect(error).toMatchObject({ code, hint });
    expect(seen).toHaveLength(3);
  });

  test("a missing object is no success of a put", async () => {
    const { endpoint } = await serve(xml(404, "NoSuchKey"));
    expect(await failure(open(endpoint).put(KEY, { bytes: BYTES, mime: "image/png" }))).toMatchObject({
      code: "VENDOR_REFUSED",
    });
  });

  test("the region S3 expects is in the details", async () => {
    const { endpoint } = await serve(xml(400, "AuthorizationHeaderMalformed", "<Region>eu-central-1</Region>"));
    expect((await failure(open(endpoint).remove(KEY))).details).toMatchObject({ region: "eu-central-1" });
  });

  test("goes nowhere else", async () => {
    const other = await serve(plain(200));
    const { endpoint } = await serve(plain(307, null, { location: `${other.endpoint}/media/${KEY}` }));
    for (const error of await failures(endpoint)) expect(error).toMatchObject({ code: "VENDOR_REFUSED" });
    expect(other.seen).toEqual([]);
  });

  test("check finds a server that forgets, and removes what may be there", async () => {
    const { endpoint, seen } = await serve(plain(200));
    expect(await failure(open(endpoint).check(FOLDER))).toMatchObject({ code: "VENDOR_REFUSED" });
    expect(seen.map((line) => line.split(" ")[0])).toEqual(["PUT", "GET", "DELETE"]);
  });

  test("a list has more than one page", async () => {
    const asked: (string | null)[] = [];
    const page = (name: string, more: string) =>
      `<ListBucketResult><Contents><Key>${FOLDER}${name}` +
      `</Key><LastModified>2026-01-31T10:00:00.000Z</LastModified></Contents>${more}</ListBucketResult>`;
    const server = await startCutting(async (request) => {
      asked.push(new URL(request.url).searchParams.get("continuation-token"));
      const more = asked.length === 1 ? "<NextContinuationToken>a&amp;b+c==</NextContinuationToken>" : "";
      return new Response(page(`n${asked.length}`, more), { headers: { date: "Sat, 31 Jan 2026 12:00:00 GMT" } });
    });
    servers.push(server);
    expect(await open(server.origin).list(FOLDER)).toEqual([
      { key: `${FOLDER}n1`, ageMs: 7_200_000 },
      { key: `${FOLDER}n2`, ageMs: 7_200_000 },
    ]);
    expect(asked).toEqual([null, "a&b+c=="]);
  });

  test("a captive page's 200 is believed of nothing", async () => {
    const { endpoint, seen } = await serve(plain(200, "<html>sign in</html>"));
    for (const error of await failures(endpoint)) expect(error).toMatchObject({ code: "VENDOR_REFUSED" });
    expect(await failure(open(endpoint).list(FOLDER))).toMatchObject({ code: "VENDOR_REFUSED" });
    expect(seen.map((line) => line.split(" ")[0]).join(" ")).toBe("PUT GET GET GET DELETE GET");
  });

  test("an ETag that is no MD5 is made up for by reading the object back", async () => {
    const { endpoint, seen } = await serve(plain(200, null, { etag: '"abc-1"' }), plain(200, BYTES.toString()));
    await open(endpoint).put(KEY, { bytes: BYTES, mime: "image/png" });
    expect(seen.map((line) => line.split(" ")[0])).toEqual(["PUT", "GET"]);
  });

  test("what the service takes for changed on the way is sent again", async () => {
    const sums: (string | null)[] = [];
    const server = await startCutting(async (request) => {
      sums.push(request.headers.get("content-md5"));
      await request.text();
      return sums.length === 1 ? xml(400, "BadDigest")() : fine();
    });
    servers.push(server);
    await open(server.origin).put(KEY, { bytes: BYTES, mime: "image/png" });
    expect(sums).toEqual(Array(2).fill(createHash("md5").update(BYTES).digest("base64")));
  });

  test("one wrong byte is read again before it is believed", async () => {
    const { endpoint, seen } = await serve(plain(200, `${BYTES}!`), fine);
    expect(await open(endpoint).get(KEY, sha256(BYTES))).toEqual(new Uint8Array(BYTES));
    expect(seen).toHaveLength(2);
  });

  test("other bytes that the bucket says are its own are final; bytes changed on the way are not", async () => {
    const other = Buffer.from("other bytes");
    const changed = await serve(plain(200, other.toString(), { etag: etag(other) }));
    expect(await failure(open(changed.endpoint).get(KEY, sha256(BYTES)))).toMatchObject({ code: "MEDIA_GONE" });
    const onTheWay = await serve(plain(200, other.toString(), { etag: etag(BYTES) }));
    expect(await failure(open(onTheWay.endpoint).get(KEY, sha256(BYTES)))).toMatchObject({ code: "VENDOR_REFUSED" });
  });

  test("a missing object is asked for twice", async () => {
    const once = await serve(xml(404, "NoSuchKey"), fine);
    expect(await open(once.endpoint).get(KEY, sha256(BYTES))).toEqual(new Uint8Array(BYTES));
    const twice = await serve(xml(404, "NoSuchKey"));
    expect(await open(twice.endpoint).get(KEY, sha256(BYTES))).toBeUndefined();
    expect(twice.seen).toHaveLength(2);
  });

  test("a pause that the service asks for is kept, and a long one is handed on", async () => {
    const at: number[] = [];
    const server = await startCutting(async (request) => {
      at.push(performance.now());
      await request.text();
      return at.length === 1 ? plain(503, null, { "retry-after": "1" })() : fine();
    });
    servers.push(server);
    await open(server.origin).put(KEY, { bytes: BYTES, mime: "image/png" });
    expect((at[1] ?? 0) - (at[0] ?? 0)).toBeGreaterThan(990);
    const { endpoint, seen } = await serve(plain(503, null, { "retry-after": "120" }));
    expect(await failure(open(endpoint).put(KEY, { bytes: BYTES, mime: "image/png" }))).toMatchObject({
      code: "VENDOR_UNREACHABLE",
      retryAfterMs: 120_000,
    });
    expect(seen).toHaveLength(1);
  });

  test("an answer without an end is cut off", async () => {
    let sent = 0;
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () =>
        new Response(
          new ReadableStream({
            pull: async (stream) => {
              sent += 1;
              await Bun.sleep(1);
              stream.enqueue(new Uint8Array(1024 * 1024));
            },
          }),
        ),
    });
    expect(await failure(open(`http://127.0.0.1:${server.port}`).get(KEY, sha256(BYTES), BYTES.length))).toMatchObject({
      code: "VENDOR_REFUSED",
    });
    expect(sent).toBeLessThan(50);
    await server.stop(true);
  });

  test("a file that comes slowly, and always a little, is waited for", async () => {
    const slow = slowness();
    const bytes = new Uint8Array(randomBytes(3_000));
    const server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: () =>
        new Response(
          new ReadableStream({
            start: async (stream) => {
              for (let at = 0; at < bytes.length; at += 100) {
                stream.enqueue(bytes.slice(at, at + 100));
                await Bun.sleep(20 * slow);
              }
              stream.close();
            },
          }),
        ),
    });
    // Less than the whole file takes, and more than any part of it.
    const limits = { requestMs: 300 * slow, bytesPerMs: 4 / slow, pausesMs: [] };
    expect(await open(`http://127.0.0.1:${server.port}`, limits).get(KEY, sha256(bytes))).toEqual(bytes);
    await server.stop(true);
  });

  test("check finds a key that may not delete", async () => {
    let written = "";
    const server = await startCutting(async (request) => {
      if (request.method === "DELETE") return xml(403, "AccessDenied")();
      if (request.method === "PUT") written = await request.text();
      return new Response(written);
    });
    servers.push(server);
    expect(await failure(open(server.origin).check(FOLDER))).toMatchObject({
      code: "VENDOR_AUTH",
      message: expect.stringContaining("delete"),
    });
  });

  const plainPort = () => Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: fine });
  test("a port that does not speak https, and one that speaks nothing else", async () => {
    const server = plainPort();
    expect(await failure(open(`https://127.0.0.1:${server.port}`).check(FOLDER))).toMatchObject({
      code: "VENDOR_REFUSED",
      message: "the bucket's port does not accept https",
    });
    await server.stop(true);
    const tls = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: fine, tls: certificate({ name: "127.0.0.1" }) });
    expect((await failure(open(`http://127.0.0.1:${tls.port}`).check(FOLDER))).message).toContain(
      "must begin with https://",
    );
    await tls.stop(true);
  });

  const CERTIFICATES = [
    [
      "nobody this machine trusts has signed",
      { name: "127.0.0.1" },
      "is not signed by an authority",
      "NODE_EXTRA_CA_CERTS",
    ],
    ["is over", { name: "127.0.0.1", expired: true }, "has expired", "renew it"],
  ] as const;
  test.each(CERTIFICATES)("a certificate that %s", async (_, options, message, hint) => {
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: fine, tls: certificate(options) });
    expect(await failure(open(`https://127.0.0.1:${server.port}`).check(FOLDER))).toMatchObject({
      code: "VENDOR_REFUSED",
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    });
    await server.stop(true);
  });

  test("a certificate for another name", async () => {
    const tls = certificate({ name: "bucket.example" });
    const server = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: fine, tls });
    const script = `
      import { openBucket } from "@psn/core/bucket/index.ts";
      const settings = { region: "auto", bucket: "media", accessKeyId: "AKIA", secretAccessKey: "x" };
      const check = (host) => openBucket({ endpoint: "https://" + host, ...settings }).check("${FOLDER}");
      const failed = ({ message, hint }) => console.log(message + " -> " + hint);
      for (const host of process.argv.slice(1)) await check(host).catch(failed);
    `;
    const folder = await mkdtemp(join(tmpdir(), "psn-ca-"));
    await writeFile(join(folder, "ca.pem"), tls.cert);
    const env = { PATH: process.env["PATH"] ?? "", NODE_EXTRA_CA_CERTS: join(folder, "ca.pem") };
    const cwd = fileURLToPath(new URL("..", import.meta.url));
    const child = spawn(process.execPath, ["-e", script, `127.0.0.1:${server.port}`], { cwd, env });
    let said = "";
    for await (const chunk of child.stdout) said += String(chunk);
    expect(said.trim()).toBe(
      "the certificate of the bucket's service is for another name than the one in S3_ENDPOINT -> psn config set " +
        "S3_ENDPOINT",
    );
    await server.stop(true);
    await rm(folder, { recursive: true });
  });

  test("neither the secret, nor the bytes, nor a signed address is in an error", async () => {
    const replies = [
      xml(403, "SignatureDoesNotMatch"),
      xml(503, "SlowDown"),
      plain(500, `${BYTES}`),
      () => "reset" as const,
      () => "cut" as const,
      plain(404, SECRET),
    ];
    for (const reply of replies) {
      const { endpoint } = await serve(reply);
      for (const error of await failures(endpoint)) {
        const said =
          `${Bun.inspect(error, { depth: 9 })} ${error.stack} ${JSON.stringify(error)} ` + `${String(error.cause)}`;
        for (const secret of [SECRET, BYTES.toString(), "X-Amz", "AKIA"]) expect(said).not.toContain(secret);
      }
    }
  });
});
