import { createHash } from "node:crypto";
import { PsnError } from "@psn/core/errors.ts";
import type { Profile } from "@psn/core/types/account.ts";
import type { Net } from "@psn/core/types/platform.ts";
import { isConfidential } from "@psn/platforms/kit/address.ts";
import { call, isRedirect, REDIRECTS, targetOf } from "@psn/platforms/kit/http.ts";

/* Where a webhook goes: its address, and the name by which lists and commands know it. */

/** Throws INPUT_REQUIRED and INPUT_INVALID for an address that psn sends to nobody. */
export function receiverOf(entered: string): URL {
  const hint = "enter the complete address, for example https://example.com/hooks/psn";
  if (entered.trim() === "") throw new PsnError("INPUT_REQUIRED", "a webhook needs the url of its receiver", { hint });
  const url = URL.parse(entered.trim());
  if (!url || !["https:", "http:"].includes(url.protocol))
    throw new PsnError("INPUT_INVALID", "the url of a webhook begins with https://", { hint });
  if (url.username !== "" || url.password !== "") {
    throw new PsnError("INPUT_INVALID", "the url of a webhook must not contain a user name or a password", {
      hint: "remove the part before the @; the signature proves who sends",
    });
  }
  if (!isConfidential(url)) {
    throw new PsnError(
      "INPUT_INVALID",
      `http:// is only for this machine, and ${url.hostname} is a different machine`,
      {
        hint: "use https://",
      },
    );
  }
  url.hash = "";
  return url;
}

export function subjectOf(url: URL): string {
  return createHash("sha256").update(url.href).digest("hex").slice(0, 16);
}

/** Longest handle that is made of an address alone, in UTF-16 units: a list has room for no more. */
const HANDLE_MOST = 60;

/**
 * Host and path: several receivers of one host are told apart. One that is too long ends in a part of its subject,
 * which is its own.
 */
function handleOf(url: URL): string {
  const whole = `${url.host}${url.pathname === "/" ? "" : url.pathname}`;
  if (whole.length <= HANDLE_MOST) return whole;
  const tag = `#${subjectOf(url).slice(-4)}`;
  return `${whole.slice(0, HANDLE_MOST - tag.length)}${tag}`;
}

export function profileOf(url: URL): Profile {
  return { subject: subjectOf(url), handle: handleOf(url), url: shownOf(url), home: url.href };
}

/** Without the query: it may say more than a list should show. */
export function shownOf(url: URL): string {
  return `${url.origin}${url.pathname}`;
}

/** Longest wait for the answer to a question that need not be answered, in milliseconds. */
const PROBE_MS = 5_000;

/**
 * Asks by HEAD, which has no body, no event's headers and no signature, so that nothing can be taken for an event. Only
 * a redirect and an address that psn may not send to refuse: a receiver may know no HEAD, or not be up yet. Throws
 * INPUT_INVALID, PRIVATE_ADDRESS.
 */
export async function refuseRedirect(url: URL, net: Net): Promise<void> {
  net.signal.throwIfAborted();
  const options = { method: "HEAD", effect: "none", timeoutMs: PROBE_MS, accept: REDIRECTS } as const;
  const answer = await call(net, url, options).catch((error: unknown) => {
    if (error instanceof PsnError && error.code === "PRIVATE_ADDRESS") throw error;
    return undefined;
  });
  net.signal.throwIfAborted();
  const to = answer && isRedirect(answer) ? targetOf(answer) : undefined;
  if (!to) return;
  throw new PsnError("INPUT_INVALID", `${url.host} redirects to ${to.href}`, { hint: redirection(to) });
}

/** What helps where the receiver has another address now. Its query, which is left out of `to`, may hold a secret. */
export function redirection({ href }: URL): string {
  return `psn connect webhook ${/^[\w:/.~%@+=,-]+$/.test(href) ? href : `'${href.replaceAll("'", "%27")}'`}`;
}
