import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PsnError } from "@psn/core/errors.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { thrown } from "../../../tests/support/thrown.ts";
import { atMost } from "../../../tests/support/until.ts";
import { changeEnvFile, isExposed, writeEnvFile } from "./private-file.ts";

const SOURCE = new URL("./env.ts", import.meta.url).pathname;

let hub = "";
let path = "";
beforeEach(() => {
  hub = mkdtempSync(join(tmpdir(), "psn-file-"));
  path = join(hub, "config", "hub.env");
});
afterEach(() => {
  rmSync(hub, { recursive: true, force: true });
});

const modeOf = (file: string) => statSync(file).mode & 0o777;

describe("writing", () => {
  test("0600 in 0700, whatever was there and whatever the umask, and nothing left beside it", () => {
    mkdirSync(join(hub, "config"), { mode: 0o755 });
    writeFileSync(path, "old", { mode: 0o644 });
    const script = `(await import(${JSON.stringify(SOURCE)})).writeEnvFile(${JSON.stringify(path)}, "A=new\\n");`;
    const { exitCode } = Bun.spawnSync(["sh", "-c", 'umask 277 && exec "$0" -e "$1"', process.execPath, script]);
    expect(exitCode).toBe(0);
    expect(readFileSync(path, "utf8")).toBe("A=new\n");
    expect(modeOf(path)).toBe(0o600);
    expect(modeOf(join(hub, "config"))).toBe(0o700);
    expect(readdirSync(join(hub, "config"))).toEqual(["hub.env"]);
    expect(isExposed(path)).toBe(false);
    expect(isExposed(join(hub, "none"))).toBe(false);
  });

  test("a reader that has the old file open still reads all of it: the file is replaced, never written into", () => {
    writeEnvFile(path, "A=old\n");
    const before = statSync(path).ino;
    writeEnvFile(path, "A=new\n");
    expect(statSync(path).ino).not.toBe(before);
  });

  test("a symbolic link stays one", () => {
    const real = join(hub, "elsewhere", "secrets.env");
    writeEnvFile(real, "A=1\n");
    mkdirSync(join(hub, "config"));
    symlinkSync(real, path);
    writeEnvFile(path, "A=2\n");
    expect(readFileSync(real, "utf8")).toBe("A=2\n");
  });

  test("what cannot be written says so and leaves nothing behind", () => {
    mkdirSync(path, { recursive: true });
    expect(thrown(() => writeEnvFile(path, "A=canary\n")).code).toBe("CONFIG_UNWRITABLE");
    expect(readdirSync(join(hub, "config"))).toEqual(["hub.env"]);
    writeFileSync(join(hub, "file"), "");
    expect(thrown(() => writeEnvFile(join(hub, "file", "config", "hub.env"), "A=canary\n")).code).toBe(
      "CONFIG_UNWRITABLE",
    );
    expect(thrown(() => writeEnvFile(join(hub, "config", "keys.env"), "A=canary\ud800")).code).toBe("CONFIG_INVALID");
    expect(existsSync(join(hub, "config", "keys.env"))).toBe(false);
  });

  test("a change that throws leaves the file as it was and lets go of the lock", () => {
    writeEnvFile(path, "A=1\n");
    expect(() =>
      changeEnvFile(path, () => {
        throw new PsnError("CONFIG_INVALID", "no");
      }),
    ).toThrow("no");
    expect(readFileSync(path, "utf8")).toBe("A=1\n");
    expect(changeEnvFile(path, (text) => `${text}B=2\n`)).toBe("A=1\nB=2\n");
    expect(readdirSync(join(hub, "config")).toSorted()).toEqual([".lock", "hub.env"]);
  });

  test("whoever is killed while changing a file holds nobody up", async () => {
    writeEnvFile(path, "");
    const script = `
      const { changeEnvFile } = await import(${JSON.stringify(SOURCE)});
      changeEnvFile(${JSON.stringify(path)}, () => {
        console.log("held");
        Bun.sleepSync(60_000);
        return "A=2";
      });`;
    const holder = Bun.spawn([process.execPath, "-e", script], { stdout: "pipe", stderr: "inherit" });
    const { value } = await holder.stdout.getReader().read();
    expect(new TextDecoder().decode(value)).toBe("held\n");
    holder.kill("SIGKILL");
    await holder.exited;
    const began = Date.now();
    changeEnvFile(path, () => "A=1\n");
    expect(readFileSync(path, "utf8")).toBe("A=1\n");
    expect(Date.now() - began).toBeLessThan(atMost(2000));
  });

  test("what a killed writer left is removed by the next change of that file", () => {
    writeEnvFile(path, "A=1\n");
    const left = ".hub.env.0123456789ab.tmp";
    const others = [".hub.env.notes.tmp", ".keys.env.0123456789ab.tmp"];
    for (const name of [left, ...others]) writeFileSync(join(hub, "config", name), "A=canary\n");
    changeEnvFile(path, (text) => text);
    expect(readdirSync(join(hub, "config")).toSorted()).toEqual([...others, ".lock", "hub.env"].toSorted());
  });

  test("many processes changing one file at once lose nothing", async () => {
    const script = `
      const { changeEnvFile, setEnvValue } = await import(${JSON.stringify(SOURCE)});
      for (let i = 0; i < 10; i++) changeEnvFile(
        ${JSON.stringify(path)},
        (text) => setEnvValue(text, { name: process.argv[1] + i, value: "x" }),
      );`;
    const workers = ["A", "B", "C"].map((name) =>
      Bun.spawn([process.execPath, "-e", script, name], { stdout: "ignore", stderr: "inherit" }),
    );
    expect(await Promise.all(workers.map((worker) => worker.exited))).toEqual([0, 0, 0]);
    expect(readFileSync(path, "utf8").trim().split("\n")).toHaveLength(30);
  });
});
