import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { COMMON_FLAGS, type Command, isGroup } from "@psn/cli/command.ts";
import { COMMANDS } from "@psn/cli/program.ts";
import { becameOf, ERRORS, type ErrorCode, EXIT } from "@psn/core/errors.ts";
import type { Auth } from "@psn/core/types/account.ts";
import type { Capabilities, MediaRule, TextRule } from "@psn/core/types/capabilities.ts";
import { platformIds, platforms } from "@psn/platforms/index.ts";
import { renderHubEnvExample, renderKeysEnvExample } from "./env-examples.ts";
import { biomeLayers } from "./house/biome.ts";
import { picture, surveyed } from "./house/picture.ts";
import { jsonPage } from "./json-docs.ts";
import { manPages } from "./man.ts";
import { OWN_FILES } from "./own-files.ts";
import { withAddresses, withOwner } from "./repository.ts";
import { renderWebhookPage } from "./webhook-docs.ts";

/*
 * Writes what is made from the code: docs/cli.md, docs/errors.md, docs/json.md, docs/man, docs/platforms.md, parts of
 * docs/platforms/webhook.md and docs/architecture.md, biome.layers.json, config/*.env.example, the index of psn's own
 * files, and the repository's address where docs/install.md and CODEOWNERS have it. With --check it writes nothing and
 * fails when one is stale.
 */

const UNITS: Readonly<Record<TextRule["unit"], string>> = {
  grapheme: "graphemes",
  codepoint: "code points",
  utf16: "UTF-16 units",
  byte: "bytes",
};

const MARKUP: Readonly<Record<NonNullable<Capabilities["markup"]> | "plain", string>> = {
  html: "HTML, and plain text beside it",
  links: "plain text; links have their own words",
  plain: "plain text; a link's address follows its words",
};

const MADE = "<!-- Made by `bun run docs` from the code; edit the code. -->\n\n";

const files: Readonly<Record<string, string>> = {
  "docs/cli.md": MADE + (await cli()),
  "docs/errors.md": MADE + errors(),
  "docs/json.md": MADE + (await jsonPage()),
  ...Object.fromEntries(Object.entries(await manPages()).map(([name, text]) => [`docs/man/${name}`, text])),
  "docs/platforms.md": MADE + (await platformPages()),
  "docs/platforms/webhook.md": renderWebhookPage(read(pathOf("docs/platforms/webhook.md")) ?? ""),
  "docs/install.md": withAddresses(read(pathOf("docs/install.md")) ?? ""),
  ".github/CODEOWNERS": withOwner(read(pathOf(".github/CODEOWNERS")) ?? ""),
  "docs/architecture.md": withPicture(read(pathOf("docs/architecture.md")) ?? ""),
  "biome.layers.json": biomeLayers(),
  "config/hub.env.example": renderHubEnvExample(),
  "config/keys.env.example": renderKeysEnvExample(),
  ...Object.fromEntries(Object.entries(OWN_FILES).map(([name, render]) => [name, render()])),
};

const stale: string[] = [];
for (const [name, text] of Object.entries(files)) {
  const path = pathOf(name);
  if (read(path) === text) continue;
  stale.push(name);
  if (!process.argv.includes("--check")) writeFileSync(path, text);
}
if (process.argv.includes("--check") && stale.length > 0) {
  console.error(`stale: ${stale.join(", ")}; run: bun run docs`);
  process.exit(1);
}
console.log(stale.length === 0 ? "all fresh" : `written: ${stale.join(", ")}`);

function pathOf(name: string): string {
  return fileURLToPath(new URL(`../${name}`, import.meta.url));
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** The page with the rooms as they are now, between its two marks. */
function withPicture(page: string): string {
  const drawn = `<!-- house -->\n\n\`\`\`\n${picture(surveyed(pathOf("")))}\n\`\`\`\n\n<!-- /house -->`;
  return page.replace(/<!-- house -->.*<!-- \/house -->/s, () => drawn);
}

function cell(text: string): string {
  const inTable = text.replaceAll("|", "\\|");
  return text.startsWith("`") ? inTable : inTable.replaceAll("<", "&lt;");
}

function row(...cells: readonly string[]): string {
  return `| ${cells.map(cell).join(" | ")} |`;
}

async function cli(): Promise<string> {
  const flags = COMMON_FLAGS.map(({ flags: flag, help }) => row(`\`${flag}\``, help));
  const parts = [
    "# Commands",
    "`psn` alone shows the day at a glance. Data goes to stdout, everything else to stderr.",
    ["Every command has", "", "| flag | |", "| --- | --- |", ...flags].join("\n"),
  ];
  for (const { load } of Object.values(COMMANDS)) {
    const command = (await load()).default;
    if (!isGroup(command)) parts.push(...page(`psn ${command.name}`, command));
    else for (const one of command.commands) parts.push(...page(`psn ${command.name} ${one.name}`, one));
  }
  return `${parts.join("\n\n")}\n`;
}

function page(name: string, { summary, details, args = [], flags = [], fields, examples }: Command): string[] {
  const usage = [name, ...args.map((arg) => arg.name), ...(flags.length > 0 ? ["[flags]"] : [])].join(" ");
  const parts = [
    `## ${name}`,
    `${summary[0]?.toUpperCase()}${summary.slice(1)}.${details === undefined ? "" : ` ${details}`}`,
    `\`${usage}\``,
  ];
  if (examples.length > 0)
    parts.push(["```sh", ...examples.map(({ line, does }) => `${line}   # ${does}`), "```"].join("\n"));
  const rows = [
    ...args.map(({ name: arg, help }) => row(`\`${arg}\``, help)),
    ...flags.map(({ flags: flag, help }) => row(`\`${flag}\``, help)),
  ];
  if (rows.length > 0) parts.push(["| | |", "| --- | --- |", ...rows].join("\n"));
  if (fields)
    parts.push(`Where stdout is no terminal each row is one line of fields between tabs: ${fields.join(", ")}.`);
  return parts;
}

function errors(): string {
  const exits = Object.entries(EXIT).map(([name, code]) => row(String(code), name));
  const codes = Object.entries(ERRORS).map(([code, spec]) =>
    row(`\`${code}\``, String(spec.exit), spec.retry, spec.meaning, "helps" in spec ? spec.helps : `\`${spec.hint}\``),
  );
  const split = (Object.keys(ERRORS) as ErrorCode[])
    .filter((code) => becameOf(code).length > 0)
    .map((code) =>
      row(
        `\`${code}\``,
        becameOf(code)
          .map((one) => `\`${one}\``)
          .join(", "),
      ),
    );
  const parts = [
    "# Errors",
    "What psn does about a failure follows from the third column: `never` waits for a person, `backoff` tries " +
      "again later because nothing was sent, `refresh` refreshes the token once, `reconcile` asks the platform " +
      "before anything is sent again.",
    ["| code | exit | tried again | meaning | what helps |", "| --- | --- | --- | --- | --- |", ...codes].join("\n"),
    "## Codes that meant more",
    "In earlier versions of psn these codes also meant what has a code of its own now, with the same exit code. " +
      "`psn explain CODE` says it too.",
    ["| code | also meant |", "| --- | --- |", ...split].join("\n"),
    "## Exit codes",
    ["| code | |", "| --- | --- |", ...exits].join("\n"),
  ];
  return `${parts.join("\n\n")}\n`;
}

async function platformPages(): Promise<string> {
  const parts = [
    "# Platforms",
    "The limits are the platform's own unless a server says otherwise; then psn follows the server.",
  ];
  for (const id of platformIds) {
    const { name, docs, capabilities: can, auth } = await platforms[id]();
    const { text, images, videos } = can;
    const extra = [
      text.urlCost === undefined ? "" : `every URL counts ${text.urlCost}`,
      text.maxBytes === undefined ? "" : `at most ${text.maxBytes} bytes`,
    ].filter((word) => word !== "");
    parts.push(
      `## ${name}`,
      [
        "| | |",
        "| --- | --- |",
        row("text", `${text.max} ${UNITS[text.unit]}${extra.length > 0 ? `; ${extra.join("; ")}` : ""}`),
        row("Markdown becomes", MARKUP[can.markup ?? "plain"]),
        row("threads", can.thread === "merge" ? "parts become one entry" : "each part answers the one before"),
        row("images", mediaLine(images)),
        row("videos", mediaLine(videos)),
        row("documents", mediaLine(can.documents)),
        row("kinds together in a post", can.mixed === undefined ? "no" : `yes, up to ${can.mixed} files`),
        row("alt text", can.altText === false ? "none" : `up to ${can.altText} ${UNITS[can.altUnit ?? "grapheme"]}`),
        row("visibility", can.visibilities.join(", ")),
        row("content warning", can.contentWarning ? "yes" : "no"),
        row("a lost answer is settled by", can.duplicates),
        row("deliveries at once for one account", String(can.concurrency)),
        row("where it publishes", can.needsMachine ? "on the user's own machine alone" : "anywhere"),
        row(
          "options",
          (can.options ?? [])
            .map(
              ({ name: option, help, values }) =>
                `\`${id}.${option}\`: ${help}${values ? ` (${values.join(", ")})` : ""}`,
            )
            .join("; ") || "none",
        ),
        row("written from", docs),
      ].join("\n"),
      auth.map((way) => connecting(way)).join(" "),
    );
  }
  return `${parts.join("\n\n")}\n`;
}

function connecting({ kind, fields }: Auth): string {
  const asked = fields.map(({ name, secret, help }) => `\`${name}\`${secret ? " (secret)" : ""}: ${help}`).join("; ");
  return kind === "form"
    ? `Connecting by a form asks for: ${asked}.`
    : `Connecting in the browser asks for ${asked === "" ? "your consent alone" : asked}.`;
}

function mediaLine(rule: MediaRule | undefined): string {
  if (!rule) return "none";
  const { max, maxBytes, mimes, maxPixels, maxFrameRate, durationMs: plays, maxAspect, alone } = rule;
  const parts = [
    `${max}, each up to ${megabytes(maxBytes)}: ${mimes.map((mime) => mime.split("/")[1]).join(", ")}`,
    alone && `a ${alone.mime.split("/")[1]} stands alone and has up to ${megabytes(alone.maxBytes)}`,
    maxPixels && `at most ${maxPixels} pixels, width times height`,
    maxAspect && `at most ${maxAspect} times as wide as high`,
    maxFrameRate && `at most ${maxFrameRate} frames a second`,
    plays && `plays ${plays.least / 1000} to ${plays.most / 1000} seconds`,
  ];
  return parts.filter(Boolean).join("; ");
}

function megabytes(bytes: number): string {
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
