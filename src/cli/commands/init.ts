import { resolve } from "node:path";
import { provisionHub, type Step } from "@psn/app/provision-hub.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { givenSecret } from "@psn/cli/prompt.ts";
import { PsnError } from "@psn/core/errors.ts";
import { systemTimeZone } from "@psn/core/utils/env.ts";
import { z } from "zod";

const WORDS: Readonly<Record<Step["what"], string>> = {
  key: "key that seals every token",
  schema: "database",
  login: "login that runs the program",
  user: "user",
};

export default defineCommand({
  name: "init",
  summary: "make a hub here, or what is missing of one",
  details:
    "Without a database of yours the hub keeps its own in data/; nothing else to install, no account to open. With --database-url-stdin it lives in your Postgres: give the address of a login that may create tables and roles; psn makes itself an unprivileged one. Run it again at any time: it does only what is missing.",
  examples: [
    { line: "psn init", does: "a hub in this folder, with its own database" },
    { line: "psn init --database-url-stdin < owner-url.txt", does: "a hub on your Postgres" },
  ],
  args: [{ name: "[folder]", help: "where; else this folder" }],
  flags: [
    { flags: "--database-url <url>", help: "the owner's address of a Postgres, when it holds no password" },
    { flags: "--database-url-stdin", help: "the same, read from standard input" },
    { flags: "--database-url-file <file>", help: "the same, read from a file" },
    { flags: "--tz <zone>", help: "your time zone; else this machine's" },
    { flags: "--dry-run", help: "say what would be made, and make nothing" },
    { flags: "--handle <name>", help: "your name in this hub; else me" },
  ],
  schema: z.object({
    folder: z.string().optional(),
    databaseUrl: z.string().optional(),
    databaseUrlStdin: z.boolean().default(false),
    databaseUrlFile: z.string().optional(),
    tz: z.string().optional(),
    handle: z.string().default("me"),
    dryRun: z.boolean().default(false),
  }),
  run: async (input, { cwd, namedHub, output, stdin }) => {
    const { provisioning } = await import("@psn/compose.ts");
    const { assertZone } = await import("@psn/domain/schedule.ts");
    if (input.folder !== undefined && namedHub !== undefined)
      throw new PsnError("USAGE", "the folder is given twice, as an argument and with --hub");
    const folder = resolve(cwd, input.folder ?? namedHub ?? ".");
    const timeZone = input.tz ?? systemTimeZone();
    assertZone(timeZone);
    // Looked for in the text: an address with a mistake in it holds its password all the same.
    if (input.databaseUrl !== undefined && /:[^/@]+@|[?&]password=/i.test(input.databaseUrl)) {
      throw new PsnError("USAGE", "a password in --database-url can be read by everybody on this machine", {
        hint: "pipe the address: psn init --database-url-stdin",
      });
    }
    const databaseUrl = (await givenSecret("database-url", input.databaseUrlStdin, input.databaseUrlFile, stdin)) ?? input.databaseUrl;
    if (databaseUrl !== undefined && !(/^postgres(ql)?:\/\//.test(databaseUrl) && URL.canParse(databaseUrl))) {
      throw new PsnError("INPUT_INVALID", "the database's address is not of the form postgres://owner:password@host/database", {
        hint: "percent-encode the special characters of the password: # is %23, / is %2F, @ is %40",
      });
    }
    if (input.dryRun) {
      const { file } = provisioning(folder);
      const has = { key: file.get("HUB_ENCRYPTION_KEY") !== undefined, user: file.get("PSN_USER") !== undefined };
      const where =
        databaseUrl !== undefined || file.get("DATABASE_URL") !== undefined ? "on a Postgres" : "with its own database in data/";
      output.result({ dryRun: true, hub: folder, has }, () =>
        has.key && has.user ? `there is a hub in ${folder}; would make what its database lacks` : `would make a hub in ${folder}, ${where}`,
      );
      return undefined;
    }
    if (output.interactive) output.note("making the hub …");
    const steps = await provisionHub(provisioning(folder), {
      handle: input.handle,
      timeZone,
      ...(databaseUrl === undefined ? {} : { databaseUrl }),
    });
    output.result({ hub: folder, steps }, () =>
      [
        ...steps.map(({ what, did }) => `${did === "made" ? output.style("green", "made") : output.style("dim", "kept")}  ${WORDS[what]}`),
        `The hub is in ${folder}. Keep a copy of config/hub.env elsewhere: without its key nothing that is sealed opens again.`,
      ].join("\n"),
    );
    output.note("next: psn connect feed ./public   (or bluesky, mastodon, webhook)");
    return undefined;
  },
});
