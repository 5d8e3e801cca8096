import { resolve } from "node:path";
import { InitDocument } from "@psn/app/documents/hub.ts";
import { type InitStep, type InitWish, initHub } from "@psn/app/init-hub.ts";
import { type Context, defineCommand } from "@psn/cli/command.ts";
import { showing } from "@psn/cli/progress.ts";
import { givenSecret } from "@psn/cli/prompt.ts";
import {
  NEON_KEY_FLAGS,
  neonKey,
  neonKeySchema,
  TRIGGER_TOKEN_FLAGS,
  triggerToken,
  triggerTokenSchema,
} from "@psn/cli/vendors.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { PlannedCall } from "@psn/core/ports/vendors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { type HubEnv, systemTimeZone, terminalEnv } from "@psn/core/utils/env.ts";
import { z } from "zod";

const WORDS: Readonly<Record<InitStep["what"], string>> = {
  "neon project": "project on Neon",
  key: "key that encrypts every token",
  schema: "database",
  login: "login with which psn runs",
  user: "user",
  "trigger project": "project on Trigger.dev",
  "trigger key": "key with which psn starts its tasks",
  "trigger variables": "environment variables of the tasks",
};

const webUrl = z.url({ protocol: /^https?$/, error: "must be an address, https://…" }).optional();

const schema = z.object({
  folder: z.string().optional(),
  databaseUrl: z.string().optional(),
  databaseUrlStdin: z.boolean().default(false),
  databaseUrlFile: z.string().optional(),
  neon: z.boolean().default(false),
  ...neonKeySchema,
  neonOrg: z.string().optional(),
  neonRegion: z.string().optional(),
  neonProject: z.string().optional(),
  neonDatabase: z.string().optional(),
  neonApiHost: webUrl,
  neonProxy: webUrl,
  trigger: z.boolean().default(false),
  ...triggerTokenSchema,
  triggerOrg: z.string().optional(),
  triggerProject: z.string().optional(),
  triggerUrl: webUrl,
  tz: z.string().optional(),
  handle: z.string().min(1, { error: "must not be empty" }).optional(),
  dryRun: z.boolean().default(false),
});
type Input = z.output<typeof schema>;

export default defineCommand({
  name: "init",
  summary: "create a hub here, or complete it (safe to run again)",
  details:
    "By default the hub has its own database in data/; you need not install anything else or open an account. With " +
    "--database-url-stdin the hub uses your Postgres: pass the address of a login that can create tables and " +
    "roles; psn creates an unprivileged login for itself. With --neon the database is on Neon, in a new " +
    "project or one that you name. With --trigger Trigger.dev publishes posts when they are due, so that " +
    "this machine can be off. You can run the command again at any time: it creates only what is missing, " +
    "applies --tz and --handle, and warns about a flag that no longer has an effect.",
  examples: [
    { line: "psn init", does: "create a hub in this folder, with its own database" },
    { line: "psn init --database-url-stdin < owner-url.txt", does: "create a hub on your Postgres" },
    {
      line: "psn init --neon --trigger",
      does: "create a hub that needs no machine of yours; prompts for Neon's key, and logs in to Trigger.dev",
    },
    { line: "psn init --neon --trigger --dry-run", does: "show which requests this would make" },
  ],
  args: [{ name: "[folder]", help: "the hub's folder; default: this folder" }],
  flags: [
    { flags: "--database-url <url>", help: "the address of a Postgres, with its owner's login, if it has no password" },
    { flags: "--database-url-stdin", help: "the same, read from standard input" },
    { flags: "--database-url-file <file>", help: "the same, read from a file" },
    { flags: "--neon", help: "the database on Neon" },
    ...NEON_KEY_FLAGS,
    { flags: "--neon-project <name>", help: "an existing project, by name or id, or the name of a new one" },
    { flags: "--neon-org <org>", help: "the organisation, if you have several" },
    { flags: "--neon-region <region>", help: "the region of a new project, such as aws-eu-central-1" },
    { flags: "--neon-database <name>", help: "the database in an existing project; default: its first" },
    { flags: "--neon-api-host <url>", help: "another address of Neon's management API; default: NEON_API_HOST" },
    { flags: "--neon-proxy <url>", help: "a self-hosted Neon proxy; default: NEON_PROXY" },
    { flags: "--trigger", help: "publish on schedule with Trigger.dev" },
    ...TRIGGER_TOKEN_FLAGS,
    { flags: "--trigger-project <name>", help: "an existing project, by name or ref, or the name of a new one" },
    { flags: "--trigger-org <org>", help: "the organisation, if you have several" },
    { flags: "--trigger-url <url>", help: "a self-hosted Trigger.dev server; default: TRIGGER_API_URL" },
    {
      flags: "--tz <zone>",
      help: "your time zone; changes it in an existing hub; default for a new hub: this machine's",
    },
    { flags: "--dry-run", help: "show what would be created, and create nothing" },
    {
      flags: "--handle <name>",
      help: "your name in this hub; changes it in an existing hub; default for a new hub: me",
    },
  ],
  document: InitDocument,
  schema,
  run: async (input, context) => {
    const { cwd, namedHub, output } = context;
    if (input.folder !== undefined && namedHub !== undefined)
      throw new PsnError("USAGE", "use the folder argument or --hub, not both");
    const folder = resolve(cwd, input.folder ?? namedHub ?? terminalEnv().hub ?? ".");
    const timeZone = input.tz ?? systemTimeZone();
    const { assertZone } = await import("@psn/domain/schedule.ts");
    assertZone(timeZone);
    assertFlags(input);
    const databaseUrl = await ownerUrl(input, context);
    if (input.dryRun) {
      await tellPlan(input, { folder, databaseUrl, output });
      return undefined;
    }
    const { provisioning } = await import("@psn/wiring/provisioning.ts");
    const wish = await wishOf(input, { folder, databaseUrl, context });
    context.leaves("stopped; everything created so far stays; psn init continues with it", "psn init");
    const word = ({ did }: InitStep) => (did === "made" ? output.style("green", "made") : output.style("dim", did));
    const line = (step: InitStep) => `${word(step)}  ${WORDS[step.what]}`;
    const remote = wish.neon !== undefined || wish.trigger !== undefined;
    const ignored = await idleFlags(input, folder);
    const change = {
      ...defined({ handle: input.handle, timeZone: input.tz }),
    };
    const made = await showing(output, { what: "creating the hub", parts: "steps" }, (shown) => {
      if (output.interactive) shown.step("its database");
      return initHub(
        provisioning(folder),
        {
          ...wish,
          hub: { handle: input.handle ?? "me", timeZone, change, ...defined({ databaseUrl }) },
        },
        (step) => {
          if (remote) output.note(line(step));
        },
      );
    });
    const { steps, user, isDeployed } = made;
    output.result({ hub: folder, steps, user: { handle: user.handle, timeZone: user.timeZone }, ignored }, () => [
      ...steps.map(line),
      `Times are in ${user.timeZone}. To change that: psn init --tz ZONE`,
      `The hub is in ${folder}. Keep a copy of config/hub.env elsewhere: without its key nothing that is sealed ` +
        `can be decrypted.`,
    ]);
    for (const { flag, why } of ignored) output.note(`${flag} has no effect: ${why}`);
    for (const name of steps.flatMap((step) => ("left" in step ? step.left : [])))
      output.note(`psn could not remove an earlier login of this hub; as the owner of the database: DROP ROLE ${name}`);
    if (input.tz !== undefined && user.timeZone !== input.tz)
      output.note(`PSN_TIME_ZONE of the environment is ${user.timeZone}, and overrides --tz on this machine`);
    output.note(next(isDeployed));
    return undefined;
  },
});

/** What to do after init; null: no clock at Trigger.dev was asked for. */
function next(isDeployed: boolean | null): string {
  if (isDeployed === null)
    return "next: psn connect feed ./public   (or x, linkedin, threads, bluesky, mastodon, webhook)";
  return isDeployed ? "next: psn doctor   (the tasks of this version are deployed)" : "next: psn deploy";
}

interface Idle {
  readonly flag: string;
  readonly why: string;
}

/** Flags that say how something is to be made that is there already. */
async function idleFlags(input: Input, folder: string): Promise<readonly Idle[]> {
  const { hubFile } = await import("@psn/wiring/hub-env.ts");
  const file = hubFile(folder);
  const [neon, database, trigger] = [
    file.get("NEON_PROJECT_ID"),
    file.get("DATABASE_URL"),
    file.get("TRIGGER_PROJECT_REF"),
  ];
  const onNeon = neon === undefined ? undefined : `this hub already has a project on Neon, ${neon}`;
  const idle: readonly (readonly [flag: string, given: unknown, why: string | undefined])[] = [
    ["--neon-org", input.neonOrg, onNeon],
    ["--neon-region", input.neonRegion, onNeon],
    ["--neon-database", input.neonDatabase, database === undefined ? undefined : "this hub already has a database"],
    [
      "--trigger-org",
      input.triggerOrg,
      trigger === undefined ? undefined : `this hub already has a project on Trigger.dev, ${trigger}`,
    ],
  ];
  return idle.flatMap(([flag, given, why]) => (given === undefined || why === undefined ? [] : [{ flag, why }]));
}

/** Throws USAGE for flags that contradict each other or have no effect. */
function assertFlags(input: Input): void {
  const given = Object.entries(input).filter(([, value]) => value !== undefined && value !== false);
  const stray = (vendor: "neon" | "trigger") =>
    given.find(([name]) => name.startsWith(vendor) && name !== vendor && name !== "neonProxy");
  const flag = (name: string) => `--${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  for (const vendor of ["neon", "trigger"] as const) {
    const [name] = (!input[vendor] && stray(vendor)) || [];
    if (name !== undefined) throw new PsnError("USAGE", `${flag(name)} requires --${vendor}`);
  }
  if (input.neon && (input.databaseUrl !== undefined || input.databaseUrlStdin || input.databaseUrlFile !== undefined))
    throw new PsnError("USAGE", "use --neon or a database's address, not both");
  const piped = given.filter(([name]) => name.endsWith("Stdin")).map(([name]) => flag(name));
  if (piped.length > 1)
    throw new PsnError("USAGE", `standard input can pass only one secret: ${piped.join(" and ")}`, {
      hint: `pass one of them with ${piped[1]?.replace("-stdin", "-file")} FILE`,
    });
}

async function ownerUrl(input: Input, { stdin }: Context): Promise<string | undefined> {
  // Looked for in the text: an address with a mistake in it still contains its password.
  if (input.databaseUrl !== undefined && /:[^/@]+@|[?&]password=/i.test(input.databaseUrl)) {
    throw new PsnError("SECRET_IN_ARGUMENTS", "other users on this machine can read a password in --database-url", {
      hint: "pipe the address: psn init --database-url-stdin",
    });
  }
  const url =
    (await givenSecret("database-url", { fromStdin: input.databaseUrlStdin, file: input.databaseUrlFile, stdin })) ??
    input.databaseUrl;
  if (url !== undefined && !(/^postgres(ql)?:\/\//.test(url) && URL.canParse(url))) {
    throw new PsnError(
      "INPUT_INVALID",
      "the database's address must have the form postgres://owner:password@host/database",
      {
        hint: "percent-encode the special characters of the password: # is %23, / is %2F, @ is %40",
      },
    );
  }
  return url;
}

/** Where the vendors are: what a flag or the environment says is kept, so that every later command goes there too. */
function placesOf(input: Input, env: HubEnv): Record<string, string> {
  const said = {
    NEON_API_HOST: input.neonApiHost,
    NEON_PROXY: input.neonProxy,
    TRIGGER_API_URL: input.triggerUrl,
  } as const;
  const used = { NEON_API_HOST: input.neon, NEON_PROXY: true, TRIGGER_API_URL: input.trigger } as const;
  const places: Record<string, string> = {};
  for (const name of ["NEON_API_HOST", "NEON_PROXY", "TRIGGER_API_URL"] as const) {
    const found = env.settings[name];
    const value = said[name] ?? (found?.origin === "environment" ? found.value : undefined);
    if (value !== undefined && used[name]) places[name] = value;
  }
  return places;
}

/** A project's name that nobody else has, so that what a stopped run made is found again by it. */
const newName = () => `psn-${crypto.randomUUID().slice(0, 8)}`;

async function wishOf(
  input: Input,
  {
    folder,
    databaseUrl,
    context,
  }: { readonly folder: string; readonly databaseUrl: string | undefined; readonly context: Context },
): Promise<Omit<InitWish, "hub">> {
  const vendors = await import("@psn/wiring/vendors.ts");
  const before = vendors.settingsOf(folder);
  const settings = placesOf(input, before);
  const env = vendors.withSettings(before, settings);
  if (input.trigger && !input.neon) vendors.assertReachable(env, databaseUrl);
  const apiKey = input.neon ? await neonKey(input, context) : undefined;
  const token = input.trigger ? await triggerToken(input, env, context) : undefined;
  return {
    settings,
    ...defined({
      neon:
        apiKey === undefined
          ? undefined
          : { api: vendors.openNeon(env, apiKey), wish: { ...neonWish(input), newName: newName() } },
      trigger:
        token === undefined
          ? undefined
          : {
              api: vendors.openTrigger(env, token),
              token,
              version: context.version,
              wish: { ...triggerWish(input), newName: newName() },
              variables: () => {
                vendors.assertReachable(vendors.settingsOf(folder));
                return vendors.variablesOf(folder);
              },
            },
    }),
  };
}

const neonWish = ({ neonOrg, neonRegion, neonProject, neonDatabase }: Input) => ({
  ...defined({ organization: neonOrg, region: neonRegion, project: neonProject, database: neonDatabase }),
});
const triggerWish = ({ triggerOrg, triggerProject }: Input) => ({
  ...defined({ organization: triggerOrg, project: triggerProject }),
});

/** What would be made; asks nobody, and needs no key. */
async function tellPlan(
  input: Input,
  {
    folder,
    databaseUrl,
    output,
  }: Pick<Context, "output"> & { readonly folder: string; readonly databaseUrl: string | undefined },
): Promise<void> {
  const { hubFile } = await import("@psn/wiring/hub-env.ts");
  const file = hubFile(folder);
  const has = { key: file.get("HUB_ENCRYPTION_KEY") !== undefined, user: file.get("PSN_USER") !== undefined };
  const owned = databaseUrl !== undefined || file.get("DATABASE_URL") !== undefined;
  const where = input.neon ? "on Neon" : owned ? "on a Postgres" : "with its own database in data/";
  const calls: PlannedCall[] = [];
  if (input.neon || input.trigger) {
    const vendors = await import("@psn/wiring/vendors.ts");
    const before = vendors.settingsOf(folder);
    const env = vendors.withSettings(before, placesOf(input, before));
    if (input.neon)
      calls.push(...vendors.plannedNeonCalls({ ...neonWish(input), newName: "psn-…" }, env.get("NEON_API_HOST") ?? ""));
    if (input.trigger)
      calls.push(
        ...vendors.plannedTriggerCalls({ ...triggerWish(input), newName: "psn-…" }, env.get("TRIGGER_API_URL") ?? ""),
      );
  }
  const ignored = await idleFlags(input, folder);
  output.result({ dryRun: true, hub: folder, has, calls, ignored }, () => [
    has.key && has.user
      ? `there is a hub in ${folder}; would create what is missing in its database`
      : `would create a hub in ${folder}, ${where}`,
    ...(has.user && input.tz !== undefined ? [`would set your time zone to ${input.tz}`] : []),
    ...(has.user && input.handle !== undefined ? [`would set your name in this hub to ${input.handle}`] : []),
    ...(has.user ? [] : [`times would be in ${input.tz ?? systemTimeZone()}; --tz says otherwise`]),
    ...ignored.map(({ flag, why }) => `${flag} would have no effect: ${why}`),
    ...calls.map(
      ({ method, url, body }) => `  ${method} ${url}${body === undefined ? "" : ` ${JSON.stringify(body)}`}`,
    ),
  ]);
}
