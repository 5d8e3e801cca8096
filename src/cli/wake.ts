import type { Woken } from "@psn/app/wake-up.ts";
import type { Output } from "./output.ts";

/** Who publishes what was just written, in every `--json`. */
export function wakeDocument({ queue, missed, atHome }: Woken) {
  return { queue, missed: missed?.toJSON() ?? null, atHome: atHome.map(({ id }) => id) };
}

/** Says on stderr what a person must know about it; nothing where workers listen to the database. */
export function noteWake(output: Output, woken: Woken, scheduled = true): void {
  const said = scheduled ? wakeNote(woken) : undefined;
  if (said !== undefined) output.note(said);
}

function wakeNote({ queue, missed, atHome }: Woken): string | undefined {
  if (queue === null) return undefined;
  const lines = [
    ...(missed ? [`${queue} could not be told: ${missed.message}. The post is safe; the watchdog there takes it at its next look`] : []),
    ...(atHome.length > 0
      ? [
          `${atHome.map(({ platform, handle }) => `${platform}:${handle}`).join(", ")} needs this machine: it goes out while psn worker runs here`,
        ]
      : []),
  ];
  return lines.length > 0 ? lines.join("\n") : `${queue} publishes it; this machine may be off`;
}
