import { PsnError } from "@psn/core/errors.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import { taggedHandle } from "./own-name.ts";

/**
 * The accounts a user means: `bluesky` (the only one there), `bluesky:ada.example`, a handle alone, or `all`. Throws
 * AUTH_REQUIRED when none is connected for a platform, NOT_FOUND and AMBIGUOUS when a name fits none or several.
 */
export function chooseAccounts(
  accounts: readonly Account[],
  names: readonly string[],
  platformIds: readonly string[],
): readonly Account[] {
  const connected = accounts.filter(({ health }) => health !== "disconnected");
  if (connected.length === 0)
    throw new PsnError("AUTH_REQUIRED", "no account is connected yet", { hint: { run: "connect" } });
  if (names.length === 0) {
    const [only, ...others] = connected;
    if (only && others.length === 0) return [only];
    throw new PsnError(
      "INPUT_REQUIRED",
      `you have ${connected.length} accounts, and none is chosen: ${[...namesOf(connected).values()].join(", ")}`,
      {
        hint: "pass --to with one or more of them, or --to all",
      },
    );
  }
  const chosen = new Map<string, Account>();
  for (const name of joined(connected, names))
    for (const account of matching(connected, name, platformIds)) chosen.set(account.id, account);
  return [...chosen.values()];
}

/**
 * Every account of a platform, or of that name, handle or id, in any case; disconnected ones too. Throws as
 * `chooseAccounts` does where there is none.
 */
export function accountsNamed(
  accounts: readonly Account[],
  name: string,
  platformIds: readonly string[],
): readonly Account[] {
  const wanted = name.trim().toLowerCase();
  const names = namesOf(accounts);
  const found = accounts.filter(({ id, platform, profile }) =>
    [id, platform, profile.handle, names.get(id) ?? ""].some((one) => one.toLowerCase() === wanted),
  );
  return found.length > 0 ? found : chooseAccounts(accounts, [name], platformIds);
}

/** `platform:handle`, as it is printed and accepted everywhere. */
export function nameOf(account: Pick<Account, "platform" | "profile">): string {
  return `${account.platform}:${account.profile.handle}`;
}

/**
 * A name for each of these accounts, by its id. Accounts of an earlier psn may have one handle; each of them has a tag
 * here, until it is connected again and keeps it.
 */
export function namesOf(accounts: readonly Account[]): ReadonlyMap<string, string> {
  const key = (account: Account) => nameOf(account).toLowerCase();
  const counts = Map.groupBy(accounts, key);
  return new Map(
    accounts.map((account) => [
      account.id,
      counts.get(key(account))?.length === 1 ? nameOf(account) : `${account.platform}:${taggedHandle(account.profile)}`,
    ]),
  );
}

/** The account of this name or id, in any case; undefined when it is none's or several accounts'. */
export function accountNamed(accounts: readonly Account[], name: string): Account | undefined {
  const wanted = name.toLowerCase();
  const names = namesOf(accounts);
  return accounts.find(({ id }) => id.toLowerCase() === wanted || names.get(id)?.toLowerCase() === wanted);
}

/** A name that holds a comma itself ("linkedin:Ada Lovelace, PhD") comes in pieces. */
function joined(accounts: readonly Account[], pieces: readonly string[]): readonly string[] {
  const plain = (name: string) => name.toLowerCase().replaceAll(/\s*,\s*/g, ",");
  const known = new Set(
    accounts
      .flatMap((account) => [plain(nameOf(account)), plain(account.profile.handle)])
      .filter((name) => name.includes(",")),
  );
  for (let from = 0; from < pieces.length; from += 1)
    for (let to = pieces.length; to > from + 1; to -= 1) {
      const whole = pieces.slice(from, to).join(",");
      const account = known.has(plain(whole))
        ? accounts.find((one) => [nameOf(one), one.profile.handle].some((name) => plain(name) === plain(whole)))
        : undefined;
      if (account) return [...pieces.slice(0, from), account.id, ...joined(accounts, pieces.slice(to))];
    }
  return pieces;
}

function matching(accounts: readonly Account[], name: string, platformIds: readonly string[]): readonly Account[] {
  if (name === "all") return accounts;
  const exact = accountNamed(accounts, name);
  if (exact) return [exact];
  const wanted = name.toLowerCase();
  const names = namesOf(accounts);
  const listed = (some: readonly Account[]) => some.map(({ id }) => names.get(id)).join(", ");
  const found = accounts.filter((account) =>
    [account.platform, nameOf(account), account.profile.handle].some((one) => one.toLowerCase() === wanted),
  );
  if (found.length === 1) return found;
  if (found.length > 1)
    throw new PsnError("AMBIGUOUS", `"${name}" matches ${found.length} accounts: ${listed(found)}`, {
      hint: "give the full name of one, or --to all",
    });
  const platform = wanted.split(":")[0] ?? wanted;
  if (platformIds.includes(platform)) {
    const there = accounts.filter((account) => account.platform === platform);
    if (there.length > 0)
      throw new PsnError("NOT_FOUND", `no ${platform} account has that name; connected: ${listed(there)}`, {
        hint: { run: "accounts" },
      });
    throw new PsnError("AUTH_REQUIRED", `no ${platform} account is connected`, {
      hint: { run: "connect", args: { platform } },
    });
  }
  throw new PsnError("NOT_FOUND", `no account is called "${name}"; connected: ${listed(accounts)}`, {
    hint: { run: "accounts" },
  });
}
