import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { until } from "./until.ts";

/*
 * A user manager of systemd of the tests' own, in control groups of its own. It is a real one; the units in it are
 * those of its own home.
 */

const SYSTEMD = "/lib/systemd/systemd";
/** As sd_booted(3): there where systemd started the machine. A user manager does not start without it. */
const BOOTED = "/run/systemd/system";
const HIDDEN = "/run/systemd/inaccessible";

/** A manager starts in a second; on a machine with much else to do in minutes. In milliseconds. */
const STARTS_MS = 300_000;

/** Starts a program in new control groups that are the program's own. */
interface Way {
  readonly command: readonly string[];
  readonly groups: readonly string[];
}

export interface UserManager {
  /** What a program needs to find it. */
  readonly env: { readonly XDG_RUNTIME_DIR: string; readonly HOME: string };
  readonly systemctl: (...args: readonly string[]) => string;
  /** Its units end first. */
  readonly stop: () => Promise<void>;
}

/** A manager whose home and runtime folder are in `folder`, or why there can be none on this machine. */
export async function userManager(folder: string): Promise<UserManager | string> {
  if (process.platform !== "linux" || !existsSync(SYSTEMD)) return "systemd is not installed on this machine";
  const way = existsSync(BOOTED) ? scope() : groups();
  if (typeof way === "string") return way;
  const env = { PATH: process.env["PATH"] ?? "", HOME: join(folder, "home"), XDG_RUNTIME_DIR: join(folder, "run") };
  for (const path of [env.HOME, env.XDG_RUNTIME_DIR]) mkdirSync(path, { mode: 0o700 });
  const [program = "", ...args] = way.command;
  // The variables are the manager's alone: systemd-run itself asks the manager that is there already.
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const child = spawn(program, [...args, "env", "-i", ...variables, SYSTEMD, "--user", "--unit=basic.target"], {
    stdio: ["ignore", "ignore", "pipe"],
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
  });
  const ended = new Promise<void>((resolve) => child.on("close", () => resolve()));
  const stop = async () => {
    child.kill("SIGTERM");
    await ended;
    for (const group of way.groups) removeGroup(group);
  };
  const asked = (words: readonly string[]) => spawnSync(words[0] ?? "", words.slice(1), { env, encoding: "utf8" });
  const runsUnits = () => {
    if (child.exitCode !== null) throw new Error(`the user manager ended with ${child.exitCode}: ${said}`);
    return asked(["systemd-run", "--user", "--wait", "--quiet", "--collect", "/bin/true"]).status === 0;
  };
  await until("the user manager runs a unit", runsUnits, STARTS_MS).catch(async (error: unknown) => {
    await stop();
    throw error;
  });
  return {
    env,
    systemctl: (...words) => {
      const { status, stdout, stderr } = asked(["systemctl", "--user", ...words]);
      if (status !== 0) throw new Error(`systemctl ${words.join(" ")}: ${stderr}`);
      return stdout;
    },
    stop,
  };
}

/** Where systemd started the machine it gives a scope whose control groups are the program's. */
function scope(): Way | string {
  const user = process.getuid?.() === 0 ? [] : ["--user"];
  const command = ["systemd-run", ...user, "--scope", "--quiet", "--collect", "--property=Delegate=yes", "--"];
  const { status, stderr } = spawnSync(command[0] ?? "", [...command.slice(1), "/bin/true"], { encoding: "utf8" });
  return status === 0 ? { command, groups: [] } : `systemd gives this user no scope: ${stderr.trim()}`;
}

/** Elsewhere root makes them, and shows the program a /run of a machine that systemd started. */
function groups(): Way | string {
  const own = readFileSync("/proc/self/cgroup", "utf8");
  const mounts = readFileSync("/proc/mounts", "utf8");
  const paths: string[] = [];
  for (const [, place = "", type, options = ""] of mounts.split("\n").map((line) => line.split(" "))) {
    const isNamed = type === "cgroup" && options.split(",").includes("name=systemd");
    if (type !== "cgroup2" && !isNamed) continue;
    const [, inside = "/"] = (isNamed ? /^\d+:name=systemd:(.*)$/m : /^0::(.*)$/m).exec(own) ?? [];
    paths.push(join(place, inside, `psn-tests-${process.pid}`));
  }
  const [program, ...args] = ["unshare", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/run"];
  if (paths.length === 0 || spawnSync(program ?? "", args).status !== 0)
    return "this user cannot have a /run and control groups of its own: run the test as root";
  try {
    for (const path of paths) mkdirSync(path, { recursive: true });
  } catch (error) {
    return `no control group can be made on this machine: ${error}`;
  }
  const enter = 'while [ "$1" != -- ]; do echo $$ > "$1/cgroup.procs" || exit 1; shift; done; shift';
  // What a system's own manager makes there, and what a unit's sandbox hides files behind.
  const hidden = `mkdir -p ${BOOTED} ${HIDDEN}/dir && touch ${HIDDEN}/reg`;
  const look = `mount -t tmpfs tmpfs /run && ${hidden} && exec "$@"`;
  const script = `${enter}; exec unshare --mount sh -c '${look}' sh "$@"`;
  return { command: ["sh", "-c", script, "sh", ...paths, "--"], groups: paths };
}

function removeGroup(group: string): void {
  for (const entry of readdirSync(group, { withFileTypes: true }))
    if (entry.isDirectory()) removeGroup(join(group, entry.name));
  rmdirSync(group);
}
