import { type Argument, COMMON_FLAGS, type Command, type CommandTable, type Flag, isGroup } from "@psn/cli/command.ts";

/*
 * Where the cursor stands in a command line, by the words before it.
 */

export interface Place {
  /** What `--hub` says, as far as it is typed. */
  readonly hub: string | undefined;
  /** The members of a group, or all commands, where one of them is to be typed. */
  readonly names: readonly { readonly name: string; readonly summary: string }[];
  /** What the value at the cursor belongs to. */
  readonly value: Flag | Argument | undefined;
  /** The flags that may stand here; none behind `--`, and where a value is to be typed. */
  readonly flags: readonly Flag[];
  /** What of the word at the cursor does not belong to the value: `--to=`. */
  readonly before: string;
  /** The value as far as it is typed. */
  readonly typed: string;
}

const NOWHERE = { names: [], value: undefined, flags: [], before: "" } as const;

/** The long name of a flag, else its short one. */
export const flagName = ({ flags }: Flag): string =>
  /--[a-z][a-z-]*/.exec(flags)?.[0] ?? flags.split(/[ ,]/, 1)[0] ?? "";

const takesValue = ({ flags }: Flag): boolean => flags.includes("<");

/** Reads words up to the cursor; word 0 is psn's own name. */
export async function placeIn(commands: CommandTable, words: readonly string[]): Promise<Place> {
  const [, ...all] = joined(words);
  const current = all.at(-1) ?? "";
  const read = await readWords(commands, all.slice(0, -1));
  const { hub, command, names, wants, isOver, positionals, used, isLost } = read;
  const place = { ...NOWHERE, hub, typed: current };
  if (wants) return { ...place, value: wants };
  if (isLost) return place;
  const known = [...(command?.flags ?? []), ...COMMON_FLAGS];
  if (!isOver && current.startsWith("-")) {
    const [name = "", ...value] = current.split("=");
    const flag = known.find((one) => flagName(one) === name && takesValue(one));
    if (flag && value.length > 0) return { ...place, value: flag, before: `${name}=`, typed: value.join("=") };
    return { ...place, flags: known.filter((one) => one.many || !used.has(one)) };
  }
  if (!command) return { ...place, names };
  const args = command.args ?? [];
  const last = args.at(-1);
  return { ...place, value: args[positionals] ?? (last?.name.includes("...") ? last : undefined) };
}

interface Read {
  readonly hub: string | undefined;
  readonly command: Command | undefined;
  readonly names: Place["names"];
  /** The flag whose value comes next. */
  readonly wants: Flag | undefined;
  /** Behind `--`. */
  readonly isOver: boolean;
  readonly positionals: number;
  readonly used: ReadonlySet<Flag>;
  /** Behind a command that psn does not have. */
  readonly isLost: boolean;
}

async function readWords(commands: CommandTable, words: readonly string[]): Promise<Read> {
  let names: Read["names"] = Object.entries(commands).map(([name, { summary }]) => ({ name, summary }));
  let members: readonly Command[] | undefined;
  let command: Command | undefined;
  let [hub, wants]: [string | undefined, Flag | undefined] = [undefined, undefined];
  let [isOver, positionals] = [false, 0];
  const used = new Set<Flag>();
  for (const word of words) {
    if (wants) {
      if (flagName(wants) === "--hub") hub = word;
      wants = undefined;
    } else if (!isOver && word === "--") isOver = true;
    else if (!isOver && word.startsWith("-") && word !== "-") {
      const [name, value] = word.split("=", 2);
      const flag = [...(command?.flags ?? []), ...COMMON_FLAGS].find((one) => flagName(one) === name);
      if (!flag) continue;
      used.add(flag);
      if (value === undefined) wants = takesValue(flag) ? flag : undefined;
      else if (flagName(flag) === "--hub") hub = value;
    } else if (command) positionals += 1;
    else {
      const found = members?.find(({ name }) => name === word) ?? (await loaded(commands, members ? "" : word));
      if (!found) return { hub, command, names: [], wants, isOver, positionals, used, isLost: true };
      if (isGroup(found)) names = members = found.commands;
      else command = found;
    }
  }
  return { hub, command, names, wants, isOver, positionals, used, isLost: false };
}

const loaded = async (commands: CommandTable, name: string) =>
  Object.hasOwn(commands, name) ? (await commands[name]?.load())?.default : undefined;

/** Bash takes `--to=x` apart into `--to`, `=` and `x`. */
function joined(words: readonly string[]): readonly string[] {
  const found: string[] = [];
  for (const [at, word] of words.entries()) {
    const before = found.at(-1) ?? "";
    const isValue = words[at - 1] === "=" && before.endsWith("=");
    if (isValue || (word === "=" && /^--[a-z-]+$/.test(before))) found[found.length - 1] = before + word;
    else found.push(word);
  }
  return found;
}
