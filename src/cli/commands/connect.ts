import { accountNamed } from "@psn/app/choose-accounts.ts";
import { type ConnectedAccount, connectAccount, type Meant } from "@psn/app/connect-account.ts";
import { ConnectDocument } from "@psn/app/documents/account.ts";
import { plainHandle } from "@psn/app/own-name.ts";
import { accountsOf, needReconnect } from "@psn/app/queries/accounts.ts";
import { withConsent } from "@psn/cli/authorize.ts";
import { type Context, defineCommand } from "@psn/cli/command.ts";
import { fillForm, type Given, MADE_FIELDS, PLAIN_FIELDS, SECRET_FIELDS, secretFlags } from "@psn/cli/form.ts";
import { ownApp } from "@psn/cli/own-app.ts";
import { asking, assertBrowsable, type Browsing, ownAddress, rehearse, warningOf } from "@psn/cli/rehearse.ts";
import { when } from "@psn/cli/render.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Auth } from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import type { Hub } from "@psn/wiring/hub.ts";
import { z } from "zod";

export default defineCommand({
  name: "connect",
  summary: "connect an account",
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
  document: ConnectDocument,
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
    const { output } = context;
    const hub = await context.hub();
    const { id, account } = await meantBy(named, hub);
    const meant: Meant = { another, noReturn: context.noReturn, ...defined({ account }) };
    const platform = await hub.world.platforms.load(id);
    const way = wayOf(platform, given, oauth);
    const [first] = way.fields.filter(({ secret }) => !secret);
    const isNamed = what !== undefined || (first !== undefined && given[first.name] !== undefined);
    const again = account ?? (isNamed || another ? undefined : await onlyNeedy(id, hub));
    const asker = dryRun ? { ...context, prompt: asking(context.prompt) } : context;
    const form = await fillForm(platform, {
      auth: way,
      what,
      given,
      context: asker,
      reconnected:
        isNamed || !again
          ? undefined
          : { profile: { ...again.profile, handle: plainHandle(again.profile) }, hub: hub.world.hub },
    });
    // The user who runs this owns the hub's folder, and may connect to this machine and its network.
    const { world, keep } = hub.reach(way.fields.flatMap(({ name, secret }) => (secret ? [] : (form[name] ?? []))));
    if (dryRun) {
      await rehearse({ world, user: hub.user, platform, way, form, browser, port, redirect, meant }, context);
      return undefined;
    }
    const connected =
      way.kind === "form"
        ? await connectAccount(world, {
            userId: hub.user.id,
            platformId: id,
            consent: { form },
            signal: context.signal,
            meant,
          })
        : await byBrowser({ world, user: hub.user, platform, way, form, browser, port, redirect, meant }, context);
    const allowed = await keep(connected.profile.home);
    tell(id, { connected, zone: hub.user.timeZone, ...context });
    if (allowed !== undefined)
      output.note(
        `psn may send to ${allowed} from now on, which is not a public address (PSN_PRIVATE_ORIGINS in ` +
          `hub.env)${hub.world.queue ? "; to tell the tasks: psn deploy" : ""}`,
      );
    return undefined;
  },
});

/** A platform, or an account of one that is to be reconnected. */
async function meantBy(named: string, hub: Hub) {
  if (!named.includes(":")) return { id: named, account: undefined };
  const accounts = await accountsOf(hub, { all: true });
  const account = accountNamed(accounts, named);
  if (account) return { id: account.platform, account };
  throw new PsnError("NOT_FOUND", `no account is called "${named}"`, { hint: "psn accounts" });
}

/** The account of this platform that waits to be reconnected, where it is the only one. */
async function onlyNeedy(id: string, hub: Hub) {
  const needy = needReconnect(await accountsOf(hub)).filter(({ platform }) => platform === id);
  return needy.length === 1 ? needy[0] : undefined;
}

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

async function byBrowser(
  { world, user, platform, way, form, meant, redirect, ...rest }: Browsing,
  context: Context,
): Promise<ConnectedAccount> {
  assertBrowsable(platform, rest.browser, context);
  const back = way.app?.pasteOnly
    ? ownAddress(
        redirect ?? (await context.prompt.text("the https address registered with your app", "--redirect")),
        platform,
      )
    : redirect;
  const app = await ownApp(
    { world, user, platform, way, redirect: back, port: rest.port, browser: rest.browser },
    context,
  );
  const net = { fetch: world.fetch, now: world.now, signal: context.signal };
  const authorize = async (request: Parameters<NonNullable<Platform["authorize"]>>[0]) => {
    if (!platform.authorize) throw new PsnError("BUG", `${platform.id} has no authorize`);
    return platform.authorize(request, net);
  };
  const { account } = await withConsent(
    { platform, way, form, app, redirect: back, authorize, ...rest },
    context,
    async (answer, assertAlone) => {
      const noReturn = () => {
        assertAlone();
        meant.noReturn?.();
      };
      const account = await connectAccount(world, {
        userId: user.id,
        platformId: platform.id,
        consent: { answer },
        signal: context.signal,
        meant: {
          ...meant,
          noReturn,
        },
      });
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

function tell(
  id: string,
  { connected, zone, output }: { readonly connected: ConnectedAccount; readonly zone: string } & Context,
): void {
  const { id: accountId, profile, again, publicKey, formerUntil, shared } = connected;
  const { handle, subject, url } = profile;
  output.result(
    {
      id: accountId,
      platform: id,
      handle,
      subject,
      url,
      again,
      ...defined({
        publicKey,
        bothSignUntil: formerUntil === undefined ? undefined : formerUntil.toISOString(),
        sameSecret: shared.length === 0 ? undefined : shared,
      }),
    },
    () => [
      `${output.style("green", again ? "reconnected" : "connected")}  ${id}:${handle}  ${url}`,
      ...(publicKey === undefined ? [] : [`public key  ${publicKey}`]),
    ],
  );
  if (publicKey !== undefined) output.note("give the receiver the public key; psn keeps the other half");
  if (formerUntil) output.note(`the previous secret also signs until ${when(formerUntil, zone)}`);
  if (shared.length > 0) output.note(warningOf(shared));
  output.note(`next: psn post "hello" --to ${id} --dry-run`);
}
