import type { SealedKey } from "@psn/core/ports/accounts.ts";
import type { Apps, Place, Vault } from "@psn/core/ports/outside.ts";
import type { Stores, World } from "@psn/core/ports/world.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Scope } from "./scope.ts";

/** A key's name says which platform it is sent to; each value of it has a row of its own. */
const placeOf = (userId: string, rowId: string, name: string): Place => ({
  table: "api_keys",
  column: "value",
  rowId,
  userId,
  version: 1,
  audience: [name],
});

/** Seals a key into the hub, in place of one by the same name. */
export async function putKey(
  { stores, vault, newId }: Pick<World, "stores" | "vault" | "newId">,
  { userId, name, value }: { readonly userId: string; readonly name: string; readonly value: string },
): Promise<void> {
  const id = newId();
  await stores.keys.put(userId, { id, name, value: vault.seal(placeOf(userId, id, name), value) });
}

/** The keys that are sealed in the hub, by name. */
export function sealedKeys({ world, user }: Scope): Promise<readonly SealedKey[]> {
  return world.stores.keys.list(user.id);
}

/** Removes a key that is sealed in the hub; false when there was none. */
export function forgetKey({ world, user }: Scope, name: string): Promise<boolean> {
  return world.stores.keys.remove(user.id, name);
}

/** Which of these keys, by name, the hub has not sealed with this value. Throws VAULT_TAMPERED, VAULT_LOCKED. */
export async function unsealedOf(
  { world, user }: Scope,
  given: ReadonlyMap<string, string>,
): Promise<ReadonlyMap<string, string>> {
  const sealed = await sealedKeys({ world, user });
  const isNew = ([name, value]: readonly [string, string]) => {
    const kept = sealed.find((key) => key.name === name);
    return !kept || openKey(world.vault, user.id, kept) !== value;
  };
  return new Map([...given].filter(isNew));
}

/** Throws VAULT_TAMPERED, VAULT_LOCKED. */
export const openKey = (
  vault: Vault,
  userId: string,
  { id, name, value }: Pick<SealedKey, "id" | "name" | "value">,
): string => vault.open(placeOf(userId, id, name), value);

/**
 * The user's own apps: what the environment and keys.env say stands above what is sealed in the hub.
 *
 * @param given the value that keys.env or the environment gives for this name.
 */
export function appsOf(given: (name: string) => string | undefined, stores: Pick<Stores, "keys">, vault: Vault): Apps {
  return {
    async find(userId, names) {
      const [id, secret] = [given(names.id), names.secret === undefined ? undefined : given(names.secret)];
      if (id !== undefined && (names.secret === undefined || secret !== undefined))
        return { id, ...defined({ secret }) };
      const sealed = await stores.keys.list(userId);
      const sealedValue = (name: string | undefined) => {
        const found = name === undefined ? undefined : sealed.find((key) => key.name === name);
        return found && openKey(vault, userId, found);
      };
      const [appId, appSecret] = [id ?? sealedValue(names.id), secret ?? sealedValue(names.secret)];
      if (appId === undefined) return undefined;
      return { id: appId, ...defined({ secret: appSecret }) };
    },
  };
}
