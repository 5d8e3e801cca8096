#!/usr/bin/env node
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { constants } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

/*
 * Starts psn, which needs Bun: the one on PATH if it is new enough, else the one that npm has installed beside psn. It
 * runs under every Node that npm runs under, and needs no install script.
 */

const LEAST = [1, 4];
const main = fileURLToPath(new URL("../dist/main.js", import.meta.url));
/**
 * Bun reads .env and bunfig.toml of the folder where it starts. A stranger's would set psn's settings, and a `preload`
 * there would run with the hub's tokens.
 */
const nothingOfTheFolder = ["--no-env-file", `--config=${fileURLToPath(new URL("bunfig.toml", import.meta.url))}`];

const { platform, arch } = process;
const file = platform === "win32" ? "bun.exe" : "bun";

function onPath() {
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, file);
    if (folder === "" || !existsSync(path)) continue;
    const { stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
    const [major = 0, minor = 0] = String(stdout ?? "")
      .split(".")
      .map(Number);
    return major > LEAST[0] || (major === LEAST[0] && minor >= LEAST[1]) ? path : undefined;
  }
  return undefined;
}

/** npm chooses the package by the platform; only one of these is there. */
function beside() {
  const cpu = arch === "arm64" ? "aarch64" : arch;
  const target = `${platform === "win32" ? "windows" : platform}-${cpu}`;
  const isMusl = existsSync(`/lib/ld-musl-${cpu === "x64" ? "x86_64" : cpu}.so.1`);
  try {
    const path = createRequire(import.meta.url).resolve(`@oven/bun-${target}${isMusl ? "-musl" : ""}/bin/${file}`);
    return existsSync(path) ? path : undefined;
  } catch {
    return undefined;
  }
}

const argv = process.argv.slice(2);
if (process.versions.bun) startAgain();
else {
  const bun = onPath() ?? beside();
  if (bun === undefined) {
    console.error(
      "✗ psn needs Bun 1.4 or newer, and there is none on PATH or beside psn → npm i -g psn --include=optional",
    );
    process.exitCode = 1;
  } else start(bun, [...nothingOfTheFolder, main, ...argv]);
}

/**
 * Bun itself runs this file where there is no Node, and has read those two files. psn then runs in a process that has
 * not; what a `preload` there did before is done.
 */
function startAgain() {
  if (existsSync("bunfig.toml") && /preload/.test(readFileSync("bunfig.toml", "utf8")))
    console.error("! Bun ran what bunfig.toml in this folder preloads, before psn started → run psn in another folder");
  start(process.execPath, [...nothingOfTheFolder, main, ...argv], environmentAtStart());
}

/** The process's own, without what Bun took from .env since. Only Linux tells. */
function environmentAtStart() {
  try {
    const lines = readFileSync("/proc/self/environ", "utf8")
      .split("\0")
      .filter((line) => line.includes("="));
    return Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
    );
  } catch {
    return process.env;
  }
}

function start(bun, args, env = process.env) {
  // The process becomes Bun where Node offers it (22.15), and signals need nobody to pass them on.
  if (process.execve && platform !== "win32") process.execve(bun, [bun, ...args], env);
  const child = spawn(bun, args, { stdio: "inherit", env });
  // A terminal sends its signals to both; psn decides what they mean.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"])
    process.on(signal, () => signal !== "SIGINT" && child.kill(signal));
  child.on("error", (error) => {
    console.error(`✗ Bun cannot be started: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("close", (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}
