import { type Details, type ErrorCode, PsnError } from "@psn/core/errors.ts";
import type { Net, Session } from "@psn/core/types/platform.ts";
import { type Answer, type CallOptions, call, type Effect, pauseMs, refusal } from "./http.ts";

/*
 * What a platform's refusals mean, as data: its status, its own codes and its words lead to one of psn's errors.
 */

/** What an answer says of itself, in the platform's own form. */
export interface Reason {
  readonly codes: readonly (string | number)[];
  /** Finer than a code, where there is such a thing. */
  readonly subcodes?: readonly number[];
  /** In small letters. */
  readonly words: string;
}

/** One line of the table. What is absent is not asked for; of `codes` and `words` one is enough. */
export interface Rule {
  readonly status?: number;
  readonly codes?: readonly (string | number)[];
  readonly words?: RegExp;
  readonly subcodes?: readonly number[];
  readonly effect?: Effect;
  readonly code: ErrorCode;
  /** What psn says; the platform's own words follow in brackets. Absent: those words alone. */
  readonly says?: string;
  readonly hint?: string;
}

export interface Refusals {
  /** Undefined where it is not the platform's API that speaks. */
  readonly reasonOf: (answer: Answer) => Reason | undefined;
  /** The first that holds counts: the particular before the general. */
  readonly rules: readonly Rule[];
  /** How long a limit lasts, in milliseconds; absent: as the answer's usual headers say. */
  readonly pauseMs?: (answer: Answer, now: Date, reason: Reason) => number | undefined;
  /** By code, where a rule has no hint. */
  readonly hints?: Readonly<Partial<Record<ErrorCode, string>>>;
  readonly details?: (reason: Reason) => Details;
}

export type Caller = Net & Pick<Session, "credentials"> & Partial<Pick<Session, "app">>;

/** Whether a rule speaks of this answer. */
export function matches(rule: Rule, { status, effect }: Pick<Answer, "status" | "effect">, reason: Reason): boolean {
  const { codes, words, subcodes } = rule;
  if (rule.status !== undefined && rule.status !== status) return false;
  if (rule.effect !== undefined && rule.effect !== effect) return false;
  if (subcodes && !subcodes.some((one) => reason.subcodes?.includes(one))) return false;
  if (!codes && !words) return true;
  return (codes ?? []).some((one) => reason.codes.includes(one)) || (words?.test(reason.words) ?? false);
}

/** The error for a refusal, by the first rule that speaks of it; else by its status alone. */
export function refusedBy(table: Refusals, answer: Answer, session: Caller): PsnError {
  const plain = refusal(answer, session);
  const reason = table.reasonOf(answer);
  const rule = reason && table.rules.find((one) => matches(one, answer, reason));
  if (!reason || (!rule && !table.details && plain.code !== "RATE_LIMITED")) return plain;
  const code = rule?.code ?? plain.code;
  const message = rule?.says === undefined ? plain.message : `${rule.says} (${plain.message})`;
  const pause = code === "RATE_LIMITED" ? (table.pauseMs ?? usualPause)(answer, session.now(), reason) : undefined;
  const hint = rule?.hint ?? table.hints?.[code];
  return new PsnError(code, message, {
    cause: plain,
    details: { ...plain.details, ...table.details?.(reason) },
    ...(hint === undefined ? {} : { hint }),
    ...(pause === undefined ? {} : { retryAfterMs: pause }),
  });
}

const usualPause = ({ headers }: Answer, now: Date): number | undefined => pauseMs(headers, now);

/** One platform's API. */
export interface Api {
  readonly origin: string;
  /** For some paths, beside the token. */
  readonly headers?: (path: string) => Readonly<Record<string, string>>;
  readonly refusalOf: (answer: Answer, session: Caller) => PsnError;
}

/** Where an API itself has another address, only a newer psn knows it. */
export const UPDATE = "update psn";
/** Every status whose body may say why. */
const EXPLAINED: readonly number[] = Array.from({ length: 200 }, (_, index) => 400 + index);

/**
 * Makes one request with the account's token, which goes in a header alone: addresses may be logged on the way. Throws
 * what `call` throws, and the platform's own refusals by their reason.
 */
export function apiOf({ origin, headers, refusalOf }: Api) {
  return async (session: Caller, path: string, options: CallOptions): Promise<Answer> => {
    const answer = await call(session, `${origin}${path}`, {
      ...options,
      headers: {
        accept: "application/json",
        ...Object.fromEntries(new Headers(options.headers)),
        authorization: `Bearer ${session.credentials.access}`,
        ...headers?.(path),
      },
      accept: EXPLAINED,
      moved: () => UPDATE,
    });
    if (answer.status >= 400 && !options.accept?.includes(answer.status)) throw refusalOf(answer, session);
    return answer;
  };
}

/** A JSON body and the header that says so. */
export function json(body: object): Pick<CallOptions, "method" | "headers" | "body"> {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}
