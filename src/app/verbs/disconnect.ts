import { chooseAccounts } from "@psn/app/choose-accounts.ts";
import { disconnectAccount, planDisconnect } from "@psn/app/connect-account.ts";
import { DisconnectDocument, type DisconnectFacts, disconnectDocument } from "@psn/app/documents/account.ts";
import { accountsOf } from "@psn/app/queries/accounts.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Account } from "@psn/core/ports/accounts.ts";
import { z } from "zod";
import * as inputs from "./inputs.ts";
import { type Control, defineVerb, neverAborted } from "./verb.ts";

export interface DisconnectControl extends Control {
  /** The account that `account` names, where the caller has found it already. */
  readonly found?: Account;
}

export const disconnect = defineVerb({
  name: "disconnect",
  summary: "disconnect an account and delete its credentials",
  effect: "admin",
  idempotent: true,
  input: z.strictObject({
    account: z.string().describe("The account, as `platform:handle`, or a platform that has one account."),
    dryRun: inputs.dryRun,
  }),
  output: DisconnectDocument,
  run: async (scope, { account: name, dryRun }, control: DisconnectControl = {}): Promise<DisconnectFacts> => {
    const { world, user } = scope;
    const { signal = neverAborted(), noReturn, found } = control;
    const [account, ...others] = found ? [found] : chooseAccounts(await accountsOf(scope), [name], world.platforms.ids);
    if (!account || others.length > 0)
      throw new PsnError("AMBIGUOUS", "name one account", { hint: { run: "accounts" } });
    if (dryRun)
      return { account, ...(await planDisconnect(scope, account)), revoked: false, trouble: undefined, dryRun };
    return { account, ...(await disconnectAccount(world, { userId: user.id, account, signal, noReturn })), dryRun };
  },
  document: disconnectDocument,
});
