import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { consentAt, type Jar } from "./pds-consent.ts";

/*
 * A real Bluesky server (PDS) with a real directory of identities (PLC), on this machine only. The first test that
 * needs it installs it (half a minute, 250 MB: a native addon is compiled), into $PSN_TEST_CACHE or
 * node_modules/.cache/psn; every later one starts it in a second. It runs on Node, which must be there.
 */
const PDS = "0.4.217";
const PLC = "0.0.1";

export interface PdsAccount {
  readonly did: string;
  readonly handle: string;
  /** An app password. */
  readonly password: string;
}

export interface Pds {
  /** Its origin, `http://localhost:<port>`. */
  readonly url: string;
  /** `handle` ends in `.test`. */
  readonly createAccount: (handle: string) => Promise<PdsAccount>;
  /** What the account's owner does in the browser at this address, as the query they come back with. */
  readonly consent: (
    account: PdsAccount,
    url: string,
    pressed?: "accept" | "reject",
  ) => Promise<Readonly<Record<string, string>>>;
  /** What the directory of identities answers for a DID: the document that the server got from it. */
  readonly directory: (did: string) => Promise<Response>;
  /** Deletes every post of the account. */
  readonly clear: (account: PdsAccount) => Promise<void>;
  /** Takes the app password back, and every session that began with it. */
  readonly revoke: (account: PdsAccount) => Promise<void>;
  /** The same token, expired an hour ago, and signed by the server. */
  readonly expire: (jwt: string) => string;
  readonly stop: () => Promise<void>;
}

export async function startPds(): Promise<Pds> {
  const modules = await installed();
  const data = await mkdtemp(join(tmpdir(), "psn-pds-"));
  const jwtSecret = randomBytes(16).toString("hex");
  const script = fileURLToPath(new URL("./pds-server.cjs", import.meta.url));
  const child = spawn("node", [script, JSON.stringify({ modules, data, jwtSecret })], {
    env: nodeEnv(),
    stdio: ["pipe", "pipe", "pipe"],
  });
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      const gone = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await gone;
    }
    await rm(data, { recursive: true, force: true });
  };
  let url: string;
  try {
    url = await ready(child);
  } catch (error) {
    await stop();
    throw error;
  }
  const owners = new Map<string, string>();
  const passwords = new Map<string, string>();
  const jars = new Map<string, Jar>();
  return {
    url,
    createAccount: async (handle) => {
      const ownPassword = randomBytes(12).toString("hex");
      const made = await xrpc(url, "server.createAccount", {
        handle,
        email: `${handle}@example.com`,
        password: ownPassword,
      });
      const { password } = await xrpc(url, "server.createAppPassword", { name: "psn" }, made["accessJwt"]);
      const { did } = made;
      owners.set(did ?? "", made["accessJwt"] ?? "");
      passwords.set(did ?? "", ownPassword);
      return { did: did ?? "", handle, password: password ?? "" };
    },
    consent: async ({ did, handle }, page, pressed = "accept") => {
      const jar = jars.get(did) ?? new Map<string, string>();
      jars.set(did, jar);
      return consentAt(page, { did, handle, password: passwords.get(did) ?? "" }, pressed, jar);
    },
    directory: async (did) => {
      const answer = await fetch(`${url}/xrpc/com.atproto.repo.describeRepo?repo=${encodeURIComponent(did)}`);
      const { didDoc }: { didDoc?: object } = await answer.json();
      return didDoc
        ? Response.json(didDoc, { headers: { "content-type": "application/did+ld+json" } })
        : new Response("", { status: 404 });
    },
    clear: async ({ did }) => {
      const collection = "app.bsky.feed.post";
      const list = await fetch(
        `${url}/xrpc/com.atproto.repo.listRecords?repo=${did}&collection=${collection}&limit=100`,
      );
      const { records }: { records: { uri: string }[] } = await list.json();
      for (const { uri } of records)
        await xrpc(url, "repo.deleteRecord", { repo: did, collection, rkey: uri.split("/").at(-1) }, owners.get(did));
    },
    revoke: async ({ did }) => {
      await xrpc(url, "server.revokeAppPassword", { name: "psn" }, owners.get(did));
    },
    expire: (jwt) => resign(jwt, jwtSecret),
    stop,
  };
}

async function xrpc(
  url: string,
  method: string,
  body: object,
  token?: string,
): Promise<Record<string, string | undefined>> {
  const headers = { "content-type": "application/json", ...(token ? { authorization: `Bearer ${token}` } : {}) };
  const response = await fetch(`${url}/xrpc/com.atproto.${method}`, {
    method: "POST",
    headers,
    body: JSON.stringify(body),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method}: ${response.status} ${text}`);
  return text === "" ? {} : JSON.parse(text);
}

function resign(jwt: string, secret: string): string {
  const [header = "", payload = ""] = jwt.split(".");
  const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
  const past = Math.floor(Date.now() / 1000) - 3600;
  const changed = Buffer.from(JSON.stringify(Object.assign({}, claims, { iat: past - 60, exp: past }))).toString(
    "base64url",
  );
  const signed = `${header}.${changed}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** The line the server prints when both of its halves answer. */
function ready(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let out = "";
    let said = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      out += chunk.toString();
      const line = out.split("\n").find((text) => text.startsWith('{"url"'));
      if (line && out.includes("\n")) resolve(JSON.parse(line).url);
    });
    child.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the PDS ended with ${code}: ${said.slice(-2000)}`)));
  });
}

/** `bun --bun` puts a `node` of its own, which is Bun, in front of the path. */
function nodeEnv(): NodeJS.ProcessEnv {
  const path = (process.env["PATH"] ?? "").split(delimiter).filter((folder) => !/bun-node/.test(folder));
  return { ...process.env, PATH: path.join(delimiter), NODE_OPTIONS: "" };
}

/** The folder the server is installed in; installs it once, however many test files ask at the same time. */
async function installed(): Promise<string> {
  const cache =
    process.env["PSN_TEST_CACHE"] ?? fileURLToPath(new URL("../../node_modules/.cache/psn", import.meta.url));
  const folder = join(cache, `pds-${PDS}`);
  if (existsSync(folder)) return folder;
  await mkdir(cache, { recursive: true });
  const lock = `${folder}.lock`;
  while (!(await take(lock))) {
    await sleep(500);
    if (existsSync(folder)) return folder;
  }
  try {
    if (!existsSync(folder)) await install(folder);
  } finally {
    await rm(lock, { force: true });
  }
  return folder;
}

/** False while another living process holds the lock. */
async function take(lock: string): Promise<boolean> {
  try {
    await writeFile(lock, String(process.pid), { flag: "wx" });
    return true;
  } catch {
    const owner = Number(await readFile(lock, "utf8").catch(() => "0"));
    if (owner > 0 && !isAlive(owner)) await rm(lock, { force: true });
    return false;
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/**
 * Where the headers of this very node lie, if they came with it: its database is compiled, and node-gyp would fetch
 * them else.
 */
function ownHeaders(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const program = spawnSync("node", ["-p", "process.execPath"], { env, encoding: "utf8" }).stdout.trim();
  const prefix = dirname(dirname(program));
  return existsSync(join(prefix, "include", "node", "node.h")) ? { npm_config_nodedir: prefix } : {};
}

/** Beside its place first, then renamed: a folder that is there is whole. */
async function install(folder: string): Promise<void> {
  const draft = `${folder}.draft`;
  await rm(draft, { recursive: true, force: true });
  await mkdir(draft, { recursive: true });
  await writeFile(join(draft, "package.json"), JSON.stringify({ name: "psn-test-pds", private: true }));
  const packages = [`@atproto/pds@${PDS}`, `@did-plc/server@${PLC}`];
  await done(draft, process.execPath, ["add", "--exact", "--ignore-scripts", ...packages]);
  // Bun runs no script of a package that npm's own node-gyp is needed for.
  await done(draft, "npm", ["rebuild", "better-sqlite3"]);
  await rename(draft, folder);
}

async function done(cwd: string, program: string, args: readonly string[]): Promise<void> {
  const child = spawn(program, args, {
    cwd,
    // Unoptimised, its SQLite compiles in a quarter of the time, and no test here is slower for it.
    env: {
      ...ownHeaders(nodeEnv()),
      ...nodeEnv(),
      npm_config_build_from_source: "true",
      CFLAGS: "-O0",
      CXXFLAGS: "-O0",
      JOBS: "max",
    },
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  const code = await new Promise<number | null>((resolve, reject) => child.once("error", reject).once("exit", resolve));
  if (code !== 0)
    throw new Error(`the PDS could not be installed: ${program} ended with ${code}: ${said.slice(-2000)}`);
}
