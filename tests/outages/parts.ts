import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { noise } from "../../scripts/png.ts";
import { hubIn, stop } from "../journeys/hub.ts";
import { startReceiver } from "../journeys/receiver.ts";
import { binary, scratch } from "../support/cli.ts";
import { startPostgres } from "../support/postgres.ts";
import { startS3 } from "../support/s3.ts";
import { type Away, type Line, startLine } from "./line.ts";
import type { Part } from "./play.ts";

/*
 * One hub for each part: a worker process, a Postgres, and a webhook's receiver that checks and remembers; the line to
 * one of them can be cut. What they are asked for is `psn`, as a process.
 */

/** How a part is away, one after the other. */
const AWAY: readonly Away[] = ["refused", "reset", "silent"];

/** A hub on a Postgres, behind a line, with one webhook behind a line; the lines are for who is to be away. */
async function openHub() {
  const server = await startPostgres();
  const databaseLine = await startLine(server.port);
  const receiver = startReceiver();
  const receiverLine = await startLine(Number(new URL(receiver.url).port));
  const folder = await scratch("outage");
  const hub = hubIn(folder);
  const url = new URL(await server.createDatabase());
  url.port = String(databaseLine.port);
  await must(hub.psn(["init", "--database-url-stdin", "--tz", "UTC"], url.href));
  const hook = new URL(receiver.url);
  hook.port = String(receiverLine.port);
  await must(hub.psn(["connect", "webhook", hook.href, "--secret-stdin"], receiver.secret));
  return { hub, server, receiver, databaseLine, receiverLine };
}
type Opened = Awaited<ReturnType<typeof openHub>>;

async function must(
  ran: Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }>,
): Promise<string> {
  const { code, stdout, stderr } = await ran;
  if (code !== 0) throw new Error(`psn ended with ${code}: ${stdout}${stderr}`);
  return stdout;
}

interface Listed {
  readonly text: string;
  readonly state: string;
}

/** The posts that are not published, by `psn queue --all`. */
export async function openOf(folder: string): Promise<string[]> {
  const list = JSON.parse(await must(binary(["queue", "--all", "--limit", "1000", "--json"], { cwd: folder }).ended));
  return (list.deliveries as readonly Listed[])
    .filter(({ state }) => state !== "published")
    .map(({ text, state }) => `${text}: ${state}`);
}

export async function postIn(
  folder: string,
  text: string,
  inMs: number,
  more: readonly string[] = [],
): Promise<number> {
  const argv = [
    "post",
    text,
    "--to",
    "webhook",
    "--in",
    `${Math.max(Math.round(inMs / 1000), 1)}s`,
    "--no-wait",
    "--json",
    ...more,
  ];
  return Date.parse(JSON.parse(await must(binary(argv, { cwd: folder }).ended)).due);
}

type Lines = (
  opened: Opened,
) => Promise<Pick<Line, "cut" | "mend"> & { readonly more?: readonly string[]; readonly stop?: () => Promise<void> }>;

/** Cuts in each way for a third of the time. */
export function inTurns({ cut, mend }: Pick<Line, "cut" | "mend">, awayMs: number): Pick<Part, "cut" | "mend"> {
  const turns: NodeJS.Timeout[] = [];
  return {
    cut: async () => {
      await cut(AWAY[0] ?? "refused");
      for (const [n, how] of AWAY.entries())
        if (n > 0) turns.push(setTimeout(() => void cut(how), (n * awayMs) / AWAY.length));
    },
    mend: async () => {
      for (const turn of turns) clearTimeout(turn);
      await mend();
    },
  };
}

async function partOf(name: string, awayMs: number, lines: Lines): Promise<Part> {
  const opened = await openHub();
  const { hub, server, receiver, databaseLine, receiverLine } = opened;
  const line = await lines(opened);
  const worker = await hub.worker();
  return {
    name,
    postsMeanwhile: false,
    post: (text, inMs) => postIn(hub.folder, text, inMs, line.more),
    ...inTurns(line, awayMs),
    requests: () => receiver.taken,
    open: async () => {
      const open = await openOf(hub.folder);
      return worker.child.exitCode === null ? open : [...open, "the worker ended"];
    },
    stop: async () => {
      const { code, stderr } = await stop(worker);
      await Promise.all([line.stop?.(), databaseLine.stop(), receiverLine.stop(), receiver.stop()]);
      await server.stop();
      if (code !== 0) throw new Error(`the worker ended with ${code}: ${stderr}`);
    },
  };
}

export const database = (awayMs: number) =>
  partOf("database", awayMs, async ({ databaseLine: { cut, mend } }) => ({ cut, mend }));

export const receiver = (awayMs: number) =>
  partOf("receiver", awayMs, async ({ receiverLine: { cut, mend } }) => ({ cut, mend }));

/** Each post has a picture, which the worker reads from the bucket when it publishes. */
export const bucket = (awayMs: number) =>
  partOf("bucket", awayMs, async ({ hub }) => {
    const s3 = await startS3({ bucket: "media" });
    const line = await startLine(Number(new URL(s3.endpoint).port));
    for (const [name, value] of [
      ["S3_ENDPOINT", `http://127.0.0.1:${line.port}`],
      ["S3_BUCKET", s3.bucket],
      ["S3_ACCESS_KEY_ID", s3.accessKeyId],
    ] as const)
      await must(hub.psn(["config", "set", name, value]));
    await must(hub.psn(["config", "set", "S3_SECRET_ACCESS_KEY", "--stdin"], s3.secretAccessKey));
    // Larger than what a row holds beside a bucket (keep-media.ts).
    const file = join(hub.folder, "large.png");
    await writeFile(file, noise(300 * 1024));
    return {
      ...line,
      more: ["--media", file, "--alt", "a square"],
      stop: async () => {
        if ((await s3.objects()).length === 0) throw new Error("nothing was in the bucket");
        await line.stop();
        await s3.stop();
      },
    };
  });
