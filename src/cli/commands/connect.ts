import { nameOf } from "@psn/app/choose-accounts.ts";
import type { ConnectedAccount } from "@psn/app/connect-account.ts";
import type { ConnectFacts } from "@psn/app/documents/account.ts";
import { namingField, onlyNeedy, targetOf } from "@psn/app/prepare-connection.ts";
import { type Consent, connect } from "@psn/app/verbs/connect.ts";
import { withConsent } from "@psn/cli/authorize.ts";
import { type Context, defineCommand } from "@psn/cli/command.ts";
import { ASKED, fillForm, type Given, MADE_FIELDS, PLAIN_FIELDS, SECRET_FIELDS, secretFlags } from "@psn/cli/form.ts";
import type { Lines, Output } from "@psn/cli/output.ts";
import { ownApp } from "@psn/cli/own-app.ts";
import { asking, assertBrowsable, assertConsentable, type Browsing, ownAddress, warningOf } from "@psn/cli/rehearse.ts";
import { when } from "@psn/cli/render.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Auth, AuthorizeRequest, ExchangeRequest } from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import type { Hub } from "@psn/wiring/hub.ts";
import { z } from "zod";

export default defineCommand({
  name: "connect",
  summary: connect.summary,
  details:
    "Opens the platform's page in your browser, or prompts for the account's data. If you connect the same account " +
    "again, it keeps its history and its scheduled posts. psn reads secrets from a prompt without echo, standard " +
    "input or a file, never from the command line.",
  examples: [
    { line: "psn connect feed ./public --url https://example.com", does: "a feed in a folder you serve" },
    { line: "psn connect x", does: "shows how to register your own developer app, then opens the browser" },
    {
      line: "psn connect x --no-browser",
      does: "shows an address to open; then paste the address of the browser's last page",
    },
    { line: "psn connect bluesky ada.bsky.social", does: "prompts for an app password" },
    { line: "psn connect mastodon fosstodon.org", does: "in the browser; or with a token: --token-stdin" },
    {
      line: "psn connect webhook https://example.com/hook --secret-file secret.txt",
      does: "sends signed JSON to your address",
    },
  ],
  args: [
    {
      name: "<platform>",
      help: "a platform (docs/platforms.md), or an account to reconnect, as psn accounts shows it",
      takes: "account",
    },
    { name: "[what]", help: "the first value that the platform needs: a handle, a server, a folder or an address" },
  ],
  flags: [
    ...Object.entries(PLAIN_FIELDS).map(([name, help]) => ({ flags: `--${name} <${name}>`, help })),
    ...SECRET_FIELDS.flatMap((name) => [
      { flags: `--${name}-stdin`, help: `the ${name}, read from standard input` },
      { flags: `--${name}-file <file>`, help: `the ${name}, read from a file` },
    ]),
    ...Object.entries(MADE_FIELDS).map(([name, help]) => ({ flags: `--${name}-new`, help })),
    { flags: "--oauth", help: "consent in the browser, where psn would otherwise ask for a password or a token" },
    {
      flags: "--no-browser",
      help: "open no browser; show the address to open, then read the address of its last page",
    },
    {
      flags: "--port <port>",
      help: "the local port that the browser returns to, as registered with your app; default: 8976",
    },
    {
      flags: "--redirect <url>",
      help: "your own https address that the browser returns to, where the platform requires https",
    },
    { flags: "--another", help: "add another account instead of reconnecting one of this platform" },
    { flags: "--dry-run", help: "check everything possible, also with the platform, and write nothing" },
  ],
  document: connect.output,
  schema: z
    .object({
      platform: z.string(),
      what: z.string().optional(),
      dryRun: z.boolean().default(false),
      oauth: z.boolean().default(false),
      browser: z.boolean().default(true),
      port: z.coerce
        .number({ error: "must be a port" })
        .int()
        .min(1)
        .max(65_535, { error: "must be a port, 1 to 65535" })
        .optional(),
      redirect: z.url({ protocol: /^https?$/, error: "must be an address such as https://example.com/psn" }).optional(),
      another: z.boolean().default(false),
    })
    .catchall(z.union([z.string(), z.boolean()])),
  run: async ({ platform: named, what, dryRun, oauth, browser, port, redirect, another, ...given }, context) => {
    const hub = await context.hub();
    const target = await targetOf(hub, named);
    const { platform, account } = target;
    const way = wayOf(platform, given, oauth);
    const first = namingField(way);
    const isNamed = what !== undefined || (first !== undefined && given[first.name] !== undefined);
    const again = account ?? (isNamed || another ? undefined : await onlyNeedy(hub, platform.id));
    const asker = dryRun ? { ...context, prompt: asking(context.prompt) } : context;
    const known = isNamed || !again ? undefined : { account: again, hub: hub.world.hub };
    const form = Object.entries(
      await fillForm(platform, { way, what, given, context: asker, ...defined({ reconnected: known }) }),
    );
    const back = { user: hub.user, browser, port, redirect };
    if (dryRun && way.kind === "oauth") await assertConsentable({ world: hub.world, platform, way, ...back }, context);
    const facts = await connect.run(
      hub,
      {
        platform: named,
        way: way.kind,
        form: Object.fromEntries(form.filter(([, value]) => value !== ASKED)),
        another,
        dryRun,
      },
      {
        target,
        unsaid: form.flatMap(([name, value]) => (value === ASKED ? [name] : [])),
        signal: context.signal,
        noReturn: context.noReturn,
        consent: (asked, work) => byBrowser({ ...asked, ...back, work }, context),
      },
    );
    const { output } = context;
    output.result(connect.document(facts), () => lines(facts, output));
    if (facts.dryRun) {
      if (facts.found?.shared.length) output.note(warningOf(facts.found.shared));
    } else tell(facts.connected, facts.allowed, { output, hub });
    return undefined;
  },
});

/** The way that the flags ask for, else the platform's first. */
function wayOf({ id, auth }: Platform, given: Given, oauth: boolean): Auth {
  const [first] = auth;
  if (oauth) {
    const found = auth.find(({ kind }) => kind === "oauth");
    if (found) return found;
    throw new PsnError("USAGE", `${id} does not connect with the browser`, { hint: `psn connect ${id}` });
  }
  const byForm = auth.find(
    (way) =>
      way.kind === "form" &&
      way.fields.some(({ name, secret }) => secret && secretFlags(name).some((flag) => flag in given)),
  );
  return byForm ?? first;
}

interface Asked extends Consent, Browsing {
  readonly work: (answer: ExchangeRequest, noReturn: () => void) => Promise<ConnectedAccount>;
}

/** Takes the person to the platform's page and back; the page then says what became of it. */
async function byBrowser(
  { world, user, platform, way, form, redirect, work, ...rest }: Asked,
  context: Context,
): Promise<ConnectedAccount> {
  assertBrowsable(platform, rest.browser, context);
  const back = way.app?.pasteOnly
    ? ownAddress(
        redirect ?? (await context.prompt.text("the https address registered with your app", "--redirect")),
        platform,
      )
    : redirect;
  const app = await ownApp({ world, user, platform, way, redirect: back, ...rest }, context);
  const net = { fetch: world.fetch, now: world.now, signal: context.signal };
  const authorize = async (request: AuthorizeRequest) => {
    if (!platform.authorize) throw new PsnError("BUG", `${platform.id} has no authorize`);
    return platform.authorize(request, net);
  };
  const { account } = await withConsent(
    { platform, way, form, app, redirect: back, authorize, ...rest },
    context,
    async (answer, assertAlone) => {
      const account = await work(answer, assertAlone);
      return {
        ok: true,
        title: `${platform.name}: ${account.profile.handle} is connected`,
        text: "You can close this page and go back to the terminal.",
        account,
      };
    },
  );
  return account;
}

function lines(facts: ConnectFacts, output: Output): Lines {
  if (facts.dryRun) {
    const { platform, form, account, found } = facts;
    const words = Object.entries(form).flatMap(([name, value]) => (value === "" ? [] : [` ${name} ${value}`]));
    const verb = found?.again || account ? "reconnect" : "connect";
    const how = words.length > 0 ? ` with${words.join(",")}` : " in the browser";
    return `would ${verb} ${found ? nameOf(found) : platform}${how}`;
  }
  const { profile, platform, again, publicKey } = facts.connected;
  const did = output.style("green", again ? "reconnected" : "connected");
  return [
    `${did}  ${platform}:${profile.handle}  ${profile.url}`,
    ...(publicKey === undefined ? [] : [`public key  ${publicKey}`]),
  ];
}

function tell(
  { platform, publicKey, formerUntil, shared }: ConnectedAccount,
  allowed: string | undefined,
  { output, hub: { user, world } }: { readonly output: Output; readonly hub: Hub },
): void {
  if (publicKey !== undefined) output.note("give the receiver the public key; psn keeps the other half");
  if (formerUntil) output.note(`the previous secret also signs until ${when(formerUntil, user.timeZone)}`);
  if (shared.length > 0) output.note(warningOf(shared));
  output.note(`next: psn post "hello" --to ${platform} --dry-run`);
  if (allowed !== undefined)
    output.note(
      `psn may send to ${allowed} from now on, which is not a public address (PSN_PRIVATE_ORIGINS in ` +
        `hub.env)${world.queue ? "; to tell the tasks: psn deploy" : ""}`,
    );
}
