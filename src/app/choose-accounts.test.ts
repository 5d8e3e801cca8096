import { PsnError } from "@psn/core/errors.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import { describe, expect, test } from "vitest";
import { chooseAccounts, nameOf, namesOf } from "./choose-accounts.ts";

const PLATFORMS = ["bluesky", "mastodon", "feed"];

function account(platform: string, handle: string, health: Account["health"] = "ok"): Account {
  const profile = { subject: handle, handle, url: "https://example.com", home: "https://example.com" };
  const rest = {
    healthReason: null,
    pausedUntil: null,
    createdAt: new Date(0),
    expiresAt: null,
    refreshedAt: null,
    renews: true,
  };
  return { id: `id-${platform}-${handle}`, platform, profile, health, ...rest };
}

const ada = account("bluesky", "ada.example");
const work = account("bluesky", "work.example");
const toot = account("mastodon", "@ada@toot.example");
const gone = account("feed", "old", "disconnected");
const all = [ada, work, toot, gone];

const names = (chosen: readonly Account[]) => chosen.map(nameOf);
function refusal(accounts: readonly Account[], ...wanted: string[]): PsnError {
  try {
    chooseAccounts(accounts, wanted, PLATFORMS);
  } catch (error) {
    if (error instanceof PsnError) return error;
  }
  throw new Error("it was not refused");
}

describe("the accounts a user means", () => {
  test.each([
    [["bluesky:ada.example"], ["bluesky:ada.example"]],
    [["BLUESKY:Ada.Example"], ["bluesky:ada.example"]],
    [["ada.example"], ["bluesky:ada.example"]],
    [["mastodon"], ["mastodon:@ada@toot.example"]],
    [["id-bluesky-work.example"], ["bluesky:work.example"]],
    [["all"], ["bluesky:ada.example", "bluesky:work.example", "mastodon:@ada@toot.example"]],
    [
      ["mastodon", "@ada@toot.example", "ada.example"],
      ["mastodon:@ada@toot.example", "bluesky:ada.example"],
    ],
  ])("%j are %j", (wanted, expected) => {
    expect(names(chooseAccounts(all, wanted, PLATFORMS))).toEqual(expected);
  });

  test("may hold a comma themselves", () => {
    const titled = account("linkedin", "Ada Lovelace, PhD");
    for (const pieces of [["linkedin:Ada Lovelace", "PhD"], ["linkedin:ada lovelace", " PhD"], ["Ada Lovelace, PhD"]])
      expect(names(chooseAccounts([ada, titled], [...pieces, "bluesky"], PLATFORMS))).toEqual([
        "linkedin:Ada Lovelace, PhD",
        "bluesky:ada.example",
      ]);
  });

  test("are the only one there when none is named", () => {
    expect(names(chooseAccounts([ada, gone], [], PLATFORMS))).toEqual(["bluesky:ada.example"]);
  });

  test("are never one that was disconnected", () => {
    expect(refusal(all, "feed")).toMatchObject({ code: "AUTH_REQUIRED", hint: "psn connect feed" });
    expect(refusal([gone], "all")).toMatchObject({ code: "AUTH_REQUIRED" });
  });

  test("may need reconnecting: whoever uses them says so", () => {
    const sick = account("bluesky", "sick.example", "needs-reconnect");
    expect(names(chooseAccounts([sick], [], PLATFORMS))).toEqual(["bluesky:sick.example"]);
  });
});

describe("accounts of one handle, as an earlier psn left them", () => {
  const one = { ...account("linkedin", "Ada Lovelace"), id: "one" };
  const two = {
    ...account("linkedin", "ada lovelace"),
    id: "two",
    profile: { ...one.profile, handle: "ada lovelace", subject: "other" },
  };

  test("have names of their own, which are accepted; the short one is refused with both", () => {
    const long = [...namesOf([one, two, ada]).values()];
    expect(long).toEqual([
      expect.stringMatching(/^linkedin:Ada Lovelace#[0-9a-f]{4}$/),
      expect.stringMatching(/^linkedin:ada lovelace#[0-9a-f]{4}$/),
      "bluesky:ada.example",
    ]);
    const chosen = long.map((name) =>
      chooseAccounts([one, two, ada], [name], [...PLATFORMS, "linkedin"]).map(({ id }) => id),
    );
    expect(chosen).toEqual([["one"], ["two"], [ada.id]]);
    for (const short of ["linkedin:Ada Lovelace", "Ada Lovelace", "linkedin"])
      expect(refusal([one, two, ada], short)).toMatchObject({
        code: "AMBIGUOUS",
        message: `"${short}" matches 2 accounts: ${long.slice(0, 2).join(", ")}`,
      });
  });

  test("a name in full is that account, though another's handle reads alike", () => {
    const odd = account("linkedin", "bluesky:ada.example");
    expect(names(chooseAccounts([ada, odd], ["bluesky:ada.example"], PLATFORMS))).toEqual(["bluesky:ada.example"]);
    expect(names(chooseAccounts([ada, odd], ["linkedin:bluesky:ada.example"], PLATFORMS))).toEqual([
      "linkedin:bluesky:ada.example",
    ]);
  });
});

describe("what is refused", () => {
  test("names what there is", () => {
    expect(refusal(all)).toMatchObject({
      code: "INPUT_REQUIRED",
      message: expect.stringContaining("bluesky:work.example"),
    });
    expect(refusal(all, "bluesky")).toMatchObject({
      code: "AMBIGUOUS",
      message: expect.stringContaining("2 accounts"),
    });
    expect(refusal(all, "bluesky:eve.example")).toMatchObject({
      code: "NOT_FOUND",
      message: expect.stringContaining("bluesky:ada.example"),
    });
    expect(refusal(all, "myspace")).toMatchObject({ code: "NOT_FOUND", hint: "psn accounts" });
    expect(refusal([])).toMatchObject({ code: "AUTH_REQUIRED", hint: "psn connect PLATFORM" });
  });
});
