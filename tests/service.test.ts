import { spawnSync } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { containerfile, containerService } from "@psn/service/container.ts";
import { installed } from "@psn/service/installed.ts";
import { launchdAgent } from "@psn/service/launchd.ts";
import { ran } from "@psn/service/run.ts";
import { systemdUnit } from "@psn/service/systemd.ts";
import { serviceName, type WorkerService } from "@psn/service/worker-service.ts";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { binary, documentOf, failed, psn, scratch } from "./support/cli.ts";

/* A worker that the system keeps running: what is written for it, and what is asked of the service manager. */

const SERVICE: WorkerService = {
  name: serviceName("/home/ada/my hub"),
  hub: '/home/ada/my 100% "hub"',
  command: ["/opt/a b/bun", "/opt/a b/$psn.ts", "worker", "--hub", '/home/ada/my 100% "hub"'],
  writes: ['/home/ada/my 100% "hub"', "/srv/site"],
  environment: { NODE_EXTRA_CA_CERTS: "/etc/ca.pem" },
};

/** What systemd-analyze security may say at most, times ten. */
const MOST_EXPOSED = 52;

describe("the unit of systemd", () => {
  const unit = systemdUnit(SERVICE);

  test("starts exactly this program, whatever is in its path", () => {
    expect(unit).toContain(
      String.raw`ExecStart="/opt/a b/bun" "/opt/a b/$$psn.ts" "worker" "--hub" "/home/ada/my 100%% \"hub\""`,
    );
    expect(unit).toContain('WorkingDirectory=/home/ada/my 100%% "hub"');
  });

  test("lets the worker write to its folders and nowhere else, and see no keys of others", () => {
    expect(unit).toContain("NoNewPrivileges=yes");
    expect(unit).toContain("ProtectSystem=strict");
    expect(unit.match(/^ReadWritePaths=.*$/gm)).toEqual([
      String.raw`ReadWritePaths="-/home/ada/my 100%% \"hub\""`,
      'ReadWritePaths="-/srv/site"',
    ]);
    expect(unit).toMatch(/^InaccessiblePaths=-%h\/\.ssh /m);
  });

  test("is started again, except after what only a person can fix", () => {
    expect(unit).toContain("Restart=always\nRestartSec=10\n");
    expect(unit).toContain("\nRestartPreventExitStatus=2 3\n");
  });

  test("where the system allows no namespaces it asks for none", () => {
    const plain = systemdUnit(SERVICE, { sandboxed: false });
    expect(plain).not.toMatch(/^(?:Private|Protect|ReadWrite|Inaccessible)/m);
    expect(plain).toContain("NoNewPrivileges=yes");
  });

  test.skipIf(spawnSync("systemd-analyze", ["--version"]).status !== 0)("systemd finds nothing wrong", async () => {
    const folder = await scratch("unit");
    const hub = join(folder, "a hub");
    await mkdir(hub);
    const path = join(folder, `${SERVICE.name}.service`);
    await writeFile(path, systemdUnit({ ...SERVICE, hub, command: [process.execPath, "worker", "--hub", hub] }));
    const env = { ...process.env, XDG_RUNTIME_DIR: folder };
    const analyze = (...args: readonly string[]) =>
      spawnSync("systemd-analyze", ["--user", "--no-pager", "--man=no", ...args, path], { encoding: "utf8", env });
    const { status, stderr } = analyze("verify");
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    // Of 100; what is left needs the system's own manager, and a unit that asks for nothing has 98 (systemd 252).
    const exposed = analyze("security", "--offline=true", `--threshold=${MOST_EXPOSED}`);
    expect(exposed.status, exposed.stdout + exposed.stderr).toBe(0);
  });
});

test("names differ for hubs of one name, and have no sign that a unit's name cannot have", () => {
  const names = ["/a/notes", "/b/notes", "/c/Ünï & co./", "/"].map(serviceName);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^psn(?:-[a-z0-9]+)+$/);
});

test("a folder whose name has a line break is refused", () => {
  expect(() => systemdUnit({ ...SERVICE, hub: "/a\nExecStartPre=/bin/evil" })).toThrow("control character");
  expect(() => launchdAgent({ ...SERVICE, hub: "/a\nb" }, "/log")).toThrow("control character");
});

test("the agent of launchd is XML that holds what was meant", () => {
  const agent = launchdAgent({ ...SERVICE, hub: "/a & <b>" }, "/log");
  expect(agent).toContain("<string>/a &amp; &lt;b&gt;</string>");
  expect(agent).toMatch(/<key>KeepAlive<\/key>\s*<true\/>/);
  expect(agent).toMatch(/<key>ThrottleInterval<\/key>\s*<integer>10<\/integer>/);
});

test("the compose file is YAML, confined, with the hub's folder alone", () => {
  const file = parse(containerService({ name: "psn-hub-1", hub: '/a "b" $c', owner: "1000:1000" }));
  expect(file.services.worker).toMatchObject({
    restart: "unless-stopped",
    read_only: true,
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"],
    user: "1000:1000",
    volumes: [{ type: "bind", source: '/a "b" $$c', target: "/hub" }],
  });
  expect(containerfile("1.2.3")).toMatch(/psn@1\.2\.3\nUSER bun\n/);
});

describe("how psn was installed", () => {
  const bun = "/usr/bin/bun";
  const RELEASE = "https://github.com/ada/psn/releases/latest/download";
  test.each([
    ["/usr/lib/node_modules/psn/dist/main.js", bun, "npm", "npm install --global psn@latest"],
    ["/home/a/.bun/install/global/node_modules/psn/dist/main.js", bun, "bun", "bun add --global psn@latest"],
    ["/home/a/site/node_modules/psn/dist/main.js", bun, "package", "npm install psn@latest"],
    ["/home/a/.npm/_npx/0a1b2c/node_modules/psn/dist/main.js", bun, "npx", "npx psn@latest"],
    ["/tmp/bunx-1000-psn@latest/node_modules/psn/dist/main.js", bun, "bunx", "bunx psn@latest"],
    ["/home/a/psn/src/cli/main.ts", bun, "source", "cd /home/a/psn && git pull && bun install --frozen-lockfile"],
    ["/$bunfs/root/psn", "/home/a/.local/bin/psn", "binary", `curl -fsSL ${RELEASE}/install.sh | sh`],
    ["/$bunfs/root/psn", "/opt/bin/psn", "binary", `curl -fsSL ${RELEASE}/install.sh | PSN_INSTALL=/opt/bin sh`],
    ["/$bunfs/root/psn", "/a's b/psn", "binary", String.raw`| PSN_INSTALL='/a'\''s b' sh`],
    ["/$bunfs/root/psn", "/opt/psn-linux-x64", "binary", `replace /opt/psn-linux-x64 with the program of the newest`],
    ["/$bunfs/root/psn", "/opt/homebrew/Cellar/psn/0.2.0/bin/psn", "homebrew", "brew upgrade psn"],
    ["B:\\~BUN\\root\\psn.exe", "C:\\Users\\a\\scoop\\apps\\psn\\0.2.0\\psn.exe", "scoop", "scoop update psn"],
  ])("%s, run by %s: %s", (main, execPath, by, upgrade) => {
    const found = installed({ main, execPath, home: "/home/a", release: RELEASE });
    expect(found).toMatchObject({ by, upgrade: expect.stringContaining(upgrade) });
    // A folder of one version is gone after the upgrade.
    expect(found.command.join(" ")).not.toContain("0.2.0");
  });

  test("a build that knows no repository names no address", () => {
    const how = { main: "/$bunfs/root/psn", execPath: "/home/a/.local/bin/psn", home: "/home/a", release: undefined };
    expect(installed(how).upgrade).toBe("replace /home/a/.local/bin/psn with the program of the newest release");
  });

  test("a package is started without what a .env and a bunfig.toml of the folder say", async () => {
    const folder = await scratch("strange");
    const main = join(folder, "lib/node_modules/psn/dist/main.js");
    for (const name of ["dist", "bin"]) await mkdir(join(folder, "lib/node_modules/psn", name), { recursive: true });
    await writeFile(join(folder, "lib/node_modules/psn/bin/bunfig.toml"), "");
    await writeFile(main, "console.log(process.env.STRANGE, process.argv.slice(2));");
    await writeFile(join(folder, ".env"), "STRANGE=yes\n");
    await writeFile(join(folder, "bunfig.toml"), 'preload = ["./strange.ts"]\n');
    await writeFile(join(folder, "strange.ts"), 'console.log("a stranger\'s code");\n');
    const [program, ...words] = installed({
      main,
      execPath: process.execPath,
      home: folder,
      release: undefined,
    }).command;
    const { stdout } = spawnSync(program, [...words, "worker"], { cwd: folder, encoding: "utf8" });
    expect(stdout.trim()).toBe('undefined [ "worker" ]');
  });
});

describe("the command", () => {
  test("prints what it would write, without a secret", async () => {
    const cwd = await scratch("printed");
    await mkdir(join(cwd, "config"));
    await writeFile(join(cwd, "config/hub.env"), `HUB_ENCRYPTION_KEY=${"ca".repeat(32)}\n`, { mode: 0o600 });
    for (const what of ["systemd", "launchd", "containerfile", "compose"]) {
      const { code, stdout } = await psn(["service", "print", what], { cwd });
      expect(code).toBe(0);
      expect(stdout).not.toContain("cacaca");
    }
    expect(failed(await psn(["service", "print", "cron"], { cwd }), "USAGE")).toContain("must be one of systemd");
    expect(failed(await psn(["service", "install"], { cwd: await scratch() }), "HUB_MISSING")).toContain("psn init");
  });

  test.skipIf(process.platform !== "linux")("says what to do where there is no service manager", async () => {
    const cwd = await scratch("alone");
    await mkdir(join(cwd, "config"));
    await writeFile(join(cwd, "config/hub.env"), "", { mode: 0o600 });
    const ran = await binary(["service", "status", "--json"], { cwd, env: { PATH: "/nonexistent" } }).ended;
    expect(documentOf(ran)).toMatchObject({
      error: { code: "SERVICE_FAILED", hint: expect.stringContaining("psn service print") },
    });
    expect(documentOf(await binary(["service", "uninstall", "--json"], { cwd }).ended)).toMatchObject({
      removed: false,
    });
  });
});

test("a program of the system is given no secret of the hub", async () => {
  process.env["HUB_ENCRYPTION_KEY"] = "f".repeat(64);
  try {
    const { stdout } = await ran("env");
    expect(stdout).toContain("PATH=");
    expect(stdout).not.toContain("HUB_ENCRYPTION_KEY");
  } finally {
    delete process.env["HUB_ENCRYPTION_KEY"];
  }
});
