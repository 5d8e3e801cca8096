/*
 * Nobody waits a minute for a lease to end or for a platform to show a post: what the rows say will happen at an
 * instant is made due, by the owner of the database. Which deliveries: $1. When a unit was sent stays as it is, for it
 * is part of what is sent; the workers' clocks and the time a row was read at are put forward instead.
 */
export const PASS_TIME = [
  "UPDATE psn.deliveries SET lease_until = now() - interval '1 millisecond' WHERE id = ANY ($1::uuid[]) AND " +
    "lease_until > now()",
  "UPDATE psn.deliveries SET wake_at = now() - interval '1 millisecond' WHERE id = ANY ($1::uuid[]) AND wake_at > " +
    "now()",
  "UPDATE psn.accounts SET paused_until = NULL WHERE paused_until IS NOT NULL",
  "UPDATE psn.oauth_tokens SET refresh_lease_until = NULL, refresh_rest_until = NULL WHERE " +
    "coalesce(refresh_lease_until, refresh_rest_until) IS NOT NULL",
] as const;
