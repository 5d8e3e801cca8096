import { createPublicKey, randomBytes, verify as verifyWith } from "node:crypto";
import { chmod, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { documentOf, failed, scratch, type TestHub, testHub } from "../support/cli.ts";

/* `psn connect webhook`: secrets, names, and what a dry run refuses. */

const newSecret = () => `whsec_${randomBytes(32).toString("base64")}`;

interface Request {
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
}

let hub: TestHub;
let server: ReturnType<typeof Bun.serve>;
let origin: string;
let requests: Request[];
beforeAll(async () => {
  hub = await testHub();
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      if (request.method !== "POST")
        return new Response(null, {
          status: new URL(request.url).pathname === "/moved" ? 308 : 405,
          headers: { location: "/new" },
        });
      requests.push({ body: await request.text(), headers: Object.fromEntries(request.headers) });
      return new Response(null, { status: 204 });
    },
  });
  origin = `http://127.0.0.1:${server.port}`;
});
afterAll(async () => {
  await server.stop(true);
  await hub.close();
});
beforeEach(async () => {
  requests = [];
  await hub.rows("DELETE FROM psn.accounts WHERE platform = 'webhook'");
});

const connect = (argv: readonly string[], stdin?: string) =>
  hub.psn(
    ["connect", ...argv, ...(stdin === undefined ? [] : ["--secret-stdin"])],
    stdin === undefined ? {} : { stdin },
  );
const names = async () =>
  (documentOf(await hub.psn(["accounts", "--json"]))["accounts"] as { name: string }[])
    .map(({ name }) => name)
    .filter((name) => name.startsWith("webhook:"))
    .toSorted();
const host = () => `127.0.0.1:${server.port}`;

async function post(to: string): Promise<Request> {
  expect(await hub.psn(["post", "hello", "--to", to])).toMatchObject({ code: 0 });
  const request = requests.at(-1);
  if (!request) throw new Error("nothing was sent");
  return request;
}
const holds = ({ body, headers }: Request, secret: string) => {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
};

describe("names", () => {
  test("of several receivers on one host differ by their path, and a query by a suffix", async () => {
    for (const path of ["/", "/a", "/b", "/b?list=2", `/${"long/".repeat(30)}end`])
      expect(await connect(["webhook", `${origin}${path}`], newSecret())).toMatchObject({ code: 0 });
    const [bare, ...others] = await names();
    expect(bare).toBe(`webhook:${host()}`);
    expect(others).toContain(`webhook:${host()}/a`);
    expect(others).toContain(`webhook:${host()}/b`);
    expect(others).toContainEqual(expect.stringMatching(/\/b#[0-9a-f]{4}$/));
    expect(others.find((name) => name.includes("long"))).toMatch(/^webhook:.{1,60}$/);
    for (const name of await names())
      expect(await hub.psn(["post", "x", "--to", name, "--dry-run"])).toMatchObject({ code: 0 });
    expect(await hub.psn(["disconnect", `webhook:${host()}/b`, "--yes"])).toMatchObject({ code: 0 });
    expect(await names()).not.toContain(`webhook:${host()}/b`);
  });

  test("of accounts from before stay as scripts know them", async () => {
    await connect(["webhook", `${origin}/a`], newSecret());
    await hub.rows("UPDATE psn.accounts SET handle = $1 WHERE platform = 'webhook'", [host()]);
    expect(await connect([`webhook:${host()}`], newSecret())).toMatchObject({ code: 0 });
    expect(await connect(["webhook", `${origin}/b`], newSecret())).toMatchObject({ code: 0 });
    expect(await names()).toEqual([`webhook:${host()}`, `webhook:${host()}/b`]);
  });
});

describe("a secret that is changed", () => {
  test("signs beside the new one for as long as is asked for, and lies sealed beside it", async () => {
    const [before, after] = [newSecret(), newSecret()];
    await connect(["webhook", `${origin}/a`], before);
    const ran = await connect([`webhook:${host()}/a`, "--secret-overlap", "24h"], after);
    expect(ran).toMatchObject({ code: 0, stderr: expect.stringContaining("the previous secret also signs until") });
    const both = await post("webhook");
    expect(both.headers["webhook-signature"]).toMatch(/^v1,\S{44} v1,\S{44}$/);
    expect([before, after].map((secret) => holds(both, secret))).toEqual([true, true]);
    const [row] = await hub.rows(
      "SELECT secret, secret_until - now() AS left, to_jsonb(t)::text AS whole FROM psn.oauth_tokens t WHERE " +
        "secret IS NOT NULL",
    );
    expect(String(row?.["secret"])).toMatch(/^v\d/);
    for (const secret of [before, after]) expect(String(row?.["whole"])).not.toContain(secret.slice(6, 30));
  });

  test("stays beside the new one when something else is changed; is gone at once without overlap", async () => {
    const [before, after, last] = [newSecret(), newSecret(), newSecret()];
    await connect(["webhook", `${origin}/a`], before);
    await connect([`webhook:${host()}/a`, "--secret-overlap", "1h"], after);
    // No secret given: the one it has.
    expect(await connect([`webhook:${host()}/a`, "--media", "inline"])).toMatchObject({ code: 0 });
    const both = await post("webhook");
    expect([before, after].map((secret) => holds(both, secret))).toEqual([true, true]);
    await connect([`webhook:${host()}/a`], last);
    const one = await post("webhook");
    expect([before, after, last].map((secret) => holds(one, secret))).toEqual([false, false, true]);
  });

  test("must differ from the one it has, and the time must be one", async () => {
    const secret = newSecret();
    failed(await connect(["webhook", `${origin}/a`, "--secret-overlap", "24h"], secret), "INPUT_INVALID");
    await connect(["webhook", `${origin}/a`], secret);
    for (const [overlap, given] of [
      ["24h", secret],
      ["soon", newSecret()],
      ["60d", newSecret()],
    ] as const)
      expect(
        failed(await connect([`webhook:${host()}/a`, "--secret-overlap", overlap], given), "INPUT_INVALID"),
      ).not.toContain(given);
  });
});

describe("a key pair", () => {
  test("is made by psn, which prints the public key, and its signatures hold for it", async () => {
    const ran = await connect(["webhook", `${origin}/a`, "--secret-new"]);
    expect(ran).toMatchObject({ code: 0, stdout: expect.stringMatching(/^public key {2}whpk_\S{44}$/m) });
    expect(ran.stdout + ran.stderr).not.toContain("whsk_");
    const publicKey = /whpk_\S+/.exec(ran.stdout)?.[0] ?? "";
    const { body, headers } = await post("webhook");
    const key = createPublicKey({
      key: { kty: "OKP", crv: "Ed25519", x: Buffer.from(publicKey.slice(5), "base64").toString("base64url") },
      format: "jwk",
    });
    const [scheme, signature = ""] = (headers["webhook-signature"] ?? "").split(",");
    const content = `${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`;
    expect([scheme, verifyWith(null, Buffer.from(content), key, Buffer.from(signature, "base64"))]).toEqual([
      "v1a",
      true,
    ]);
    // Whoever has lost it asks again.
    expect(documentOf(await connect([`webhook:${host()}/a`, "--json"]))).toMatchObject({ publicKey, again: true });
  });

  test("may take over from a shared secret, both signing for a while; is not made beside a given one", async () => {
    const before = newSecret();
    await connect(["webhook", `${origin}/a`], before);
    await connect([`webhook:${host()}/a`, "--secret-new", "--secret-overlap", "1d"]);
    const both = await post("webhook");
    expect(both.headers["webhook-signature"]).toMatch(/^v1a,\S{88} v1,\S{44}$/);
    expect(holds(both, before)).toBe(true);
    failed(await connect(["webhook", `${origin}/b`, "--secret-new"], newSecret()), "USAGE");
  });
});

test("a secret of two receivers is warned of, when it is connected and in doctor; a key pair is not", async () => {
  const secret = newSecret();
  await connect(["webhook", `${origin}/a`], secret);
  const dry = await connect(["webhook", `${origin}/b`, "--dry-run"], secret);
  expect(dry).toMatchObject({ code: 0, stderr: expect.stringContaining(`webhook:${host()}/a has the same secret`) });
  const ran = await connect(["webhook", `${origin}/b`, "--json"], secret);
  expect(documentOf(ran)).toMatchObject({ sameSecret: [`webhook:${host()}/a`] });
  const checks = documentOf(await hub.psn(["doctor", "--json"]))["checks"] as {
    name: string;
    status: string;
    said: string;
  }[];
  for (const [one, other] of ["ab", "ba"])
    expect(checks).toContainEqual(
      expect.objectContaining({
        name: `account webhook:${host()}/${one}`,
        status: "warn",
        said: expect.stringContaining(`webhook:${host()}/${other} has the same secret`),
      }),
    );
  expect(await connect([`webhook:${host()}/b`], newSecret())).toMatchObject({
    stderr: expect.not.stringContaining("same secret"),
  });
  expect((await hub.psn(["doctor"])).stdout).not.toContain("same secret");
});

test("doctor says of a webhook and of a feed that nobody was asked", async () => {
  await connect(["webhook", "http://127.0.0.1:9/hook"], newSecret());
  const { stdout } = await hub.psn(["doctor"]);
  expect(stdout).toMatch(/webhook:127\.0\.0\.1:9\/hook\s+not asked/);
  expect(stdout).toMatch(/feed:\w+\s+not asked/);
  expect(stdout).not.toContain("token accepted");
});

describe("a dry run", () => {
  /** What both must refuse in the same words, and neither may write. */
  async function both(argv: readonly string[], stdin?: string): Promise<readonly [string, string]> {
    const before = await hub.state();
    const [dry, real] = [await connect([...argv, "--dry-run"], stdin), await connect(argv, stdin)];
    expect({ code: dry.code, stderr: dry.stderr }).toEqual({ code: real.code, stderr: real.stderr });
    expect(await hub.state()).toEqual(before);
    return [dry.stderr, real.stderr];
  }

  test.each([
    ["a secret of 23 bytes", "", `whsec_${randomBytes(23).toString("base64")}`],
    ["no secret at all", "", undefined],
    ["a public key", "", `whpk_${randomBytes(32).toString("base64")}`],
    ["an address that is none", "ftp://example.com", newSecret()],
    ["plain http to another machine", "http://example.com/", newSecret()],
    ["an address that redirects", "/moved", newSecret()],
  ])("refuses %s as the real run does", async (_, address, secret) => {
    const url = address.startsWith("/") ? `${origin}${address}` : address || `${origin}/a`;
    const [said] = await both(["webhook", url], secret);
    expect(said).toMatch(/\((INPUT_INVALID|INPUT_REQUIRED)\)/);
    if (secret) expect(said).not.toContain(secret.slice(6));
  });

  test("refuses what every other platform's real run refuses", async () => {
    const folder = await scratch();
    await writeFile(join(folder, "file"), "");
    await mkdir(join(folder, "site"));
    await writeFile(join(folder, "site", "index.html"), "mine");
    for (const argv of [
      ["feed", join(folder, "file")],
      ["feed", join(folder, "file", "below")],
      ["feed", join(folder, "site")],
      ["feed", "~/public"],
      ["feed", join(folder, "new"), "--url", "nowhere"],
      ["bluesky", "not a handle"],
      ["bluesky", "ada.test", "--server", "https://127.0.0.1/path"],
      ["bluesky", "ada.test"],
      ["mastodon", "https://example.com/path"],
      ["mastodon", "example.com"],
      ["x"],
      ["linkedin", "--no-browser"],
      ["threads", "--redirect", "http://example.com/"],
      ["nowhere"],
    ])
      await both(argv);
    for (const [argv, secret] of [
      [["bluesky", "ada.test", "--server", "http://127.0.0.1:9", "--password-stdin"], "a-wrong-password"],
      [["mastodon", "http://127.0.0.1:9", "--token-stdin"], "a-wrong-token"],
    ] as const) {
      const runs = await Promise.all(
        [[...argv, "--dry-run"], argv].map((one) => hub.psn(["connect", ...one], { stdin: secret })),
      );
      expect(new Set(runs.map(({ code, stderr }) => `${code} ${stderr}`)).size).toBe(1);
      expect(runs[0]?.code).not.toBe(0);
    }
    expect((await readdir(folder)).toSorted()).toEqual(["file", "site"]);
  });

  test("takes what the real run takes, sends no event, writes nothing, and says what it would be called", async () => {
    const before = await hub.state();
    const ran = await connect(["webhook", `${origin}/a`, "--dry-run", "--json"], newSecret());
    expect(documentOf(ran)).toMatchObject({
      dryRun: true,
      handle: `${host()}/a`,
      again: false,
      form: { secret: "••••••••" },
    });
    const folder = join(await scratch(), "deep", "public");
    expect(await connect(["feed", folder, "--dry-run"])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("feed:public"),
    });
    expect(await readdir(join(folder, "..", ".."))).toEqual([]);
    expect(requests).toEqual([]);
    expect(await hub.state()).toEqual(before);
  });

  test("of an account that waits refuses another one's address, as the real run does", async () => {
    await connect(["webhook", `${origin}/a`], newSecret());
    await hub.rows("UPDATE psn.accounts SET health = 'needs-reconnect' WHERE platform = 'webhook'");
    const [said] = await both(["webhook", `${origin}/b`], newSecret());
    expect(said).toContain("but the account to reconnect is");
  });
});

test("a folder that may not be written to is refused by a dry run", async () => {
  if (process.getuid?.() === 0) return;
  const folder = await scratch();
  await chmod(folder, 0o500);
  const [dry, real] = [
    await connect(["feed", join(folder, "x"), "--dry-run"]),
    await connect(["feed", join(folder, "x")]),
  ];
  expect(dry.stderr).toBe(real.stderr);
});
