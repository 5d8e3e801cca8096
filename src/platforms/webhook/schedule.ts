const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/**
 * Pauses between the attempts of one event, in milliseconds: the specification's example (spec/standard-webhooks.md,
 * Deliverability and reliability, 2026-11) with two more attempts in the first minutes, in which most receivers are
 * back from a deployment. Printed in docs/platforms/webhook.md, and tested against it.
 */
export const RETRIES: readonly number[] = [
  5 * SECOND,
  30 * SECOND,
  2 * MINUTE,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
];

/**
 * Statuses below 500 after which an event is tried again; a 429 is psn's RATE_LIMITED wherever it comes from. 404: a
 * receiver that is being deployed, or whose route is not there yet. 408: the receiver did not wait for the whole
 * request, and may have acted on it. 425 (RFC 8470): the receiver does not want to act on it now.
 */
export const WEATHER = [404, 408, 425] as const;
