import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { COMPILED_PSN } from "../support/cli-bundle.ts";
import type { DatabaseKind, Lane } from "./ground.ts";
import { finish, type Judged, type Run, schedule, targetOf } from "./runs.ts";

/*
 * Ctrl-C and SIGTERM at a random moment of every command. Its exit code must be honest: 0 with everything done, or 130
 * and 143 with nothing done, or with what is stored said.
 */

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A hub whose feed is called `feed:public`. */
export interface StopGround {
  readonly folder: string;
  readonly env: Readonly<Record<string, string>>;
  /** A command line that nobody stops; in a process or not. */
  readonly ask: (argv: readonly string[]) => Promise<Ran>;
  /** The texts that the feed shows. */
  readonly shown: () => Promise<readonly string[]>;
}

export interface StopOptions {
  readonly ground: StopGround;
  readonly random: () => number;
  /** How often each command is stopped. */
  readonly count: number;
  /** Only these; all if not given. */
  readonly only?: readonly string[];
  readonly tag: string;
  /** How long each takes when nobody stops it, in milliseconds; measured if not given. */
  readonly lastsMs?: number;
}

export interface Stop {
  /** The command and when it was stopped. */
  readonly what: string;
  /** What was not honest, or nothing. */
  readonly why: string;
  /** The post it was about, and what became of it. */
  readonly post?: { readonly text: string; readonly stored: boolean };
}

interface Trial {
  readonly argv: readonly string[];
  readonly stdin?: string;
  readonly cwd?: string;
  /** What was not honest, or nothing. */
  readonly honest: (stopped: boolean, ran: Ran) => Promise<string>;
  readonly post?: string;
}

interface Delivery {
  readonly id: string;
  readonly post: string;
  readonly state: string;
  readonly due: string;
  readonly text: string;
  readonly operation: "publish" | "remove";
}

type Kind = (ground: StopGround, text: string) => Promise<Trial>;

const document = (ran: Ran) => JSON.parse(ran.stdout) as Readonly<Record<string, unknown>>;
/** Done; psn doctor also ends with 1, where it finds something: the suite's own server has fsync off. */
const isDone = ({ code }: Ran, what: string) => code === 0 || (what === "doctor" && code === 1);
const must = (ran: Ran, what: string) => {
  if (!isDone(ran, what)) throw new Error(`${what} ended with ${ran.code}: ${ran.stdout}${ran.stderr}`);
  return ran;
};

async function deliveriesOf({ ask }: StopGround, text: string): Promise<readonly Delivery[]> {
  const { deliveries } = document(must(await ask(["queue", "--all", "--limit", "1000", "--json"]), "psn queue"));
  return (deliveries as readonly Delivery[]).filter((delivery) => delivery.text === text);
}

const scheduled = async ({ ask }: StopGround, text: string) => {
  const made = document(must(await ask(["post", text, "--to", "feed:public", "--in", "3d", "--json"]), "psn post"));
  return String(made["post"]);
};

/** Stored and said so, or not stored. */
function posting(argv: readonly string[], stdin?: string): Kind {
  return async (ground, text) => ({
    argv: argv.map((word) => word.replace("TEXT", text)),
    ...(stdin === undefined ? {} : { stdin: stdin.replace("TEXT", text) }),
    post: text,
    honest: async (stopped, ran) => {
      const found = await deliveriesOf(ground, text);
      const times = (await ground.shown()).filter((one) => one === text).length;
      const states = found.map(({ state }) => state).join();
      if (times > 1) return `${times} times in the feed`;
      if (!stopped) {
        const wanted = argv.includes("--in") ? "scheduled" : "published";
        return states === wanted ? "" : `exit 0, and it is ${states || "not stored"}`;
      }
      const said = /is stored/.test(ran.stderr);
      if (said && found.length === 0) return "said to be stored, and it is not";
      if (!said && (found.length > 0 || times > 0)) return `not said to be stored, and it is ${states || "public"}`;
      return "";
    },
  });
}

/** A delivery that was changed, or was not. */
function changing(
  argv: (post: string) => readonly string[],
  isChanged: (delivery: Delivery) => boolean,
  before?: "cancelled",
): Kind {
  return async (ground, text) => {
    const post = await scheduled(ground, text);
    if (before) must(await ground.ask(["cancel", post]), "psn cancel");
    const [was] = await deliveriesOf(ground, text);
    return {
      argv: argv(post),
      honest: async (stopped) => {
        const [is] = await deliveriesOf(ground, text);
        if (!is) return "it is gone";
        const changed = is.state !== was?.state || is.due !== was?.due;
        if (stopped !== !changed)
          return `${stopped ? "stopped" : "exit 0"}, and it is ${changed ? "changed" : "as it was"}`;
        if (changed && !isChanged(is)) return `it is ${is.state}, due ${is.due}`;
        // Nothing of it shall go out any more.
        if (is.state === "scheduled") must(await ground.ask(["cancel", post]), "psn cancel");
        return "";
      },
    };
  };
}

const reading =
  (argv: readonly string[]): Kind =>
  async () => ({ argv, honest: async () => "" });

async function isConnected({ ask }: StopGround, name: string): Promise<boolean> {
  const { accounts } = document(must(await ask(["accounts", "--json"]), "psn accounts"));
  return (accounts as readonly { readonly name: string }[]).some((account) => account.name === name);
}
const inDays = (days: number) => (delivery: Delivery) =>
  Math.abs(Date.parse(delivery.due) - Date.now() - days * 86_400_000) < 600_000;

const KINDS: Readonly<Record<string, Kind>> = {
  post: posting(["post", "TEXT", "--to", "feed:public"]),
  "post --in": posting(["post", "TEXT", "--to", "feed:public", "--in", "3d"]),
  "post -": posting(["post", "-", "--to", "feed:public"], "TEXT\n"),
  queue: reading(["queue", "--all"]),
  doctor: reading(["doctor", "--offline"]),
  move: changing((post) => ["move", post, "--in", "9d"], inDays(9)),
  cancel: changing(
    (post) => ["cancel", post],
    ({ state }) => state === "cancelled",
  ),
  retry: changing(
    (post) => ["retry", post],
    ({ state }) => state === "scheduled",
    "cancelled",
  ),
  edit: async (ground, text) => {
    const post = await scheduled(ground, text);
    const file = join(ground.folder, `${text.replaceAll(" ", "-")}.md`);
    await writeFile(file, `${text}, edited\n`);
    return {
      argv: ["edit", post, "--file", file],
      honest: async (stopped) => {
        const [was, is] = [await deliveriesOf(ground, text), await deliveriesOf(ground, `${text}, edited`)];
        // Nothing of it shall go out any more.
        must(await ground.ask(["cancel", post]), "psn cancel");
        if (was.length + is.length !== 1) return `it is there ${was.length + is.length} times`;
        return stopped === is.length > 0 ? `${stopped ? "changed" : "not changed"} all the same` : "";
      },
    };
  },
  delete: async (ground, text) => {
    const made = document(must(await ground.ask(["post", text, "--to", "feed:public", "--json"]), "psn post"));
    const post = String(made["post"]);
    return {
      argv: ["delete", post, "--yes"],
      honest: async (stopped, ran) => {
        const isShown = (await ground.shown()).includes(text);
        const [is] = await deliveriesOf(ground, text);
        if (!stopped && (isShown || is?.state !== "removed"))
          return `exit 0, and it is ${is?.state}${isShown ? " and public" : ""}`;
        if (stopped && is?.operation === "remove" && !/is stored/.test(ran.stderr))
          return `not said to be stored, and it is ${is.state}`;
        // Whatever was begun is finished by the same command.
        must(await ground.ask(["delete", post, "--yes"]), "psn delete again");
        return (await ground.shown()).includes(text) ? "deleted twice, and it is public" : "";
      },
    };
  },
  "connect feed": async (ground, text) => {
    const name = text.replaceAll(" ", "-");
    return {
      argv: ["connect", "feed", join(ground.folder, name)],
      honest: async (stopped) =>
        (await isConnected(ground, `feed:${name}`)) === stopped
          ? `${stopped ? "connected" : "not connected"} all the same`
          : "",
    };
  },
  disconnect: async (ground, text) => {
    const name = text.replaceAll(" ", "-");
    must(await ground.ask(["connect", "feed", join(ground.folder, name)]), "psn connect");
    return {
      argv: ["disconnect", `feed:${name}`, "--yes"],
      honest: async (stopped) =>
        (await isConnected(ground, `feed:${name}`)) === stopped
          ? ""
          : `${stopped ? "disconnected" : "connected"} all the same`,
    };
  },
  export: async (ground, text) => {
    const folder = await mkdtemp(join(ground.folder, "export-"));
    const [file, secret] = [join(folder, `${text.replaceAll(" ", "-")}.age`), join(folder, "secret")];
    await writeFile(secret, "correct horse battery staple\n", { mode: 0o600 });
    return {
      argv: ["export", file, "--passphrase-file", secret],
      honest: async (stopped) => {
        if (existsSync(file) === stopped) return stopped ? "the file is there" : "there is no file";
        const left = (await readdir(folder)).filter((name) => name !== basename(file) && name !== "secret");
        return left.length > 0 ? `it left ${left.join(", ")}` : "";
      },
    };
  },
  "config set": async (ground) => {
    // The address is a secret, and no command shows it.
    const value = async () =>
      /^PSN_NOTIFY_URL=.*$/m.exec(await readFile(join(ground.folder, "config", "hub.env"), "utf8"))?.[0];
    const before = await value();
    const wanted = `https://notify.example/${crypto.randomUUID()}`;
    return {
      argv: ["config", "set", "PSN_NOTIFY_URL", "--stdin"],
      stdin: `${wanted}\n`,
      honest: async (stopped) => {
        const changed = (await value()) !== before;
        return changed === stopped ? `${stopped ? "changed" : "not changed"} all the same` : "";
      },
    };
  },
  worker: async (ground, text) => {
    must(await ground.ask(["post", text, "--to", "feed:public", "--no-wait"]), "psn post");
    return {
      argv: ["worker"],
      post: text,
      honest: async (stopped, ran) => {
        const [delivery] = await deliveriesOf(ground, text);
        if (stopped && ran.stderr !== "") return "its first signal is no success";
        if (delivery?.state !== "scheduled" && delivery?.state !== "published")
          return `it left the post ${delivery?.state}`;
        return "";
      },
    };
  },
  init: async (ground, text) => {
    const folder = await mkdtemp(join(ground.folder, `init-${text.replaceAll(" ", "-")}-`));
    return {
      argv: ["init", "--tz", "UTC"],
      cwd: folder,
      honest: async () => {
        const again = await start({ ...ground, folder }, ["init", "--tz", "UTC"]).ended;
        if (again.code !== 0) return `psn init again ended with ${again.code}: ${again.stderr}`;
        const opened = await start({ ...ground, folder }, ["queue"]).ended;
        await rm(folder, { recursive: true, force: true });
        return opened.code === 0 ? "" : `the hub does not open: ${opened.stderr}`;
      },
    };
  },
};
export const COMMANDS = Object.keys(KINDS);

/** A worker goes on until it is stopped; this long it gets, in milliseconds. */
const WORKER_MS = 1_500;
/** About what making a hub takes, in milliseconds. */
export const INIT_MS = 4_000;
const HOUR_MS = 3_600_000;

function start({ folder, env }: Pick<StopGround, "folder" | "env">, argv: readonly string[], stdin = "") {
  const child = spawn(COMPILED_PSN, [...argv], {
    cwd: folder,
    env: { PATH: process.env["PATH"] ?? "", HOME: folder, ...env },
  });
  const said = { stdout: "", stderr: "" };
  for (const name of ["stdout", "stderr"] as const)
    child[name].setEncoding("utf8").on("data", (text: string) => {
      said[name] += text;
    });
  child.stdin.on("error", () => undefined);
  child.stdin.end(stdin);
  const ended = new Promise<Ran & { readonly signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve({ code, signal, ...said }));
  });
  return { child, ended };
}

const CODES: Readonly<Partial<Record<NodeJS.Signals, number>>> = { SIGINT: 130, SIGTERM: 143 };

async function stopOne(
  ground: StopGround,
  name: string,
  trial: Trial,
  afterMs: number,
  by: NodeJS.Signals,
): Promise<Stop> {
  const what = `${name} (${by} after ${Math.round(afterMs)} ms)`;
  const settings = join(ground.folder, "config", "hub.env");
  const before = await readFile(settings, "utf8");
  const place = { ...ground, folder: trial.cwd ?? ground.folder };
  const { child, ended } = start(place, trial.argv, trial.stdin);
  const ran = await Promise.race([ended, Bun.sleep(afterMs).then(() => interrupt(child, by, ended))]);
  // Before psn listens a signal ends it as it ends every program.
  const stopped = ran.signal === by || ran.code === CODES[by];
  if (!stopped && !isDone(ran, name)) return { what, why: `exit ${ran.code}, ${ran.signal}: ${ran.stderr}` };
  const why = await trial.honest(stopped, ran);
  const whole = name === "config set" || (await readFile(settings, "utf8")) === before;
  const post =
    trial.post === undefined
      ? {}
      : { post: { text: trial.post, stored: (await deliveriesOf(ground, trial.post)).length > 0 } };
  return {
    what,
    why: why !== "" ? `${why}; it said: ${ran.stderr}` : whole ? "" : "hub.env is not what it was",
    ...post,
  };
}

/** How long a command may go on after a signal, in milliseconds, on a machine with much to do. */
const PROMPT_MS = 20_000;

async function interrupt<T>(child: ChildProcess, by: NodeJS.Signals, ended: Promise<T>): Promise<T> {
  child.kill(by);
  const timer = setTimeout(() => child.kill("SIGKILL"), PROMPT_MS);
  try {
    return await ended;
  } finally {
    clearTimeout(timer);
  }
}

/** Stops each command `count` times, at moments spread over the time it takes when nobody stops it. */
export async function stopCommands({
  ground,
  random,
  count,
  only = COMMANDS,
  tag,
  lastsMs: known,
}: StopOptions): Promise<readonly Stop[]> {
  const stops: Stop[] = [];
  for (const [nth, name] of only.entries()) {
    const make = KINDS[name];
    if (!make) throw new Error(`no command is called ${name}`);
    const textOf = (n: number) => `${tag} ${nth} ${n}`;
    let lastsMs = known ?? WORKER_MS;
    if (name !== "worker" && known === undefined) {
      const { argv, stdin, cwd, honest, post } = await make(ground, textOf(0));
      const began = performance.now();
      const ran = must(await start({ ...ground, folder: cwd ?? ground.folder }, argv, stdin).ended, name);
      lastsMs = performance.now() - began;
      stops.push({
        what: `${name}, not stopped`,
        why: await honest(false, ran),
        ...(post ? { post: { text: post, stored: true } } : {}),
      });
    }
    for (let n = 1; n <= count; n += 1) {
      // One moment in each part of that time.
      const afterMs = ((n - 1 + random()) / count) * lastsMs;
      stops.push(
        await stopOne(ground, name, await make(ground, textOf(n)), afterMs, random() < 0.5 ? "SIGINT" : "SIGTERM"),
      );
    }
  }
  return stops;
}

/** What was dishonest, a line each. */
export const dishonest = (stops: readonly Stop[]): readonly string[] =>
  stops.filter(({ why }) => why !== "").map(({ what, why }) => `${what}: ${why}`);

/** The same with one command on a hub of the chaos suite, whose feed is asked in the end. */
export function stopRun(database: DatabaseKind, random: () => number, command: string): Run {
  return {
    breaks: "Ctrl-C at random moments of every command",
    platform: "feed",
    database,
    go: async (lane, tag) => stopAll(lane, tag, random, command),
  };
}

async function stopAll(lane: Lane, tag: string, random: () => number, command: string): Promise<readonly Judged[]> {
  const target = targetOf(lane, "feed");
  const psn = await lane.psn();
  const env = { TMPDIR: tmpdir() };
  const ground: StopGround = {
    folder: lane.folder,
    env,
    ask: (argv) => start({ folder: lane.folder, env }, argv).ended,
    shown: async () => (await target.holds()).map(({ text }) => text),
  };
  // Whatever is stopped beside it, this one goes out.
  const beside = await schedule(psn, tag, [{ target, content: "text", dueAt: Date.now() + HOUR_MS }]);
  // Making a hub takes too long to be measured in every run.
  const known = command === "init" ? { lastsMs: INIT_MS } : {};
  const stops = await stopCommands({ ground, random, count: 1, only: [command], tag, ...known });
  const wrong = dishonest(stops);
  if (wrong.length > 0) throw new Error(wrong.join("\n"));
  const due = await Promise.all(stops.flatMap(({ post }) => (post?.stored ? [deliveriesOf(ground, post.text)] : [])));
  const stopped = due.flat().map(({ id }) => ({ id, target, image: false }));
  const deliveries = [...beside, ...stopped];
  // What is still to come goes out now.
  await lane.passTime(
    psn,
    deliveries.map(({ id }) => id),
  );
  return finish(lane, deliveries, psn);
}
