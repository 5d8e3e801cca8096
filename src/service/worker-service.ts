import { createHash } from "node:crypto";
import { basename } from "node:path";
import { PsnError } from "@psn/core/errors.ts";

/** A worker that the system keeps running. */
export interface WorkerService {
  /** What the system calls it. */
  readonly name: string;
  readonly hub: string;
  /** The program and its arguments. No secret: other users of the machine can read it. */
  readonly command: readonly string[];
  /** Folders that the worker writes to: the hub, what it remembers outside of it, feeds elsewhere. */
  readonly writes: readonly string[];
  /** Variables that the worker must have. No secret. */
  readonly environment: Readonly<Record<string, string>>;
}

/** What a service manager says about a service. */
export interface ServiceState {
  readonly installed: boolean;
  readonly running: boolean;
  /** Starts by itself after the machine does. */
  readonly enabled: boolean;
  readonly pid: number | null;
  /** How often the manager started it again. */
  readonly restarts: number | null;
  /** The exit code of the last worker that ended. */
  readonly lastExit: number | null;
}

export interface ServiceManager {
  readonly kind: "systemd" | "launchd";
  /** The file that describes the service. */
  readonly file: (name: string) => string;
  /**
   * Writes the service and starts it, or starts it again where it has changed. `notes`: what a person should know.
   * Throws SERVICE_FAILED.
   */
  readonly install: (
    service: WorkerService,
  ) => Promise<{ readonly changed: boolean; readonly notes: readonly string[] }>;
  /** Throws SERVICE_FAILED. */
  readonly state: (name: string) => Promise<ServiceState>;
  /** Whether there was one. Throws SERVICE_FAILED. */
  readonly uninstall: (name: string) => Promise<boolean>;
  /** The program that prints what the worker wrote. */
  readonly logs: (name: string, options: { readonly lines: number; readonly follow: boolean }) => readonly string[];
}

/** Of the hub's folder in a name; a path of a socket below a folder of that name must stay below 100 bytes. */
const MOST_NAME_CHARS = 20;

/** A name that no other hub's service on this machine has, and that says which hub it is. */
export function serviceName(hub: string): string {
  const words = basename(hub)
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .slice(0, MOST_NAME_CHARS)
    .replaceAll(/^-|-$/g, "");
  const mark = createHash("sha256").update(hub).digest("hex").slice(0, 8);
  return ["psn", words, mark].filter((part) => part !== "").join("-");
}

/** A value that a line of a unit can hold. Throws FILE_UNREADABLE for one with a control character. */
export function oneLine(value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\x00-\x1f\x7f]/.test(value))
    throw new PsnError("FILE_UNREADABLE", "the name of a folder has a control character, which no service can have", {
      hint: "rename the folder",
    });
  return value;
}

/** How long a worker may take to finish its requests after it was told to stop, in seconds: an upload takes minutes. */
export const STOP_SECONDS = 180;
/** How long the system waits before it starts a worker again, in seconds. */
export const RESTART_SECONDS = 10;
