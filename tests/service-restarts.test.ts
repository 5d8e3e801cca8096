import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { serviceName } from "@psn/service/worker-service.ts";
import { afterAll, beforeAll, expect, test } from "vitest";
import { z } from "zod";
import { feedTexts } from "./journeys/hub.ts";
import { startReceiver } from "./journeys/receiver.ts";
import { binary, closedHub, documentOf, failed } from "./support/cli.ts";
import { until } from "./support/until.ts";
import { type UserManager, userManager } from "./support/user-manager.ts";

/* The service under a real systemd: its worker is killed while it sends, and everything is out once. */

/** In memory, which the unit's sandbox leaves as it is: a folder in /tmp is hidden from the worker. */
const MEMORY = "/dev/shm";
/** For what hangs, in milliseconds: a restart takes 10 seconds and a lease a minute, of an idle machine. */
const LONG_MS = 600_000;
const Status = z.object({
  running: z.boolean(),
  enabled: z.boolean(),
  pid: z.number().nullable(),
  restarts: z.number().nullable(),
});
const Queue = z.object({ deliveries: z.array(z.object({ state: z.string() })) });

let folder: string;
let manager: UserManager | string = "it did not start";
const receiver = startReceiver();

beforeAll(async () => {
  folder = await mkdtemp(join(MEMORY, "psn-"));
  manager = await userManager(folder);
});
afterAll(async () => {
  if (typeof manager !== "string") await manager.stop();
  await receiver.stop();
  await rm(folder, { recursive: true, force: true });
});

test("a worker that is killed while it sends is started again, and each post is out once", async ({ skip }) => {
  if (typeof manager === "string") return skip(manager);
  const { env, systemctl } = manager;
  const cwd = join(folder, "hub");
  expect(spawnSync("cp", ["-R", await closedHub(), cwd])).toMatchObject({ status: 0 });
  const psn = async (argv: readonly string[], stdin = "") => {
    const ran = await binary([...argv, "--json"], { cwd, env, stdin }).ended;
    expect(ran, `psn ${argv.join(" ")}: ${ran.stdout}${ran.stderr}`).toMatchObject({ code: 0 });
    return documentOf(ran);
  };
  const service = serviceName(cwd);
  const log = await logOf(service, env.HOME);
  const property = (name: string) => systemctl("show", service, "--value", `--property=${name}`).trim();
  const status = async () => Status.parse(await psn(["service", "status"]));
  await psn(["connect", "feed", "./public"]);
  await psn(["connect", "webhook", receiver.url, "--secret-stdin"], receiver.secret);

  expect(await psn(["service", "install"])).toMatchObject({ changed: true });
  const first = await status();
  expect(first).toMatchObject({ running: true, enabled: true, restarts: 0 });
  expect(await sandboxOf(first.pid)).toEqual({ privileges: "none new", root: "read-only" });
  expect(await psn(["service", "install"])).toMatchObject({ changed: false });
  expect(property("MainPID")).toBe(String(first.pid));

  // The receiver has the whole request and does not answer: whether the post is out, the worker never learns.
  const before = receiver.requests();
  let release = () => {};
  receiver.hold(new Promise<void>((resolve) => (release = resolve)));
  await psn(["post", "killed while it was sent", "--to", "all", "--in", "2s"]);
  await until("the receiver has the request", () => receiver.requests() > before, LONG_MS);
  process.kill(first.pid ?? 0, "SIGKILL");
  // Only now: the worker that is to learn of it is gone.
  await until("systemd noticed", () => property("MainPID") !== String(first.pid), LONG_MS);
  release();
  await until("the post is out", () => receiver.taken.length === 1, LONG_MS);

  const isStarted = () => property("NRestarts") === "1" && property("MainPID") !== "0";
  await until("systemd started another worker", isStarted, LONG_MS);
  // The first worker's lease ends before. No command is run meanwhile: one that opens the database has its socket in
  // /tmp, which the worker does not see (ADR 30).
  const repeated = () => [...receiver.deliveries.values()].some((times) => times > 1);
  await until("the second worker has asked the receiver", repeated, LONG_MS).catch(async (error: Error) => {
    throw new Error(
      `${error.message}\n${await readFile(log, "utf8")}\n${JSON.stringify(await psn(["queue", "--all"]))}`,
    );
  });
  const states = async () => {
    const { deliveries } = Queue.parse(await psn(["queue", "--all"]));
    return deliveries.map(({ state }) => state);
  };
  await until(
    "it has written down what became of the post",
    async () => !(await states()).includes("sending"),
    LONG_MS,
  );
  expect(await states()).toEqual(["published", "published"]);
  expect(receiver.taken.map(({ text }) => text)).toEqual(["killed while it was sent"]);
  expect([...receiver.deliveries.values()]).toEqual([2]);
  expect(await feedTexts(join(cwd, "public"))).toEqual(["killed while it was sent"]);
  const second = await status();
  expect(second).toMatchObject({ running: true, restarts: 1 });
  expect(second.pid).not.toBe(first.pid);

  expect(await psn(["service", "uninstall"])).toMatchObject({ removed: true });
  expect(property("ActiveState")).toBe("inactive");
  const after = await binary(["service", "status"], { cwd, env }).ended;
  expect(after).toMatchObject({ code: 1, stdout: expect.stringContaining("not installed") });
});

test("a hub in /tmp, which the service would not see, is refused and nothing is installed", async ({ skip }) => {
  if (typeof manager === "string") return skip(manager);
  const { env } = manager;
  const parent = await mkdtemp("/tmp/psn-service-");
  const cwd = join(parent, "hub");
  try {
    expect(spawnSync("cp", ["-R", await closedHub(), cwd])).toMatchObject({ status: 0 });
    const refused = await binary(["service", "install"], { cwd, env }).ended;
    expect(failed(refused, "SERVICE_FAILED")).toContain("folder for temporary files");
    expect(existsSync(join(env.HOME, `.config/systemd/user/${serviceName(cwd)}.service`))).toBe(false);
  } finally {
    await rm(parent, { recursive: true, force: true });
  }
});

/** Where the worker's log goes: the tests' manager has no journal. */
async function logOf(service: string, home: string): Promise<string> {
  const own = join(home, ".config/systemd/user", `${service}.service.d`);
  const log = join(folder, "log");
  await mkdir(own, { recursive: true });
  await writeFile(join(own, "log.conf"), `[Service]\nStandardOutput=append:${log}\nStandardError=append:${log}\n`);
  return log;
}

/** What the kernel says about a process. */
async function sandboxOf(pid: number | null) {
  const [status, mounts] = await Promise.all(
    ["status", "mounts"].map((name) => readFile(`/proc/${pid}/${name}`, "utf8")),
  );
  const root = mounts?.split("\n").findLast((line) => line.split(" ")[1] === "/");
  return {
    privileges: /^NoNewPrivs:\t1$/m.test(status ?? "") ? "none new" : "new ones",
    root: root?.split(" ")[3]?.split(",").includes("ro") ? "read-only" : "writable",
  };
}
