import { hostname } from "node:os";
import { join } from "node:path";
import type { Keyring, Rotation } from "@psn/app/rotate-vault.ts";
import { PsnError } from "@psn/core/errors.ts";
import { generateKey, keyFromHex } from "@psn/core/utils/crypto.ts";
import {
  changeEnvFile,
  checkEnvText,
  type Environment,
  hubEnvPath,
  loadHubEnv,
  parseEnvFile,
  setEnvValue,
  unsetEnvValue,
} from "@psn/core/utils/env.ts";
import { takeLock } from "@psn/core/utils/lock.ts";
import { readObjectMarks } from "@psn/core/utils/settings.ts";
import { keyId } from "@psn/core/vault.ts";
import { objectMarkOf } from "./parts.ts";

/** The keys in hub.env. Throws CONFIG_UNWRITABLE where they come from the environment, which psn cannot change. */
export function keyringOf(folder: string, environment?: Environment): Keyring {
  const path = hubEnvPath(folder);
  const NEW = "HUB_ENCRYPTION_KEY";
  const OLD = "HUB_ENCRYPTION_KEY_OLD";
  const MARKS = "PSN_OBJECT_MARKS";
  const valueIn = (text: string, name: string) =>
    parseEnvFile(text, path).find((entry) => entry.name === name && entry.value !== "")?.value;
  const idOf = (hex: string) => keyId(keyFromHex(hex));
  const checked = (text: string) => {
    checkEnvText(text, path);
    return text;
  };
  return {
    underWay: () => loadHubEnv(folder, environment).get(OLD) !== undefined,
    begin: () => {
      const { settings } = loadHubEnv(folder, environment);
      const outside = ([NEW, OLD] as const).find((name) => settings[name]?.origin === "environment");
      if (outside !== undefined)
        throw new PsnError("CONFIG_UNWRITABLE", `${outside} is set in the environment, where psn cannot change it`, {
          hint: "move the key from the environment into config/hub.env, then: psn vault rotate",
        });
      let ids: ReturnType<Keyring["begin"]> | undefined;
      changeEnvFile(path, (text) => {
        const current = valueIn(text, NEW);
        if (current === undefined)
          throw new PsnError("VAULT_LOCKED", `hub.env has no ${NEW}`, {
            hint: "restore the key: psn config set HUB_ENCRYPTION_KEY",
          });
        // The current key as the old one too: somebody put it back, and there is nothing to go on with.
        const kept = valueIn(text, OLD);
        const old = kept !== undefined && idOf(kept) === idOf(current) ? undefined : kept;
        const next = old === undefined ? generateKey() : current;
        ids = { keyId: idOf(next), oldKeyId: idOf(old ?? current) };
        if (old !== undefined) return text;
        // By its mark the hub knows what it has put into the bucket under the key that goes.
        const marks = new Set([...(readObjectMarks(valueIn(text, MARKS) ?? "") ?? []), objectMarkOf(idOf(current))]);
        return checked(
          setEnvValue(setEnvValue(setEnvValue(text, { name: NEW, value: next }), { name: OLD, value: current }), {
            name: MARKS,
            value: [...marks].join(","),
          }),
        );
      });
      if (!ids) throw new PsnError("BUG", "hub.env was not changed");
      return ids;
    },
    finish: (oldKeyId) => {
      changeEnvFile(path, (text) => {
        const old = valueIn(text, OLD);
        return old !== undefined && idOf(old) === oldKeyId ? checked(unsetEnvValue(text, OLD)) : text;
      });
    },
  };
}

/** Whether a worker of this name runs on this machine. */
export const isHere: Rotation["isHere"] = (worker) => worker.replace(/-\d+$/, "") === hostname();

/**
 * Keeps any other rotation of this hub away until it is called; a killed one keeps nobody away. Throws HUB_BUSY,
 * CONFIG_UNWRITABLE.
 */
export function lockRotation(folder: string): () => void {
  const path = join(folder, "config", ".rotate.lock");
  let unlock: (() => void) | undefined;
  try {
    unlock = takeLock(path);
  } catch (cause) {
    throw new PsnError("CONFIG_UNWRITABLE", `${path} cannot be written, so hub.env cannot be changed`, {
      cause,
      hint: `see who owns it: ls -ld '${join(folder, "config")}'`,
    });
  }
  if (unlock) return unlock;
  throw new PsnError("HUB_BUSY", "another psn vault rotate is running on this hub", { hint: "psn vault status" });
}
