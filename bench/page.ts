import type { Figure } from "./report.ts";

const TITLES: Readonly<Record<string, string>> = {
  startup: "What a command takes",
  peers: "Beside a peer",
  vault: "The vault",
  text: "Text",
  durable: "What durability costs",
  claim: "Deliveries a second",
  lateness: "Lateness, and a backlog",
  growth: "Growth",
  tasks: "Tasks in the cloud",
};

/** What a reader must know to read the figures. */
const NOTES: Readonly<Record<string, string>> = {
  startup:
    "Whole processes of psn as it is installed, in turns with an empty Bun; the faster way first. " +
    "A command opens the embedded database by itself where no worker runs.",
  peers:
    "One post of a text and an image on a real Bluesky server over TLS, from the start of a process to its end. " +
    "crosspost keeps nothing: no queue, no history, and no word of a post whose answer was lost.",
  vault: "Against AES-256-GCM of node:crypto with nothing around it.",
  text: "The floor is Intl.Segmenter alone over the same text.",
  durable:
    "The embedded database as psn opens it, and as PGlite opens itself: without fsync. A commit waits for the disk " +
    "once.",
  claim:
    "A platform that does nothing and a Postgres 18 with fsync on the same machine, which has two cores for both. " +
    "A delivery is claimed, loaded, sent and settled; `sending` is committed before it is sent and its outcome " +
    "before it is reported. graphile-worker runs jobs that do nothing on the same server, in turns: its job is one " +
    "row that is locked and deleted. ADR 11 says what the bound is.",
  lateness: "From the due instant to the call of the platform.",
  growth: "Nine of ten deliveries are history. The hubs are on one server and take turns.",
  tasks:
    "Trigger.dev's own worker process. Twenty posts of one account in one second against twenty accounts with one " +
    "post each, four runs at once.",
};

/** docs/performance.md: ratios first, since they hold on another machine too. */
export function page(on: string, results: Readonly<Record<string, readonly Figure[]>>): string {
  const parts = [
    "<!-- Made by `bun run bench --write` from a run; run it again. -->",
    "# Performance",
    `${on} before it began. Ratios are of what was measured in turns in one run; the values beside them are this ` +
      "machine's.",
  ];
  for (const [name, figures] of Object.entries(results)) {
    parts.push(`## ${TITLES[name] ?? name}`);
    if (NOTES[name]) parts.push(NOTES[name]);
    parts.push(["| | ratio | aim | measured |", "| --- | --- | --- | --- |", ...figures.map(row)].join("\n"));
  }
  return `${parts.join("\n\n")}\n`;
}

function row({ name, value, ratio, against, aim, met }: Figure): string {
  const compared = ratio === undefined ? "" : `${ratio.toFixed(2)}x ${against ?? ""}`;
  const wanted = aim === undefined ? "" : `${aim}${met === undefined ? "" : met ? ": met" : ": **not met**"}`;
  return `| ${[name, compared, wanted, value].map((cell) => cell.trim().replaceAll("|", "\\|")).join(" | ")} |`;
}
