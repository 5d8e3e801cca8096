import { chmod, mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import type { Rotation, TaskKeys } from "@psn/app/rotate-vault.ts";
import { rotateVault, TASK_MS } from "@psn/app/rotate-vault.ts";
import { taskKeysOf } from "@psn/app/task-keys.ts";
import * as schema from "@psn/core/db/schema.ts";
import { SEALED } from "@psn/core/db/stores/vault.ts";
import { generateKey, keyFromHex } from "@psn/core/utils/crypto.ts";
import { createVault, keyId } from "@psn/core/vault.ts";
import { triggerApi } from "@psn/provision/trigger.ts";
import { openHub } from "@psn/wiring/hub.ts";
import { isHere, keyringOf, lockRotation } from "@psn/wiring/keyring.ts";
import { usersOfHub } from "@psn/wiring/users.ts";
import { getTableColumns, getTableName, is } from "drizzle-orm";
import { PgTable } from "drizzle-orm/pg-core";
import { beforeEach, describe, expect, test } from "vitest";
import { binary, failed, psn, scratch } from "../support/cli.ts";
import { thrown } from "../support/thrown.ts";
import { startTriggerApi } from "../support/trigger-api/index.ts";
import { type Ground, grounds, idOf, keyIdsIn, keyPlace, openAll, sealedValues, secondUser } from "./stage.ts";

/*
 * What a rotation refuses, what it waits for, and how keys reach those who have them elsewhere.
 */

let ground: Ground;
let first: string;
beforeEach(async () => {
  ground = await grounds.embedded();
  first = ground.env("HUB_ENCRYPTION_KEY") ?? "";
});

const rotate = (...more: readonly string[]) => ground.psn(["vault", "rotate", ...more]);
const hubEnv = () => readFile(join(ground.folder, "config", "hub.env"), "utf8");

test("no hub", async () => {
  failed(await psn(["vault", "rotate"], { cwd: await scratch() }), "HUB_MISSING");
});

test("a hub.env that cannot be written: nothing is changed", async () => {
  await secondUser(ground, 1, 1);
  const before = await hubEnv();
  for (const name of [".rotate.lock", ".lock"]) {
    const path = join(ground.folder, "config", name);
    await rm(path, { force: true });
    // To root a folder's mode is nothing.
    if (process.getuid?.() === 0) await mkdir(path);
    else await chmod(join(ground.folder, "config"), 0o500);
    failed(await rotate(), "CONFIG_UNWRITABLE");
    await chmod(join(ground.folder, "config"), 0o700);
    await rm(path, { recursive: true, force: true });
  }
  expect(await hubEnv()).toBe(before);
  expect(await keyIdsIn(ground)).toEqual([idOf(first)]);
});

test("a key that comes from the environment is not psn's to change", async () => {
  const before = await hubEnv();
  const ran = await binary(["vault", "rotate"], { cwd: ground.folder, env: { HUB_ENCRYPTION_KEY: first } }).ended;
  expect(failed(ran, "CONFIG_UNWRITABLE")).toContain("HUB_ENCRYPTION_KEY is set in the environment");
  expect(await hubEnv()).toBe(before);
});

test("one rotation at a time", async () => {
  const unlock = lockRotation(ground.folder);
  failed(await rotate(), "HUB_BUSY");
  unlock();
  expect(await rotate()).toMatchObject({ code: 0 });
});

describe("values that do not open", () => {
  test("of a third key are named, and the old key is kept until they are gone", async () => {
    const bob = await secondUser(ground, 2, 2);
    const strange = createVault({ keys: [keyFromHex(generateKey())] });
    const [row] = await ground.rows("SELECT id, name FROM psn.api_keys WHERE user_id = $1 LIMIT 1", [bob]);
    const place = keyPlace(bob, String(row?.["id"]), String(row?.["name"]));
    await ground.rows("UPDATE psn.api_keys SET value = $2 WHERE id = $1", [row?.["id"], strange.seal(place, "canary")]);
    const said = failed(await rotate(), "VAULT_LOCKED");
    expect(said).toContain(`api_keys ${row?.["id"]}`);
    expect(said).toContain("the old key is kept");
    expect(said).not.toContain("canary");
    // Everything else is done, and both keys are there.
    const current = idOf(ground.env("HUB_ENCRYPTION_KEY"));
    expect(idOf(ground.env("HUB_ENCRYPTION_KEY_OLD"))).toBe(idOf(first));
    expect(await keyIdsIn(ground)).toEqual([current, strange.keyId].toSorted());
    expect(await ground.run(["vault", "status"])).toMatchObject({
      rotating: true,
      keys: [
        { id: current, role: "current" },
        { id: idOf(first), role: "old", sealed: 0 },
        { id: strange.keyId, role: "unknown", sealed: 1 },
      ],
    });
    failed(await rotate(), "VAULT_LOCKED");
    await ground.rows("DELETE FROM psn.api_keys WHERE id = $1", [row?.["id"]]);
    expect(await ground.run(["vault", "rotate"])).toMatchObject({ resumed: true, finished: true, key: current });
    expect(ground.env("HUB_ENCRYPTION_KEY_OLD")).toBeUndefined();
  });

  test("that were changed are named too", async () => {
    await secondUser(ground, 2, 1);
    const [row] = await ground.rows("SELECT id, refresh_token FROM psn.oauth_tokens LIMIT 1");
    await ground.rows("UPDATE psn.oauth_tokens SET secret = $2 WHERE id = $1", [row?.["id"], row?.["refresh_token"]]);
    expect(failed(await rotate(), "VAULT_TAMPERED")).toContain(`oauth_tokens ${row?.["id"]}`);
    expect(idOf(ground.env("HUB_ENCRYPTION_KEY_OLD"))).toBe(idOf(first));
  });
});

describe("who has keys elsewhere", () => {
  test("a worker on another machine: refused before anything, unless it was prepared", async () => {
    const before = await hubEnv();
    await ground.stores.deliveries.beat("elsewhere-12", "0.0.0");
    await ground.stores.deliveries.beat(`${hostname()}-34`, "0.0.0");
    expect(failed(await rotate(), "WORKER_RUNNING")).toContain("elsewhere-12");
    expect(await hubEnv()).toBe(before);
    expect(await ground.run(["vault", "rotate", "--prepare"])).toMatchObject({ finished: false, rows: 0 });
    const both = await hubEnv();
    expect(await ground.run(["vault", "rotate", "--prepare"])).toMatchObject({ resumed: true, finished: false });
    expect(await hubEnv()).toBe(both);
    expect(await ground.run(["vault", "rotate"])).toMatchObject({ resumed: true, finished: true });
  });

  test.each([
    ["a minute later", 60_000, TASK_MS - 60_000],
    ["after this machine's clock was set back a day", -86_400_000, TASK_MS],
  ])(
    "tasks get both keys, and time, before any value needs the new one; then they lose the old one: %s",
    async (_, passedMs, waitMs) => {
      await secondUser(ground, 1, 2);
      const trigger = await startTriggerApi();
      const hub = await openHub({ folder: ground.folder, use: "session" });
      try {
        const api = triggerApi({ url: trigger.origin, token: trigger.token, fetch, sleep: (ms) => Bun.sleep(ms) });
        const [organization] = await api.organizations();
        const { ref } = await api.create("psn-test", organization?.id ?? "");
        let now = Date.now();
        const slept: number[] = [];
        const secrets = () =>
          Object.fromEntries(
            ["HUB_ENCRYPTION_KEY", "HUB_ENCRYPTION_KEY_OLD"].map((name) => [name, ground.env(name) ?? ""]),
          );
        const tasks: TaskKeys = taskKeysOf(api, { projectRef: ref, secrets, now: () => new Date(now) });
        let waited: readonly string[] = [];
        const rotation: Rotation = {
          world: {
            ...hub.world,
            now: () => new Date(now),
            elapsedMs: () => now,
            sleep: async (ms) => {
              slept.push(ms);
              now += ms;
            },
          },
          keyring: keyringOf(ground.folder),
          tasks,
          users: () => usersOfHub(ground.folder),
          isHere,
          prepareOnly: true,
          signal: new AbortController().signal,
          onWait: () => undefined,
        };
        const prepared = await rotateVault(rotation);
        expect([...(await api.variables(ref)).keys()].toSorted()).toEqual([
          "HUB_ENCRYPTION_KEY",
          "HUB_ENCRYPTION_KEY_OLD",
          "PSN_KEYS_SHIPPED",
        ]);
        expect((await api.variables(ref)).get("HUB_ENCRYPTION_KEY")).not.toBe(ground.env("HUB_ENCRYPTION_KEY"));
        expect(await keyIdsIn(ground)).toEqual([idOf(first)]);

        // The rest of the five minutes is waited for.
        now += passedMs;
        const done = await rotateVault({
          ...rotation,
          prepareOnly: false,
          onWait: async (ms) => {
            waited = [...waited, String(ms)];
          },
        });
        expect(done).toMatchObject({
          finished: true,
          resumed: true,
          keyId: prepared.keyId,
          tasksReadyAt: prepared.tasksReadyAt,
        });
        expect(waited).toEqual([String(waitMs)]);
        expect(slept[0]).toBe(waitMs);
        expect([...(await api.variables(ref)).keys()]).toEqual(["HUB_ENCRYPTION_KEY"]);
        expect(await keyIdsIn(ground)).toEqual([prepared.keyId]);
      } finally {
        await hub.close();
        await trigger.stop();
      }
    },
  );

  test("a token that is being exchanged is left to whoever has the lease, and waited for", async () => {
    const bob = await secondUser(ground, 2, 0);
    const [row] = await ground.rows("SELECT account_id, id FROM psn.oauth_tokens WHERE user_id = $1 LIMIT 1", [bob]);
    const accountId = String(row?.["account_id"]);
    expect(await ground.stores.accounts.leaseRefresh(bob, accountId, 4_500)).toBe("mine");
    const before = await ground.stores.accounts.credentials(bob, accountId);
    const running = rotate();
    await Bun.sleep(4_000);
    expect(await ground.stores.accounts.credentials(bob, accountId)).toEqual(before);
    // Its holder knew the old key alone when it sealed, and stores in time.
    const old = createVault({ keys: [keyFromHex(first)] });
    const places = (await sealedValues(ground)).map(({ place }) => place);
    const place = places.find(({ rowId, column }) => rowId === row?.["id"] && column === "access_token");
    if (!place) throw new Error("no token");
    const access = old.seal(place, "fresh");
    expect(
      before &&
        (await ground.stores.accounts.refreshed(bob, {
          accountId,
          previous: before,
          credentials: { ...before, access },
          restMs: 0,
        })),
    ).toBe(true);
    expect(await running).toMatchObject({ code: 0 });
    expect((await openAll(ground)).get(`${row?.["id"]} access_token`)).toBe("fresh");
  });

  test("a user who keeps a token does not keep the rotation for ever", async () => {
    const bob = await secondUser(ground, 1, 0);
    const [account] = await ground.stores.accounts.list(bob);
    expect(await ground.stores.accounts.leaseRefresh(bob, account?.id ?? "", 110_000)).toBe("mine");
    const hub = await openHub({ folder: ground.folder, use: "session" });
    let now = 0;
    const sleep = async (ms: number) => {
      now += Math.max(ms, 10_000);
    };
    try {
      const rotation: Rotation = {
        world: { ...hub.world, elapsedMs: () => now, sleep },
        keyring: keyringOf(ground.folder),
        users: () => usersOfHub(ground.folder),
        isHere,
        prepareOnly: false,
        signal: new AbortController().signal,
        onWait: () => undefined,
      };
      await expect(rotateVault(rotation)).rejects.toMatchObject({
        code: "HUB_BUSY",
        hint: expect.stringContaining("vault rotate"),
      });
      expect(ground.env("HUB_ENCRYPTION_KEY_OLD")).toBe(first);
      await ground.stores.accounts.releaseRefresh(bob, account?.id ?? "");
      expect(await rotateVault(rotation)).toMatchObject({ resumed: true, finished: true });
    } finally {
      await hub.close();
    }
  });
});

test("a row that was written since it was read is not written over, and is found again", async () => {
  const bob = await secondUser(ground, 1, 1);
  const { sealed, accounts, keys } = ground.stores;
  const old = createVault({ keys: [keyFromHex(first)] });
  const read = await sealed.ofKey(bob, { keyId: old.keyId, most: 10 });
  expect(read.map(({ table, leased }) => [table, leased])).toEqual([
    ["oauth_tokens", false],
    ["api_keys", false],
  ]);
  const [token, key] = read;
  if (!token || !key) throw new Error("no rows");
  // A token that was refreshed keeps its refresh token, and a key that was set again has another row.
  const [account] = await accounts.list(bob);
  const before = await accounts.credentials(bob, account?.id ?? "");
  const { version, audience } = token;
  const access = old.seal(
    { table: "oauth_tokens", column: "access_token", rowId: token.id, userId: bob, version, audience },
    "fresh",
  );
  expect(
    before &&
      (await accounts.refreshed(bob, {
        accountId: account?.id ?? "",
        previous: before,
        credentials: { ...before, access },
        restMs: 0,
      })),
  ).toBe(true);
  const id = Bun.randomUUIDv7();
  await keys.put(bob, { id, name: "KEY_0", value: old.seal(keyPlace(bob, id, "KEY_0"), "set again") });
  expect(await sealed.reseal(bob, token, { ...token.values, access_token: "v2.00000000.AAAA" })).toBe(false);
  expect(await sealed.reseal(bob, key, { value: "v2.00000000.AAAA" })).toBe(false);
  const again = await sealed.ofKey(bob, { keyId: old.keyId, most: 10 });
  expect(again.map(({ id: row }) => row)).toEqual([token.id, id]);
  expect(again[0]?.values["access_token"]).toBe(access);
  // One at a time, from where the last page ended.
  const [one] = await sealed.ofKey(bob, { keyId: old.keyId, most: 1 });
  expect(one?.id).toBe(token.id);
  expect((await sealed.ofKey(bob, { keyId: old.keyId, most: 1, after: one })).map(({ id: row }) => row)).toEqual([id]);
  expect(await sealed.ofKey(bob, { keyId: old.keyId, most: 1, after: again[1] })).toEqual([]);
});

describe("a vault that can ask for keys anew", () => {
  const place = keyPlace("u", "r", "KEY");
  const [a, b, c] = [generateKey(), generateKey(), generateKey()].map(keyFromHex);
  if (!a || !b || !c) throw new Error("three keys");

  test("opens what a new key sealed, seals by it, and forgets no key it ever had", () => {
    let keys = [a];
    const vault = createVault({ keys, reload: () => keys });
    const before = vault.seal(place, "old");
    keys = [b, a];
    expect(vault.open(place, createVault({ keys: [b] }).seal(place, "new"))).toBe("new");
    expect(vault.keyId).toBe(keyId(b));
    keys = [b];
    expect(vault.seal(place, "x").split(".")[1]).toBe(keyId(b));
    expect(vault.open(place, before)).toBe("old");
  });

  test("seals by the new key also before it has met a value of it", () => {
    let keys = [a];
    const vault = createVault({ keys, reload: () => keys });
    keys = [b, a];
    expect(vault.seal(place, "x").split(".")[1]).toBe(keyId(b));
  });

  test("asks once for what nobody has, and goes on with what it has when there is no answer", () => {
    let asked = 0;
    const vault = createVault({
      keys: [a],
      reload: () => {
        asked += 1;
        return [keyFromHex("")];
      },
    });
    expect(thrown(() => vault.open(place, createVault({ keys: [c] }).seal(place, "x"))).code).toBe("VAULT_LOCKED");
    expect(asked).toBe(1);
    expect(vault.open(place, vault.seal(place, "still"))).toBe("still");
  });
});

test("a rotation knows every column that holds a sealed value", () => {
  // By their names: what is a token, a secret or a value somewhere in the schema is sealed; until when one counts is
  // none.
  const found = Object.values(schema).flatMap((table) => {
    if (!is(table, PgTable)) return [];
    const secret = Object.values(getTableColumns(table)).filter(
      ({ name }) => /token|secret|^value$|password|credential/.test(name) && !name.endsWith("_until"),
    );
    return secret.map(({ name }) => `${getTableName(table)}.${name}`);
  });
  const known = Object.entries(SEALED).flatMap(([table, columns]) => columns.map((column) => `${table}.${column}`));
  expect(found.toSorted()).toEqual(known.toSorted());
});

test("hub.env keeps what its owner wrote around the keys", async () => {
  const path = join(ground.folder, "config", "hub.env");
  await writeFile(path, `# mine\n${await hubEnv()}\n# at the end\n`);
  await ground.run(["vault", "rotate"]);
  const after = await hubEnv();
  expect(after).toMatch(/^# mine\n[\s\S]*# at the end\nPSN_OBJECT_MARKS=[0-9a-f,]+\n$/);
  expect(after).not.toContain(first);
});

test("a hub.env without the owner's login, where that is another: refused before there is a second key", async () => {
  const there = await grounds.postgres();
  const bob = await secondUser(there, 1, 1);
  const owner = there.env("DATABASE_OWNER_URL") ?? "";
  await there.run(["config", "set", "DATABASE_OWNER_URL", "--unset"]);
  expect(failed(await there.psn(["vault", "rotate"]), "DB_OWNER_REQUIRED")).toContain(
    "psn config set DATABASE_OWNER_URL",
  );
  expect(there.env("HUB_ENCRYPTION_KEY_OLD")).toBeUndefined();
  // What can be said without it is said: the hub's own user has sealed nothing.
  expect(await there.run(["vault", "status"])).toMatchObject({ users: 1, keys: [{ role: "current", sealed: 0 }] });
  await there.run(["config", "set", "DATABASE_OWNER_URL", "--stdin"], owner);
  expect(await there.run(["vault", "rotate"])).toMatchObject({ finished: true, rows: 2 });
  expect((await openAll(there)).size, bob).toBe(4);
});
