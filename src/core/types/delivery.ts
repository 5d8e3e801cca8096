import type { ErrorCode } from "@psn/core/errors.ts";
import type { AccountHealth, DeliveryState, Json, UnitState } from "./index.ts";
import type { Ref } from "./platform.ts";

/** What becomes of a claimed delivery: `psn.settle` writes it if the fence still holds. */
export interface DeliveryChange {
  readonly state: DeliveryState;
  /** When to look again; null leaves it. */
  readonly wakeInMs: number | null;
  /** How long the worker keeps it; null gives it back. */
  readonly leaseMs: number | null;
  readonly code: ErrorCode | null;
  readonly message: string | null;
  /** A line of the delivery's history; null writes none. */
  readonly event: string | null;
  readonly note: string | null;
  readonly unit: null | {
    readonly position: number;
    /** `waiting` forgets when it was sent: it certainly was not. */
    readonly state: UnitState;
    readonly prepared?: Json;
    readonly handle?: Json;
    readonly ref?: Ref;
  };
  /** The unit that is opened for sending by the same write. */
  readonly next: null | { readonly position: number };
  readonly account:
    | null
    | { readonly pausedForMs: number }
    | { readonly health: AccountHealth; readonly reason: string };
  /** The step that fixes what is wrong with the hub (`isHubs`); null where nothing is wrong or no step is known. */
  readonly mends?: string | null;
  /** The attempts are counted again, and this is the so-manieth; absent where the count goes on. */
  readonly attempt?: number;
}
