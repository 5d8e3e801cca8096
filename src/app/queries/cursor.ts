import { PsnError } from "@psn/core/errors.ts";
import type { DeliveryRequest, Place } from "@psn/core/ports/posts.ts";

/*
 * A place of a list as a caller keeps it: the list's order, the instant, the id. Callers pass it back and read nothing
 * in it; a shell takes it without quotes.
 */

const FORM = /^(due|changed)\/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z)\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

export function cursorOf({ at, id }: Place, order: DeliveryRequest["order"]): string {
  return `${order}/${at}/${id}`;
}

/** Throws INPUT_INVALID for what is no cursor, and for the cursor of a list in another order. */
export function placeOf(cursor: string, order: DeliveryRequest["order"]): Place {
  const [, of, at = "", id = ""] = FORM.exec(cursor) ?? [];
  if (of === undefined || Number.isNaN(Date.parse(at)))
    throw new PsnError("INPUT_INVALID", "this is not a cursor of psn queue", {
      hint: "pass nextCursor of the page before, as psn queue --json prints it",
    });
  if (of !== order)
    throw new PsnError("INPUT_INVALID", "the cursor belongs to a list in another order", {
      hint: "pass the same --all and --state as for the page before",
    });
  return { at, id };
}
