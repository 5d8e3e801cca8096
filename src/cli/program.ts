import { EXIT, PsnError, toPsnError } from "@psn/core/errors.ts";
import { Command as Commander, CommanderError } from "commander";
import { COMMON_FLAGS, type Command, type CommandGroup, type CommandTable, isGroup } from "./command.ts";
import type { Io, RunContext } from "./io.ts";
import { stoppedExit } from "./stop.ts";

/** Every command, in the order of the help; its code loads when it is the one that was called. */
export const COMMANDS: CommandTable = {
  init: { summary: "create a hub here, or complete it (safe to run again)", load: () => import("./commands/init.ts") },
  connect: { summary: "connect an account", load: () => import("./commands/connect.ts") },
  accounts: { summary: "list your accounts and their state", load: () => import("./commands/accounts.ts") },
  disconnect: {
    summary: "disconnect an account and delete its credentials",
    load: () => import("./commands/disconnect.ts"),
  },
  post: { summary: "publish a post, now or at a time", load: () => import("./commands/post.ts") },
  queue: { summary: "list scheduled posts", load: () => import("./commands/queue.ts") },
  show: { summary: "show one post or delivery in detail", load: () => import("./commands/show.ts") },
  edit: { summary: "change a post that is not sent yet", load: () => import("./commands/edit.ts") },
  move: { summary: "change the time of a scheduled post", load: () => import("./commands/move.ts") },
  cancel: { summary: "cancel a post that is not sent yet", load: () => import("./commands/cancel.ts") },
  delete: { summary: "delete a published post from its platforms", load: () => import("./commands/delete.ts") },
  retry: { summary: "send a failed, held or cancelled post again", load: () => import("./commands/retry.ts") },
  resolve: { summary: "tell psn whether an unconfirmed post is public", load: () => import("./commands/resolve.ts") },
  recover: {
    summary: "publish again after the hub was copied or restored",
    load: () => import("./commands/recover.ts"),
  },
  worker: { summary: "publish due posts from this machine", load: () => import("./commands/worker.ts") },
  service: { summary: "a worker that the system keeps running", load: () => import("./commands/service.ts") },
  deploy: { summary: "deploy the tasks and their settings to Trigger.dev", load: () => import("./commands/deploy.ts") },
  keys: {
    summary: "manage the keys of your developer apps at the platforms",
    load: () => import("./commands/keys.ts"),
  },
  config: { summary: "hub.env and keys.env", load: () => import("./commands/config.ts") },
  db: { summary: "the hub's database", load: () => import("./commands/db.ts") },
  vault: { summary: "the sealed secrets", load: () => import("./commands/vault.ts") },
  export: { summary: "export the whole hub to one encrypted file", load: () => import("./commands/export.ts") },
  import: { summary: "create a hub from a file of psn export", load: () => import("./commands/import.ts") },
  doctor: { summary: "check the hub, and show how to fix problems", load: () => import("./commands/doctor.ts") },
  destroy: {
    summary: "remove everything that psn init created (asks first)",
    load: () => import("./commands/destroy.ts"),
  },
  upgrade: {
    summary: "show the newest version, and the command that installs it",
    load: () => import("./commands/upgrade.ts"),
  },
  schema: {
    summary: "print the JSON Schema of each command's input and output",
    load: () => import("./commands/schema.ts"),
  },
  explain: { summary: "explain an error code", load: () => import("./commands/explain.ts") },
  completion: {
    summary: "complete psn's commands in your shell",
    load: () => import("./commands/completion.ts"),
  },
  help: {
    summary: "show help on a topic: times, files, exit-codes, environment",
    load: () => import("./commands/help.ts"),
  },
};

/** Runs one command line and returns its exit code. Never throws, and never ends the process. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const line: Line = { words: argv, name: undefined, command: undefined };
  try {
    Object.assign(line, await readLine(argv));
    const { program, outcome } = build(line, io);
    await program.parseAsync([...line.words], { from: "user" });
    return outcome.exit;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const failure = error instanceof CommanderError ? usage(error, line) : toFailure(error);
    const flags = argv.slice(0, argv.includes("--") ? argv.indexOf("--") : undefined);
    (await io.output(flags.includes("--json"), flags.includes("--no-color") ? false : undefined)).failure(failure);
    if (failure.code === "BUG") io.trace(failure);
    return failure.code === "INTERRUPTED" ? stoppedExit(io.signal) : failure.exit;
  }
}

/** Ctrl-C at a prompt, or a wait that was broken off, is nobody's mistake. */
function toFailure(error: unknown): PsnError {
  if (error instanceof Error && error.name === "AbortError")
    return new PsnError("INTERRUPTED", "stopped", { cause: error });
  return toPsnError(error);
}

/** A command line whose common flags stand behind the command, wherever they were typed: `psn --json queue`. */
interface Line {
  readonly words: readonly string[];
  /** Undefined where no command was typed. */
  readonly name: string | undefined;
  /** Undefined where there is no command of that name. */
  readonly command: Command | CommandGroup | undefined;
}

async function readLine(argv: readonly string[]): Promise<Line> {
  const { flags, rest } = leadingFlags(helpAsked(argv));
  const [name, ...behind] = rest;
  if (name === undefined) {
    const today = (await import("./commands/today.ts")).default;
    return { words: [today.name, ...flags], name: today.name, command: today };
  }
  // Help, the version, or a flag there is not.
  if (name.startsWith("-")) return { words: rest, name: undefined, command: undefined };
  const command = Object.hasOwn(COMMANDS, name) ? (await COMMANDS[name]?.load())?.default : undefined;
  // Help on a command there is not would be help on all of them, as if nothing were wrong.
  if (!command) return { words: [name, ...flags], name, command };
  if (!isGroup(command)) return { words: [name, ...flags, ...behind], name, command };
  const inner = leadingFlags(behind);
  const [member, ...last] = inner.rest;
  if (member === undefined) {
    throw new PsnError("USAGE", `psn ${name} needs one of: ${command.commands.map((one) => one.name).join(", ")}`, {
      hint: `psn ${name} --help`,
    });
  }
  if (!member.startsWith("-") && !command.commands.some((one) => one.name === member))
    return { words: [name, member], name, command };
  const common = member.startsWith("-") ? [] : [...flags, ...inner.flags];
  return { words: [name, member, ...common, ...last], name, command };
}

/** `psn help post` means `psn post --help`, and `psn help vault rotate` the same of a command in a group. */
function helpAsked(argv: readonly string[]): readonly string[] {
  const { flags, rest } = leadingFlags(argv);
  const [help, name, ...members] = rest;
  if (help !== "help" || name === undefined || !Object.hasOwn(COMMANDS, name)) return argv;
  return [...flags, name, ...members, "--help"];
}

/** The flags every command has, as far as they stand before anything else. */
function leadingFlags(words: readonly string[]): {
  readonly flags: readonly string[];
  readonly rest: readonly string[];
} {
  let at = 0;
  for (let word = words[at]; word !== undefined; word = words[at]) {
    const name = word.split("=", 1)[0] ?? word;
    const flag = COMMON_FLAGS.find(({ flags }) => flags.split(/[ ,]+/).includes(name));
    if (!flag) break;
    at += flag.flags.includes("<") && word === name ? 2 : 1;
  }
  return { flags: words.slice(0, at), rest: words.slice(at) };
}

interface Built {
  readonly program: Commander;
  readonly outcome: { exit: number };
}

function build({ name, command }: Line, io: Io): Built {
  const outcome = { exit: EXIT.ok as number };
  const program = new Commander("psn")
    .description("Write once, publish everywhere, exactly once.")
    .version(io.version, "-V, --version")
    .exitOverride()
    .configureOutput({ writeOut: io.writeHelp, writeErr: () => undefined })
    .showSuggestionAfterError()
    .helpCommand(false)
    .addHelpText("after", "\nBegin with `psn init`. Help on one command: psn COMMAND --help");
  // They have been put behind the command by now; here they are for the help, and for what may be meant by a wrong one.
  program.enablePositionalOptions();
  for (const { flags, help } of COMMON_FLAGS) program.option(flags, help);
  for (const [known, { summary }] of Object.entries(COMMANDS)) {
    if (known === name && command) add(program, { command, io, outcome });
    else program.command(known).summary(summary).description(summary);
  }
  if (command && !Object.hasOwn(COMMANDS, command.name)) add(program, { command, io, outcome });
  return { program, outcome };
}

function add(
  parent: Commander,
  {
    command,
    io,
    outcome,
    path = command.name,
  }: {
    readonly command: Command | CommandGroup;
    readonly io: Io;
    readonly outcome: Built["outcome"];
    readonly path?: string | undefined;
  },
): void {
  const built = parent.command(command.name).summary(command.summary).exitOverride();
  if (isGroup(command)) {
    built.description(command.summary).helpCommand(false);
    for (const one of command.commands) add(built, { command: one, io, outcome, path: `${path} ${one.name}` });
    return;
  }
  built.description(command.details === undefined ? command.summary : `${command.summary}\n\n${command.details}`);
  for (const { name, help } of command.args ?? []) built.argument(name, help);
  for (const { flags, help, many } of [...(command.flags ?? []), ...COMMON_FLAGS]) {
    if (many) built.option(flags, help, (value: string, before: readonly string[] = []) => [...before, value]);
    else built.option(flags, help);
  }
  const examples = command.examples.map(({ line, does }) => `  ${line}\n      ${does}`).join("\n");
  if (examples !== "") built.addHelpText("before", `Examples:\n${examples}\n`);
  if (command.fields) built.addHelpText("after", `\n${fieldsHelp(command.fields)}`);
  built.action(async () => {
    const names = (command.args ?? []).map(({ name }) => bare(name));
    const positional = Object.fromEntries(
      names.flatMap((name, i) =>
        built.processedArgs[i] === undefined ? [] : [[name, built.processedArgs[i] as unknown]],
      ),
    );
    outcome.exit = await runCommand(command, { path, positional, options: built.opts(), io });
  });
}

/** What a program reads where stdout is no terminal. */
function fieldsHelp(fields: readonly string[]): string {
  return `Where stdout is no terminal each row is one line of fields between tabs:\n  ${fields.join(", ")}`;
}

interface CommonOptions {
  readonly json?: boolean;
  readonly hub?: string;
  readonly input?: boolean;
  readonly color?: boolean;
  readonly yes?: boolean;
}

async function runCommand(
  command: Command,
  {
    path,
    positional,
    options,
    io,
  }: {
    readonly path: string;
    readonly positional: Readonly<Record<string, unknown>>;
    readonly options: CommonOptions & Readonly<Record<string, unknown>>;
    readonly io: Io;
  },
): Promise<number> {
  const { json = false, hub, input = true, color, yes = false, ...own } = options;
  const output = await io.output(json, color === false ? false : undefined);
  const parsed = command.schema.safeParse({ ...positional, ...own });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const name = String(issue?.path[0] ?? "the input");
    const isArgument = (command.args ?? []).some((one) => bare(one.name) === name);
    const where = isArgument ? `<${name}>` : `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new PsnError("USAGE", `${where} ${issue?.message}`, { hint: `psn ${path} --help` });
  }
  const context: RunContext = await io.context({ output, hub, input, yes, commands: COMMANDS });
  try {
    return (await context.untilStopped(command.run(parsed.data, context))) ?? EXIT.ok;
  } finally {
    await context.close();
  }
}

/** An argument's name without Commander's signs. */
function bare(name: string): string {
  return name.replace(/[<>[\].]/g, "");
}

/** Commander's words, without values: what was typed in the wrong place may be a secret. */
function usage(error: CommanderError, { words, name, command }: Line): PsnError {
  const member = command && isGroup(command) ? command.commands.find((one) => one.name === words[1]) : command;
  const path = ["psn", ...(command ? [name] : []), ...(member && member !== command ? [member.name] : [])].join(" ");
  const [, flag] = /unknown option '--([a-z-]+)/.exec(error.message) ?? [];
  const flags = member && !isGroup(member) ? (member.flags ?? []) : [];
  if (flag !== undefined && flags.some((one) => one.flags === `--${flag}-stdin`)) {
    return new PsnError(
      "SECRET_IN_ARGUMENTS",
      `--${flag} is not accepted on the command line, which other users on this machine can read`,
      {
        hint: `pass --${flag}-stdin or --${flag}-file FILE`,
      },
    );
  }
  const help = path === "psn psn" ? "psn --help" : `${path} --help`;
  const [, unknown] = /^error: unknown option '(.*?)'(?:\n\(Did you mean [^\n]*\))?$/s.exec(error.message) ?? [];
  const takesText = member && !isGroup(member) && (member.args ?? []).some(({ anyText }) => anyText);
  const behind = `put a text that begins with - after --: ${path} -- "-text"`;
  if (takesText && unknown !== undefined && !/^--?[a-z][a-z-]*(?:=.*)?$/is.test(unknown))
    return new PsnError("USAGE", "the text begins with -, as a flag does", { hint: behind });
  const message = error.message
    .replace(/^error: /, "")
    .replaceAll(/\s*\n\s*/g, " ")
    .replace(/(unknown option '[^'=]*)=[^']*'/, "$1'")
    .replace(/(Expected \d+ arguments? but got \d+): .*/, "$1.");
  return new PsnError("USAGE", message, { hint: takesText && unknown !== undefined ? `${help}; ${behind}` : help });
}
