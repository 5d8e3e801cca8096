import { spawnSync } from "node:child_process";
import { PassThrough } from "node:stream";
import { createIo } from "@psn/cli/io.ts";
import { run } from "@psn/cli/program.ts";
import { closedHub, documentOf, psn, type Ran, scratch } from "../support/cli.ts";
import { type MastodonFake, startMastodon } from "../support/mastodon.ts";

/* Hubs that are copied and restored, with a server that takes the same post as often as it is sent. */

export { documentOf, psn, scratch };
export type Stop = () => Promise<void>;

/** A server that honours no idempotency keys: two requests are two posts. */
export async function forgetfulServer(): Promise<MastodonFake> {
  const server = await startMastodon({ requests: Number.MAX_SAFE_INTEGER });
  server.switches.idempotency = "ignored";
  return server;
}

export const json = async (
  folder: string,
  argv: readonly string[],
  stdin = "",
): Promise<Readonly<Record<string, unknown>>> => {
  const ran = await psn([...argv, "--json"], { cwd: folder, stdin });
  if (ran.code !== 0) throw new Error(`psn ${argv.join(" ")} ended with ${ran.code}: ${ran.stdout}${ran.stderr}`);
  return documentOf(ran);
};

/** A hub with an account on this server; nobody has it open. */
export async function hubOn(server: MastodonFake): Promise<string> {
  const folder = await closedHub();
  await json(folder, ["connect", "mastodon", server.origin, "--token-stdin"], `${server.token}\n`);
  return folder;
}

/** As a backup does it, with modes and times. */
export function copy(from: string, to: string): void {
  const { status, stderr } = spawnSync("cp", ["-a", from, to], { encoding: "utf8" });
  if (status !== 0) throw new Error(`${from} was not copied: ${stderr}`);
}

/** Longest that workers are given, in milliseconds. */
const PATIENCE_MS = 20_000;

/** Workers in these hubs until this is so, or until none of them runs any more because it refuses to. */
export async function work(
  folders: readonly string[],
  enough: () => boolean | Promise<boolean>,
): Promise<readonly Ran[]> {
  const ending = new AbortController();
  let running = folders.length;
  const workers = folders.map(async (cwd) => {
    const ran = await psn(["worker"], { cwd, signal: ending.signal });
    running -= 1;
    return ran;
  });
  for (const deadline = Date.now() + PATIENCE_MS; running > 0 && Date.now() < deadline && !(await enough()); )
    await Bun.sleep(50);
  ending.abort();
  return Promise.all(workers);
}

/** Nothing of the hub is due any more. */
export const quiet = (folder: string) => async (): Promise<boolean> => {
  const { deliveries } = await json(folder, ["queue"]);
  return (deliveries as { state: string; due: string }[]).every(
    ({ state, due }) =>
      !["claimed", "sending"].includes(state) && !(state === "scheduled" && Date.parse(due) < Date.now()),
  );
};

/** A command at a terminal where a person answers what is asked, in this order. */
export async function typed(
  argv: readonly string[],
  cwd: string,
  answers: readonly (readonly [asked: string, answer: string])[],
): Promise<Ran> {
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => input });
  const left = [...answers];
  const shown = { stdout: "", stderr: "" };
  let heard = "";
  const stream = (name: "stdout" | "stderr") =>
    Object.assign(new PassThrough(), { isTTY: true, columns: 100 }).on("data", (chunk: Buffer) => {
      shown[name] += chunk.toString();
      heard += chunk.toString();
      const [next] = left;
      if (!next || !heard.includes(next[0])) return;
      left.shift();
      heard = "";
      setTimeout(() => input.write(`${next[1]}\r`), 20);
    }) as unknown as NodeJS.WriteStream;
  const io = createIo({
    stdin: input as unknown as NodeJS.ReadStream,
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    cwd,
    version: "0.0.0",
    signal: new AbortController().signal,
  });
  const code = await run(argv, io);
  return { code, ...shown };
}
