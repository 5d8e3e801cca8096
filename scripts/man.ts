import { COMMON_FLAGS, type Command, type CommandGroup, isGroup } from "@psn/cli/command.ts";
import { ENVIRONMENT, EXIT_MEANINGS } from "@psn/cli/commands/help.ts";
import { COMMANDS } from "@psn/cli/program.ts";
import { EXIT } from "@psn/core/errors.ts";
import { version } from "../package.json";
import { bold, escaped, italic, macro, tagged, text } from "./man/roff.ts";

/*
 * The manual pages, in docs/man: psn(1), and one for each command or group of commands, from the same tables as
 * docs/cli.md.
 */

/** The day on which the form of the pages last changed; the version says which psn they are of. */
const DATE = "2026-11-27";

/** Each page by the name of its file. */
export async function manPages(): Promise<Readonly<Record<string, string>>> {
  const pages: Record<string, string> = { "psn.1": front() };
  for (const [name, { load }] of Object.entries(COMMANDS)) pages[`psn-${name}.1`] = page((await load()).default);
  return pages;
}

const head = (name: string, summary: string): readonly string[] => [
  // A date is not escaped: mandoc reads it.
  `${macro(".TH", name.toUpperCase(), "1")} "${DATE}" "psn ${version}" "psn manual"`,
  ".SH NAME",
  `${escaped(name)} \\- ${escaped(summary)}`,
];

const document = (lines: readonly string[]): string =>
  `.\\" Made by: bun run docs; edit the code.\n${lines.join("\n")}\n`;

function front(): string {
  return document([
    ...head("psn", "a publishing hub that you own and drive from the terminal"),
    ".SH SYNOPSIS",
    `${bold("psn")} [${italic("command")}] [${italic("flags")}]`,
    ".SH DESCRIPTION",
    ...text(
      "psn publishes posts, now or at a time, to each account that you connect. Alone it shows the day at a glance.",
    ),
    ...text("Data goes to standard output, everything else to standard error."),
    ".SH COMMANDS",
    ...Object.entries(COMMANDS).flatMap(([name, { summary }]) => tagged(`${bold(`psn-${name}`)}(1)`, summary)),
    ".SH OPTIONS",
    ...text("Every command has these."),
    ...COMMON_FLAGS.flatMap(({ flags, help }) => tagged(flag(flags), help)),
    ".SH EXIT STATUS",
    ...Object.entries(EXIT).flatMap(([name, code]) =>
      tagged(bold(String(code)), EXIT_MEANINGS[name as keyof typeof EXIT]),
    ),
    ".SH ENVIRONMENT",
    ...ENVIRONMENT.flatMap(([name, does]) => tagged(bold(name), does)),
    ".SH FILES",
    ...tagged(italic("config/hub.env"), "the settings of the hub, in its folder"),
    ...tagged(italic("config/keys.env"), "the keys of your developer apps"),
    ...tagged(italic("data/"), "the embedded database"),
  ]);
}

function page(command: Command | CommandGroup): string {
  const name = `psn ${command.name}`;
  const all = isGroup(command) ? command.commands.map((one) => [`${name} ${one.name}`, one] as const) : [];
  const body = isGroup(command)
    ? [
        ".SH SYNOPSIS",
        ...all.flatMap(([path, one], at) => [...(at === 0 ? [] : [".br"]), synopsis(path, one)]),
        ".SH COMMANDS",
        ...all.flatMap(([path, one]) => [macro(".SS", path), ...about(one), ...parts(one, ".PP")]),
      ]
    : [".SH SYNOPSIS", synopsis(name, command), ".SH DESCRIPTION", ...about(command), ...parts(command, ".SH")];
  const also = [".SH SEE ALSO", `${bold("psn")}(1)`];
  return document([...head(`psn-${command.name}`, command.summary), ...body, ...also]);
}

const about = ({ summary, details }: Command): readonly string[] =>
  text(`${summary[0]?.toUpperCase()}${summary.slice(1)}.${details === undefined ? "" : ` ${details}`}`);

const synopsis = (path: string, { args = [], flags = [] }: Command): string =>
  [
    bold(path),
    ...args.map(({ name }) => placeholder(name)),
    ...(flags.length > 0 ? [`[${italic("flags")}]`] : []),
  ].join(" ");

/** What a command takes; within a group's page each part has a paragraph in place of a section. */
function parts({ args = [], flags = [], fields, examples }: Command, as: ".SH" | ".PP"): readonly string[] {
  const part = (title: string, lines: readonly string[]) =>
    lines.length === 0 ? [] : as === ".SH" ? [macro(as, title.toUpperCase()), ...lines] : [as, `${title}:`, ...lines];
  return [
    ...part(
      "Arguments",
      args.flatMap(({ name, help }) => tagged(placeholder(name), help)),
    ),
    ...part(
      "Options",
      flags.flatMap(({ flags: words, help }) => tagged(flag(words), help)),
    ),
    ...part(
      "Output",
      fields
        ? text(
            `Where standard output is no terminal each row is one line of fields between tabs: ${fields.join(", ")}.`,
          )
        : [],
    ),
    ...part(
      "Examples",
      examples.flatMap(({ line, does }) => tagged(bold(line), does)),
    ),
  ];
}

/** `--to <accounts>`, with the name of the value in italics. */
const flag = (words: string): string =>
  words
    .split(" ")
    .map((word) => (word.startsWith("-") ? bold(word) : placeholder(word)))
    .join(" ");

/** `<id>` and `[text]`. */
const placeholder = (name: string): string => {
  const word = italic(name.replaceAll(/[<>[\]]/g, ""));
  return name.startsWith("[") ? `[${word}]` : word;
};
