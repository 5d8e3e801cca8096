import { spawn, spawnSync } from "node:child_process";
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/*
 * snac2, a real server that speaks Mastodon's API: one small C program of Debian's, files only. It is fetched with this
 * machine's own package sources into a cache folder; nothing is installed. It is lenient where Mastodon is strict, so the
 * strict half of the tests has `mastodon.ts`.
 */

/** Debian's name for the release whose snac2 is new enough: in bookworm it is in backports only. */
const SUITES: Readonly<Record<string, string>> = { bookworm: "bookworm-backports" };
const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

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
  const cache = join(process.env["PSN_TEST_CACHE"] ?? fileURLToPath(new URL("../../node_modules/.cache/psn", import.meta.url)), "snac");
  const path = join(cache, "usr", "bin", "snac");
  try {
    if (!(await exists(path))) await fetchInto(cache);
  } catch (error) {
    return { missing: error instanceof Error ? error.message : String(error) };
  }
  const trial = spawnSync(path, [], { encoding: "utf8" });
  return /snac/.test(trial.stdout ?? "")
    ? { path }
    : { missing: `snac does not run here: ${(trial.stderr || trial.error?.message || "no output").trim()}` };
}

/** A private apt, with its own lists and no record of installed packages, over the mirror this machine uses anyway. */
async function fetchInto(cache: string): Promise<void> {
  const release = /^VERSION_CODENAME=(\w+)/m.exec(await readFile("/etc/os-release", "utf8"))?.[1] ?? "";
  const mirror = await debianMirror();
  if (!mirror || release === "") throw new Error("this machine has no Debian package source to take snac2 from");
  await mkdir(join(cache, ".."), { recursive: true });
  const folder = await mkdtemp(`${cache}-`);
  try {
    for (const part of ["lists/partial", "cache/archives/partial", "deb", "root"]) await mkdir(join(folder, part), { recursive: true });
    const signed = (await exists(KEYRING)) ? `[signed-by=${KEYRING}] ` : "";
    await writeFile(join(folder, "sources.list"), `deb ${signed}${mirror} ${SUITES[release] ?? release} main\n`);
    const settings = {
      "Dir::Etc::sourcelist": join(folder, "sources.list"),
      "Dir::Etc::sourceparts": "-",
      "Dir::State::lists": join(folder, "lists"),
      "Dir::State::status": "/dev/null",
      "Dir::Cache": join(folder, "cache"),
      "Debug::NoLocking": "1",
      "APT::Sandbox::User": "",
      "Acquire::Retries": "2",
      "Acquire::http::Timeout": "20",
    };
    const options = Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
    run("apt-get", [...options, "update", "-qq"], folder);
    run("apt-get", [...options, "download", "-qq", "snac2"], join(folder, "deb"));
    const [deb] = await readdir(join(folder, "deb"));
    if (!deb) throw new Error("apt-get downloaded no snac2");
    run("dpkg", ["-x", join(folder, "deb", deb), join(folder, "root")], folder);
    // Two files of a test run may fetch at once; the later one finds the folder there.
    await rename(join(folder, "root"), cache).catch(async (error: unknown) => {
      if (!(await exists(join(cache, "usr", "bin", "snac")))) throw error;
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The first source called `…/debian`, in either form of apt's source files. */
async function debianMirror(): Promise<string | undefined> {
  const parts = await readdir("/etc/apt/sources.list.d").catch(() => []);
  const files = ["/etc/apt/sources.list", ...parts.map((name) => join("/etc/apt/sources.list.d", name))];
  for (const file of files) {
    for (const line of (await readFile(file, "utf8").catch(() => "")).split("\n")) {
      const uri = /^(?:URIs:|deb(?:\s+\[[^\]]*\])?)\s.*?(https?:\/\/\S+\/debian\/?)(?:\s|$)/.exec(line)?.[1];
      if (uri) return uri;
    }
  }
  return undefined;
}

function run(program: string, args: readonly string[], cwd: string, input?: string): string {
  const done = spawnSync(program, args, { cwd, encoding: "utf8", timeout: 120_000, ...(input === undefined ? {} : { input }) });
  if (done.status === 0) return done.stdout;
  throw new Error(`${program} failed: ${(done.stderr || done.error?.message || `status ${done.status}`).trim().split("\n")[0]}`);
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
  const password = /User password is (\S+)/.exec(run(path, ["adduser", data, "alice"], folder, "alice\nAlice\n"))?.[1] ?? "";
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
    fetch(`${origin}${path}`, { method: "POST", body: new URLSearchParams(fields), redirect: "manual", keepalive: false });
  const app: unknown = await (await post("/api/v1/apps", { client_name: "psn", redirect_uris: redirect, scopes: "read write" })).json();
  const [client_id, client_secret] = [field(app, "client_id"), field(app, "client_secret")];
  const code = (
    await (await post("/oauth/x-snac-login", { login: "alice", passwd: password, redir: redirect, cid: client_id, state: "" })).text()
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
  const answer = await fetch(new URL(action, url), { method: "POST", body: fields, redirect: "manual", keepalive: false });
  const location = answer.headers.get("location");
  if (location === null) throw new Error(`snac sends nobody back: ${answer.status}`);
  return Object.fromEntries(new URL(location).searchParams);
}

function unescaped(html: string): string {
  return html.replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&amp;", "&");
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
      server.close(() => (typeof address === "object" && address ? resolve(address.port) : reject(new Error("no port"))));
    });
  });
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
