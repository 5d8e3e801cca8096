import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { formerOf, secretsOf } from "./secrets.ts";

const NOW = new Date("2026-11-02T12:00:00.000Z");
const later = (ms: number) => new Date(NOW.getTime() + ms);
const newSecret = () => `whsec_${randomBytes(32).toString("base64")}`;

test("two secrets sign until the overlap is over, and then one, whether or not the other was removed", () => {
  const [before, after] = [newSecret(), newSecret()];
  const former = formerOf("24h", { access: after, before: { access: before, scopes: [] }, now: NOW });
  const credentials = { access: after, scopes: [], ...former };
  expect(secretsOf(credentials, NOW)).toEqual([after, before]);
  expect(secretsOf(credentials, later(86_399_999))).toEqual([after, before]);
  expect(secretsOf(credentials, later(86_400_000))).toEqual([after]);
  expect(former.secretUntil).toEqual(later(86_400_000));
});

test("a third secret puts the second beside it, and the first is gone", () => {
  const [first, second, third] = [newSecret(), newSecret(), newSecret()];
  const two = {
    access: second,
    scopes: [],
    ...formerOf("1d", { access: second, before: { access: first, scopes: [] }, now: NOW }),
  };
  expect(
    secretsOf({ access: third, scopes: [], ...formerOf("1d", { access: third, before: two, now: NOW }) }, NOW),
  ).toEqual([third, second]);
  expect(
    secretsOf({ access: third, scopes: [], ...formerOf("", { access: third, before: two, now: NOW }) }, NOW),
  ).toEqual([third]);
  expect(
    secretsOf({ access: second, scopes: [], ...formerOf("", { access: second, before: two, now: NOW }) }, NOW),
  ).toEqual([second, first]);
});
