import { forgetKey, putKey, sealedKeys, unsealedOf } from "@psn/app/api-keys.ts";
import {
  type KeyFacts,
  type KeyOrigin,
  KeysListDocument,
  KeysPushDocument,
  KeysRemoveDocument,
  KeysSetDocument,
  keysListDocument,
} from "@psn/app/documents/keys.ts";
import type { Scope } from "@psn/app/scope.ts";
import { PsnError } from "@psn/core/errors.ts";
import { z } from "zod";
import * as inputs from "./inputs.ts";
import { type Control, defineVerb } from "./verb.ts";

/*
 * The keys of the user's own developer apps. Values go in, and never come out.
 */

export interface KeysScope extends Scope {
  /** The keys that keys.env and the environment give, by name. Throws CONFIG_…. */
  readonly appKeys: () => ReadonlyMap<string, { readonly value: string; readonly origin: KeyOrigin }>;
  readonly isKeyName: (name: string) => boolean;
}

const NAME = /^[A-Z][A-Z0-9_]{0,63}$/;
export const keyName = z
  .string()
  .regex(NAME, { error: "must be like X_CLIENT_ID: capital letters, digits and underscores" });

export const listKeys = defineVerb({
  name: "keys list",
  summary: "list the keys of your developer apps, without their values",
  effect: "read",
  idempotent: true,
  input: z.strictObject({}),
  output: KeysListDocument,
  run: async (scope: KeysScope): Promise<readonly KeyFacts[]> => {
    const given = scope.appKeys();
    const sealed = new Map((await sealedKeys(scope)).map(({ name, updatedAt }) => [name, updatedAt]));
    const names = [...new Set([...given.keys(), ...sealed.keys()])].toSorted();
    return names.map((name) => ({ name, origin: given.get(name)?.origin, sealedAt: sealed.get(name) }));
  },
  document: keysListDocument,
});

export const setKey = defineVerb({
  name: "keys set",
  summary: "store a key of your developer app, encrypted, in the hub",
  effect: "admin",
  idempotent: true,
  input: z.strictObject({ name: keyName, value: z.string().describe("Without the spaces around it.") }),
  output: KeysSetDocument,
  run: async (scope: KeysScope, { name, value }, { noReturn }: Control = {}) => {
    const { world, user, appKeys, isKeyName } = scope;
    if (!isKeyName(name))
      throw new PsnError("SETTING_UNKNOWN", `no key is called ${name}`, { hint: { run: "keys list" } });
    const above = appKeys().get(name);
    if (value.trim() === "")
      throw new PsnError("INPUT_INVALID", "a key must not be empty", { hint: `psn keys rm ${name}` });
    noReturn?.();
    await putKey(world, { userId: user.id, name, value: value.trim() });
    // A value that keys.env or the environment gives counts before the sealed one, on this machine.
    return { name, above: above?.origin };
  },
  document: ({ name }) => ({ name, sealed: true as const }),
});

export const removeKey = defineVerb({
  name: "keys rm",
  summary: "delete a key that is sealed in the hub",
  effect: "admin",
  idempotent: true,
  input: z.strictObject({ name: keyName }),
  output: KeysRemoveDocument,
  run: async (scope: KeysScope, { name }, { noReturn }: Control = {}) => {
    const given = scope.appKeys();
    noReturn?.();
    if (!(await forgetKey(scope, name)))
      throw new PsnError("NOT_FOUND", `no key called ${name} is sealed in the hub`, {
        hint: given.has(name) ? "psn config edit keys" : { run: "keys list" },
      });
    return name;
  },
  document: (name) => ({ name, removed: true as const }),
});

export const pushKeys = defineVerb({
  name: "keys push",
  summary: "store the keys of keys.env, encrypted, in the hub",
  effect: "admin",
  idempotent: true,
  input: z.strictObject({ dryRun: inputs.dryRun }),
  output: KeysPushDocument,
  run: async (scope: KeysScope, { dryRun }, { noReturn }: Control = {}) => {
    const { world, user } = scope;
    const given = [...scope.appKeys()];
    const known = given.filter(([name]) => scope.isKeyName(name));
    const unknown = given.flatMap(([name]) => (scope.isKeyName(name) ? [] : [name]));
    const fresh = await unsealedOf(scope, new Map(known.map(([name, { value }]) => [name, value])));
    if (!dryRun) noReturn?.();
    if (!dryRun) for (const [name, value] of fresh) await putKey(world, { userId: user.id, name, value });
    return { sealed: [...fresh.keys()], same: known.length - fresh.size, unknown, dryRun };
  },
  document: (facts) => facts,
});
