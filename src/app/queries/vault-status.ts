import type { World } from "@psn/core/ports/world.ts";

/** A key of the hub, and how many values it has sealed. */
export interface KeyUse {
  readonly id: string;
  /** `unknown`: hub.env does not have it, so its values do not open. */
  readonly role: "current" | "old" | "unknown";
  readonly sealed: number;
}

/** How many values of these users each key has sealed. `keyIds`: the keys of hub.env, the current one first. */
export async function vaultStatus(
  { stores }: World,
  { keyIds, users }: { readonly keyIds: readonly string[]; readonly users: readonly string[] },
): Promise<readonly KeyUse[]> {
  const counts: Record<string, number> = {};
  for (const userId of users)
    for (const [id, n] of Object.entries(await stores.sealed.count(userId))) counts[id] = (counts[id] ?? 0) + n;
  return [...new Set([...keyIds, ...Object.keys(counts)])].map((id) => ({
    id,
    role: roleOf(id, keyIds),
    sealed: counts[id] ?? 0,
  }));
}

function roleOf(id: string, keyIds: readonly string[]): KeyUse["role"] {
  if (id === keyIds[0]) return "current";
  return keyIds.includes(id) ? "old" : "unknown";
}
