import { TodayDocument, todayDocument } from "@psn/app/documents/today.ts";
import { todayOf } from "@psn/app/queries/today.ts";
import { z } from "zod";
import { defineVerb } from "./verb.ts";

export const today = defineVerb({
  name: "today",
  summary: "the day at a glance",
  effect: "read",
  idempotent: true,
  input: z.strictObject({}),
  output: TodayDocument,
  run: (scope) => todayOf(scope),
  document: todayDocument,
});
