import { HUBS_OWN } from "@psn/domain/delivery.ts";
import { expect, test } from "vitest";
import { ERRORS, type ErrorCode, helpOf, PsnError } from "./errors.ts";

const CODES = Object.keys(ERRORS) as ErrorCode[];

test.each(CODES)("psn explain %s says what helps", (code) => {
  expect(helpOf(code) ?? "").toMatch(/\w{4,}/);
});

test.each([
  [{ run: "connect", args: { platform: "mastodon" } }, "psn connect mastodon"],
  [{ run: "connect" }, "psn connect PLATFORM"],
  [{ run: "accounts" }, "psn accounts"],
  [{ run: "show", args: { id: "9f2c11aa" } }, "psn show 9f2c11aa"],
  [{ run: "resolve", args: { id: "9f2c11aa" } }, "psn resolve 9f2c11aa --live URL | --not-live"],
  [{ run: "move", args: { id: "9f2c11aa" } }, "psn move 9f2c11aa --in 1s"],
])("the hint %j is printed as %s, and kept as it is for a program", (hint, said) => {
  const error = new PsnError("STATE_CONFLICT", "no", { hint });
  expect(error).toMatchObject({ hint: said, remedy: hint });
  expect(error.toJSON()).toMatchObject({ hint: said, next: said });
});

test.each(HUBS_OWN)(
  "what helps against %s, for which posts wait, is not to ask psn doctor, which has sent the person here",
  (code) => {
    expect(helpOf(code)).not.toMatch(/^psn (doctor|explain)\b/);
    expect(helpOf(code)).not.toContain("psn explain");
  },
);
