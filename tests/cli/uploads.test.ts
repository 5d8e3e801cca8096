import { writeFile } from "node:fs/promises";
import { connect, createServer, type Server } from "node:net";
import { join } from "node:path";
import { Transform } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { noise } from "../../scripts/png.ts";
import { documentOf, type TestHub, testHub } from "../support/cli.ts";
import { COMPILED_PSN } from "../support/cli-bundle.ts";
import { type MastodonFake, startMastodon } from "../support/mastodon.ts";
import { type S3, startS3 } from "../support/s3.ts";
import { atTerminal } from "../support/terminal.ts";

/*
 * An upload shows itself: a bar with what is left on a terminal, a line where there is none, nothing under --json.
 * A real psn sends a picture of 6 MB over a slow line.
 */

let hub: TestHub;
let server: MastodonFake;
let s3: S3;
let line: SlowLine;
let bucketLine: SlowLine;
let place: { readonly cwd: string; readonly env: Readonly<Record<string, string>> };

beforeAll(async () => {
  [hub, server, s3] = await Promise.all([testHub(), startMastodon({ processing: 2 }), startS3({ bucket: "media" })]);
  [line, bucketLine] = [await startSlowLine(server.origin), await startSlowLine(s3.endpoint)];
  await writeFile(join(hub.folder, "large.png"), noise(6_000_000));
  await writeFile(join(hub.folder, "small.png"), noise(100_000));
  const ran = await hub.psn(["connect", "mastodon", server.origin, "--token-stdin"], { stdin: `${server.token}\n` });
  expect(ran).toMatchObject({ code: 0 });
  const env = { PATH: process.env["PATH"] ?? "", TERM: "xterm", HOME: hub.folder };
  place = { cwd: hub.folder, env: { ...env, PSN_ORIGINS: `${server.origin}=${line.origin}` } };
});
afterAll(async () => {
  line.stop();
  bucketLine.stop();
  await Promise.all([server.stop(), s3.stop()]);
});

/** How much of it is shown as sent, in the order of the drawn lines. */
const sentIn = (shown: string, of: number) =>
  [...shown.matchAll(new RegExp(`uploading [━─]{24} (\\d+) of ${of} MB`, "g"))].map(([, sent]) => Number(sent));

describe("at a real terminal", () => {
  test("a bar says how much has left, then that the platform is at work, and is gone at the end", async () => {
    const argv = ["post", "Look", "--to", "mastodon", "--media", "large.png"];
    const terminal = atTerminal([COMPILED_PSN, ...argv], place);
    expect(await terminal.ended).toBe(0);
    const shown = terminal.shown();
    expect(shown).toContain("storing 7 MB in the hub …");
    const sent = sentIn(shown, 7);
    // How often a line is drawn is the machine's.
    expect(sent.length, shown).toBeGreaterThan(0);
    expect(sent).toEqual(sent.toSorted((one, other) => one - other));
    expect(shown).toContain(`${new URL(server.origin).host} is processing the image …`);
    expect(shown.split("\r\u001b[K").at(-1)).toMatch(/^post [\s\S]*published/m);
    expect([...server.media.values()].at(-1)?.bytes).toBeGreaterThan(6_000_000);
  });

  test("what goes into a bucket is shown too", async () => {
    const settings = {
      S3_ENDPOINT: bucketLine.origin,
      S3_BUCKET: s3.bucket,
      S3_ACCESS_KEY_ID: s3.accessKeyId,
      S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
    };
    const argv = ["post", "Later", "--to", "mastodon", "--media", "large.png", "--in", "3d"];
    const terminal = atTerminal([COMPILED_PSN, ...argv], { ...place, env: { ...place.env, ...settings } });
    expect(await terminal.ended).toBe(0);
    expect(sentIn(terminal.shown(), 7).length, terminal.shown()).toBeGreaterThan(0);
    expect(await s3.objects()).toHaveLength(1);
  });
});

describe("where nothing can be drawn", () => {
  const posted = (...more: string[]) => {
    const argv = ["post", "Look again", "--to", "mastodon", ...more];
    return hub.binary(argv, { env: place.env }).ended;
  };

  test("a large file has one line", async () => {
    const { code, stderr } = await posted("--media", "large.png");
    expect(code, stderr).toBe(0);
    const host = new URL(server.origin).host;
    expect(stderr.split("\n").filter((one) => /^(storing|uploading)/.test(one))).toEqual([
      `uploading the image to ${host}: 7 MB`,
    ]);
    expect(stderr).not.toContain("\u001b");
  });

  test("a small one has none, and nothing is said under --json", async () => {
    expect((await posted("--media", "small.png")).stderr).not.toContain("uploading");
    const ran = await posted("--media", "large.png", "--json");
    expect(ran.stderr).toBe("");
    expect(documentOf(ran)).toMatchObject({ deliveries: [{ state: "published" }] });
  });
});

interface SlowLine {
  readonly origin: string;
  stop(): void;
}

/** Passes 128 KiB on after the other, with a moment between. */
async function startSlowLine(to: string): Promise<SlowLine> {
  const { port } = new URL(to);
  const slow = () =>
    new Transform({
      highWaterMark: 64 * 1024,
      transform: (chunk: Buffer, _encoding, done) => void sleep(chunk.length / 1_500).then(() => done(null, chunk)),
    });
  const server: Server = createServer((near) => {
    const far = connect(Number(port), "127.0.0.1");
    near.pipe(slow()).pipe(far).pipe(near);
    for (const [one, other] of [[near, far] as const, [far, near] as const])
      one.on("error", () => undefined).on("close", () => other.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (typeof address !== "object" || address === null) throw new Error("the line has no port");
  return { origin: `http://127.0.0.1:${address.port}`, stop: () => server.close() };
}
