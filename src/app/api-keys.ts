import type { SealedKey } from "./ports/accounts.ts";
import type { Apps, Place, Vault } from "./ports/outside.ts";
import type { Stores, World } from "./ports/world.ts";

const placeOf = (userId: string, rowId: string): Place => ({ table: "api_keys", column: "value", rowId, userId });

/** Seals a key into the hub, in place of one by the same name. */
export async function putKey(
  { stores, vault, newId }: Pick<World, "stores" | "vault" | "newId">,
  userId: string,
  name: string,
  value: string,
): Promise<void> {
  const id = newId();
  await stores.keys.put(userId, { id, name, value: vault.seal(placeOf(userId, id), value) });
}

/** Throws VAULT_TAMPERED, VAULT_LOCKED. */
export const openKey = (vault: Vault, userId: string, { id, value }: Pick<SealedKey, "id" | "value">): string =>
  vault.open(placeOf(userId, id), value);

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
        return { id, ...(secret === undefined ? {} : { secret }) };
      const sealed = await stores.keys.list(userId);
      const sealedValue = (name: string | undefined) => {
        const found = name === undefined ? undefined : sealed.find((key) => key.name === name);
        return found && openKey(vault, userId, found);
      };
      const [appId, appSecret] = [id ?? sealedValue(names.id), secret ?? sealedValue(names.secret)];
      if (appId === undefined) return undefined;
      return { id: appId, ...(appSecret === undefined ? {} : { secret: appSecret }) };
    },
  };
}
