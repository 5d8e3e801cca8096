import { JoseKey } from "@atproto/jwk-jose";
import { checkAccount, disconnectAccount } from "@psn/app/connect-account.ts";
import { refreshTokens } from "@psn/app/refresh-tokens.ts";
import { sealCredentials } from "@psn/app/session.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { Credentials, Profile } from "@psn/core/types/account.ts";
import type { Fetch } from "@psn/core/types/platform.ts";
import bluesky from "@psn/platforms/bluesky/index.ts";
import linkedin from "@psn/platforms/linkedin/index.ts";
import mastodon from "@psn/platforms/mastodon/index.ts";
import threads from "@psn/platforms/threads/index.ts";
import webhook from "@psn/platforms/webhook/index.ts";
import x from "@psn/platforms/x/index.ts";
import { sql } from "drizzle-orm";
import { PgDialect } from "drizzle-orm/pg-core";
import { type Stage as Engine, stageOn } from "../engine/stage.ts";
import { formsOf, mark } from "../support/canary.ts";
import { asOwner, type TestDatabase } from "../support/databases.ts";
import { newKey } from "../support/world.ts";

/*
 * Accounts on the real platforms with tokens that would be recognised anywhere, and a network that notes where they
 * arrive. Every server answers 401, so that psn goes through all it does with a token: it checks it, posts with it,
 * exchanges it and ends it.
 */

export interface Sample {
  readonly name: string;
  readonly platform: string;
  readonly profile: Profile;
  readonly credentials: Credentials;
  /** Where its tokens may arrive; of a webhook the whole address, and anything at all counts as its signature. */
  readonly allowed: readonly string[];
}

export interface Stage {
  /** The hub's, in hex. */
  readonly key: string;
  readonly engine: Engine;
  readonly world: World;
  readonly samples: readonly Sample[];
  /** As the program's own login, for the user. */
  steal(text: ReturnType<typeof sql>): Promise<void>;
  /** Removes every account. */
  forget(): Promise<void>;
  /** Connects it, as psn does. */
  connect(sample: Sample): Promise<Account>;
  /** Where something secret has arrived since it was last asked. */
  arrived(): readonly string[];
  /**
   * Checks it, posts, exchanges and ends its tokens; the errors of the check and of the post. `meanwhile` is done once
   * a post waits.
   */
  use(
    account: Account,
    meanwhile?: () => Promise<unknown>,
  ): Promise<readonly [check: PsnError | undefined, post: string]>;
}

const secret = (name: string) => mark(name);
const jwt = (name: string) => `e30.e30.${secret(name)}`;

async function samplesOf(): Promise<readonly Sample[]> {
  const profile = (subject: string, home: string): Profile => ({
    subject,
    handle: `ada-${subject}`,
    url: `${home}/ada`,
    home,
  });
  const scopes: string[] = [];
  const key = await JoseKey.generate(["ES256"]);
  const [pds, as] = ["https://pds.example", "https://as.example"];
  const saved = {
    redirectUri: "http://127.0.0.1:8976/callback",
    dpopJwk: key.privateJwk,
    server: {
      issuer: as,
      authorization_endpoint: `${as}/authorize`,
      token_endpoint: `${as}/token`,
      dpop_signing_alg_values_supported: ["ES256"],
      token_endpoint_auth_methods_supported: ["none"],
    },
    token: { iss: as, sub: "did:web:ada.example", aud: pds, scope: "atproto transition:generic" },
  };
  const [access, refresh] = [() => secret("access"), () => secret("refresh")];
  const onMastodon = (name: string): Sample => ({
    name: `Mastodon ${name}`,
    platform: "mastodon",
    profile: profile(`1@${name}.example`, `https://${name}.example`),
    credentials: { access: access(), secret: JSON.stringify({ id: "client", secret: secret("client") }), scopes },
    allowed: [`https://${name}.example`],
  });
  const fixed = (platform: string, home: string, ...allowed: string[]): Sample => ({
    name: platform,
    platform,
    profile: profile("783214", home),
    credentials: { access: access(), refresh: refresh(), scopes },
    allowed,
  });
  const hook = "https://hooks.example/ada";
  return [
    onMastodon("one"),
    onMastodon("two"),
    {
      name: "Bluesky, by app password",
      platform: "bluesky",
      profile: profile("did:plc:ada", "https://pds-of-ada.example"),
      credentials: { access: jwt("access"), refresh: jwt("refresh"), secret: secret("password"), scopes },
      allowed: ["https://pds-of-ada.example"],
    },
    {
      name: "Bluesky, by OAuth",
      platform: "bluesky",
      profile: profile("did:web:ada.example", pds),
      credentials: { access: access(), refresh: refresh(), secret: JSON.stringify(saved), scopes },
      allowed: [pds, as],
    },
    {
      name: "webhook",
      platform: "webhook",
      profile: { ...profile("0123456789abcdef", hook), url: hook },
      credentials: { access: `whsec_${Buffer.from(secret("hook")).toString("base64")}`, scopes },
      allowed: [hook],
    },
    fixed("x", "https://x.com", "https://api.x.com"),
    fixed("linkedin", "https://www.linkedin.com", "https://api.linkedin.com", "https://www.linkedin.com"),
    fixed("threads", "https://www.threads.net", "https://graph.threads.net"),
  ];
}

export async function openStage(db: TestDatabase): Promise<Stage> {
  const samples = await samplesOf();
  const appSecret = secret("app");
  const planted = [
    ...samples.flatMap(({ credentials: { access, refresh = "", secret: more = "" } }) => [access, refresh, more]),
    appSecret,
  ]
    .flatMap((text) => [text, ...(text.match(/canary-\w+-\w+/g) ?? [])])
    .filter((text) => text !== "")
    .flatMap((text) => formsOf({ name: "", bytes: Buffer.from(text) }));
  let seen: string[] = [];
  const fetch: Fetch = async (input, init) => {
    const url = new URL(input);
    const headers = new Headers(init?.headers);
    const body = typeof init?.body === "string" ? init.body : "";
    const carried = `${url.href} ${JSON.stringify([...headers])} ${body}`;
    if (headers.has("webhook-signature")) seen.push(url.href);
    else if (planted.some((form) => carried.includes(form))) seen.push(url.origin);
    return Response.json({ error: "invalid_token" }, { status: 401 });
  };
  const key = newKey();
  const engine = await stageOn(db, { key, platforms: [mastodon, bluesky, webhook, x, linkedin, threads], fetch });
  const world: World = { ...engine.world, apps: { find: async () => ({ id: "app", secret: appSecret }) } };
  const { userId } = engine;
  const account = async (id: string) => {
    const found = (await world.stores.accounts.list(userId)).find((one) => one.id === id);
    if (!found) throw new Error("no such account");
    return found;
  };
  const steal: Stage["steal"] = async (text) => {
    // More than a thief with the program's login may do: what is sealed must hold against the tables' owner too.
    const { sql: statement, params } = new PgDialect().sqlToQuery(text);
    await asOwner(db, statement, params);
  };
  return {
    key,
    engine,
    world,
    samples,
    steal,
    forget: () => steal(sql`DELETE FROM psn.accounts WHERE user_id = ${userId}`),
    connect: async ({ platform, profile, credentials }) => {
      const id = (await world.stores.accounts.find(userId, platform, profile.subject)) ?? world.newId();
      const sealed = sealCredentials(world, {
        userId,
        row: { id: world.newId(), version: 1 },
        account: { platform, profile },
        credentials,
      });
      await world.stores.accounts.connect(userId, { id, platform, profile }, sealed);
      return account(id);
    },
    arrived: () => {
      const all = [...new Set(seen)].toSorted();
      seen = [];
      return all;
    },
    use: async (connected, meanwhile = async () => undefined) => {
      const [delivery = ""] = await engine.post(connected);
      await meanwhile();
      const signal = new AbortController().signal;
      const check = await checkAccount(world, { userId, accountId: connected.id, signal });
      await engine.run({ world });
      const { state, code } = await engine.detail(delivery);
      await world.stores.posts.cancel(userId, [delivery]);
      await asOwner(
        db,
        "UPDATE psn.oauth_tokens SET refreshed_at = now() - interval '1 year', refresh_lease_until = NULL, " +
          "refresh_rest_until = NULL WHERE account_id = $1",
        [connected.id],
      );
      await asOwner(db, "UPDATE psn.accounts SET health = 'ok', paused_until = NULL WHERE id = $1", [connected.id]);
      await refreshTokens(world, () => undefined);
      await disconnectAccount(world, { userId, account: await account(connected.id), signal });
      return [check.ok ? undefined : check.error, `${state} ${code}`];
    },
  };
}

/** What the caller must be told: nothing opens, and which command helps. */
export function refusalOf(error: PsnError | undefined): readonly [string | undefined, string | undefined] {
  return [error?.code, error instanceof PsnError ? error.hint?.split(" ").slice(0, 2).join(" ") : undefined];
}
