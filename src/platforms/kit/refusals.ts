import { type Details, type ErrorCode, PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Net, Session } from "@psn/core/types/platform.ts";
import { z } from "zod";
import { type Answer, bodyOf, type CallOptions, call, type Effect, pauseMs, refusal } from "./http.ts";

/*
 * What a platform's refusals mean, as data: its status, its own codes and its words lead to one of psn's errors.
 */

/** Fields of a refusal: a text, and a number, which may come as text; empty and 0 for anything else. */
export const TextField = z.string().catch("");
export const NumberField = z.coerce.number().catch(0);

/** What an answer says of itself. */
export interface Reason {
  readonly codes: readonly (string | number)[];
  /** Finer than a code, where there is such a thing. */
  readonly subcodes?: readonly number[];
  readonly words: string;
}

/** Which answers a rule speaks of. What is absent is not asked for; of `codes` and `words` one is enough. */
export interface When {
  readonly status?: number;
  readonly codes?: readonly (string | number)[];
  readonly words?: RegExp;
  readonly subcodes?: readonly number[];
  readonly effect?: Effect;
}

/** What such an answer means. */
export interface Meaning {
  /** Absent: PLATFORM_REJECTED. */
  readonly code?: ErrorCode;
  /** What psn says; the platform's own words follow in brackets. Absent: those words alone. */
  readonly says?: string;
  readonly hint?: string;
}

/** One line of the table. */
export interface Rule {
  readonly when: When;
  readonly means: Meaning;
}

export interface Refusals {
  /** From the platform's own form of a body; a body that it does not read is none of the platform's API. */
  readonly reason: z.ZodType<Reason>;
  /** Whether only the answer's status is believed. */
  readonly isDoubtful?: (answer: Answer) => boolean;
  /** The first that holds counts: the particular before the general. */
  readonly rules: readonly Rule[];
  /** How long a limit lasts, in milliseconds; absent: as the answer's usual headers say. */
  readonly pauseMs?: (answer: Answer, now: Date, reason: Reason) => number | undefined;
  /** By code, where a rule has no hint. */
  readonly hints?: Readonly<Partial<Record<ErrorCode, string>>>;
  readonly details?: (reason: Reason) => Details;
}

export type Caller = Net & Pick<Session, "credentials"> & Partial<Pick<Session, "app">>;

/** Whether this is said of this answer. */
export function matches(when: When, { status, effect }: Pick<Answer, "status" | "effect">, reason: Reason): boolean {
  const { codes, words, subcodes } = when;
  if (when.status !== undefined && when.status !== status) return false;
  if (when.effect !== undefined && when.effect !== effect) return false;
  if (subcodes && !subcodes.some((one) => reason.subcodes?.includes(one))) return false;
  if (!codes && !words) return true;
  return (codes ?? []).some((one) => reason.codes.includes(one)) || (words?.test(reason.words) ?? false);
}

/** The error for a refusal, by the first rule that speaks of it; else by its status alone. */
export function refusedBy(table: Refusals, answer: Answer, session: Caller): PsnError {
  const plain = refusal(answer, session);
  const reason = table.isDoubtful?.(answer) ? undefined : reasonIn(table, answer);
  const means = reason && table.rules.find(({ when }) => matches(when, answer, reason))?.means;
  if (!reason || (!means && !table.details && plain.code !== "RATE_LIMITED")) return plain;
  const { code = "PLATFORM_REJECTED", says, hint } = means ?? { code: plain.code };
  const retryAfterMs =
    code === "RATE_LIMITED" ? (table.pauseMs ?? usualPause)(answer, session.now(), reason) : undefined;
  return new PsnError(code, says === undefined ? plain.message : `${says} (${plain.message})`, {
    cause: plain,
    details: { ...plain.details, ...table.details?.(reason) },
    ...defined({ hint: hint ?? table.hints?.[code], retryAfterMs }),
  });
}

const reasonIn = ({ reason }: Refusals, answer: Answer): Reason | undefined => reason.safeParse(bodyOf(answer)).data;

const usualPause = ({ headers }: Answer, now: Date): number | undefined => pauseMs(headers, now);

/** One platform's API. */
export interface Api extends Refusals {
  readonly origin: string;
  /** For some paths, beside the token. */
  readonly headers?: (path: string) => Readonly<Record<string, string>>;
}

/** Where an API itself has another address, only a newer psn knows it. */
export const UPDATE = "update psn";
/** Every status whose body may say why. */
export const EXPLAINED: readonly number[] = Array.from({ length: 200 }, (_, index) => 400 + index);

/**
 * `api` makes one request with the account's token, which goes in a header alone: addresses may be logged on the way.
 * It throws what `call` throws, and the platform's own refusals by their reason. `refusalOf` is the error for a
 * refusal, `reasonOf` what an answer says, and `says` whether it says one of these.
 */
export function apiOf({ origin, headers, ...table }: Api) {
  const refusalOf = (answer: Answer, session: Caller): PsnError => refusedBy(table, answer, session);
  const reasonOf = (answer: Answer): Reason | undefined => reasonIn(table, answer);
  const says = (answer: Answer, ...whens: readonly When[]): boolean => {
    const reason = reasonOf(answer);
    return reason !== undefined && whens.some((when) => matches(when, answer, reason));
  };
  const api = async (session: Caller, path: string, options: CallOptions): Promise<Answer> => {
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
  return { api, refusalOf, reasonOf, says };
}

type Sent = Pick<CallOptions, "method" | "body"> & { readonly headers: Readonly<Record<string, string>> };

/** A JSON body and the header that says so. */
export function json(body: object): Sent {
  return { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

/** A form, and the header that says so. */
export function form(fields: Readonly<Record<string, string>>): Sent {
  const body = new URLSearchParams(fields).toString();
  return { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body };
}
