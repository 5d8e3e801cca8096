import { randomBytes } from "node:crypto";
import { chmodSync } from "node:fs";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { canaries, formsOf, found, mark, plant } from "../support/canary.ts";
import { binary, type PsnOptions, psn, type Ran, scratch, type TestHub, testHub } from "../support/cli.ts";
import { someOf } from "../support/how-much.ts";
import { type MastodonFake, startMastodon } from "../support/mastodon.ts";
import { freshDatabase } from "../support/shared-postgres.ts";
import { atMost } from "../support/until.ts";
import { bluesky, FAULTS, platform, weather } from "./echoing-platforms.ts";

/*
 * Secrets that would be recognised anywhere are planted in a hub; then every command runs, against platforms that fail
 * in every way and repeat in their errors what they were sent. Nothing that comes out, and nothing that is kept, may
 * hold one of them in any of the usual forms.
 */

/** Everything a command printed, with its command line. */
const printed: { readonly line: string; readonly text: string }[] = [];
function keep(argv: readonly string[], ran: Ran): Ran {
  printed.push({ line: argv.join(" "), text: `${ran.stdout}\n${ran.stderr}` });
  return ran;
}

let hub: TestHub;
let fake: MastodonFake;
const stops: (() => void)[] = [];
const secrets = {
  password: mark("app-password"),
  access: mark("access"),
  refresh: mark("refresh"),
  webhook: `whsec_${Buffer.concat([Buffer.from("canary"), randomBytes(26)]).toString("base64")}`,
  wrong: mark("wrong-password"),
  appKey: mark("app-key"),
};
let origins: { readonly bluesky: string; readonly mastodon: string; readonly webhook: string };

const run = async (argv: readonly string[], options?: Omit<PsnOptions, "cwd">) =>
  keep(argv, await hub.psn(argv, options));
/** For people and for scripts. */
async function both(argv: readonly string[], options?: Omit<PsnOptions, "cwd">): Promise<void> {
  await run(argv, options);
  await run([...argv, "--json"], options);
}

beforeAll(async () => {
  hub = await testHub();
  const [, key = ""] =
    /^HUB_ENCRYPTION_KEY=([0-9a-f]{64})$/m.exec(await readFile(join(hub.folder, "config", "hub.env"), "utf8")) ?? [];
  plant("hub key", Buffer.from(key, "hex"));
  fake = await startMastodon();
  stops.push(() => void fake.stop());
  for (const [name, value] of Object.entries(secrets)) plant(name, value);
  plant("mastodon token", fake.token);
  plant("webhook key", Buffer.from(secrets.webhook.slice("whsec_".length), "base64"));
  const made = await Promise.all([
    platform(bluesky(secrets.password, secrets.access, secrets.refresh)),
    platform(async (request, body, response) => {
      const { authorization = "", "content-type": type = "application/json" } = request.headers;
      const method = request.method ?? "GET";
      const answer = await fetch(`${fake.origin}${request.url}`, {
        method,
        headers: { authorization, "content-type": type },
        ...(method === "POST" ? { body } : {}),
      });
      response.writeHead(answer.status, { "content-type": "application/json" }).end(await answer.text());
    }),
    platform(async (_request, _body, response) => void response.writeHead(204).end()),
  ]);
  const [first, second, third] = made;
  origins = { bluesky: first.origin, mastodon: second.origin, webhook: third.origin };
  stops.push(...made.map(({ stop }) => stop));
});
afterAll(() => {
  for (const stop of stops) stop();
});

test("a secret is found in every form", () => {
  for (const canary of canaries) {
    for (const form of formsOf(canary)) expect(found(`before ${form} after`)).toContain(canary.name);
    for (const lead of ["", "a", "ab"]) {
      const encoded = Buffer.concat([Buffer.from(lead), canary.bytes, Buffer.from("tail")]).toString("base64");
      expect(found(encoded), `${canary.name} behind "${lead}"`).toContain(canary.name);
    }
  }
  expect(found("nothing of the kind")).toEqual([]);
});

describe("nothing is told", () => {
  const connects: readonly (readonly [string, () => readonly string[], () => string])[] = [
    [
      "bluesky",
      () => ["connect", "bluesky", "ada.example", "--server", origins.bluesky, "--password-stdin"],
      () => secrets.password,
    ],
    ["mastodon", () => ["connect", "mastodon", origins.mastodon, "--token-stdin"], () => fake.token],
    ["webhook", () => ["connect", "webhook", `${origins.webhook}/hook`, "--secret-stdin"], () => secrets.webhook],
  ];

  test("by connecting, with the wrong secret or a platform that fails", async () => {
    for (const [, argv, secret] of connects) {
      for (weather.fault of FAULTS)
        await run([...argv(), ...(typeof weather.fault === "string" ? ["--json"] : [])], { stdin: secret() });
      weather.fault = undefined;
      await both(argv(), { stdin: secrets.wrong });
      await both(argv(), { stdin: `${secret()}\nand more` });
      await both(argv().slice(0, -1));
      expect(await run(argv(), { stdin: `${secret()}\n` })).toMatchObject({ code: 0 });
      await run([...argv(), "--json"], { stdin: secret() });
    }
    const file = join(hub.folder, "password.txt");
    await writeFile(file, secrets.password);
    await both(["connect", "bluesky", "ada.example", "--server", origins.bluesky, "--password-file", file]);
    await writeFile(file, "");
    // The platforms did say the secrets back.
    expect(found(weather.echoed)).toEqual(expect.arrayContaining(["password", "mastodon token"]));
  });

  test("by publishing, whatever the platform answers", async () => {
    for (const to of ["bluesky", "mastodon", "webhook", "all"])
      expect(await run(["post", `hello ${to}`, "--to", to])).toMatchObject({ code: 0 });
    expect(fake.statuses.length).toBe(2);
    for (weather.fault of someOf(FAULTS)) {
      const id = `fault ${String(weather.fault)}`;
      await run(["post", id, "--to", "bluesky,mastodon,webhook", ...(weather.fault === 500 ? ["--json"] : [])], {
        signal: AbortSignal.timeout(atMost(weather.fault === "late" ? 900 : 300)),
      });
      const [row] = await hub.rows("SELECT id::text FROM psn.posts WHERE parts::text LIKE $1", [`%${id}%`]);
      await both(["show", String(row?.["id"])]);
      await both(["doctor"]);
      await both(["accounts"]);
      await hub.rows("UPDATE psn.deliveries SET state = 'failed' WHERE state NOT IN ('published', 'cancelled')");
      await hub.rows("UPDATE psn.accounts SET health = 'ok', paused_until = NULL");
    }
    weather.fault = undefined;
    expect(found(weather.echoed)).toEqual(expect.arrayContaining(["access", "mastodon token"]));
    const notes = await hub.rows("SELECT count(*)::integer AS n FROM psn.delivery_events WHERE code IS NOT NULL");
    expect(Number(notes[0]?.["n"])).toBeGreaterThan(20);
  });

  test("by a token that has expired, and its exchange", async () => {
    const refreshed = () => hub.rows("SELECT refreshed_at FROM psn.oauth_tokens WHERE refresh_token IS NOT NULL");
    const before = await refreshed();
    // The server has forgotten the access token: it answers with ExpiredToken and repeats it, and the token is
    // exchanged.
    weather.expired += 1;
    expect(await run(["post", "with an expired token", "--to", "bluesky"])).toMatchObject({ code: 0 });
    expect(await refreshed()).not.toEqual(before);
    // Ten minutes later, and now the one it is exchanged with: the app password begins a new session.
    await hub.rows("UPDATE psn.oauth_tokens SET refresh_rest_until = NULL");
    weather.expired += 1;
    weather.expiredRefresh += 1;
    expect(await run(["post", "with a dead session", "--to", "bluesky"])).toMatchObject({ code: 0 });
  });

  test("by every other command, and what fails", async () => {
    for (const argv of [
      [],
      ["queue"],
      ["queue", "--all"],
      ["config", "list"],
      ["config", "get", "HUB_ENCRYPTION_KEY"],
      ["config", "get", "X_CLIENT_SECRET"],
      ["config", "set", "X_CLIENT_SECRET", secrets.appKey],
      ["config", "set", "X_CLIENT_SECRET", "--unset"],
      ["vault", "status"],
      ["db", "status"],
      ["db", "migrate"],
      ["init"],
      ["doctor", "--offline"],
      ["completion", "--words", "3", "--", "psn", "post", "--to", ""],
      ["connect", "bluesky", "ada.example", "--password", secrets.password],
      ["connect", "bluesky", "ada.example", secrets.password],
      ["connect", "mastodon", `https://ada:${secrets.password}@127.0.0.1/`, "--token-stdin"],
      ["connect", "webhook", `http://ada:${secrets.password}@127.0.0.1/`, "--secret-stdin"],
      ["init", "--database-url", `postgres://ada:${secrets.password}@127.0.0.1/psn`],
      ["post", "hello", "--to", "nobody"],
      ["disconnect", "mastodon", "--dry-run"],
      ["worker"],
    ]) {
      await both(argv, { stdin: secrets.appKey, signal: AbortSignal.timeout(100) });
    }
    await both(["config", "set", "X_CLIENT_SECRET", "--stdin"], { stdin: secrets.appKey });
    await both(["config", "set", "PSN_TIME_ZONE", "--stdin"], { stdin: secrets.appKey });
    await both(["config", "set", "HUB_ENCRYPTION_KEY", "--stdin"], { stdin: secrets.appKey });
    await both(["config", "set", "DATABASE_URL", "--stdin"], {
      stdin: `mysql://ada:${secrets.password}@127.0.0.1/psn`,
    });
    await both(["config", "list"]);
    await both(["config", "get", "X_CLIENT_SECRET"]);
  });

  test("by a hub.env that is wrong", async () => {
    const file = join(hub.folder, "config", "hub.env");
    const text = await readFile(file, "utf8");
    const [, key = ""] = /^HUB_ENCRYPTION_KEY=(.*)$/m.exec(text) ?? [];
    const wrongs = [
      text.replace(key, `${key}00`),
      text.replace(key, `"${key}`),
      `${text}${key}\n`,
      `${text}HUB_ENCRYPTION_KEY=${key}\n`,
      `${text}HUB_ENCRYPTION_KEYS=${secrets.password}\n`,
      `${text}DATABASE_URL=mysql://ada:${secrets.password}@127.0.0.1/psn\n`,
    ];
    for (const wrong of wrongs) {
      await writeFile(file, wrong);
      for (const argv of [["queue"], ["doctor"], ["config", "list"], ["init"]]) await both(argv);
    }
    await writeFile(file, text);
    chmodSync(file, 0o644);
    for (const argv of [["queue"], ["doctor"], ["config", "list"]]) await both(argv);
    chmodSync(file, 0o600);
  });

  test("to an editor, by its environment or its command line", async () => {
    const folder = await scratch("editor");
    const editor = join(folder, "editor.sh");
    await writeFile(
      editor,
      `#!/bin/sh\ntr '\\0' '\\n' < /proc/$$/cmdline > '${folder}/seen'\nenv >> '${folder}/seen'\nps -A -o args >> ` +
        `'${folder}/seen' 2>/dev/null\nexit 0\n`,
    );
    chmodSync(editor, 0o700);
    const [, key = ""] =
      /^HUB_ENCRYPTION_KEY=(.*)$/m.exec(await readFile(join(hub.folder, "config", "hub.env"), "utf8")) ?? [];
    const env = { EDITOR: editor, HUB_ENCRYPTION_KEY: key, X_CLIENT_SECRET: secrets.appKey };
    keep(["config", "edit"], await binary(["config", "edit"], { cwd: hub.folder, env }).ended);
    const seen = await readFile(join(folder, "seen"), "utf8");
    expect(seen).toContain("EDITOR=");
    expect(found(seen)).toEqual([]);
  });

  test("by a database that refuses", async () => {
    const folder = await scratch("pg");
    const owner = new URL(await freshDatabase());
    plant("owner password", decodeURIComponent(owner.password));
    const pg = async (argv: readonly string[], stdin = "", env: Readonly<Record<string, string>> = {}) => {
      const ran =
        Object.keys(env).length > 0
          ? await binary(argv, { cwd: folder, stdin, env }).ended
          : await psn(argv, { cwd: folder, stdin });
      return keep(argv, ran);
    };
    expect(await pg(["init", "--tz", "UTC", "--database-url-stdin"], owner.href)).toMatchObject({ code: 0 });
    const [, runtime = ""] =
      /^DATABASE_URL=(.*)$/m.exec(await readFile(join(folder, "config", "hub.env"), "utf8")) ?? [];
    plant("login password", new URL(runtime).password);
    for (const argv of [
      ["config", "list"],
      ["config", "list", "--json"],
      ["config", "get", "DATABASE_URL"],
      ["doctor"],
      ["queue"],
      ["db", "status"],
      ["init", "--json"],
    ])
      await pg(argv);
    const changed = (change: (to: URL) => void) => {
      const to = new URL(runtime);
      change(to);
      return to.href;
    };
    const urls = [
      changed((to) => {
        to.port = "1";
      }),
      changed((to) => {
        to.username = "nobody";
      }),
      changed((to) => {
        to.pathname = "/nothing";
      }),
      changed((to) => {
        to.password = secrets.wrong;
      }),
      runtime.replace("@", "#@"),
      runtime.replace("postgres:", "mysql:"),
    ];
    for (const DATABASE_URL of urls) {
      for (const argv of [["queue", "--json"], ["doctor"]])
        expect((await pg(argv, "", { DATABASE_URL })).code).not.toBe(0);
    }
    await pg(["config", "list", "--json"], "", { DATABASE_URL: urls[0] ?? "" });
  });

  test("in all that was printed", () => {
    expect(printed.length).toBeGreaterThan(200);
    const told = printed.flatMap(({ line, text }) => found(text).map((name) => `psn ${line} told the ${name}`));
    expect(told).toEqual([]);
  });
});

describe("nothing is kept", () => {
  test("in a row: what is sealed is sealed", async () => {
    expect(found(await hub.state())).toEqual([]);
    const tokens = await hub.rows("SELECT access_token, refresh_token, secret FROM psn.oauth_tokens");
    const values = tokens.flatMap((row) => Object.values(row)).filter((value) => value !== null);
    // A feed's empty token, Mastodon's, the webhook's, and Bluesky's three.
    expect(values.length).toBe(6);
    for (const value of values) expect(value).toMatch(/^v2\.[0-9a-f]{8}\.[A-Za-z0-9+/]+={0,2}$/);
  });

  test("in a file of the hub but hub.env and keys.env", async () => {
    await hub.close();
    const files = (await readdir(hub.folder, { recursive: true, withFileTypes: true })).filter((entry) =>
      entry.isFile(),
    );
    expect(files.length).toBeGreaterThan(100);
    const told: string[] = [];
    for (const entry of files) {
      const path = join(entry.parentPath, entry.name);
      const except = path.endsWith("config/hub.env") ? ["hub key"] : path.endsWith("config/keys.env") ? ["appKey"] : [];
      told.push(...found(await readFile(path), ...except).map((name) => `${path} holds the ${name}`));
    }
    expect(told).toEqual([]);
  });
});
