import { nameOf } from "@psn/app/choose-accounts.ts";
import type { Today } from "@psn/app/queries/today.ts";
import { z } from "zod";
import { DeliveryDocument, deliveryDocument } from "./delivery.ts";
import type { DocumentOf } from "./values.ts";

/** The day at a glance. */
export const TodayDocument = z.strictObject({
  next: z.array(DeliveryDocument).describe("What is to come, the next first."),
  late: z.array(DeliveryDocument).describe("Held since their time passed long ago: retry or cancel them."),
  failed: z.array(DeliveryDocument).describe("What failed recently."),
  unconfirmed: z.array(DeliveryDocument).describe("Only a person can find out whether these are public: resolve them."),
  reconnect: z.array(z.string()).describe("Accounts that must be reconnected."),
});

/** What `psn` alone prints where there is no hub. */
export const NoHubDocument = z.strictObject({ hub: z.null(), next: z.string().describe("The command that helps.") });

export function todayDocument(today: Today): DocumentOf<typeof TodayDocument> {
  return {
    next: today.next.map(deliveryDocument),
    late: today.late.map(deliveryDocument),
    failed: today.failed.map(deliveryDocument),
    unconfirmed: today.unconfirmed.map(deliveryDocument),
    reconnect: today.reconnect.map(nameOf),
  };
}
