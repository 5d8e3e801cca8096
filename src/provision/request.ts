import { PsnError } from "@psn/core/errors.ts";
import { BODY_BYTES, readBody, textOf } from "@psn/core/net/answer-body.ts";
import { pauseMs, retryAfterMs } from "@psn/core/net/pauses.ts";
import { cutTo, wordsOf } from "@psn/core/net/words.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Fetch } from "@psn/core/types/platform.ts";
import type { z } from "zod";

/** Longest one request may take, in milliseconds. */
const REQUEST_TIMEOUT_MS = 15_000;
/** Pauses between the tries of what may be tried again, in milliseconds. */
const PAUSES_MS = [500, 1500, 4000];
/** Longest pause a server may ask for, in milliseconds. */
const MAX_PAUSE_MS = 15_000;

/** A vendor's management API, as all requests to it have it in common. */
export interface Vendor {
  /** In messages. */
  readonly name: string;
  /** Where the paths begin. */
  readonly url: string;
  /** The key; undefined before there is one. */
  readonly token: string | undefined;
  readonly fetch: Fetch;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  readonly signal?: AbortSignal;
  /** Statuses that come before any effect, whatever was asked. */
  readonly noEffect: readonly number[];
  /** The setting that says where the vendor is: for an answer that is none of its. */
  readonly setting: string;
  /** The error for an answer that is neither success nor a passing failure. */
  readonly refuse: (what: string, answer: Refusing) => PsnError;
}

/** An answer that refuses. */
export interface Refusing {
  readonly status: number;
  /** The vendor's reason, or empty. */
  readonly said: string;
  readonly isJson: boolean;
  /** The whole answer; undefined when it is not JSON. */
  readonly value: unknown;
}

export interface Asked {
  readonly body?: Readonly<Record<string, unknown>>;
  /** Whether it does no harm when it is done twice. */
  readonly repeat: boolean;
  /** Statuses to hand back in place of throwing. */
  readonly accept?: readonly number[];
}

export interface Answer {
  readonly status: number;
  /** Undefined when it is not JSON. */
  readonly value: unknown;
}

/**
 * One request and its answer. What may be repeated is tried four times, and anything that was refused before it had an
 * effect. Throws VENDOR_UNREACHABLE and what `refuse` makes of a refusal.
 */
export async function ask(
  vendor: Vendor,
  { method, path, body, repeat, accept = [] }: { readonly method: string; readonly path: string } & Asked,
): Promise<Answer> {
  const { url, token, fetch, sleep, signal } = vendor;
  for (let tries = 0; ; tries += 1) {
    const pause = PAUSES_MS[tries];
    const connection = new AbortController();
    const signals = [AbortSignal.timeout(REQUEST_TIMEOUT_MS), ...(signal ? [signal] : [])];
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${url.replace(/\/$/, "")}${path}`, {
        method,
        headers: {
          ...defined({ authorization: token === undefined ? undefined : `Bearer ${token}` }),
          "content-type": "application/json",
        },
        ...defined({ body: body === undefined ? undefined : JSON.stringify(body) }),
        // A kept connection that the server has closed looks like a lost answer; what must not be repeated opens its
        // own.
        ...defined({ keepalive: repeat ? undefined : false }),
        redirect: "manual",
        signal: AbortSignal.any([connection.signal, ...signals]),
      });
      const read = await readBody(response, BODY_BYTES, AbortSignal.any(signals));
      if (!read.whole) connection.abort();
      // Of a refusal the status is enough.
      if (!read.whole && response.ok) throw new Error("the rest of the answer cannot be read");
      text = textOf(read);
    } catch {
      signal?.throwIfAborted();
      if (repeat && pause !== undefined) {
        await sleep(pause, signal);
        continue;
      }
      // Without the cause: it may hold the request.
      throw unreachable(`${hostOf(url)} does not answer`);
    }
    const { status } = response;
    if (pause !== undefined && (vendor.noEffect.includes(status) || (repeat && isPassing(status)))) {
      await sleep(askedPause(response, pause), signal);
      continue;
    }
    const answer = { status, value: jsonOf(text) };
    if ((status >= 200 && status < 300) || accept.includes(status)) return answer;
    throw refusal(vendor, { what: `${method} ${path}`, answer, body });
  }
}

/** The error for an answer, also for one that was accepted and then cannot be explained. */
export function refusal(
  vendor: Vendor,
  { what, answer, body }: { readonly what: string; readonly answer: Answer; readonly body: unknown },
): PsnError {
  const { status, value } = answer;
  if (isPassing(status)) return unreachable(`${hostOf(vendor.url)} answered ${status}`);
  return vendor.refuse(what, {
    status,
    said: reason(answer, [vendor.token, ...strings(body)]),
    isJson: value !== undefined,
    value,
  });
}

/** The answer in the shape psn relies on; throws VENDOR_CHANGED for any other. */
export function understood<T extends z.ZodType>(
  vendor: Vendor,
  { answer: { status, value }, schema, path }: { readonly answer: Answer; readonly schema: T; readonly path: string },
): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const at = result.error.issues[0]?.path.join(".") ?? "";
  const what =
    value === undefined ? "with something that is not JSON" : `in a format that psn does not know (at "${at}")`;
  throw new PsnError("VENDOR_CHANGED", `${vendor.name} answered ${path} ${what}`, {
    hint: `psn config get ${vendor.setting}`,
    details: { status },
  });
}

const isPassing = (status: number) => status === 408 || status === 423 || status === 429 || status >= 500;
const hostOf = (url: string) => new URL(url).host;
const unreachable = (message: string) =>
  new PsnError("VENDOR_UNREACHABLE", message, { hint: "try the same command again" });

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** What the answer asks for, and of an allowance that begins again a second more: it is told in whole seconds. */
function askedPause({ status, headers }: Response, otherwise: number): number {
  const now = new Date();
  const after = retryAfterMs(headers, now);
  const reset = status === 429 && after === undefined ? pauseMs(headers, now) : undefined;
  const asked = after || (reset ? reset + 1000 : 0);
  return asked > 0 ? Math.min(asked, MAX_PAUSE_MS) : otherwise;
}

/** The vendor's own words, one short line, without anything of what was sent. */
function reason({ value }: Answer, secrets: readonly (string | undefined)[]): string {
  let line = wordsOf(value).join(": ");
  if (line === "") return "";
  for (const secret of secrets) if (secret !== undefined && secret.length > 3) line = line.replaceAll(secret, "•••");
  return `: ${cutTo(line, 200)}`;
}

function strings(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(strings) : [];
}
