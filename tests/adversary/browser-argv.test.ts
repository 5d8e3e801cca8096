import { spawn, spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openBrowser } from "@psn/cli/browser.ts";
import { startPage } from "@psn/cli/start-page.ts";
import { SCOPES } from "@psn/platforms/x/connect.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type AuthorizationServer, startAuthorizationServer } from "../support/authorization-server.ts";
import { documentOf, scratch, type TestHub, testHub } from "../support/cli.ts";
import { COMPILED_PSN } from "../support/cli-bundle.ts";
import { type MastodonFake, startMastodon } from "../support/mastodon.ts";
import { until } from "../support/until.ts";
import { startX, type XFake } from "../support/x.ts";

/*
 * What another user of the machine can read of a browser that psn starts, and what is to be done with it.
 */

const PORT = 18_977;
const CALLBACK = `http://127.0.0.1:${PORT}/callback`;
/** Another user's connections can be made by root alone. */
const isRoot = process.getuid?.() === 0;

let hub: TestHub;
let as: AuthorizationServer;
let x: XFake;
let mastodon: MastodonFake;
beforeAll(async () => {
  as = await startAuthorizationServer({}, { scopes: SCOPES, redirectUri: CALLBACK });
  const forward = async (request: Request) => {
    const headers = Object.fromEntries(
      ["authorization", "content-type"].map((name) => [name, request.headers.get(name) ?? ""]),
    );
    return fetch(`${as.origin}/token`, { method: "POST", headers, body: await request.text() });
  };
  x = await startX({}, as.apps.basic, { answer: forward, scopesOf: async () => [...SCOPES] });
  mastodon = await startMastodon();
  hub = await testHub({ feed: false });
});
afterAll(async () => {
  await Promise.all([as.stop(), x.stop(), mastodon.stop()]);
});

interface Started {
  /** Every word the browser was started with, and its line in the process list. */
  readonly seen: string;
  readonly address: string;
  readonly said: () => string;
  /** Types Ctrl-C, or waits for the end where `stop` is false. */
  readonly end: (stop?: boolean) => Promise<number | null>;
}

/** psn at a terminal, with a browser that only writes down how it was started. */
async function connectAtTerminal(...argv: readonly string[]): Promise<Started> {
  const bin = await scratch("bin");
  const record = join(bin, "seen");
  for (const name of ["xdg-open", "open"]) {
    const path = join(bin, name);
    writeFileSync(
      path,
      `#!/bin/sh\n{ tr '\\000' '\\n' < /proc/$$/cmdline; printf '%s\\n' "$@"; } > "${record}.part"\nmv ` +
        `"${record}.part" "${record}"\n`,
    );
    chmodSync(path, 0o755);
  }
  const keys = Object.fromEntries(
    ["LINKEDIN_CLIENT_ID", "LINKEDIN_CLIENT_SECRET", "THREADS_APP_ID", "THREADS_APP_SECRET"].map((name) => [
      name,
      `own-${name}`,
    ]),
  );
  const child = spawn("script", ["-qefc", `"$PSN" ${argv.map((word) => `'${word}'`).join(" ")}`, "/dev/null"], {
    cwd: hub.folder,
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      PATH: `${bin}:${process.env["PATH"]}`,
      HOME: hub.folder,
      TERM: "dumb",
      PSN: COMPILED_PSN,
      X_CLIENT_ID: as.apps.basic.id,
      X_CLIENT_SECRET: as.apps.basic.secret ?? "",
      PSN_ORIGINS: `https://api.x.com=${x.origin}`,
      ...keys,
    },
  });
  let said = "";
  child.stdout.on("data", (text: Buffer) => {
    said += text.toString();
  });
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  await until(`the browser is started: ${argv.join(" ")}`, () => existsSync(record) || child.exitCode !== null);
  if (!existsSync(record)) throw new Error(`psn ended: ${said}`);
  const seen = readFileSync(record, "utf8");
  return {
    seen,
    address: /http\S+/.exec(seen)?.[0] ?? "",
    said: () => said,
    end: (stop = true) => {
      if (stop) child.stdin.write("\u0003");
      return ended;
    },
  };
}

const visit = (address: string) => fetch(address, { redirect: "manual" });
const accounts = async () => documentOf(await hub.psn(["accounts", "--json"]))["accounts"];

describe("the process list holds nothing of an authorisation", () => {
  test.each([
    ["x", ["--port", String(PORT)], "https://x.com/i/oauth2/authorize"],
    ["linkedin", ["--port", String(PORT)], "https://www.linkedin.com/oauth/v2/authorization"],
    ["threads", ["--redirect", "https://ada.example/psn"], "https://threads.com/oauth/authorize"],
    ["mastodon", [], "mastodon"],
  ])("%s", async (platform, flags, leadsTo) => {
    const server = platform === "mastodon" ? [mastodon.origin] : [];
    const { seen, address, end } = await connectAtTerminal("connect", platform, ...server, ...flags);
    expect(seen).not.toMatch(/state|challenge|client|redirect|scope|request_uri|own-/i);
    expect(address).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/start\/[\w-]{20,}$/);
    const answer = await visit(address);
    const to = new URL(answer.headers.get("location") ?? "");
    expect(answer.status).toBe(303);
    expect(to.href).toContain(platform === "mastodon" ? mastodon.origin : leadsTo);
    expect(to.searchParams.get("state")?.length ?? 0).toBeGreaterThan(10);
    expect(answer.headers.get("referrer-policy")).toBe("no-referrer");
    await end();
  });

  test("an address with a query is never given to a browser", async () => {
    await expect(openBrowser("https://example.com/authorize?state=1")).rejects.toMatchObject({ code: "BUG" });
  });
});

test("the person's browser goes there, consents, and is connected", async () => {
  const started = await connectAtTerminal("connect", "x", "--port", String(PORT));
  const to = new URL((await visit(started.address)).headers.get("location") ?? "");
  const back = new URL(CALLBACK);
  const query = await as.consent(`${as.origin}/auth${to.search}&prompt=consent`);
  for (const [name, value] of Object.entries(query)) back.searchParams.set(name, value);
  expect(await (await fetch(back)).text()).toContain("is connected");
  expect(await started.end(false), started.said()).toBe(0);
  expect(await accounts()).toMatchObject([{ platform: "x" }]);
  expect(await hub.psn(["disconnect", "x", "--yes"])).toMatchObject({ code: 0 });
});

test("whoever fetches the address before the person's browser ends the attempt, and connects nothing", async () => {
  const started = await connectAtTerminal("connect", "x", "--port", String(PORT), "--another");
  const to = new URL((await visit(started.address)).headers.get("location") ?? "");
  const theirs = await as.consent(`${as.origin}/auth${to.search}&prompt=consent`, { login: "mallory" });
  const page = await visit(started.address);
  expect([page.status, await page.text()]).toEqual([409, expect.stringContaining("nothing was connected")]);
  expect(await started.end(false)).toBe(4);
  expect(started.said()).toContain("CONSENT_SHARED");
  const back = new URL(CALLBACK);
  for (const [name, value] of Object.entries(theirs)) back.searchParams.set(name, value);
  await expect(fetch(back)).rejects.toThrow();
  expect(await accounts()).toEqual([]);
});

test("an answer that came before the person's browser did is not kept when that comes", async () => {
  const page = startPage("https://example.com/", "psn connect x");
  await visit(page.address);
  page.assertAlone();
  await visit(page.address);
  expect(page.assertAlone).toThrow(expect.objectContaining({ code: "CONSENT_SHARED", hint: "psn connect x" }));
  await expect(page.shared).rejects.toMatchObject({ code: "CONSENT_SHARED" });
  await page.close();
});

test("another path, method or host is refused, and does not use the address up", async () => {
  const page = startPage("https://example.com/there", "psn connect x");
  expect((await visit(new URL("/start/guessed", page.address).href)).status).toBe(404);
  expect((await fetch(page.address, { method: "POST" })).status).toBe(403);
  expect((await fetch(page.address, { headers: { host: "evil.example" } })).status).toBe(403);
  expect((await visit(page.address)).headers.get("location")).toBe("https://example.com/there");
  await page.close();
});

test.runIf(isRoot && process.platform === "linux")(
  "another user of the machine is refused, at the start and where the browser comes back",
  async () => {
    const started = await connectAtTerminal("connect", "x", "--port", String(PORT));
    const asStranger = (address: string) =>
      spawnSync(
        "setpriv",
        [
          "--reuid=65534",
          "--regid=65534",
          "--clear-groups",
          "curl",
          "-s",
          "-o",
          "/dev/null",
          "-w",
          "%{http_code} %{redirect_url}",
          address,
        ],
        {
          encoding: "utf8",
        },
      ).stdout;
    expect(asStranger(started.address)).toBe("403 ");
    const to = new URL((await visit(started.address)).headers.get("location") ?? "");
    expect(asStranger(`${CALLBACK}?state=${to.searchParams.get("state")}&code=evil`)).toBe("403 ");
    await started.end();
    expect(started.said()).not.toContain("CONSENT_SHARED");
  },
);
