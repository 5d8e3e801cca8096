import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { Authorization, ExchangeRequest, OAuthApp, OAuthAuth } from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import { shorten } from "@psn/domain/text.ts";
import { openBrowser } from "./browser.ts";
import type { Context } from "./command.ts";
import { type Answer, type Loopback, listen, PORT } from "./loopback.ts";
import type { Farewell } from "./loopback-page.ts";
import { type StartPage, startPage } from "./start-page.ts";

/** How long a person has to consent, in milliseconds: codes and PAR requests live no longer than some minutes. */
const LIMIT_MS = 5 * 60_000;

export interface Consenting {
  readonly platform: Platform;
  readonly way: OAuthAuth;
  readonly form: Readonly<Record<string, string>>;
  readonly app: OAuthApp | undefined;
  /** Undefined for the usual one. */
  readonly port: number | undefined;
  /** An address of the user's own to come back to, for a platform that refuses this machine's. */
  readonly redirect: string | undefined;
  readonly browser: boolean;
  /** What the adapter asks the network with. */
  readonly authorize: (request: Omit<ExchangeRequest, "code" | "verifier" | "answer">) => Promise<Authorization>;
}

/**
 * Asks the person's consent in the browser and does `work` with it; the browser then says what became of it.
 *
 * @throws PsnError AUTH_REVOKED when the person or the platform said no, AUTH_REQUIRED when nobody answered in five
 * minutes, INPUT_INVALID for a pasted address that is not the answer, CONSENT_SHARED where somebody else may be the one
 * who answers, INTERRUPTED, and what `work` throws. `work` calls `assertAlone` right before it changes anything.
 */
export async function withConsent<T extends Farewell>(
  { platform, way, form, app, port, redirect, browser, authorize }: Consenting,
  context: Context,
  work: (answer: ExchangeRequest, assertAlone: () => void) => Promise<T>,
): Promise<T> {
  const { generateRandomCodeVerifier, generateRandomState, calculatePKCECodeChallenge } = await import("oauth4webapi");
  const verifier = generateRandomCodeVerifier();
  const expected = { state: generateRandomState() };
  const isMine = ({ state }: Answer) => state === expected.state;
  const door = redirect === undefined ? listen(port ?? (way.app ? PORT : 0), isMine) : undefined;
  const begun = {
    form,
    redirectUri: redirect ?? door?.redirectUri ?? "",
    state: expected.state,
    challenge: await calculatePKCECodeChallenge(verifier),
    ...defined({ app }),
  };
  const over = new AbortController();
  let start: StartPage | undefined;
  try {
    const { url, keep, state = expected.state } = await authorize(begun);
    expected.state = state;
    show(url, { platform, browser, door, context });
    if (browser) {
      start = startPage(url, `psn connect ${platform.id}`);
      await openBrowser(start.address);
    }
    const signal = AbortSignal.any([over.signal, context.signal]);
    const answer = await firstAnswer({ door, start, isMine, platform, signal }, context);
    const code = readCode(answer, platform, way);
    const done = await work({ ...begun, code, verifier, answer, ...defined({ keep }) }, () => start?.assertAlone());
    await door?.close(done);
    return done;
  } catch (error) {
    await door?.close({
      ok: false,
      title: "The account was not connected",
      text: `${toPsnError(error).message}. The terminal shows what to do next.`,
    });
    throw error;
  } finally {
    over.abort();
    await start?.close();
  }
}

function show(
  url: string,
  {
    platform: { name },
    browser,
    door,
    context: { output },
  }: {
    readonly platform: Platform;
    readonly browser: boolean;
    readonly door: Loopback | undefined;
    readonly context: Context;
  },
): void {
  output.note([`${browser ? "opening" : "open"} this address in a browser and consent at ${name}:`, ""]);
  output.request(`  ${url}`);
  output.note(
    door
      ? ["", "psn is waiting. If the browser is on another machine, paste the address of its last page here:"]
      : ["", "then paste the address of the browser's last page:"],
  );
}

interface Waiting {
  readonly door: Loopback | undefined;
  readonly start: StartPage | undefined;
  readonly isMine: (answer: Answer) => boolean;
  readonly platform: Platform;
  readonly signal: AbortSignal;
}

/** By the browser or by hand, whichever comes first. */
async function firstAnswer({ door, start, isMine, platform, signal }: Waiting, { prompt }: Context): Promise<Answer> {
  const limit = AbortSignal.timeout(LIMIT_MS);
  const either = AbortSignal.any([signal, limit]);
  const ended = new Promise<never>((_, reject) => {
    const end = () =>
      reject(
        limit.aborted
          ? new PsnError("AUTH_REQUIRED", `no consent at ${platform.name} within ${LIMIT_MS / 60_000} minutes`, {
              hint: `psn connect ${platform.id}`,
            })
          : new PsnError("INTERRUPTED", "stopped; nothing was changed"),
      );
    if (either.aborted) end();
    else either.addEventListener("abort", end, { once: true });
  });
  ended.catch(() => undefined);
  const pasted = prompt.line(either).then((line) => {
    if (line !== undefined) return readPasted(line, isMine, platform);
    // Nobody can paste: there is still the browser.
    if (door) return new Promise<never>(() => undefined);
    throw new PsnError("INPUT_REQUIRED", "the address of the browser's last page is required", {
      hint: "paste it, or pass it on standard input",
    });
  });
  return Promise.race([pasted, ended, ...(door ? [door.answer] : []), ...(start ? [start.shared] : [])]);
}

function readPasted(line: string, isMine: (answer: Answer) => boolean, { id }: Platform): Answer {
  const hint = `psn connect ${id}, and paste the complete address, beginning with http`;
  const url = URL.parse(line.trim());
  if (!url?.searchParams.has("state"))
    throw new PsnError("INPUT_INVALID", "this is not the address of the browser's last page", { hint });
  // Meta hangs `#_` behind its answers
  // (https://developers.facebook.com/docs/threads/get-started/get-access-tokens-and-permissions, 2026-11).
  const answer = Object.fromEntries(url.searchParams);
  if (!isMine(answer)) throw new PsnError("INPUT_INVALID", "this address belongs to another attempt", { hint });
  return answer;
}

/**
 * RFC 6749, 4.1.2.1; the others are LinkedIn's
 * (https://learn.microsoft.com/en-us/linkedin/shared/authentication/authorization-code-flow, 2026-11).
 */
const TOLD_NO: ReadonlySet<string> = new Set(["access_denied", "user_cancelled_login", "user_cancelled_authorize"]);
const NOT_GIVEN: ReadonlySet<string> = new Set(["invalid_scope", "unauthorized_scope_error"]);

/** Throws AUTH_REVOKED for a no, AUTH_SCOPE where the app may not ask for what psn needs. */
function readCode(answer: Answer, { id, name }: Platform, { app }: OAuthAuth): string {
  const { code, error, error_description: words } = answer;
  if (error !== undefined) {
    const said = shorten(`${error}${words === undefined ? "" : `: ${words}`}`, 200);
    const hint = `psn connect ${id}`;
    if (TOLD_NO.has(error)) throw new PsnError("AUTH_REVOKED", `you declined access at ${name}`, { hint });
    if (NOT_GIVEN.has(error))
      throw new PsnError("AUTH_SCOPE", `${name} refused: ${said}`, {
        hint: app ? `check your app's permissions and products at ${app.page}, then ${hint}` : hint,
      });
    throw new PsnError("AUTH_REVOKED", `${name} refused: ${said}`, { hint });
  }
  if (code === undefined || code === "")
    throw new PsnError("AUTH_REVOKED", `${name} returned the browser without a code`, { hint: `psn connect ${id}` });
  return code;
}
