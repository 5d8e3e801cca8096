import { spawn, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { debianFiles, run } from "./debian.ts";

/*
 * snac2, a real server that speaks Mastodon's API: one small C program of Debian's, files only. It is fetched by
 * `debian.ts`. It is lenient where Mastodon is strict, so the
 * strict half of the tests has `mastodon.ts`.
 */

/** Debian's name for the release whose snac2 is new enough: in bookworm it is in backports only. */
const SUITES: Readonly<Record<string, string>> = { bookworm: "bookworm-backports" };

export type SnacProgram = { readonly path: string } | { readonly missing: string };

export interface Snac {
  readonly origin: string;
  /** Of the user `alice`, obtained through its OAuth endpoints. */
  readonly token: string;
  /** What `alice` does in the browser at this address, as the query she comes back with. */
  readonly consent: (url: string) => Promise<Readonly<Record<string, string>>>;
  readonly stop: () => Promise<void>;
}

/** Where the program is, fetched if need be; or, in words, why it cannot be had here. */
export async function snacProgram(): Promise<SnacProgram> {
  let path = "";
  try {
    path = join(
      await debianFiles("snac", (release) => ({ suite: SUITES[release] ?? release, packages: ["snac2"] })),
      "usr",
      "bin",
      "snac",
    );
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
  const trial = spawnSync(path, [], { encoding: "utf8" });
  return /snac/.test(trial.stdout ?? "")
    ? { path }
    : { missing: `snac does not run here: ${(trial.stderr || trial.error?.message || "no output").trim()}` };
}

/** Starts snac on 127.0.0.1 and a free port, with the one user `alice`. */
export async function startSnac(path: string): Promise<Snac> {
  const folder = await mkdtemp(join(tmpdir(), "psn-snac-"));
  const data = join(folder, "data");
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const origin = `http://${host}`;
  // The questions of `snac init`: address, port, host name, prefix, admin's address.
  run(path, ["init", data], folder, `127.0.0.1\n${port}\n${host}\n\nadmin@example.com\n`);
  const settings = join(data, "server.json");
  await writeFile(settings, (await readFile(settings, "utf8")).replace(/"protocol":\s*"https"/, '"protocol": "http"'));
  const password =
    /User password is (\S+)/.exec(run(path, ["adduser", data, "alice"], folder, "alice\nAlice\n"))?.[1] ?? "";
  const server = spawn(path, ["httpd", data], { stdio: "ignore" });
  const gone = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  const stop = async () => {
    server.kill("SIGTERM");
    const killer = setTimeout(() => server.kill("SIGKILL"), 3_000);
    await gone;
    clearTimeout(killer);
    await rm(folder, { recursive: true, force: true });
  };
  try {
    await answering(`${origin}/api/v1/instance`);
    return { origin, token: await tokenFor(origin, password), consent: (url) => consentAt(url, password), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function answering(url: string): Promise<void> {
  for (let tries = 0; tries < 100; tries++) {
    const answer = await fetch(url, { keepalive: false }).catch(() => undefined);
    if (answer?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error("snac does not answer");
}

/** Its OAuth, as an app does it: register, log in for a code, exchange the code. */
async function tokenFor(origin: string, password: string): Promise<string> {
  const redirect = "urn:ietf:wg:oauth:2.0:oob";
  const post = (path: string, fields: Record<string, string>) =>
    fetch(`${origin}${path}`, {
      method: "POST",
      body: new URLSearchParams(fields),
      redirect: "manual",
      keepalive: false,
    });
  const app: unknown = await (
    await post("/api/v1/apps", { client_name: "psn", redirect_uris: redirect, scopes: "read write" })
  ).json();
  const [client_id, client_secret] = [field(app, "client_id"), field(app, "client_secret")];
  const code = (
    await (
      await post("/oauth/x-snac-login", {
        login: "alice",
        passwd: password,
        redir: redirect,
        cid: client_id,
        state: "",
      })
    ).text()
  ).trim();
  const grant = { grant_type: "authorization_code", client_id, client_secret, redirect_uri: redirect, code };
  return field(await (await post("/oauth/token", grant)).json(), "access_token");
}

/** Reads the login form at `url`, fills it in and sends it: the form's own hidden fields go with it. */
async function consentAt(url: string, password: string): Promise<Readonly<Record<string, string>>> {
  const page = await (await fetch(url, { keepalive: false })).text();
  const [, action] = /<form[^>]*action="([^"]+)"/.exec(page) ?? [];
  if (!action) throw new Error(`snac shows no form: ${page.slice(0, 200)}`);
  const fields = new URLSearchParams({ login: "alice", passwd: password });
  for (const [, name = "", value = ""] of page.matchAll(/<input type="hidden" name="([^"]+)" value="([^"]*)"/g))
    fields.set(name, unescaped(value));
  const answer = await fetch(new URL(action, url), {
    method: "POST",
    body: fields,
    redirect: "manual",
    keepalive: false,
  });
  const location = answer.headers.get("location");
  if (location === null) throw new Error(`snac sends nobody back: ${answer.status}`);
  return Object.fromEntries(new URL(location).searchParams);
}

function unescaped(html: string): string {
  return html
    .replaceAll("&lt;", "<")
    .replaceAll("&gt;", ">")
    .replaceAll("&quot;", '"')
    .replaceAll("&#39;", "'")
    .replaceAll("&amp;", "&");
}

function field(value: unknown, name: string): string {
  const found: unknown = typeof value === "object" && value !== null ? Reflect.get(value, name) : undefined;
  if (typeof found !== "string" || found === "") throw new Error(`snac gave no ${name}`);
  return found;
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() =>
        typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port")),
      );
    });
  });
}
