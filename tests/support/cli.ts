import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { createIo } from "@psn/cli/io.ts";
import { run } from "@psn/cli/program.ts";
import type { Database } from "@psn/core/db/connection.ts";
import { openEmbedded } from "@psn/core/db/drivers/embedded.ts";
import { ERRORS, type ErrorCode } from "@psn/core/errors.ts";
import { expect } from "vitest";
import { png } from "../../scripts/png.ts";
import { afterFile } from "./after-file.ts";
import { COMPILED_PSN } from "./cli-bundle.ts";
import { schemaErrors } from "./documents.ts";
import { embeddedFolder, removeEmbeddedFolders } from "./embedded.ts";
import { lastingFolder } from "./lasting-folder.ts";

/*
 * The command line, run in two ways: `psn` in this process, by the same `run` as main.ts and with streams that
 * remember, and `binary` as a process of its own. And hubs to run it in: each is a copy of one that was made once, its
 * embedded database held open by the test, so that every command comes in by the socket and the test can look at the
 * rows.
 */

// The hub and the terminal of whoever runs the tests are none of theirs.
for (const name of Object.keys(process.env)) {
  if (/^(PSN_|DATABASE_|HUB_|S3_|NO_COLOR$|FORCE_COLOR$|CI$|TERM$|EDITOR$|VISUAL$|[A-Z]+_(CLIENT|APP)_)/.test(name))
    delete process.env[name];
}

// What psn remembers of a hub outside of it is remembered here.
const remembered = mkdtempSync(join(tmpdir(), "psn-state-"));
process.env["XDG_STATE_HOME"] = remembered;

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface PsnOptions {
  readonly cwd: string;
  readonly stdin?: string | Uint8Array;
  /** Which streams are a terminal; none if not said. */
  readonly tty?: readonly ("stdin" | "stdout" | "stderr")[];
  /** How wide the terminal is; it does not tell if not said. */
  readonly columns?: number;
  readonly signal?: AbortSignal;
}

/** One command line in this process. */
export async function psn(
  argv: readonly string[],
  { cwd, stdin = "", tty = [], columns, signal }: PsnOptions,
): Promise<Ran> {
  let stdout = "";
  let stderr = "";
  const sink = (name: "stdout" | "stderr", write: (text: string) => void) =>
    ({ isTTY: tty.includes(name), columns, write }) as unknown as NodeJS.WriteStream;
  const input = Object.assign(Readable.from(stdin.length === 0 ? [] : [Buffer.from(stdin)]), {
    isTTY: tty.includes("stdin"),
  });
  const io = createIo({
    stdin: input as unknown as NodeJS.ReadStream,
    stdout: sink("stdout", (text) => {
      stdout += text;
    }),
    stderr: sink("stderr", (text) => {
      stderr += text;
    }),
    cwd,
    version: "0.0.0",
    signal: signal ?? new AbortController().signal,
  });
  const code = await run(argv, io);
  const flags = argv.slice(0, argv.includes("--") ? argv.indexOf("--") : undefined);
  // Help is a text, whatever else is asked for.
  if (stdout !== "" && flags.includes("--json") && !flags.includes("--help"))
    expect(await schemaErrors(argv, JSON.parse(stdout)), `psn ${argv.join(" ")}: ${stdout}`).toEqual([]);
  return { code, stdout, stderr };
}

export interface BinaryOptions {
  readonly cwd: string;
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** Standard input stays open for what is typed later, at `child.stdin`. */
  readonly typing?: true;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ran & { readonly signal: NodeJS.Signals | null }>;
  /** Once stdout or stderr holds this. */
  says(text: string): Promise<void>;
}

const running = new Set<ChildProcess>();

/** One command line as a process, with an environment of its own. */
export function binary(argv: readonly string[], { cwd, stdin = "", env = {}, typing }: BinaryOptions): Running {
  const child = spawn(COMPILED_PSN, [...argv], {
    cwd,
    env: { PATH: process.env["PATH"] ?? "", HOME: cwd, ...env },
  });
  running.add(child);
  let stdout = "";
  let stderr = "";
  const waiting = new Set<() => void>();
  const heard = () => {
    for (const look of waiting) look();
  };
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    heard();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    heard();
  });
  // A command that reads nothing may be gone before it could have.
  child.stdin.on("error", () => undefined);
  if (typing) child.stdin.write(stdin);
  else child.stdin.end(stdin);
  const ended = new Promise<Ran & { readonly signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      running.delete(child);
      resolve({ code: code ?? -1, stdout, stderr, signal });
      heard();
    });
  });
  const says = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (stdout.includes(text) || stderr.includes(text)) resolve();
        else if (!running.has(child)) reject(new Error(`psn ended without saying "${text}": ${stdout}${stderr}`));
        else return;
        waiting.delete(look);
      };
      waiting.add(look);
      look();
    });
  return { child, ended, says };
}

const folders = new Set<string>();
const closing = new Set<() => Promise<void>>();

/** A folder that is gone after the file's tests. */
export async function scratch(name = "scratch"): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `psn-cli-${name}-`));
  folders.add(folder);
  return folder;
}

afterFile(async () => {
  for (const child of running) child.kill("SIGKILL");
  await Promise.all([...closing].map((close) => close()));
  await removeEmbeddedFolders();
  for (const folder of [...folders, remembered]) await rm(folder, { recursive: true, force: true });
  folders.clear();
});

/** Made once in a worker, for all its files. */
let template: Promise<string> | undefined;

async function makeTemplate(): Promise<string> {
  const folder = await lastingFolder("psn-cli-template-");
  // What takes long is making the database; a migrated one is at hand, and `init` keeps it.
  copy(await embeddedFolder(), join(folder, "data"));
  const { code, stderr } = await psn(["init", "--tz", "Europe/Berlin"], { cwd: folder });
  if (code !== 0) throw new Error(`the hub to copy was not made: ${stderr}`);
  return folder;
}

function copy(from: string, to: string): void {
  const { status, stderr } = spawnSync("cp", ["-R", from, to], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${from} was not copied: ${stderr}`);
}

/** The folder of a hub that nobody has open. */
export async function closedHub(): Promise<string> {
  template ??= makeTemplate();
  const folder = join(await scratch("hub"), "hub");
  copy(await template, folder);
  return folder;
}

export interface TestHub {
  readonly folder: string;
  /** The connected feed's folder. */
  readonly feed: string;
  /** In this process, in the hub's folder. */
  readonly psn: (argv: readonly string[], options?: Omit<PsnOptions, "cwd">) => Promise<Ran>;
  /** As a process, in the hub's folder. */
  readonly binary: (argv: readonly string[], options?: Omit<BinaryOptions, "cwd">) => Running;
  /** Rows as the owner of the database sees them. */
  readonly rows: (
    statement: string,
    values?: readonly unknown[],
  ) => Promise<readonly Readonly<Record<string, unknown>>[]>;
  /** Everything psn keeps: rows, settings with their modes, the feed. */
  readonly state: () => Promise<string>;
  readonly close: () => Promise<void>;
}

/** A hub of one's own, its database held open by the test, with a feed connected unless told otherwise. */
export async function testHub({ feed: connected = true } = {}): Promise<TestHub> {
  const folder = await closedHub();
  const feed = join(folder, "public");
  const database = await openEmbedded(join(folder, "data"));
  const owner = ownerOf(database);
  let closed: Promise<void> | undefined;
  const close = () => {
    closing.delete(close);
    closed ??= database.close();
    return closed;
  };
  closing.add(close);
  const rows: TestHub["rows"] = (statement, values) => owner(statement, values);
  const hub: TestHub = {
    folder,
    feed,
    psn: (argv, options) => psn(argv, { ...options, cwd: folder }),
    binary: (argv, options) => binary(argv, { ...options, cwd: folder }),
    rows,
    state: () => stateOf(folder, rows),
    close,
  };
  if (connected) {
    const { code, stderr } = await hub.psn(["connect", "feed", feed, "--title", "Notes"]);
    if (code !== 0) throw new Error(`the feed was not connected: ${stderr}`);
  }
  return hub;
}

function ownerOf(database: Database): TestHub["rows"] {
  return async (statement, values) => {
    if (!database.asOwner) throw new Error("the embedded database has an owner");
    return database.asOwner(async (client) => (await client.query(statement, values)).rows);
  };
}

const TABLES = [
  "users",
  "accounts",
  "oauth_tokens",
  "api_keys",
  "posts",
  "media",
  "deliveries",
  "delivery_units",
  "delivery_events",
  "slots",
];

async function stateOf(folder: string, rows: TestHub["rows"]): Promise<string> {
  const parts: string[] = [];
  for (const table of TABLES) {
    for (const { row } of await rows(`SELECT row_to_json(t)::text AS row FROM psn.${table} t ORDER BY 1`))
      parts.push(`${table} ${String(row)}`);
  }
  for (const name of ["config", "public"]) parts.push(...(await filesOf(join(folder, name))));
  return parts.join("\n");
}

/** Every file below: path, mode and hash. Not that a hub was seen, which is noted with every command. */
export async function filesOf(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (!entry.isFile() || /^\.?incarnation\.(seen|lock)/.test(entry.name)) continue;
    const { mode } = await stat(path);
    found.push(
      `${path} ${(mode & 0o777).toString(8)} ${createHash("sha256")
        .update(await readFile(path))
        .digest("hex")}`,
    );
  }
  return found.toSorted();
}

/** What differs from run to run, by names that do not. */
export function normalised(text: string, folder: string): string {
  return text
    .replaceAll(folder, "<hub>")
    .replaceAll(/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "<uuid>")
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, "<instant>")
    .replaceAll(
      /[A-Z][a-z]{2} (\d{4}-\d\d-\d\d|\d{1,2} [A-Z][a-z]{2} \d{4}) \d\d:\d\d(:\d\d)? \S+( \([\w: -]+ UTC\))?/g,
      "<time>",
    )
    .replaceAll(new RegExp(`${RegExp.escape(hostname())}-\\d+`, "g"), "<worker>")
    .replaceAll(/follow-[0-9a-f]{8}/g, "<worker>")
    .replaceAll(/(?<![0-9a-f-])[0-9a-f]{16}(?![0-9a-f-])/g, "<subject>")
    .replaceAll(/(?<![0-9a-f-])(?=[0-9a-f]*\d)[0-9a-f]{8}(?![0-9a-f-])/g, "<id>")
    .replaceAll(/differ by -?\b\d+ ms/g, "differ by <n> ms")
    .replaceAll(/Bun \d+\.\d+\.\d+/g, "Bun <version>")
    .replaceAll(/(\S) {2,}/g, "$1  ");
}

/** A picture in a file. */
export async function picture(folder: string, name = "picture.png", size = 8): Promise<string> {
  await mkdir(folder, { recursive: true });
  const path = join(folder, name);
  await writeFile(path, png(size, size));
  return path;
}

/** The document on stdout. Throws where it is none, or more than one. */
export function documentOf({ stdout }: Ran): Readonly<Record<string, unknown>> {
  const document: unknown = JSON.parse(stdout);
  if (typeof document !== "object" || document === null || Array.isArray(document))
    throw new Error(`not an object: ${stdout}`);
  return document as Readonly<Record<string, unknown>>;
}

/** Checks the form of a failure and returns its message. */
export function failed(ran: Ran, code: ErrorCode): string {
  const { stdout, stderr } = ran;
  const lines = stderr.trimEnd().split("\n");
  expect(lines.length, stderr).toBeLessThanOrEqual(3);
  expect(lines[0]).toMatch(new RegExp(`^✗ .+ \\(${code}\\)$`));
  expect(stdout).toBe("");
  expect(ran.code).toBe(ERRORS[code].exit);
  return stderr;
}

export type Refusal = readonly [
  argv: readonly string[],
  code: ErrorCode,
  says: string | RegExp,
  stdin?: string | Uint8Array,
];

/** A command line that fails, says how to go on, and leaves everything of the hub as it was. */
export async function refusedBy(
  hub: Pick<TestHub, "psn" | "state">,
  ...[argv, code, says, stdin]: Refusal
): Promise<void> {
  const before = await hub.state();
  const said = failed(await hub.psn(argv, stdin === undefined ? {} : { stdin }), code);
  expect(said).toMatch(says);
  expect(await hub.state()).toBe(before);
}
