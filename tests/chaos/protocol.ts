import type { Consent } from "@psn/app/connect-account.ts";
import type { FaultPoint } from "@psn/core/ports/fault-points.ts";
import type { DeliveryState, Operation, UnitState } from "@psn/core/types/index.ts";

/*
 * What a worker process of the chaos suite is told and what it says, a line of JSON each, by stdin and stdout.
 */

/** What befalls the process at the nth passing of a point: it kills itself, or waits there to be let go or killed. */
export interface Fault {
  readonly point: FaultPoint;
  /** From 1; every: of all that it has at work, each one. */
  readonly nth: number | "every";
  readonly act: "kill" | "wait";
}

export type Content = "text" | "thread" | "image";

/** One post, to these accounts. */
export interface Wish {
  readonly accountIds: readonly string[];
  readonly texts: readonly string[];
  readonly image: boolean;
  /** Epoch, in milliseconds. */
  readonly dueAt: number;
}

/** How the process sees the world from now on. */
export interface View {
  /** How wrong its clock is, in milliseconds. */
  readonly skewMs?: number;
  /** How much time has passed for everybody, as far as a process can tell, in milliseconds. */
  readonly travelMs?: number;
  /** Longest a request may take, in milliseconds; psn's own limit if not given. */
  readonly requestMs?: number;
  /** How long every media file takes to open, in milliseconds. */
  readonly filesMs?: number;
  /** An origin and the one to go to in its place. */
  readonly via?: Readonly<Record<string, string>>;
}

export interface Work extends View {
  readonly platforms: readonly string[];
  readonly fault?: Fault;
  readonly leaseMs?: number;
  /** Until nothing is in flight and nothing is due; else until told to stop. */
  readonly untilQuiet: boolean;
}

export type Order =
  | { readonly do: "connect"; readonly platform: string; readonly consent: Consent }
  | { readonly do: "schedule"; readonly wishes: readonly Wish[] }
  | ({ readonly do: "work" } & Work)
  /** To the process that waits at its fault point. */
  | { readonly do: "go" }
  | { readonly do: "stop" }
  /**
   * The wall clock of the process steps to so many milliseconds off, and with it the clock of the embedded database
   * that it holds.
   */
  | { readonly do: "step"; readonly byMs: number }
  | { readonly do: "report"; readonly ids: readonly string[] }
  | { readonly do: "cancel" | "moveAway"; readonly id: string }
  /** `all`: the whole post that the delivery is of. */
  | { readonly do: "remove"; readonly id: string; readonly all?: true; readonly fault?: Fault }
  /** Gives the post other words, as `psn edit`; its pictures stay. */
  | { readonly do: "edit"; readonly id: string; readonly texts: readonly string[]; readonly fault?: Fault }
  | { readonly do: "resolve"; readonly id: string; readonly live: string | null }
  /** As `psn recover --yes`. */
  | { readonly do: "recover" }
  | { readonly do: "readAccess"; readonly accountId: string }
  /** `lastsMs`: from now on, in milliseconds; as long as before if not given. */
  | { readonly do: "storeAccess"; readonly accountId: string; readonly access: string; readonly lastsMs?: number }
  /** As the owner of the database, which only the embedded one lets every process be. */
  | { readonly do: "passTime"; readonly ids: readonly string[] }
  | { readonly do: "end" };

/** What psn itself knows of a delivery. */
export interface Told {
  readonly id: string;
  readonly state: DeliveryState;
  readonly operation: Operation;
  /** Which revision of its post it carries. */
  readonly revision: number;
  readonly code: string | null;
  readonly message: string | null;
  readonly attempt: number;
  readonly units: readonly { readonly text: string; readonly state: UnitState; readonly ref: string | null }[];
  readonly events: readonly string[];
}

export type Said =
  | { readonly say: "ready" }
  | { readonly say: "reached"; readonly point: FaultPoint; readonly nth: number }
  | { readonly say: "done"; readonly n: number; readonly result: unknown }
  | { readonly say: "refused"; readonly n: number; readonly code: string; readonly message: string }
  | { readonly say: "trouble"; readonly code: string; readonly message: string };
