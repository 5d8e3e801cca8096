import { HelpDocument } from "@psn/app/documents/help.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { pairs } from "@psn/cli/fold.ts";
import { ERRORS, EXIT, PsnError } from "@psn/core/errors.ts";
import { z } from "zod";

export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  ok: "done, or nothing to do",
  failed: "failed",
  usage: "invalid input; nothing was sent",
  setup: "the hub is not set up",
  auth: "connect or reconnect an account",
  partial: "published to some of the accounts",
  later: "try later",
  unknown: "the outcome is unknown or still pending",
  unwritten: "done, and standard output could not be written; do not run it again",
  hungUp: "stopped by SIGHUP",
  interrupted: "stopped by Ctrl-C; psn says what is stored, if anything is",
  terminated: "stopped by SIGTERM",
};

export const ENVIRONMENT: readonly (readonly [name: string, does: string])[] = [
  ["PSN_HUB", "the hub's folder"],
  ["every name of hub.env and keys.env", "stands above the file; psn config list says what counts"],
  ["NEON_API_KEY", "for psn init --neon and psn destroy; kept in no file"],
  ["EDITOR, VISUAL", "for psn edit and psn config edit"],
  ["NO_COLOR, FORCE_COLOR, TERM=dumb", "decoration, never data"],
  ["CI", "nothing is asked, and no newer version is looked for"],
  ["PSN_NO_UPDATE_CHECK", "no newer version is looked for"],
];

/** A Markdown file that says everything such a file may say, line by line. */
export const FILE: readonly (readonly [line: string, does: string])[] = [
  ["---", "front matter in YAML; any key, or all of it, may be left out"],
  ["to: bluesky, x", "as --to; the same for every key that has the name of a flag"],
  ["at: tomorrow 9am", ""],
  ["tz: Europe/Berlin", ""],
  ["media:", "paths are seen from the file's folder; outside of it only with --allow-outside"],
  ["  - { file: cat.jpg, alt: a sleeping cat }", "with the first part"],
  ["  - { file: dog.jpg, alt: a dog, part: 2 }", "with the second"],
  ["visibility: public", "public, unlisted, followers, direct"],
  ["language: en", "BCP 47: en, pt-BR"],
  ["title: Cats and dogs", ""],
  ["contentWarning: animals", "a content warning, shown instead of the post until the reader opens it"],
  ["format: markdown", "plain: every sign goes out as it is typed; default: markdown, and plain for a .txt file"],
  ["split: true", "what is still too long for a platform becomes more parts"],
  ["numbered: true", ""],
  ["draft: false", "true: psn refuses to publish the file"],
  ["published: true", "false: the same"],
  ["keepMetadata: true", "position, serial numbers, names and comments stay in the media; else psn takes them out"],
  ["platforms:", "what only one platform gets"],
  ["  x:", ""],
  ["    text: shorter", "in place of all parts"],
  ["    options: { reply: following }", "what only X knows"],
  ["  mastodon: { parts: [one, two] }", "other parts"],
  ["---", ""],
  ["The *first* part.", "each platform gets what it can show: HTML, links with their own words, or plain text"],
  ["![a bird](bird.jpg)", "attached, with its description"],
  ["<!-- a note -->", "left out, but in code; --dry-run says how many"],
  ["", ""],
  ["---", "a line of three dashes begins the next part of the thread"],
  ["", ""],
  ["The second.", ""],
];

export const TOPICS: Readonly<Record<string, (screen?: number) => readonly string[]>> = {
  times: (screen) => [
    "--at takes:",
    ...pairs(
      [
        ["  2026-12-01T09:00:00Z", "ISO 8601 or RFC 2822 with an offset: one instant, whatever the zone"],
        ["  2026-12-01 09:00", "in your zone, or in --tz; also 1 December 2026 9am"],
        ["  tomorrow 9am", "a day and an hour; also friday 14:30, day after tomorrow 0930"],
        ["  tonight at 8", "also tomorrow at 9 in the morning; tonight at 12:30 is half an hour after midnight"],
        ["  in 2h", "also --in 2h; 30s, 45m, 3d, 1h30m, in half an hour, 1.5 hours from now; a day is 24 hours"],
        ["  in 2 days at 9am", "a number of days or weeks, and an hour of that day"],
        ["  tomorrow 9am utc", "a zone by its name, or an offset such as +01:00 or UTC+1, behind any time"],
        ["  Tue 1 Dec 2026 09:00 Europe/Berlin (08:00 UTC)", "what psn says of a time, pasted back"],
      ],
      screen,
    ),
    "",
    "A clock without am or pm that has minutes is one of 24 hours: 9:30 is in the morning.",
    "What could mean two things is refused with the choices: tomorrow without an hour, 9 without am or pm, 03/04, " +
      "next friday said",
    "on a Thursday, one at night on Friday, midnight of a day, letters such as IST, an hour that the clocks skip " +
      "or repeat.",
    "The answer always shows local time, zone and UTC. Zone: --tz, else the file's tz, else yours (psn init --tz).",
  ],
  files: (screen) => [
    "psn post FILE takes a text file in UTF-8 (.md, .markdown, .mdown, .mkd, .txt, .text):",
    "",
    ...pairs(
      FILE.map(([line, does]) => [`  ${line}`, does]),
      screen,
    ),
    "",
    "What a platform's options are: docs/platforms.md.",
    "",
    "Front matter begins with --- in line 1, ends with --- or ..., and has at least one line like key: value, or " +
      "none at all. Without",
    "such a line, and everywhere else, --- separates parts; before the first part it separates nothing. TOML, " +
      "JSON, and front matter",
    "that begins in a later line are refused, not published as text. So is a file that says draft: true, " +
      "published: false or",
    "status: draft, as site generators write it; their other keys are refused, each with what to write instead.",
    "",
    "A path that exists is never published as the words of its name: a text file is read, an image goes with " +
      "--media, anything else is",
    "refused. --text WORDS takes the words as they are. A text that begins with - goes behind --: " +
      'psn post -- "-5 degrees".',
    "Control characters and terminal colours are left out of texts, titles, warnings and descriptions.",
    "",
    "psn post - takes the text from standard input, to its end. Empty or blank input is never a post. When a " +
      "program that writes",
    "into a pipe dies, psn sees the same end as after a whole text. So a text from a pipe must end with a line " +
      "break, as echo, cat,",
    "git log and here-documents write it; what is cut off in the middle of a line is refused. --allow-partial " +
      "accepts it anyway.",
    "A text that is cut off right behind a line break looks whole: where that matters, write a file first, and " +
      "post the file.",
  ],
  "exit-codes": (screen) =>
    pairs(
      Object.entries(EXIT).map(([name, code]) => [String(code), EXIT_MEANINGS[name as keyof typeof EXIT]]),
      screen,
    ),
  environment: (screen) => pairs(ENVIRONMENT, screen),
  errors: (screen) =>
    pairs(
      Object.entries(ERRORS).map(([code, { meaning }]) => [code, meaning]),
      screen,
    ),
};

export default defineCommand({
  name: "help",
  summary: "show help on a topic: times, files, exit-codes, environment",
  examples: [{ line: "psn help times", does: "which times --at accepts" }],
  args: [{ name: "[topic]", help: Object.keys(TOPICS).join(", "), takes: Object.keys(TOPICS) }],
  document: HelpDocument,
  schema: z.object({ topic: z.string().optional() }),
  run: async ({ topic }, { output, commands }) => {
    if (topic === undefined) {
      output.result({ topics: Object.keys(TOPICS) }, () => [
        `topics: ${Object.keys(TOPICS).join(", ")}`,
        "commands: psn --help, psn COMMAND --help",
      ]);
      return undefined;
    }
    const text = TOPICS[topic]?.();
    if (text === undefined)
      throw new PsnError("NOT_FOUND", `no help topic ${topic}; topics are ${Object.keys(TOPICS).join(", ")}`, {
        hint: Object.hasOwn(commands, topic) ? `psn ${topic} --help` : "psn COMMAND --help for a command",
      });
    output.result({ topic, text: text.join("\n") }, () => TOPICS[topic]?.(output.screen) ?? []);
    return undefined;
  },
});
