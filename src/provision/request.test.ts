import { PsnError } from "@psn/core/errors.ts";
import { expect, test } from "vitest";
import { ask, type Vendor } from "./request.ts";

const vendor = (message: string): Vendor => ({
  name: "Vendor",
  url: "https://vendor.example.com",
  token: "a-token",
  fetch: async () => Response.json({ message }, { status: 400 }),
  sleep: async () => undefined,
  noEffect: [],
  setting: "NEON_API_HOST",
  refuse: (_, { status, said }) => new PsnError("VENDOR_REFUSED", `${status}${said}`),
});

test.each([196, 197, 198, 199, 200])(
  "a vendor's words are cut between characters, also where an emoji is the %i. unit",
  async (before) => {
    const asking = ask(vendor(`${"a".repeat(before)}😀 and more`), { method: "GET", path: "/", repeat: false });
    const error = await asking.then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(error).toBeInstanceOf(PsnError);
    const { message } = error as PsnError;
    expect(message.isWellFormed()).toBe(true);
    expect(message).toMatch(/^400: a{190,}.*…$/u);
    expect(message.length).toBeLessThanOrEqual("400: ".length + 200);
  },
);
