import { HUBS_OWN } from "@psn/domain/delivery.ts";
import { expect, test } from "vitest";
import { ERRORS, type ErrorCode, helpOf } from "./errors.ts";

const CODES = Object.keys(ERRORS) as ErrorCode[];

test.each(CODES)("psn explain %s says what helps", (code) => {
  expect(helpOf(code) ?? "").toMatch(/\w{4,}/);
});

test.each(HUBS_OWN)(
  "what helps against %s, for which posts wait, is not to ask psn doctor, which has sent the person here",
  (code) => {
    expect(helpOf(code)).not.toMatch(/^psn (doctor|explain)\b/);
    expect(helpOf(code)).not.toContain("psn explain");
  },
);
