import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { PsnError } from "@psn/core/errors.ts";
import type { ServiceEnv } from "@psn/core/utils/env.ts";
import { ran, succeeded } from "./run.ts";
import { SANDBOX, systemdUnit } from "./systemd.ts";
import type { ServiceManager, ServiceState, WorkerService } from "./worker-service.ts";
import { write } from "./write.ts";

/** For who has no user manager: no systemd, a container, or a login that gave none (`sudo`, `su`). */
const NO_MANAGER = "log in as this user itself (ssh, not su or sudo), or use psn service print systemd | compose";

/** The user manager of systemd. */
export function systemdManager({ configHome }: ServiceEnv): ServiceManager {
  const file = (name: string) => join(configHome, "systemd", "user", `${name}.service`);
  const systemctl = (...args: readonly string[]) => succeeded(NO_MANAGER, "systemctl", "--user", ...args);
  const state = async (name: string): Promise<ServiceState> => {
    const shown = await systemctl(
      "show",
      `${name}.service`,
      "--property=ActiveState,UnitFileState,MainPID,NRestarts,ExecMainStatus,ExecMainExitTimestamp",
    );
    const value = new Map(shown.split("\n").map((line) => [line.split("=", 1)[0], line.slice(line.indexOf("=") + 1)]));
    const pid = Number(value.get("MainPID"));
    const hasEnded = (value.get("ExecMainExitTimestamp") ?? "") !== "";
    return {
      installed: existsSync(file(name)),
      running: ["active", "reloading"].includes(value.get("ActiveState") ?? ""),
      enabled: value.get("UnitFileState") === "enabled",
      pid: pid > 0 ? pid : null,
      restarts: Number(value.get("NRestarts") ?? 0),
      lastExit: hasEnded ? Number(value.get("ExecMainStatus")) : null,
    };
  };
  return {
    kind: "systemd",
    file,
    state,
    install: async (service) => {
      const { name } = service;
      // Before anything is written: whether there is a manager, and what it lets an ordinary user have.
      await systemctl("show", "--property=Version");
      const properties = SANDBOX.flatMap((property) => ["--property", property]);
      const probe = ["--user", "--wait", "--collect", "--quiet", ...properties, "/bin/true"];
      const { code } = await ran("systemd-run", ...probe);
      const sandboxed = code === 0;
      if (sandboxed) assertSeen(service);
      const text = systemdUnit(service, { sandboxed });
      const changed = write(file(name), text);
      if (changed) await systemctl("daemon-reload");
      await systemctl("enable", `${name}.service`);
      await systemctl(changed ? "restart" : "start", `${name}.service`);
      const notes = sandboxed
        ? []
        : ["this system lets no ordinary user hide files from a service, so the worker can read what you can read"];
      return { changed, notes: [...notes, ...(await lingering())] };
    },
    uninstall: async (name) => {
      const isThere = existsSync(file(name));
      if (isThere) await systemctl("disable", "--now", `${name}.service`);
      rmSync(file(name), { force: true });
      if (isThere) await systemctl("daemon-reload");
      return isThere;
    },
    logs: (name, { lines, follow }) => [
      "journalctl",
      "--user",
      `--unit=${name}.service`,
      "--no-pager",
      "--output=short-iso",
      `--lines=${lines}`,
      ...(follow ? ["--follow"] : []),
    ],
  };
}

/** With a /tmp of its own a worker does not see the hub there, and would be started again without end. */
function assertSeen({ hub }: WorkerService): void {
  if (/^\/(?:var\/)?tmp(?:\/|$)/.test(hub))
    throw new PsnError("SERVICE_FAILED", "the hub is in a folder for temporary files, which a service does not see", {
      hint: "move the hub's folder elsewhere, then psn service install there",
    });
}

/** A user manager ends with the user's last session, unless the user lingers (loginctl(1)). */
async function lingering(): Promise<readonly string[]> {
  const { code, stdout } = await ran("loginctl", "show-user", String(process.getuid?.()), "--property=Linger");
  if (code === 0 && stdout.trim() === "Linger=yes") return [];
  return [
    "the service ends when you log out; to keep it running, and start it with the machine: loginctl enable-linger",
  ];
}
