import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { page } from "@psn/cli/loopback-page.ts";
import type { HubEnv } from "@psn/core/utils/env.ts";
import { notifierOf } from "@psn/wiring/parts.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { psn, type Ran, scratch, type TestHub, testHub } from "../support/cli.ts";
import { type MastodonFake, startMastodon } from "../support/mastodon.ts";
import { platform } from "./echoing-platforms.ts";

/*
 * A server, a file and an author who write what a terminal obeys, wherever they can; then every command that shows it.
 * Nothing of it may reach a terminal as it was written, and no words of theirs may make a line of their own.
 */

/** A window's title, a clipboard, a hidden text, a colour, a reversed name, a line that psn never wrote. */
const EVIL = "\u001b]0;owned\u0007\u001b]52;c;cm0gLXJm\u0007\u001b[8m\u001b[31m\u009b2J\u202e\u200b";
const FALSE = "ab12cd34  published  everything fine";

const UNSAFE =
  /[\p{Cc}\p{Cs}\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/u;
/** A colour of psn's own. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: it is these that are looked for
const OWN = /\u001b\[(?:1|2|22|3[1-6]|39)m/g;

function expectQuiet(ran: Ran, colored = false): Ran {
  for (const line of `${ran.stdout}\n${ran.stderr}`.split("\n")) {
    const plain = colored ? line.replaceAll(OWN, "") : line;
    // Where stdout is no terminal, a list has tabs between its fields, and a field has none.
    for (const field of plain.split("\t")) {
      expect(field).not.toMatch(UNSAFE);
      expect(field.startsWith(FALSE)).toBe(false);
    }
  }
  return ran;
}

const KEPT = `SELECT ref_url AS url FROM psn.delivery_units u JOIN psn.deliveries d ON d.id = u.delivery_id
  JOIN psn.accounts a ON a.id = d.account_id WHERE ref_url IS NOT NULL AND a.platform = 'mastodon'`;

let hub: TestHub;
let fake: MastodonFake;
let origin: string;
let refusing = false;
let postUrl: string | undefined;
const stops: (() => void)[] = [];
const run = async (...argv: readonly string[]) => expectQuiet(await hub.psn(argv));
/** As people see it, in colour, and as a script reads it. */
async function all(...argv: readonly string[]): Promise<Ran> {
  const ran = await run(...argv);
  expectQuiet(await hub.psn(argv, { tty: ["stdout", "stderr"] }), true);
  const json = await run(...argv, "--json");
  if (json.stdout !== "") expect(() => JSON.parse(json.stdout)).not.toThrow();
  return ran;
}

beforeAll(async () => {
  hub = await testHub();
  fake = await startMastodon();
  const proxy = await platform(async (request, body, response) => {
    const {
      authorization = "",
      "content-type": type = "application/json",
      "idempotency-key": key = "",
    } = request.headers;
    if (refusing && request.method === "POST") {
      response
        .writeHead(422, { "content-type": "application/json" })
        .end(JSON.stringify({ error: `no ${EVIL}\n${FALSE}` }));
      return;
    }
    const method = request.method ?? "GET";
    const headers = { authorization, "content-type": type, "idempotency-key": String(key) };
    const answer = await fetch(`${fake.origin}${request.url}`, {
      method,
      headers,
      ...(method === "POST" ? { body } : {}),
    });
    const said = (await answer.text())
      .replaceAll('"username":"ada"', JSON.stringify({ username: `ada\u2028${FALSE}\u202e\u200b` }).slice(1, -1))
      .replaceAll(/"image\/webp"/g, JSON.stringify(`image/x${EVIL}`))
      .replaceAll(new RegExp(`"url":"${fake.origin}/@ada/[0-9]+"`, "g"), (whole) =>
        postUrl === undefined ? whole : JSON.stringify({ url: postUrl, uri: postUrl }).slice(1, -1),
      );
    response.writeHead(answer.status, { "content-type": "application/json" }).end(said);
  });
  origin = proxy.origin;
  stops.push(proxy.stop, () => void fake.stop());
  expect(
    expectQuiet(await hub.psn(["connect", "mastodon", origin, "--token-stdin"], { stdin: fake.token })),
  ).toMatchObject({ code: 0 });
});
afterAll(() => {
  for (const stop of stops) stop();
});

describe("what a server says", () => {
  test("a name with line breaks and overrides makes no line of its own", async () => {
    const { stdout } = await all("accounts");
    expect(stdout.trimEnd().split("\n")).toHaveLength(2);
    expect(stdout).toContain(String.raw`ada ab12cd34  published  everything fine\u202e\u200b`);
    await all("doctor");
    await all("post", "hello", "--to", "mastodon", "--dry-run");
  });

  test.each([
    ["javascript:alert(1)"],
    ["file:///etc/passwd"],
    [`https://example.com/${EVIL}`],
    [`https://example.com/\n${FALSE}`],
  ])("the address %j of a post is kept and shown only as one on the web", async (url) => {
    postUrl = url;
    const { code } = await run("post", `to ${url.slice(0, 9)}${Math.random()}`, "--to", "mastodon");
    expect(code).toBe(0);
    await all("queue", "--all");
    for (const { url: kept } of await hub.rows(KEPT)) expect(String(kept)).toMatch(/^https?:\/\/[\x21-\x7e]+$/);
    postUrl = undefined;
  });

  test("a refusal is told in its words, on one line", async () => {
    refusing = true;
    const { code, stdout, stderr } = await run("post", "to be refused", "--to", "mastodon");
    expect(code).not.toBe(0);
    expect(stdout + stderr).toContain(FALSE);
    refusing = false;
    const [row] = await hub.rows("SELECT id::text FROM psn.deliveries WHERE state = 'failed'");
    await all("show", String(row?.["id"]));
    await all("queue", "--all");
  });

  test("what it takes is named in a hint", async () => {
    const path = join(hub.folder, "pixel.webp");
    await writeFile(path, Buffer.from("UklGRhoAAABXRUJQVlA4TA0AAAAvAAAAEAcQERGIiP4HAA==", "base64"));
    const { stdout, stderr } = await all("post", "x", "--media", path, "--to", "mastodon", "--dry-run");
    expect(stdout + stderr).toContain("it accepts image/jpeg");
  });
});

describe("what an author and a file say", () => {
  test("colours in a post's text are shown, and not obeyed", async () => {
    const text = `before ${EVIL} after\r\n${FALSE}\u2028${FALSE}`;
    await all("post", text, "--at", "2030-01-01T00:00:00Z", "--to", "feed");
    // Today's psn stores no control characters; an earlier one did.
    await hub.rows("UPDATE psn.delivery_units SET text = $1 WHERE text LIKE 'before%'", [text]);
    const { stdout } = await all("queue");
    expect(stdout).toContain(String.raw`before \u001b]0;owned`);
    const [row] = await hub.rows("SELECT id::text FROM psn.deliveries ORDER BY created_at DESC LIMIT 1");
    const id = String(row?.["id"]);
    expect((await all("show", id)).stdout).toContain(String.raw`\u001b[31m`);
    await all("move", id, "--at", "2031-01-01T00:00:00Z", "--dry-run");
    await all("cancel", id, "--dry-run");
    await all("post", text, "--to", "feed", "--dry-run");
  });

  test("front matter that is quoted in an error", async () => {
    for (const [name, head] of [
      ["key", `"${EVIL.replaceAll(/\p{Cc}/gu, "")}\\e[31m": 1`],
      ["at", `at: "\\e[31m tomorrow-ish \\u202E"`],
      ["to", `to: "\\e]0;x\\a"`],
      ["yaml", "to: [\u202e"],
    ] as const) {
      const path = join(hub.folder, `${name}.md`);
      await writeFile(path, `---\n${head}\n---\nhello\n`);
      expect((await all("post", path, "--dry-run")).code).not.toBe(0);
    }
  });

  test("names of files and folders", async () => {
    const name = `x\u001b]0;owned\u0007\u001b[31m\u202e\n${FALSE}`;
    await all("post", "x", "--media", `${name}.png`, "--to", "feed", "--dry-run");
    await all("post", `${name}.md`, "--to", "feed", "--dry-run");
    await all("post", "x", "--to", name, "--dry-run");
    await all("connect", "feed", join(hub.folder, name, "none"), "--dry-run");
    await all("queue", "--hub", join(hub.folder, name));
    const folder = join(await scratch("hostile"), name);
    await mkdir(folder);
    expectQuiet(await psn(["accounts"], { cwd: folder }));
    expectQuiet(await psn(["init", "--dry-run"], { cwd: folder }));
    await mkdir(join(folder, "config"), { mode: 0o700 });
    await writeFile(join(folder, "config", "hub.env"), `PSN_TIME_ZONE=${EVIL}\nNO\u001b[31m=1\n`, { mode: 0o600 });
    for (const argv of [["config", "list"], ["config", "path"], ["doctor", "--offline"], ["queue"]] as const)
      for (const more of [[], ["--json"]]) expectQuiet(await psn([...argv, ...more], { cwd: folder }));
  });

  test("names in hub.env and keys.env", async () => {
    const keys = join(hub.folder, "config", "keys.env");
    const before = await readFile(keys, "utf8").catch(() => "");
    await writeFile(keys, `${before}X_CLIENT_IDD="\u001b[31m\u202e"\n`, { mode: 0o600 });
    for (const argv of [
      ["keys", "list"],
      ["keys", "push", "--dry-run"],
      ["config", "list"],
      ["config", "get", "X_CLIENT_IDD"],
    ] as const)
      await all(...argv);
    await writeFile(keys, before, { mode: 0o600 });
  });
});

describe("what is typed in the wrong place", () => {
  const typed = ["\u001b[31mred\u001b]0;x\u0007\u009b2J\u202eb", `x\n${FALSE}`];
  test.each([
    ["an option", (word: string) => ["queue", `--${word}`]],
    ["an option of none", (word: string) => [`--${word}`]],
    ["a command", (word: string) => [word]],
    ["an argument too many", (word: string) => ["queue", word]],
    ["a member of a group", (word: string) => ["config", word]],
    ["a name", (word: string) => ["config", "set", word, "x"]],
    ["a topic", (word: string) => ["help", word]],
    ["an error's code", (word: string) => ["explain", word]],
    ["an id", (word: string) => ["show", word]],
    ["a time", (word: string) => ["post", "x", "--at", word]],
    ["a zone", (word: string) => ["post", "x", "--at", "tomorrow 9am", "--tz", word]],
    ["a number", (word: string) => ["queue", "--limit", word]],
    ["a platform", (word: string) => ["connect", word]],
    ["a shell", (word: string) => ["completion", word]],
    ["help with more words", (word: string) => ["post", word, "--help"]],
  ])("%s", async (_is, argv) => {
    for (const word of typed) {
      await run(...argv(word));
      await run(...argv(word), "--json");
    }
  });
});

describe("beside the terminal", () => {
  test("a notification is one line without controls", async () => {
    const heard: string[] = [];
    const server = createServer(async (request, response) => {
      for await (const chunk of request) heard.push(String(chunk));
      response.end();
    }).listen(0, "127.0.0.1");
    await new Promise((done) => server.once("listening", done));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/topic`;
    const env = { get: (name: string) => (name === "PSN_NOTIFY_URL" ? url : undefined) } as unknown as HubEnv;
    await notifierOf(env).notify?.(`a post to ${EVIL}\n${FALSE} failed`);
    server.close();
    expect(heard).toHaveLength(1);
    expect(heard[0]).not.toMatch(UNSAFE);
  });

  test("the page in the browser shows words, and no markup", async () => {
    const text = `${EVIL}<img src=x onerror=alert(1)> & "quoted" 'it'`;
    const body = await page(200, { ok: true, title: text, text }).text();
    expect(body.replaceAll("\n", "")).not.toMatch(UNSAFE);
    expect(body).not.toContain("<img");
    expect(body).toContain("&lt;img src=x onerror=alert(1)&gt; &amp; &quot;quoted&quot; &#39;it&#39;");
  });

  test("what nobody caught is said like every other failure", () => {
    const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
    for (const thrown of ["throw new Error(words)", "void Promise.reject(new Error(words))"]) {
      const script = `const words = ${JSON.stringify(EVIL)};
        process.argv.splice(1, process.argv.length, "bun", "psn", "--version");
        await import(${JSON.stringify(main)}); setTimeout(() => { ${thrown} }, 1);`;
      const { stderr, exitCode } = Bun.spawnSync({
        cmd: [process.execPath, "-e", script],
        env: { ...process.env, NO_COLOR: "1" },
      });
      expect(exitCode).not.toBe(0);
      expect(stderr.toString()).toMatch(/\(BUG\)/);
      for (const line of stderr.toString().split("\n")) expect(line).not.toMatch(UNSAFE);
    }
  });
});
