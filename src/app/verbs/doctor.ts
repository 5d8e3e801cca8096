import { DoctorDocument, doctorDocument } from "@psn/app/documents/hub.ts";
import { type DoctorScope, examineAll } from "@psn/app/examine-all.ts";
import { z } from "zod";
import { type Control, defineVerb, neverAborted } from "./verb.ts";

export const doctor = defineVerb({
  name: "doctor",
  summary: "check the hub, and show how to fix problems",
  effect: "read",
  idempotent: true,
  input: z.strictObject({
    offline: z.boolean().default(false).describe("Do not contact the platforms and the vendors."),
  }),
  output: DoctorDocument,
  run: (scope: DoctorScope, { offline }, { signal = neverAborted() }: Control = {}) =>
    examineAll(scope.doctor, { network: !offline, signal }),
  document: doctorDocument,
});
