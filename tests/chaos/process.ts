import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Consent } from "@psn/app/connect-account.ts";
import { PsnError } from "@psn/core/errors.ts";
import { compiled } from "../support/cli-bundle.ts";
import type { Order, Said, Told, View, Wish, Work } from "./protocol.ts";

const WORKER = await compiled({
  prefix: "chaos-",
  entry: "tests/chaos/worker.ts",
  folders: ["src", "drizzle", "scripts", "tests/chaos"],
});

/** Refused with psn's own code: nothing broke, psn said no. */
export interface Refused {
  readonly code: string;
  readonly message: string;
}

/**
 * One process of psn, and what can be asked of it. A dead one answers nothing: what was asked of it is thrown as
 * `Gone`.
 */
export interface Psn {
  readonly pid: number;
  readonly ask: (order: Order) => Promise<unknown>;
  readonly connect: (platform: string, consent: Consent) => Promise<string>;
  readonly schedule: (wishes: readonly Wish[]) => Promise<string[]>;
  /** Resolves when it has stopped working, "dead" when it died meanwhile. */
  readonly work: (work: Work) => Promise<"stopped" | "dead">;
  readonly report: (ids: readonly string[]) => Promise<readonly Told[]>;
  /** What psn answered: the ids it changed, or its refusal. */
  readonly change: (order: Order) => Promise<readonly string[] | Refused>;
  /** The next time it stands at its fault point; undefined when it ends without. */
  readonly reached: () => Promise<string | undefined>;
  readonly troubles: readonly string[];
  readonly alive: () => boolean;
  readonly gone: Promise<void>;
  /** SIGKILL. */
  readonly kill: () => Promise<void>;
  /** Closes its hub and ends. */
  readonly end: () => Promise<void>;
}

export class Gone extends Error {
  constructor(said: string) {
    super(`the process is gone${said === "" ? "" : `: ${said}`}`);
  }
}

const running = new Set<ChildProcess>();

/** Kills every process that was started and is still there. */
export async function killAll(): Promise<void> {
  await Promise.all(
    [...running].map(
      (child) =>
        new Promise<void>((resolve) => {
          child.once("close", () => resolve());
          child.kill("SIGKILL");
        }),
    ),
  );
}

/** Starts one on a hub, with these further variables in its environment, and waits until it has opened the hub. */
export async function startPsn(folder: string, env: Readonly<Record<string, string>>): Promise<Psn> {
  const child = spawn(WORKER, [folder], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", HOME: folder, ...env },
    stdio: ["pipe", "pipe", "pipe"],
  });
  running.add(child);
  let errors = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    errors = `${errors}${text}`.slice(-4000);
  });
  child.stdin.on("error", () => undefined);
  const waiting = new Map<
    number,
    { readonly resolve: (result: unknown) => void; readonly reject: (error: Error) => void }
  >();
  const troubles: string[] = [];
  const points: string[] = [];
  let atPoint: (() => void) | undefined;
  let alive = true;
  let isReady: () => void = () => undefined;
  const ready = new Promise<void>((resolve) => {
    isReady = resolve;
  });

  const hear = (said: Said) => {
    switch (said.say) {
      case "ready":
        return isReady();
      case "reached":
        points.push(said.point);
        return atPoint?.();
      case "trouble":
        troubles.push(`${said.code} ${said.message}`);
        return;
      case "done":
        waiting.get(said.n)?.resolve(said.result);
        waiting.delete(said.n);
        return;
      case "refused":
        waiting.get(said.n)?.reject(new PsnError("CHECK_FAILED", said.message, { details: { code: said.code } }));
        waiting.delete(said.n);
    }
  };
  createInterface({ input: child.stdout }).on("line", (line) => hear(JSON.parse(line)));
  const gone = new Promise<void>((resolve) => {
    child.on("close", () => {
      alive = false;
      running.delete(child);
      for (const { reject } of waiting.values()) reject(new Gone(errors));
      waiting.clear();
      atPoint?.();
      resolve();
    });
  });

  let serial = 0;
  const ask = (order: Order) =>
    new Promise<unknown>((resolve, reject) => {
      if (!alive) return reject(new Gone(errors));
      serial += 1;
      waiting.set(serial, { resolve, reject });
      child.stdin.write(`${JSON.stringify({ n: serial, order })}\n`);
    });

  await Promise.race([
    ready,
    gone.then(() => {
      throw new Gone(errors);
    }),
  ]);
  return {
    pid: child.pid ?? 0,
    ask,
    connect: async (platform, consent) => String(await ask({ do: "connect", platform, consent })),
    schedule: async (wishes) => (await ask({ do: "schedule", wishes })) as string[],
    work: async (work) => {
      try {
        await ask({ do: "work", ...work });
        return "stopped";
      } catch (error) {
        if (error instanceof Gone) return "dead";
        throw error;
      }
    },
    report: async (ids) => (await ask({ do: "report", ids })) as readonly Told[],
    change: async (order) => {
      try {
        return (await ask(order)) as readonly string[];
      } catch (error) {
        if (error instanceof PsnError && error.code === "CHECK_FAILED")
          return { code: String(error.details["code"]), message: error.message };
        throw error;
      }
    },
    reached: async () => {
      while (points.length === 0 && alive)
        await new Promise<void>((resolve) => {
          atPoint = resolve;
        });
      return points.shift();
    },
    troubles,
    alive: () => alive,
    gone,
    kill: async () => {
      child.kill("SIGKILL");
      await gone;
    },
    end: async () => {
      await ask({ do: "end" }).catch(() => undefined);
      await gone;
    },
  };
}

export type { View };
