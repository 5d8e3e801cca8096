import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hubEnvPath, parseEnvFile } from "@psn/core/utils/env.ts";
import pg from "pg";
import { type Remote, startRemote } from "../engine/recorder.ts";
import { type Receiver, startReceiver } from "../journeys/receiver.ts";
import { COMPILED_PSN } from "../support/cli-bundle.ts";
import { startCutting } from "../support/cutting-server.ts";
import { type MastodonFake, startMastodon } from "../support/mastodon.ts";
import { type Pds, startPds } from "../support/pds.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";
import type { Snac } from "../support/snac.ts";
import { connectOAuth, type OAuthServers, oauthEnv, startOAuthServers } from "./oauth.ts";
import { killAll, type Psn, startPsn } from "./process.ts";
import { RECORDER_HEADER } from "./recorders.ts";
import { connectSnac, startSnacIfThere } from "./snac.ts";
import { PASS_TIME } from "./time.ts";
import { type Holding, recordsOf, shownOf } from "./truth.ts";

export type DatabaseKind = "pg" | "embedded";

/** How a platform lets a lost answer be settled. */
export type Duplicates = "client-id" | "idempotency-key" | "refused" | "lookup" | "ask-human";

/** An account of a hub, and the way to what its platform really holds. */
export interface Target {
  readonly name: string;
  readonly platform: string;
  readonly accountId: string;
  readonly duplicates: Duplicates;
  /** Units are uploaded to first. */
  readonly prepares: boolean;
  /** The request that makes a post only names what was sent before it: there is no body worth cutting. */
  readonly wordless?: true;
  /** False where no picture can be sent from here. */
  readonly pictures?: false;
  /** False where the server deletes for no program. */
  readonly removes?: false;
  /** A thread is several units. */
  readonly threads: boolean;
  /** Where its server is; undefined for a folder. */
  readonly origin?: string;
  /** The path of the request that makes a post; empty where there is none. */
  readonly path: string;
  /** Everything the platform holds. */
  readonly holds: () => Promise<readonly Holding[]>;
  /** Where a person sees the post of this id, on the platforms that may leave one to them. */
  readonly addressOf?: (id: string) => string;
  /** Makes the server behave as this target is named. */
  readonly begin?: () => void;
  /** Makes the platform refuse the account's token, which may be exchanged. */
  readonly expire?: (psn: Psn) => Promise<void>;
  /** Connects the account again, where a token can be lost for good. */
  readonly reconnect?: (psn: Psn) => Promise<void>;
  /** Lets the next post be public only later. */
  readonly pend?: () => void;
}

/** A hub with an account on every platform. Runs on one hub follow each other. */
export interface Lane {
  readonly name: string;
  readonly database: DatabaseKind;
  readonly folder: string;
  readonly targets: readonly Target[];
  /** Real servers that ought to answer as one of the fakes does; what is done to posts there is killed, and no more. */
  readonly more: readonly Target[];
  readonly remote: Remote;
  /** A process that has the hub open, made if there is none at hand. */
  readonly psn: () => Promise<Psn>;
  /** One more, with these settings above the hub's own, on this hub or a copy of it. */
  readonly another: (env?: Readonly<Record<string, string>>, of?: string) => Promise<Psn>;
  /** Everything these deliveries wait for is over; asked of this process where the database has no other door. */
  readonly passTime: (psn: Psn, ids: readonly string[]) => Promise<void>;
  /** The address by which the program comes in; undefined for the embedded database. */
  readonly url: string | undefined;
  /** Ends all its processes. */
  readonly quiet: () => Promise<void>;
}

export interface Ground {
  /** Its lanes share one server, unless they ask for their own. */
  readonly lane: (database: DatabaseKind) => Promise<Lane>;
  /** A lane on a server of its own, which may be killed. */
  readonly laneAlone: () => Promise<Lane & { readonly postgres: Postgres }>;
  /** Why a server is left out, in words. */
  readonly missing: readonly string[];
  readonly stop: () => Promise<void>;
}

/** All the servers; none is reached from another machine, and all of them end with this process, however it ends. */
export async function startGround({
  bluesky = true,
  snac = true,
}: {
  readonly bluesky?: boolean;
  readonly snac?: boolean;
} = {}): Promise<Ground> {
  const root = mkdtempSync(join(tmpdir(), "psn-chaos-"));
  const broom = sweepAfter(root);
  const closing: (() => Promise<unknown>)[] = [];
  const ending = new AbortController();
  const stop = async () => {
    ending.abort(new Error("the suite was stopped"));
    await killAll();
    for (const close of closing.splice(0).toReversed()) await close().catch(() => undefined);
    await broom();
  };
  try {
    const starting = [
      bluesky ? startPds() : undefined,
      startPostgres(),
      snac ? startSnacIfThere() : undefined,
    ] as const;
    const [startingPds, startingPostgres, startingSnac] = starting;
    closing.push(
      async () => (await startingPds)?.stop(),
      async () => (await startingPostgres).stop(),
      async () => (await startingSnac)?.server?.stop(),
    );
    const [pds, postgres, { server: snacServer, missing = "" } = {}] = await Promise.all(starting);
    let serial = 0;
    const lane = async (database: DatabaseKind, server: Postgres) => {
      ending.signal.throwIfAborted();
      serial += 1;
      const servers = { pds, postgres: server, snac: snacServer };
      return openLane({ root, name: `lane${serial}`, database, ...servers, closing, ending: ending.signal });
    };
    return {
      lane: (database) => lane(database, postgres),
      laneAlone: async () => {
        ending.signal.throwIfAborted();
        const own = await startPostgres();
        closing.push(() => own.stop());
        return { ...(await lane("pg", own)), postgres: own };
      },
      missing: missing === "" ? [] : [missing],
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A shell that removes the folder when this process is gone, even by SIGKILL; what is returned does it now. */
function sweepAfter(root: string): () => Promise<void> {
  const script = 'trap "" HUP INT TERM; read -r _; sleep 0.2; rm -rf "$1"; rm -rf "$1"';
  const child = spawn("/bin/sh", ["-c", script, "sh", root], { stdio: ["pipe", "ignore", "ignore"], detached: true });
  child.unref();
  return () =>
    new Promise((resolve) => {
      child.once("close", () => resolve());
      child.stdin.end();
    });
}

interface Opening {
  readonly root: string;
  readonly name: string;
  readonly database: DatabaseKind;
  readonly pds: Pds | undefined;
  readonly postgres: Postgres;
  readonly snac: Snac | undefined;
  readonly closing: (() => Promise<unknown>)[];
  /** Nothing is started any more. */
  readonly ending: AbortSignal;
}

async function openLane({ root, name, database, pds, postgres, snac, closing, ending }: Opening): Promise<Lane> {
  const folder = join(root, name);
  // The embedded database's socket lies below, and what a killed holder leaves there goes with everything else.
  const temporary = join(root, "t");
  mkdirSync(temporary, { recursive: true });
  await mkdir(folder);
  const ownerUrl = database === "pg" ? await postgres.createDatabase() : undefined;
  ending.throwIfAborted();
  initialise(folder, temporary, ownerUrl);
  const settingsFile = hubEnvPath(folder);
  const settings = parseEnvFile(await readFile(settingsFile, "utf8"), settingsFile);
  const url = settings.find((entry) => entry.name === "DATABASE_URL")?.value;

  const remote = startRemote();
  const recorder = await startCutting(async (request) => {
    const { pathname, search } = new URL(request.url);
    const { method, headers } = request;
    const text = method === "GET" ? "" : await request.text();
    const body = text === "" ? {} : { body: text };
    // What the recorder throws is a connection that breaks.
    return remote
      .fetch(`${headers.get(RECORDER_HEADER)}${pathname}${search}`, { method, headers, ...body })
      .catch(() => "reset" as const);
  });
  const mastodon = await startMastodon({ requests: Number.MAX_SAFE_INTEGER });
  const receiver = startReceiver();
  const oauth = await startOAuthServers();
  closing.push(
    () => recorder.stop(),
    () => receiver.stop(),
    () => mastodon.stop(),
    () => oauth.stop(),
  );

  const running = new Set<Psn>();
  const another = async (env: Readonly<Record<string, string>> = {}, of = folder) => {
    ending.throwIfAborted();
    const psn = await startPsn(of, {
      TMPDIR: temporary,
      PSN_CHAOS_RECORDER: recorder.origin,
      ...oauthEnv(oauth),
      ...env,
    });
    running.add(psn);
    void psn.gone.then(() => running.delete(psn));
    return psn;
  };
  let current: Psn | undefined;
  const psn = async () => {
    if (!current?.alive()) current = await another();
    return current;
  };
  return {
    name,
    database,
    folder,
    remote,
    url,
    targets: await connectAll(await psn(), {
      name,
      pds,
      mastodon,
      receiver,
      remote,
      recorder: recorder.origin,
      folder,
      oauth,
    }),
    more: snac ? [await connectSnac(await psn(), snac)] : [],
    psn,
    another,
    passTime: async (by, ids) => {
      if (ownerUrl === undefined) await by.ask({ do: "passTime", ids });
      else await asOwner(ownerUrl, ids);
    },
    quiet: async () => {
      await Promise.all([...running].map((one) => Promise.race([one.end(), Bun.sleep(5_000).then(one.kill)])));
      current = undefined;
    },
  };
}

function initialise(folder: string, temporary: string, ownerUrl: string | undefined): void {
  const argv = ["init", "--tz", "UTC", ...(ownerUrl === undefined ? [] : ["--database-url-stdin"])];
  const { status, stderr } = spawnSync(COMPILED_PSN, argv, {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", HOME: folder, TMPDIR: temporary },
    input: ownerUrl ?? "",
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the hub was not made: ${stderr}`);
}

async function asOwner(url: string, ids: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    for (const statement of PASS_TIME) await client.query(statement, statement.includes("$1") ? [[...ids]] : []);
  } finally {
    await client.end();
  }
}

interface Servers {
  readonly name: string;
  readonly folder: string;
  readonly pds: Pds | undefined;
  readonly mastodon: MastodonFake;
  readonly receiver: Receiver;
  readonly remote: Remote;
  readonly recorder: string;
  readonly oauth: OAuthServers;
}

/** An account everywhere, connected as `psn connect` does. */
async function connectAll(
  psn: Psn,
  { name, folder, pds, mastodon, receiver, remote, recorder, oauth }: Servers,
): Promise<Target[]> {
  const targets: Target[] = pds ? [await connectBluesky(psn, pds, `${name}.test`)] : [];
  const { origin, token, statuses, switches } = mastodon;
  const fediverse = await psn.connect("mastodon", { form: { server: origin, token } });
  // Of three servers that were measured one honours the key; they are one account of one server here, which changes its
  // mind.
  for (const idempotency of ["honoured", "ignored"] as const) {
    targets.push({
      name: idempotency === "honoured" ? "mastodon" : "mastodon, no keys",
      platform: "mastodon",
      accountId: fediverse,
      duplicates: "idempotency-key",
      prepares: true,
      threads: true,
      origin,
      path: "/api/v1/statuses",
      holds: async () => statuses.map(({ id, text, parent, media }) => ({ id, text, parent, media: media.length })),
      begin: () => {
        switches.idempotency = idempotency;
      },
    });
  }
  for (const platform of ["chosen", "searched", "blind"] as const) {
    const account = `${name}-${platform}`;
    targets.push({
      name: platform,
      platform,
      accountId: await psn.connect(platform, { form: { name: account } }),
      duplicates: ({ chosen: "client-id", searched: "lookup", blind: "ask-human" } as const)[platform],
      prepares: true,
      threads: true,
      origin: recorder,
      path: "/posts",
      holds: async () =>
        remote.posts
          .filter((post) => post.account === account)
          .map(({ id, text, parent, media }) => ({ id, text, parent, media: Array.isArray(media) ? media.length : 0 })),
      addressOf: (id) => `https://${platform}.example/${id}`,
      expire: async () => remote.expire(account),
      pend: () => remote.fault("pending", account),
    });
  }
  targets.push(...(await connectOAuth(psn, oauth)));
  const publicFolder = join(folder, "public");
  const merging = { duplicates: "client-id", prepares: false, threads: false } as const;
  targets.push({
    ...merging,
    name: "feed",
    platform: "feed",
    accountId: await psn.connect("feed", { form: { folder: publicFolder } }),
    path: "",
    holds: () => shownOf(publicFolder),
  });
  const { url, secret } = receiver;
  targets.push({
    ...merging,
    name: "webhook",
    platform: "webhook",
    accountId: await psn.connect("webhook", { form: { url, secret } }),
    origin: new URL(url).origin,
    path: "/hook",
    holds: async () => receiver.taken.map(({ id, text }) => ({ id, text, parent: null, media: null })),
  });
  return targets;
}

async function connectBluesky(psn: Psn, pds: Pds, handle: string): Promise<Target> {
  const { did, password } = await pds.createAccount(handle);
  const accountId = await psn.connect("bluesky", { form: { identifier: handle, password, server: pds.url } });
  return {
    name: "bluesky",
    platform: "bluesky",
    accountId,
    duplicates: "client-id",
    prepares: true,
    threads: true,
    origin: pds.url,
    path: "/xrpc/com.atproto.repo.putRecord",
    holds: () => recordsOf(pds.url, did),
    expire: async (by) => {
      const access = String(await by.ask({ do: "readAccess", accountId }));
      await by.ask({ do: "storeAccess", accountId, access: pds.expire(access) });
    },
  };
}
