import { existsSync, mkdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ServiceEnv } from "@psn/core/utils/env.ts";
import { launchdAgent } from "./launchd.ts";
import { ran, succeeded } from "./run.ts";
import type { ServiceManager } from "./worker-service.ts";
import { write } from "./write.ts";

const NO_MANAGER = "log in at this machine's screen, or use psn service print launchd | compose";

/** The user's own launchd (launchctl(1)). */
export function launchdManager({ home }: ServiceEnv): ServiceManager {
  const file = (name: string) => join(home, "Library", "LaunchAgents", `${name}.plist`);
  const log = (name: string) => join(home, "Library", "Logs", "psn", `${name}.log`);
  const domain = `gui/${process.getuid?.()}`;
  const printed = (name: string) => ran("launchctl", "print", `${domain}/${name}`);
  const number = (text: string, pattern: RegExp) => {
    const [, found] = pattern.exec(text) ?? [];
    return found === undefined ? null : Number(found);
  };
  return {
    kind: "launchd",
    file,
    install: async (service) => {
      const { name } = service;
      mkdirSync(dirname(log(name)), { recursive: true, mode: 0o700 });
      const changed = write(file(name), launchdAgent(service, log(name)));
      const isLoaded = (await printed(name)).code === 0;
      if (isLoaded && changed) await succeeded(NO_MANAGER, "launchctl", "bootout", `${domain}/${name}`);
      if (!isLoaded || changed) await succeeded(NO_MANAGER, "launchctl", "bootstrap", domain, file(name));
      return { changed, notes: ["the service starts when you log in, and ends when you log out"] };
    },
    state: async (name) => {
      const { code, stdout } = await printed(name);
      const pid = number(stdout, /^\s*pid = (\d+)/m);
      const runs = number(stdout, /^\s*runs = (\d+)/m);
      return {
        installed: existsSync(file(name)),
        running: pid !== null,
        enabled: code === 0,
        pid,
        restarts: runs === null ? null : Math.max(0, runs - 1),
        lastExit: number(stdout, /^\s*last exit code = (\d+)/m),
      };
    },
    uninstall: async (name) => {
      const isThere = existsSync(file(name));
      if ((await printed(name)).code === 0) await succeeded(NO_MANAGER, "launchctl", "bootout", `${domain}/${name}`);
      rmSync(file(name), { force: true });
      return isThere;
    },
    logs: (name, { lines, follow }) => ["tail", "-n", String(lines), ...(follow ? ["-F"] : []), log(name)],
  };
}
