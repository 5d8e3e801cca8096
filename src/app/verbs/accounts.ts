import { AccountsDocument, accountsDocument } from "@psn/app/documents/account.ts";
import { accountsOf } from "@psn/app/queries/accounts.ts";
import { z } from "zod";
import { defineVerb } from "./verb.ts";

export const accounts = defineVerb({
  name: "accounts",
  summary: "list your accounts and their state",
  effect: "read",
  idempotent: true,
  input: z.strictObject({ all: z.boolean().default(false).describe("Also those that were disconnected.") }),
  output: AccountsDocument,
  run: accountsOf,
  document: accountsDocument,
});
