import { PsnError } from "@psn/core/errors.ts";
import type { Credentials, Flaw } from "@psn/core/types/account.ts";
import { parseDuration } from "@psn/domain/schedule/duration.ts";
import { z } from "zod";
import { paddedSecret, publicKeyOf, signaturesOf } from "./signing.ts";

/*
 * Two secrets sign for a while when one is changed: "the webhook is signed both using the current key, and using an old
 * key (for a set period of time)" (spec/standard-webhooks.md, Webhook headers, 2026-11). The old one is kept beside the
 * new one, sealed like it.
 */

/** Longest time in which two secrets sign, in milliseconds: whoever changes a leaked secret wants the old one gone. */
const OVERLAP_MOST_MS = 30 * 24 * 3_600_000;

/** What the adapter keeps in `Credentials.secret`. */
const Former = z.object({ former: z.string(), until: z.iso.datetime() });

/**
 * The earlier secret and its end. Without `overlap`: none beside a new secret, and what there is beside the same.
 * Throws INPUT_INVALID for an overlap with nothing that it could overlap with.
 */
export function formerOf(
  overlap: string,
  { access, before, now }: { readonly access: string; readonly before: Credentials | undefined; readonly now: Date },
): Pick<Credentials, "secret" | "secretUntil"> {
  const isSame = before !== undefined && paddedSecret(before.access) === paddedSecret(access);
  if (overlap.trim() === "") {
    if (!isSame || before.secret === undefined || !before.secretUntil) return {};
    return { secret: before.secret, secretUntil: before.secretUntil };
  }
  const ms = lengthOf(overlap);
  if (!before) throw refused("psn has no earlier secret for this address");
  if (isSame) throw refused("psn already has this secret");
  const secretUntil = new Date(now.getTime() + ms);
  return { secret: JSON.stringify({ former: before.access, until: secretUntil.toISOString() }), secretUntil };
}

function lengthOf(overlap: string): number {
  const hint = "write it like 24h, at most 30d";
  try {
    const ms = parseDuration(overlap);
    if (ms <= OVERLAP_MOST_MS) return ms;
  } catch (cause) {
    throw new PsnError("INPUT_INVALID", `cannot read --secret-overlap "${overlap}" as a duration`, {
      cause,
      hint,
    });
  }
  throw new PsnError("INPUT_INVALID", "two secrets can sign for at most 30 days", { hint });
}

function refused(why: string): PsnError {
  return new PsnError("INPUT_INVALID", `${why}, so two secrets cannot sign`, { hint: "leave out --secret-overlap" });
}

/** The secrets that sign now, the newest first. */
export function secretsOf({ access, secret }: Credentials, now: Date): readonly string[] {
  if (secret === undefined) return [access];
  const { former, until } = Former.parse(JSON.parse(secret));
  return Date.parse(until) > now.getTime() ? [access, former] : [access];
}

/** Those that two sides have, as base64 writes them: these are nobody else's. */
export function sharedSecretsOf(credentials: Credentials, now: Date): readonly string[] {
  return secretsOf(credentials, now)
    .filter((secret) => publicKeyOf(secret) === undefined)
    .map(paddedSecret);
}

/** What is wrong with a secret that signs nevertheless. */
export function flawOf({ access }: Credentials): Flaw | undefined {
  if (paddedSecret(access) === access) return undefined;
  return {
    said:
      "its signing secret has too little or too much base64 padding (=), which psn no longer accepts; psn still " +
      "signs with it",
    flags: "--secret-new --secret-overlap 24h",
  };
}

/** The `webhook-signature` header. */
export function signed(
  credentials: Credentials,
  {
    now,
    id,
    timestamp,
    body,
  }: { readonly now: Date; readonly id: string; readonly timestamp: number; readonly body: string },
): string {
  return signaturesOf(secretsOf(credentials, now), { id, timestamp, body });
}
