import type { DeliverySummary } from "@psn/core/ports/posts.ts";
import { UNDER_WAY } from "@psn/core/types/index.ts";
import { shortId } from "./find-deliveries.ts";

/** What decides whether a person can do something. */
type Situation = Pick<DeliverySummary, "id" | "platform" | "handle" | "state" | "health" | "atWork" | "code">;

/**
 * What only a person can settle: psn has given up asking, or cannot ask before the account is connected again; and no
 * worker may still send it.
 */
export function isUnsure({ state, health, atWork }: Pick<DeliverySummary, "state" | "health" | "atWork">): boolean {
  return !atWork && (state === "unconfirmed" || (health !== "ok" && UNDER_WAY.includes(state)));
}

/** For what a worker reads only when it starts. */
export const RESTART = "restart psn worker";

/** Which account to reconnect; by its platform alone where its name would need quoting in a shell. */
export function reconnecting(platform: string, handle: string): string {
  return `psn connect ${/^[\w.:/@#-]+$/.test(handle) ? `${platform}:${handle}` : platform}`;
}

/**
 * The commands that help with this delivery now, the likelier first; none where it goes on by itself, or has ended
 * well. Each is one that psn accepts in this state.
 */
export function advice(delivery: Situation): readonly string[] {
  const { platform, handle, state, health, atWork, code } = delivery;
  const id = shortId(delivery.id);
  if (isUnsure(delivery)) return [`psn resolve ${id} --live URL`, `psn resolve ${id} --not-live`];
  if (atWork) return [];
  if (health !== "ok" && (state === "held" || state === "scheduled"))
    return [reconnecting(platform, handle), `psn cancel ${id}`];
  if (state === "held") return code === "HUB_COPIED" ? ["psn recover"] : [`psn retry ${id}`, `psn cancel ${id}`];
  return state === "failed" ? [`psn retry ${id}`] : [];
}
