import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { debianFiles } from "../support/debian.ts";

/*
 * install.sh against a release on this machine. What it installs is a small script here.
 */

const SCRIPT = join(import.meta.dirname, "../../install.sh");
const TOOLS = ["sh", "uname", "grep", "sed", "mktemp", "rm", "mkdir", "chmod", "mv", "gzip", "cat"];
const PROGRAM = "#!/bin/sh\necho 9.9.9\n";

let root: string;
let home: string;
let files: Map<string, Buffer>;
let asked: string[];
let release: ReturnType<typeof Bun.serve>;

/** A release that has this program for every platform. */
function offer(program: string): void {
  const names = ["linux-x64", "linux-x64-musl", "linux-arm64", "linux-arm64-musl", "darwin-x64", "darwin-arm64"];
  files = new Map(names.map((name) => [`psn-${name}.gz`, gzipSync(program)]));
  const sums = [...files].map(([name, bytes]) => `${createHash("sha256").update(bytes).digest("hex")}  ${name}\n`);
  files.set("SHA256SUMS", Buffer.from(sums.join("")));
}

/** A folder of programs: these of this machine, and these that print a text. */
async function programs(own: readonly string[], said: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = await mkdtemp(join(root, "bin-"));
  for (const name of own) {
    const path = Bun.which(name);
    if (path === null) throw new Error(`this test needs ${name}`);
    await symlink(path, join(folder, name));
  }
  for (const [name, script] of Object.entries(said)) {
    await rm(join(folder, name), { force: true });
    await writeFile(join(folder, name), `#!/bin/sh\n${script}\n`);
    await chmod(join(folder, name), 0o755);
  }
  return folder;
}

let usual: string;

async function install(env: Readonly<Record<string, string>> = {}, script?: string) {
  const PSN_RELEASE = `http://127.0.0.1:${release.port}`;
  const child = spawn(Bun.which("sh") ?? "", script === undefined ? [SCRIPT] : [], {
    env: { PATH: usual, HOME: home, TMPDIR: root, PSN_RELEASE, ...env },
    cwd: root,
    stdio: ["pipe", "pipe", "pipe"],
  });
  child.stdin.end(script ?? "");
  const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
  const [stdout, stderr, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  return { code, stdout, stderr };
}

const installed = () => join(home, ".local", "bin", "psn");
const version = (path: string) => spawnSync(path, ["--version"], { encoding: "utf8" }).stdout;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "psn-install-"));
  usual = await programs([...TOOLS, "curl", "sha256sum"], { uname: UNAME("Linux", "x86_64"), ldd: "echo glibc" });
  release = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: ({ url }) => {
      const name = new URL(url).pathname.slice(1);
      asked.push(name);
      const bytes = files.get(name);
      return bytes === undefined ? new Response("", { status: 404 }) : new Response(new Uint8Array(bytes));
    },
  });
});
afterAll(async () => {
  await release.stop(true);
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  offer(PROGRAM);
  asked = [];
  home = await mkdtemp(join(root, "home-"));
});

const UNAME = (system: string, machine: string) => `[ "$1" = -s ] && echo ${system} || echo ${machine}`;

test("psn is installed, and a person learns where and what to do next", async () => {
  const { code, stdout, stderr } = await install({ SHELL: "/bin/zsh" });
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout.replaceAll(String(release.port), "PORT").replaceAll(home, "HOME")).toMatchInlineSnapshot(`
    "downloading http://127.0.0.1:PORT/psn-linux-x64.gz
    installed psn 9.9.9 as HOME/.local/bin/psn
    HOME/.local/bin is not on PATH yet. To put it there, run this and open a new terminal:
      echo 'export PATH="HOME/.local/bin:$PATH"' >> ~/.zshrc
    next: psn init   (to remove psn: rm HOME/.local/bin/psn)
    "
  `);
  expect(version(installed())).toBe("9.9.9\n");
  expect(await readdir(join(home, ".local", "bin"))).toEqual(["psn"]);
});

test("the next one replaces it, and says nothing of a PATH that has it", async () => {
  await install();
  offer(PROGRAM.replace("9.9.9", "10.0.0"));
  const { stdout } = await install({ PATH: `${usual}:${join(home, ".local", "bin")}` });
  expect(stdout).toContain("installed psn 10.0.0");
  expect(stdout).not.toContain("PATH");
  expect(version(installed())).toBe("10.0.0\n");
});

test("PSN_INSTALL is the folder, with wget and openssl too, and without a HOME", async () => {
  const PATH = await programs([...TOOLS, "wget", "openssl"]);
  const folder = join(home, "with a space");
  const { code, stderr } = await install({ PATH, HOME: "", PSN_INSTALL: folder });
  expect([code, stderr]).toEqual([0, ""]);
  expect(version(join(folder, "psn"))).toBe("9.9.9\n");
});

test.each([
  ["Linux", "x86_64", "glibc", "linux-x64"],
  ["Linux", "x86_64", "musl libc (x86_64)", "linux-x64-musl"],
  ["Linux", "aarch64", "glibc", "linux-arm64"],
  ["Linux", "aarch64", "musl libc (aarch64)", "linux-arm64-musl"],
  ["Darwin", "x86_64", "", "darwin-x64"],
  ["Darwin", "arm64", "", "darwin-arm64"],
])("%s on %s with %s takes %s", async (system, machine, libc, platform) => {
  // musl's ldd says what it is on stderr, and ends with an error.
  const said = { uname: UNAME(system, machine), ldd: `echo '${libc}' >&2; exit 1` };
  await install({ PATH: await programs([...TOOLS, "curl", "sha256sum"], said) });
  expect(asked).toEqual(["SHA256SUMS", `psn-${platform}.gz`]);
});

test("a shell that Rosetta translates takes the program of the real processor", async () => {
  const said = { uname: UNAME("Darwin", "x86_64"), sysctl: "echo 1" };
  await install({ PATH: await programs([...TOOLS, "curl", "sha256sum"], said) });
  expect(asked).toContain("psn-darwin-arm64.gz");
});

describe("refused, with nothing changed:", () => {
  const refused = async (env: Readonly<Record<string, string>> = {}) => {
    // The order of a folder's files is the file system's own.
    const kept = async () => (await readdir(home, { recursive: true })).sort();
    const before = await kept();
    const { code, stderr } = await install(env);
    expect(await kept()).toEqual(before);
    expect((await readdir(root)).filter((name) => name.startsWith("tmp."))).toEqual([]);
    expect(code).toBe(1);
    return stderr;
  };

  test("another checksum, also beside a psn that is there", async () => {
    files.set("psn-linux-x64.gz", gzipSync(`${PROGRAM}# changed\n`));
    expect(await refused()).toMatch(/^✗ psn-linux-x64.gz has another checksum than SHA256SUMS says/);
    await mkdir(join(home, ".local", "bin"), { recursive: true });
    await writeFile(installed(), "as before");
    await refused();
    expect(await readFile(installed(), "utf8")).toBe("as before");
  });

  test("a program that does not run here", async () => {
    await install();
    offer("#!/bin/sh\nexit 3\n");
    expect(await refused()).toContain("psn for linux-x64 does not run on this machine; nothing was installed");
  });

  test("a release without this platform, without a file, or none", async () => {
    files.set("SHA256SUMS", Buffer.from(""));
    expect(await refused()).toContain("/SHA256SUMS has no psn-linux-x64.gz");
    offer(PROGRAM);
    files.delete("psn-linux-x64.gz");
    expect(await refused()).toContain("/psn-linux-x64.gz cannot be downloaded");
    expect(await refused({ PSN_RELEASE: "" })).toContain("belongs to no release");
  });

  test("a machine for which there is none, or that lacks what is needed", async () => {
    const on = async (said: Record<string, string>, tools = [...TOOLS, "curl", "sha256sum"]) =>
      refused({ PATH: await programs(tools, said) });
    expect(await on({ uname: UNAME("MINGW64_NT", "x86_64") })).toContain("there is no psn for MINGW64_NT");
    expect(await on({ uname: UNAME("Linux", "riscv64") })).toContain("processors of the kind riscv64");
    expect(await on({}, TOOLS)).toContain("neither curl nor wget is here");
    expect(await on({}, [...TOOLS, "curl"])).toContain("no program here computes SHA-256");
    expect(await refused({ HOME: "" })).toContain("HOME is not set");
  });

  test("a script that arrived in part", async () => {
    const script = await readFile(SCRIPT, "utf8");
    for (const length of [script.indexOf("main()"), script.lastIndexOf("}"), script.lastIndexOf("main")])
      await install({}, script.slice(0, length));
    expect([asked, await readdir(home)]).toEqual([[], []]);
  });
});

const checker = await debianFiles("shellcheck", (suite) => ({ suite, packages: ["shellcheck"] })).catch(
  () => undefined,
);

test.skipIf(checker === undefined)("shellcheck finds nothing", () => {
  const { status, stdout } = spawnSync(join(checker ?? "", "usr/bin/shellcheck"), [SCRIPT], { encoding: "utf8" });
  expect([status, stdout]).toEqual([0, ""]);
});
