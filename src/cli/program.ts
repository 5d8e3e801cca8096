import { EXIT, PsnError, toPsnError } from "@psn/core/errors.ts";
import { Command as Commander, CommanderError } from "commander";
import { COMMON_FLAGS, type Command, type CommandGroup, type CommandTable, type Context } from "./command.ts";
import type { Io } from "./io.ts";

/** Every command, in the order of the help; its code loads when it is the one that was called. */
export const COMMANDS: CommandTable = {
  init: { summary: "make a hub here, or what is missing of one", load: () => import("./commands/init.ts") },
  connect: { summary: "connect an account", load: () => import("./commands/connect.ts") },
  accounts: { summary: "your accounts and their health", load: () => import("./commands/accounts.ts") },
  disconnect: { summary: "forget an account's credentials", load: () => import("./commands/disconnect.ts") },
  post: { summary: "publish a post, now or at a time", load: () => import("./commands/post.ts") },
  queue: { summary: "what goes out when", load: () => import("./commands/queue.ts") },
  show: { summary: "everything about one post or delivery", load: () => import("./commands/show.ts") },
  move: { summary: "give a post another time", load: () => import("./commands/move.ts") },
  cancel: { summary: "take back what has not gone out", load: () => import("./commands/cancel.ts") },
  retry: { summary: "try what failed again", load: () => import("./commands/retry.ts") },
  resolve: { summary: "say what psn cannot find out", load: () => import("./commands/resolve.ts") },
  worker: { summary: "publish what is due from this machine", load: () => import("./commands/worker.ts") },
  config: { summary: "hub.env and keys.env", load: () => import("./commands/config.ts") },
  db: { summary: "the hub's database", load: () => import("./commands/db.ts") },
  vault: { summary: "the sealed secrets", load: () => import("./commands/vault.ts") },
  doctor: { summary: "check the hub, and say what mends it", load: () => import("./commands/doctor.ts") },
  explain: { summary: "what an error code means", load: () => import("./commands/explain.ts") },
  completion: { summary: "completion for your shell", load: () => import("./commands/completion.ts") },
  help: { summary: "help on a topic: times, exit-codes, environment", load: () => import("./commands/help.ts") },
};

/** Runs one command line and returns its exit code. Never throws, and never ends the process. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  const json = argv.includes("--json");
  try {
    const name = argv.find((word) => !word.startsWith("-"));
    if (name === undefined && argv.every((word) => ["--json", "--no-color", "--no-input"].includes(word))) {
      return await runCommand((await import("./commands/today.ts")).default, {}, {}, io);
    }
    const { program, outcome } = await build(name, io);
    await program.parseAsync([...argv], { from: "user" });
    return outcome.exit;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
    const failure = error instanceof CommanderError ? usage(error) : toPsnError(error);
    (await io.output(json, undefined)).failure(failure);
    if (failure.code === "BUG") io.trace(failure);
    return failure.exit;
  }
}

interface Built {
  readonly program: Commander;
  readonly outcome: { exit: number };
}

async function build(name: string | undefined, io: Io): Promise<Built> {
  const outcome = { exit: EXIT.ok as number };
  const program = new Commander("psn")
    .description("Write once, publish everywhere, exactly once.")
    .version(io.version, "-V, --version")
    .exitOverride()
    .configureOutput({ writeOut: io.writeHelp, writeErr: () => undefined })
    .showSuggestionAfterError()
    .helpCommand(false)
    .addHelpText("after", "\nBegin with `psn init`. Help on one command: psn COMMAND --help");
  for (const [known, { summary, load }] of Object.entries(COMMANDS)) {
    if (known !== name) program.command(known, { hidden: false }).summary(summary).description(summary);
    else add(program, (await load()).default, io, outcome);
  }
  return { program, outcome };
}

function add(parent: Commander, command: Command | CommandGroup, io: Io, outcome: Built["outcome"]): void {
  const built = parent.command(command.name).summary(command.summary).exitOverride();
  if ("commands" in command) {
    built.description(command.summary).action(() => {
      throw new PsnError("USAGE", `psn ${command.name} needs one of: ${command.commands.map((one) => one.name).join(", ")}`, {
        hint: `psn ${command.name} --help`,
      });
    });
    for (const one of command.commands) add(built, one, io, outcome);
    return;
  }
  built.description(command.details === undefined ? command.summary : `${command.summary}\n\n${command.details}`);
  for (const { name, help } of command.args ?? []) built.argument(name, help);
  for (const { flags, help } of [...(command.flags ?? []), ...COMMON_FLAGS]) built.option(flags, help);
  const examples = command.examples.map(({ line, does }) => `  ${line}\n      ${does}`).join("\n");
  if (examples !== "") built.addHelpText("before", `Examples:\n${examples}\n`);
  built.action(async () => {
    const names = (command.args ?? []).map(({ name }) => name.replace(/[<>[\].]/g, ""));
    const positional = Object.fromEntries(
      names.flatMap((name, i) => (built.processedArgs[i] === undefined ? [] : [[name, built.processedArgs[i] as unknown]])),
    );
    outcome.exit = await runCommand(command, positional, built.opts(), io);
  });
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
  positional: Readonly<Record<string, unknown>>,
  options: CommonOptions & Readonly<Record<string, unknown>>,
  io: Io,
): Promise<number> {
  const { json = false, hub, input = true, color, yes = false, ...own } = options;
  const output = await io.output(json, color === false ? false : undefined);
  const parsed = command.schema.safeParse({ ...positional, ...own });
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join(".") ?? "";
    throw new PsnError("USAGE", where === "" ? (issue?.message ?? "unusable input") : `${where}: ${issue?.message}`, {
      hint: `psn ${command.name} --help`,
    });
  }
  const context: Context & AsyncDisposable = await io.context({ output, hub, input, yes, commands: COMMANDS });
  try {
    return (await command.run(parsed.data, context)) ?? EXIT.ok;
  } finally {
    await context[Symbol.asyncDispose]();
  }
}

function usage(error: CommanderError): PsnError {
  const message = error.message.replace(/^error: /, "").replaceAll(/\s*\n\s*/g, " ");
  return new PsnError("USAGE", message, { hint: "psn --help" });
}
