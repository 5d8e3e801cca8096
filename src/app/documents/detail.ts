import type { DeliveryDetail } from "@psn/core/ports/posts.ts";
import { z } from "zod";
import { DeliveryDocument, deliveryDocument } from "./delivery.ts";
import { Count, type DocumentOf, Id, Instant, instant, UnitState } from "./values.ts";

const Unit = z
  .strictObject({
    key: Id.describe("The key under which it is sent, always the same."),
    position: Count.describe("From 0."),
    state: UnitState,
    text: z.string(),
    length: Count.describe("As the platform counts."),
    media: Count.describe("How many."),
    ref: z
      .strictObject({
        id: z.string(),
        url: z.string(),
        revision: z.string().optional().describe("The platform's id of the content, where an answer must name it."),
      })
      .nullable()
      .describe("What the platform calls it, and where it is."),
    sent: Instant.nullable(),
    removed: Instant.nullable().describe("When the platform said that it is gone."),
  })
  .meta({ id: "Unit", description: "One message at the platform." });

const Event = z
  .strictObject({
    at: Instant,
    event: z.string(),
    attempt: Count,
    unit: Count.nullable().describe("The position of the unit."),
    code: z.string().nullable(),
    note: z.string().nullable(),
    actor: z.string().describe("The worker or the command that did it."),
  })
  .meta({ id: "Event", description: "One line of a delivery's history." });

/** A delivery with its units and its history. */
export const DetailDocument = z
  .strictObject({
    ...DeliveryDocument.shape,
    unitList: z.array(Unit),
    history: z.array(Event).describe("The oldest first."),
  })
  .meta({ id: "DeliveryDetail", description: "A delivery with its units and its history." });

export const ShowDocument = z.strictObject({ deliveries: z.array(DetailDocument) });

export function showDocument(details: readonly DeliveryDetail[]): DocumentOf<typeof ShowDocument> {
  return { deliveries: details.map(detailDocument) };
}

function detailDocument(detail: DeliveryDetail): DocumentOf<typeof DetailDocument> {
  return {
    ...deliveryDocument(detail),
    unitList: detail.unitList.map(({ id, position, state, unit, ref, sentAt, removedAt }) => ({
      key: id,
      position,
      state,
      text: unit.text,
      length: unit.length,
      media: unit.media.length,
      ref,
      sent: instant(sentAt),
      removed: instant(removedAt),
    })),
    history: detail.events.map(({ at, ...event }) => ({ at: at.toISOString(), ...event })),
  };
}
