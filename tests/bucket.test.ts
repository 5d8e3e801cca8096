import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import { type BucketSettings, type Limits, openBucket } from "@psn/core/bucket.ts";
import { type ErrorCode, PsnError } from "@psn/core/errors.ts";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type CuttingServer, type Reply, startCutting } from "./support/cutting-server.ts";
import { presignature, type S3, startS3 } from "./support/s3.ts";

const QUICK: Limits = { requestMs: 10_000, bytesPerMs: 100, pausesMs: [10, 10] };
const KEY = "psn/0199c0de-0000-7000-8000-000000000001/0199c0de-0000-7000-8000-000000000002";
const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");

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
    await bucket.put(KEY, bytes, "image/png");
    expect(await s3.objects()).toEqual([KEY]);
    const found = await bucket.get(KEY, sha256(bytes));
    expect(found && Buffer.compare(found, bytes)).toBe(0);
    await bucket.remove(KEY);
    expect(await s3.objects()).toEqual([]);
  });

  test("puts over what is there", async () => {
    const bucket = open();
    await bucket.put(KEY, Buffer.from("longer than the other"), "image/png");
    await bucket.put(KEY, Buffer.from("other"), "image/jpeg");
    expect(await bucket.get(KEY, sha256(Buffer.from("other")))).toEqual(new Uint8Array(Buffer.from("other")));
    await bucket.remove(KEY);
  });

  test("has no missing object, and removes it twice", async () => {
    const bucket = open();
    expect(await bucket.get(KEY, sha256(Buffer.from("")))).toBeUndefined();
    await bucket.put(KEY, Buffer.from("x"), "image/png");
    await bucket.remove(KEY);
    await bucket.remove(KEY);
    expect(await bucket.get(KEY, sha256(Buffer.from("x")))).toBeUndefined();
  });

  test("gives nothing that is not what was put there", async () => {
    const bucket = open();
    await bucket.put(KEY, Buffer.from("one"), "image/png");
    expect(await failure(bucket.get(KEY, sha256(Buffer.from("two"))))).toMatchObject({ code: "FILE_UNREADABLE" });
    await bucket.remove(KEY);
  });

  test("check leaves nothing behind", async () => {
    await open().check();
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
      bucket.put(KEY, Buffer.from("x"), "image/png"),
      bucket.get(KEY, sha256(Buffer.from("x"))),
      bucket.remove(KEY),
      bucket.check(),
    ];
    for (const error of await Promise.all(runs.map(failure))) expect(error).toMatchObject({ code, hint });
    expect(await s3.objects()).toEqual([]);
  });

  test("a name that another service might read as another name is refused before it is sent", async () => {
    const bucket = open();
    for (const key of ["psn/../x", "psn/a/..", "/psn/a/b", "psn/a/b/", "psn//b", "psn/a/b?c", "psn/a/b c", "a/b/c", "psn/a"])
      expect(await failure(bucket.put(key, Buffer.from("x"), "image/png"))).toMatchObject({ code: "BUG" });
  });

  test("the AWS session of a shell is named, not sent", () => {
    const script = `
      import { openBucket } from "@psn/core/bucket.ts";
      const settings = JSON.parse(process.argv[1]);
      await openBucket(settings).check().then(() => console.log("fine"), ({ code, hint }) => console.log(code, hint));
    `;
    const run = (env: Record<string, string>) =>
      spawnSync(process.execPath, ["-e", script, JSON.stringify({ ...s3, region: "auto" })], {
        cwd: fileURLToPath(new URL("..", import.meta.url)),
        env: { PATH: process.env["PATH"] ?? "", ...env },
        encoding: "utf8",
      }).stdout.trim();
    // The server is in this process, which waits: what gets as far as the server times out there, and this does not.
    expect(run({ AWS_SESSION_TOKEN: "somebody's" })).toBe("CONFIG_INVALID unset AWS_SESSION_TOKEN and S3_SESSION_TOKEN");
    expect(run({ S3_SESSION_TOKEN: "somebody's" })).toBe("CONFIG_INVALID unset AWS_SESSION_TOKEN and S3_SESSION_TOKEN");
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
      await failure(bucket.put(KEY, BYTES, "image/png")),
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
    const { endpoint, seen } = await serve(first, plain(200, BYTES.toString()));
    await open(endpoint).put(KEY, BYTES, "image/png");
    expect(seen).toEqual([`PUT ${BYTES}`, `PUT ${BYTES}`]);
    const other = await serve(first, plain(200, BYTES.toString()));
    expect(await open(other.endpoint).get(KEY, sha256(BYTES))).toEqual(new Uint8Array(BYTES));
    const third = await serve(first, plain(204));
    await open(third.endpoint).remove(KEY);
    expect([other.seen, third.seen]).toEqual([
      ["GET ", "GET "],
      ["DELETE ", "DELETE "],
    ]);
  });

  const DOWN: readonly [string, () => Reply | Promise<Reply>, Limits][] = [
    ["500", plain(500, "<html>"), QUICK],
    ["503", xml(503, "SlowDown"), QUICK],
    ["429", plain(429), QUICK],
    ["S3's own time-out", xml(400, "RequestTimeout"), QUICK],
    ["cut before every answer", () => "reset", QUICK],
    ["cut in every answer", () => "cut", QUICK],
    ["no answer", () => new Promise<Reply>(() => undefined), { ...QUICK, requestMs: 50 }],
  ];
  test.each(DOWN)("%s: tried three times and given up", async (_, reply, limits) => {
    const { endpoint, seen } = await serve(reply);
    for (const error of await failures(endpoint, limits)) expect(error).toMatchObject({ code: "VENDOR_UNREACHABLE", hint: "psn doctor" });
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
    const bucket = open(`http://127.0.0.1:${server.port}`, { ...QUICK, requestMs: 50 });
    expect(await failure(bucket.get(KEY, sha256(BYTES)))).toMatchObject({ code: "VENDOR_UNREACHABLE", details: { said: "Timeout" } });
    expect(asked).toBe(3);
    await server.stop(true);
  });

  test("what is large has more time", async () => {
    const { endpoint, seen } = await serve(async () => {
      await Bun.sleep(200);
      return plain(200)();
    });
    await open(endpoint, { requestMs: 50, bytesPerMs: 1, pausesMs: [] }).put(KEY, new Uint8Array(2_000), "image/png");
    expect(seen).toHaveLength(1);
  });

  test("nobody at that port", async () => {
    const { endpoint } = await serve(plain(200));
    await servers.splice(0)[0]?.stop();
    for (const error of await failures(endpoint)) expect(error).toMatchObject({ code: "VENDOR_UNREACHABLE", hint: "psn doctor" });
  });

  const SAID: readonly [string, () => Reply, ErrorCode, string][] = [
    ["access denied", xml(403, "AccessDenied"), "VENDOR_AUTH", "psn config set S3_SECRET_ACCESS_KEY"],
    ["denied without a word", plain(403), "VENDOR_AUTH", "psn config set S3_SECRET_ACCESS_KEY"],
    ["R2 and an unknown key", xml(401, "Unauthorized"), "VENDOR_AUTH", "psn config set S3_SECRET_ACCESS_KEY"],
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
    ["a code that is a property of every object", xml(400, "constructor"), "VENDOR_REFUSED", "psn config set S3_ENDPOINT"],
  ];
  test.each(SAID)("%s: asked once", async (_, reply, code, hint) => {
    const { endpoint, seen } = await serve(reply);
    for (const error of await failures(endpoint)) expect(error).toMatchObject({ code, hint });
    expect(seen).toHaveLength(3);
  });

  test("a missing object is no success of a put", async () => {
    const { endpoint } = await serve(xml(404, "NoSuchKey"));
    expect(await failure(open(endpoint).put(KEY, BYTES, "image/png"))).toMatchObject({ code: "VENDOR_REFUSED" });
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
    expect(await failure(open(endpoint).check())).toMatchObject({ code: "VENDOR_REFUSED" });
    expect(seen.map((line) => line.split(" ")[0])).toEqual(["PUT", "GET", "DELETE"]);
  });

  test("check finds a key that may not delete", async () => {
    let written = "";
    const server = await startCutting(async (request) => {
      if (request.method === "DELETE") return xml(403, "AccessDenied")();
      if (request.method === "PUT") written = await request.text();
      return new Response(written);
    });
    servers.push(server);
    expect(await failure(open(server.origin).check())).toMatchObject({ code: "VENDOR_AUTH", message: expect.stringContaining("delete") });
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
        const said = `${Bun.inspect(error, { depth: 9 })} ${error.stack} ${JSON.stringify(error)} ${String(error.cause)}`;
        for (const secret of [SECRET, BYTES.toString(), "X-Amz", "AKIA"]) expect(said).not.toContain(secret);
      }
    }
  });
});

test("the server's own check of signatures gives S3's published example", () => {
  // docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, "An Example" (2026-11)
  const url = new URL("https://examplebucket.s3.amazonaws.com/test.txt");
  url.search =
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
    "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host";
  expect(presignature("GET", url, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")).toBe(
    "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
  );
});
