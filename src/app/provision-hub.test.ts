import { PsnError } from "@psn/core/errors.ts";
import { describe, expect, test } from "vitest";
import { type HubWish, type Provisioning, provisionHub } from "./provision-hub.ts";

/** Everything that making a hub touches, and where the process dies: just before the nth effect. */
function ground(dieAt = Number.POSITIVE_INFINITY) {
  const kept = {
    file: new Map<string, string>(),
    migrated: false,
    logins: [] as string[],
    users: new Map<string, string>(),
    open: 0,
  };
  const state = { dieAt, effects: 0, guarded: true };
  const effect = () => {
    state.effects += 1;
    if (state.effects === state.dieAt) throw new Error("the process died");
  };
  let serial = 0;
  const opened = () => {
    kept.open += 1;
    return async () => {
      kept.open -= 1;
    };
  };
  const provisioning: Provisioning = {
    checkPlace: () => undefined,
    file: {
      get: (name) => kept.file.get(name),
      set: (values) => {
        effect();
        for (const [name, value] of Object.entries(values)) kept.file.set(name, value ?? "");
      },
    },
    openOwned: async () => ({
      migrate: async () => {
        effect();
        const applied = kept.migrated ? 0 : 2;
        kept.migrated = true;
        return applied;
      },
      makeLogin: async () => {
        effect();
        kept.logins.push(`login-${kept.logins.length}`);
        return { url: `postgres://${kept.logins.at(-1)}@db.example/hub`, left: [] };
      },
      close: opened(),
    }),
    openRuntime: async () => ({
      addUser: async ({ id, handle }) => {
        effect();
        kept.users.set(id, handle);
      },
      changeUser: async (id, { handle = kept.users.get(id) ?? "", timeZone = "UTC" }) => ({ id, handle, timeZone }),
      isGuarded: async () => state.guarded,
      close: opened(),
    }),
    newKey: () => {
      serial += 1;
      return `key-${serial}`;
    },
    newId: () => {
      serial += 1;
      return `id-${serial}`;
    },
  };
  return { kept, state, provisioning };
}

const OWN: HubWish = { handle: "ada", timeZone: "Europe/Zurich" };
const POSTGRES: HubWish = { ...OWN, databaseUrl: "postgres://owner@db.example/hub" };

describe.each([
  ["a database of its own", OWN, ["key", "schema", "user"]],
  ["a Postgres", POSTGRES, ["key", "schema", "login", "user"]],
] as const)("a hub with %s", (_name, wish, parts) => {
  test("is made once, and a second run keeps all of it", async () => {
    const { kept, provisioning } = ground();
    expect((await provisionHub(provisioning, wish)).steps).toEqual(parts.map((what) => ({ what, did: "made" })));
    const before = structuredClone(kept);
    expect((await provisionHub(provisioning, wish)).steps).toEqual(parts.map((what) => ({ what, did: "kept" })));
    expect(kept).toEqual(before);
    expect(kept.open).toBe(0);
  });

  test("that was stopped anywhere is finished by another run, with the first one's key", async () => {
    for (let dieAt = 1; ; dieAt += 1) {
      const { kept, state, provisioning } = ground(dieAt);
      const died = await provisionHub(provisioning, wish).then(
        () => false,
        () => true,
      );
      if (!died) {
        expect(dieAt).toBeGreaterThan(parts.length);
        return;
      }
      expect(kept.open).toBe(0);
      const key = kept.file.get("HUB_ENCRYPTION_KEY");
      state.dieAt = Number.POSITIVE_INFINITY;
      await provisionHub(provisioning, wish);
      if (key !== undefined) expect(kept.file.get("HUB_ENCRYPTION_KEY")).toBe(key);
      expect(kept.users.get(kept.file.get("PSN_USER") ?? "")).toBe("ada");
      expect(kept.file.has("DATABASE_URL")).toBe(wish.databaseUrl !== undefined);
    }
  });
});

test("the owner's address is never what the program comes in by", async () => {
  const { kept, provisioning } = ground();
  await provisionHub(provisioning, POSTGRES);
  expect(kept.file.get("DATABASE_OWNER_URL")).toBe(POSTGRES.databaseUrl);
  expect(kept.file.get("DATABASE_URL")).toBe("postgres://login-0@db.example/hub");
});

test("a hub that has a database is not given another one", async () => {
  const { kept, provisioning } = ground();
  await provisionHub(provisioning, OWN);
  const before = structuredClone(kept.file);
  await expect(provisionHub(provisioning, POSTGRES)).rejects.toMatchObject({ code: "ALREADY_EXISTS" });
  expect(kept.file).toEqual(before);
});

test("a database whose rows anybody can see is not used", async () => {
  const { kept, state, provisioning } = ground();
  state.guarded = false;
  await expect(provisionHub(provisioning, OWN)).rejects.toThrow(PsnError);
  expect(kept.users.size).toBe(1);
  expect(kept.file.has("PSN_USER")).toBe(false);
  expect(kept.open).toBe(0);
});
