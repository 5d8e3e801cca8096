import type { DocumentOf } from "@psn/app/documents/values.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import type { Hub } from "@psn/wiring/hub.ts";
import type { z } from "zod";
import type { Output } from "./output.ts";
import type { Prompt } from "./prompt.ts";

/**
 * What a value may be, for completion: these words; a file or a folder; an account, or several with commas between; a
 * command; the id of a delivery or a post in one of these states; or what psn looks up.
 */
export type Takes =
  | readonly string[]
  | "file"
  | "folder"
  | "account"
  | "accounts"
  | "command"
  | { readonly list: readonly string[] }
  | { readonly ids: readonly DeliveryState[] }
  | (() => Promise<readonly string[]>);

/** A flag as a person types it. */
export interface Flag {
  /**
   * Commander's notation: `--to <accounts>`, `--dry-run`. Never `<file...>`, which would swallow the text behind it.
   */
  readonly flags: string;
  readonly help: string;
  /** May be given more than once; the command gets a list. */
  readonly many?: true;
  /** Not needed for `<file>`, `<path>` and `<folder>`. */
  readonly takes?: Takes;
}

export interface Argument {
  /** Commander's notation: `<id>`, `[text]`. */
  readonly name: string;
  readonly help: string;
  /** A text of any kind, also one that begins with `-`. */
  readonly anyText?: true;
  readonly takes?: Takes;
}

/** Every command by name; its code loads when it is the one that was called. */
export type CommandTable = Readonly<
  Record<
    string,
    { readonly summary: string; readonly load: () => Promise<{ readonly default: Command | CommandGroup }> }
  >
>;

/** What a command is given besides its input. */
export interface Context<Document = unknown> {
  readonly output: Output<Document>;
  readonly prompt: Prompt;
  readonly cwd: string;
  readonly version: string;
  readonly commands: CommandTable;
  readonly now: () => Date;
  /** Aborted by the first Ctrl-C, SIGTERM or SIGHUP: finish, take nothing new. */
  readonly signal: AbortSignal;
  /**
   * The point of no return, right before something is changed: throws INTERRUPTED when a signal has come. Until here a
   * signal ends the command at once; from here on the command goes to its end, and looks at `signal` itself where that
   * takes long.
   */
  readonly noReturn: () => void;
  /** For a command whose usual end is a signal; it looks at `signal` from its first moment on. */
  readonly endsBySignal: () => void;
  /**
   * For a command of many steps that may be stopped at any: what a signal leaves, and the command that goes on with it.
   */
  readonly leaves: (message: string, hint: string) => void;
  /** Consent, given by `--yes`. */
  readonly yes: boolean;
  /** What `--hub` said. */
  readonly namedHub: string | undefined;
  /** The folder of the hub this command is about. Throws HUB_MISSING. */
  readonly folder: () => Promise<string>;
  /**
   * Opens the hub; it is closed when the command ends. Where its database was copied or restored, `tell` says so beside
   * what the command does, `refuse` throws HUB_COPIED, and `leave` leaves it to the command.
   */
  readonly hub: (use?: "once" | "session", whenParted?: "tell" | "refuse" | "leave") => Promise<Hub>;
  /** All of standard input. Throws FILE_UNREADABLE. */
  readonly stdin: () => Promise<Uint8Array>;
  /** Whether another process writes to standard input. */
  readonly piped: () => Promise<boolean>;
}

/** A command is data: the help, the completion and docs/cli.md are made from it. */
export interface Command<Schema extends z.ZodType = z.ZodType, Document extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly summary: string;
  /** A few sentences more, where the summary leaves something open. */
  readonly details?: string;
  readonly examples: readonly { readonly line: string; readonly does: string }[];
  readonly args?: readonly Argument[];
  readonly flags?: readonly Flag[];
  /** Of a list: the fields of a line, between tabs, where stdout is no terminal. None is ever changed. */
  readonly fields?: readonly string[];
  /** Parses `{ …arguments by name, …flags in camelCase }`. */
  readonly schema: Schema;
  /** What it prints under `--json` when it succeeds. */
  readonly document: Document;
  /** Parse is done; call one use case and render. Returns the exit code where it is not 0. */
  readonly run: (input: z.output<Schema>, context: Context<DocumentOf<Document>>) => Promise<number | undefined>;
}

/** A command that only holds others: `psn db migrate`. */
export interface CommandGroup {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly Command[];
}

/** Identity, for inference: `run` sees what `schema` makes, and prints what `document` describes. */
export function defineCommand<Schema extends z.ZodType, Document extends z.ZodType>(
  command: Command<Schema, Document>,
): Command<Schema, Document> {
  return command;
}

export function isGroup(command: Command | CommandGroup): command is CommandGroup {
  return "commands" in command;
}

/** Flags every command has. */
export const COMMON_FLAGS: readonly Flag[] = [
  { flags: "--json", help: "one JSON document on stdout, for success and failure" },
  { flags: "--hub <folder>", help: "the hub's folder; default: PSN_HUB, then this folder or one above it" },
  { flags: "--no-input", help: "never prompt; a missing value is an error" },
  { flags: "--no-color", help: "no colour" },
  { flags: "-y, --yes", help: "answer yes to every question" },
];
