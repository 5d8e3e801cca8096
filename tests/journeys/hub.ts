import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { openEmbedded } from "@psn/core/db/drivers/embedded.ts";
import { z } from "zod";
import { binary, closedHub, psn as inProcess, type Ran, type Running, scratch, testHub } from "../support/cli.ts";

/*
 * A hub as its user has it: nothing is done to it but by `psn`, as a process. The exceptions are time, which a test
 * cannot wait for (a dead worker's leases are ended by hand), and `json` on a hub that the test holds open: there it is
 * the same `run` without a process.
 */

export interface Hub {
  readonly folder: string;
  readonly psn: (argv: readonly string[], stdin?: string) => Promise<Ran>;
  /** Runs with --json, expects this exit code, and returns the document. */
  readonly json: (argv: readonly string[], code?: number) => Promise<unknown>;
  readonly start: (argv: readonly string[]) => Running;
  /** A worker that has begun to look for work. */
  readonly worker: () => Promise<Running>;
  /** Ends the leases of whoever is dead. */
  readonly endLeases: () => Promise<void>;
}

type Rows = (statement: string) => Promise<unknown>;

export function hubIn(folder: string, rows: Rows = opened(folder), isHeld = false): Hub {
  const start: Hub["start"] = (argv) => binary(argv, { cwd: folder });
  const psn: Hub["psn"] = async (argv, stdin = "") => binary(argv, { cwd: folder, stdin }).ended;
  return {
    folder,
    start,
    psn,
    json: async (argv, code = 0) => {
      const ran = await (isHeld ? inProcess([...argv, "--json"], { cwd: folder }) : psn([...argv, "--json"]));
      if (ran.code !== code)
        throw new Error(`psn ${argv.join(" ")} ended with ${ran.code}: ${ran.stdout}${ran.stderr}`);
      return JSON.parse(ran.stdout);
    },
    worker: async () => {
      const worker = start(["worker"]);
      await worker.says("publishes what is due");
      return worker;
    },
    endLeases: async () => {
      await rows("UPDATE psn.deliveries SET lease_until = now() WHERE lease_until IS NOT NULL");
    },
  };
}

function opened(folder: string): Rows {
  return async (statement) => {
    const database = await openEmbedded(join(folder, "data"));
    try {
      await database.asOwner?.((client) => client.query(statement));
    } finally {
      await database.close();
    }
  };
}

/**
 * A hub without an account. The test holds its database open, as a worker that runs all day does, and commands come in
 * by the socket. Where `held` is false each command opens the database itself, which takes it most of a second.
 */
export async function newHub({ held = true } = {}): Promise<Hub> {
  if (!held) return hubIn(await closedHub());
  const { folder, rows } = await testHub({ feed: false });
  return hubIn(folder, rows, true);
}
/** A folder without a hub. */
export const emptyFolder = async (): Promise<Hub> => hubIn(await scratch("journey"));

export async function kill({ child, ended }: Running): Promise<void> {
  child.kill("SIGKILL");
  await ended;
}
export async function stop({ child, ended }: Running): Promise<Ran> {
  child.kill("SIGINT");
  return ended;
}

const Delivery = z.object({
  id: z.string(),
  post: z.string(),
  state: z.string(),
  url: z.string().nullable(),
  attempt: z.number(),
  text: z.string(),
  account: z.object({ platform: z.string(), handle: z.string() }),
  reason: z.object({ code: z.string(), message: z.string().nullable() }).nullable(),
  units: z.object({ all: z.number(), published: z.number() }),
});
export type Delivery = z.infer<typeof Delivery>;
const Posted = z.object({ post: z.string(), repeated: z.boolean(), deliveries: z.array(Delivery) });

export const posted = (document: unknown) => Posted.parse(document);
export const deliveriesOf = (document: unknown) =>
  z.object({ deliveries: z.array(Delivery) }).parse(document).deliveries;
export const errorOf = (document: unknown) =>
  z.object({ error: z.object({ code: z.string(), message: z.string(), hint: z.string().nullable() }) }).parse(document)
    .error;

/** Everything the hub ever had to deliver. */
export async function all(hub: Hub): Promise<Delivery[]> {
  return deliveriesOf(await hub.json(["queue", "--all", "--limit", "1000"]));
}

/** The texts of a feed's entries, newest first. */
export async function feedTexts(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, "feed.json"), "utf8").catch(() => '{"items":[]}');
  const { items } = z
    .object({ items: z.array(z.object({ content_text: z.string().optional(), content_html: z.string().optional() })) })
    .parse(JSON.parse(text));
  return items.map((item) => item.content_text ?? (item.content_html ?? "").replaceAll(/<[^>]+>/g, "").trim());
}
