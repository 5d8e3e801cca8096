import type { User } from "@psn/core/ports/accounts.ts";
import type { World } from "@psn/core/ports/world.ts";

/** Through which door a use case is called: for history, and for rules about who may do what. */
export interface Actor {
  readonly kind: "person" | "program" | "agent" | "task";
  readonly name: string;
}

/** What a use case may touch, and for whom: its first argument. An edge has it of the wiring. */
export interface Scope {
  readonly world: World;
  readonly user: User;
  /** Absent: a person at the command line. */
  readonly actor?: Actor;
}
