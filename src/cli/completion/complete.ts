import type { Argument, CommandTable, Flag, Takes } from "@psn/cli/command.ts";
import type { DeliveryState } from "@psn/core/types/index.ts";
import { platformIds } from "@psn/platforms/index.ts";
import { flagName, type Place, placeIn } from "./line.ts";

/** What may stand at the cursor, and what is said beside it. */
export interface Offer {
  readonly word: string;
  readonly says?: string;
}

export interface Offers {
  /** Whether the shell completes the names of files or of folders in place of these words. */
  readonly kind: "words" | "files" | "folders";
  readonly words: readonly Offer[];
}

/** What the hub holds, as far as it is known without waiting. */
export interface Known {
  readonly accounts: readonly string[];
  readonly ids: readonly (Offer & { readonly states: readonly DeliveryState[] })[];
}

export interface Completing {
  /** Up to the cursor; word 0 is psn's own name. */
  readonly words: readonly string[];
  /** Of the hub in this folder, or of the usual one. */
  readonly known: (hub: string | undefined) => Promise<Known>;
  /** Bash replaces only what stands behind `=`. */
  readonly keepsFlag: boolean;
}

/** What may stand at the end of `words`. */
export async function complete(commands: CommandTable, { words, known, keepsFlag }: Completing): Promise<Offers> {
  const place = await placeIn(commands, words);
  if (place.value) {
    const { kind, words: found } = await valuesOf(place.value, place, { commands, known });
    const before = keepsFlag ? place.before : "";
    return { kind, words: before === "" ? found : found.map((one) => ({ ...one, word: before + one.word })) };
  }
  const names = place.names.map(({ name, summary }) => ({ word: name, says: summary }));
  const flags = place.flags.map((flag) => ({ word: flagName(flag), says: flag.help }));
  return { kind: "words", words: [...names, ...flags] };
}

async function valuesOf(
  of: Flag | Argument,
  { typed, hub }: Place,
  { commands, known }: { readonly commands: CommandTable; readonly known: Completing["known"] },
): Promise<Offers> {
  const takes = of.takes ?? usual("flags" in of ? of.flags : of.name);
  if (takes === "file" || takes === "folder") return { kind: takes === "file" ? "files" : "folders", words: [] };
  if (takes === "account" || takes === "accounts") {
    const names = [...(await known(hub)).accounts, ...platformIds];
    return words(takes === "account" ? names : several([...names, "all"], typed));
  }
  if (takes === "command") return words(Object.keys(commands));
  if (typeof takes === "function") return words(await takes());
  if ("list" in takes) return words(several(takes.list, typed));
  if (!("ids" in takes)) return words(takes);
  const { ids } = await known(hub);
  return { kind: "words", words: ids.filter(({ states }) => takes.ids.some((state) => states.includes(state))) };
}

const words = (all: readonly string[]): Offers => ({ kind: "words", words: all.map((word) => ({ word })) });

/** What a placeholder says by itself: `<file>`. */
function usual(notation: string): Takes {
  const [, name] = /[<[]([a-z-]+)/.exec(notation) ?? [];
  if (name === "file" || name === "path") return "file";
  if (name === "zone") return async () => ["UTC", ...Intl.supportedValuesOf("timeZone")];
  return name === "folder" ? "folder" : [];
}

/** With commas between: what is typed already stays, and is not offered again. */
function several(all: readonly string[], typed: string): readonly string[] {
  const before = typed.slice(0, typed.lastIndexOf(",") + 1);
  const given = before.split(",");
  return all.filter((one) => !given.includes(one)).map((one) => before + one);
}
