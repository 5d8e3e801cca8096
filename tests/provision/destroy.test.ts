import { destroyHub, type Ground, planDestruction } from "@psn/app/destroy-hub.ts";
import type { HubFile, HubFileName } from "@psn/app/provision-hub.ts";
import { neonApi } from "@psn/provision/neon.ts";
import { triggerApi } from "@psn/provision/trigger.ts";
import { VARIABLES } from "@psn/wiring/vendors.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type NeonConsole, startNeonConsole } from "../support/neon-console.ts";
import { startTriggerApi, type TriggerApi } from "../support/trigger-api/index.ts";

/* What psn destroy asks of Trigger.dev and Neon, on servers of every kind that were seen. */

let api: TriggerApi;
let neon: NeonConsole;
let ref: string;
let neonId: string;
let held: Map<string, string>;
beforeEach(async () => {
  api = await startTriggerApi();
  neon = await startNeonConsole(async () => "postgres://owner:pw@127.0.0.1:1/neondb");
  ref = api.addProject("psn-1").ref;
  neonId = (await neon.addProject("psn-1")).id;
  held = new Map(
    Object.entries({
      TRIGGER_PROJECT_REF: ref,
      TRIGGER_ACCESS_TOKEN: api.token,
      NEON_PROJECT_ID: neonId,
      PSN_MADE: "neon-project:psn-1 trigger-project:psn-1",
    }),
  );
  for (const name of ["DATABASE_URL", "HUB_ENCRYPTION_KEY", "MINE"])
    variables().set(name, { value: "v", isSecret: true });
});
afterEach(() => Promise.all([api.stop(), neon.stop()]));

const variables = () =>
  api.projects[0]?.environments.prod.variables ?? new Map<string, { value: string; isSecret: boolean }>();
const sleep = async () => undefined;
const ground = (): Ground => {
  const file: HubFile = {
    get: (name) => held.get(name),
    set: (values: Partial<Record<HubFileName, string | null>>) => {
      for (const [name, value] of Object.entries(values)) {
        if (value === null) held.delete(name);
        else held.set(name, value);
      }
    },
  };
  return {
    file,
    trigger: triggerApi({ url: api.origin, token: api.token, fetch: (input, init) => fetch(input, init), sleep }),
    token: { name: `tr_pat_…${api.token.slice(-4)}`, page: `${api.origin}/account/tokens` },
    neon: neonApi({ host: neon.host, apiKey: neon.apiKey, fetch: (input, init) => fetch(input, init), sleep }),
    variables: VARIABLES,
    emptyBucket: async () => ({ removed: 0, others: 0 }),
    dropSchema: async () => undefined,
    dataFolder: "/nowhere",
    hasData: false,
    removeData: async () => [],
    removeNotes: () => undefined,
  };
};
const destroy = async () => {
  const removals = await destroyHub(ground(), () => undefined);
  return Object.fromEntries(removals.map(({ what, how, note }) => [what, `${how}: ${note}`]));
};
const asked = (method: string) =>
  api.requests.filter((request) => request.method === method).map(({ path }) => path.replace(ref, "REF"));

test("a project that psn made goes with its variables: one request; the still valid token is named", async () => {
  expect(planDestruction(ground()).map(({ what, how }) => `${how} ${what}`)).toEqual([
    "remove trigger project",
    "leave trigger token",
    "remove neon project",
    "remove notes",
    "remove settings",
  ]);
  const removals = await destroyHub(ground(), () => undefined);
  expect(asked("DELETE")).toEqual(["/api/v1/projects/REF"]);
  expect([api.projects.length, neon.projects.length]).toEqual([0, 0]);
  expect(removals.find(({ what }) => what === "trigger token")).toEqual({
    what: "trigger token",
    name: `tr_pat_…${api.token.slice(-4)}`,
    how: "left",
    note: `it stays valid; revoke it at ${api.origin}/account/tokens`,
  });
  expect(JSON.stringify(removals)).not.toContain(api.token);
});

describe("a server that has no DELETE for projects", () => {
  test.each([false, "no route"] as const)(
    "pauses production, and Neon's project goes all the same: %s",
    async (projectDelete) => {
      api.settings.projectDelete = projectDelete;
      const done = await destroy();
      expect(done["trigger project"]).toMatch(/^stopped: .*production is paused; delete it in the dashboard$/);
      expect(api.projects[0]?.environments.prod.paused).toBe(true);
      expect([...variables().keys()]).toEqual(["MINE"]);
      expect(asked("DELETE")).toEqual([
        "/api/v1/projects/REF",
        "/api/v1/projects/REF/envvars/prod/DATABASE_URL",
        "/api/v1/projects/REF/envvars/prod/HUB_ENCRYPTION_KEY",
      ]);
      expect(neon.projects).toEqual([]);
      expect([...held.keys()]).toEqual([]);
    },
  );

  test("nor a way to pause: the project stays, with nothing of the hub in it, and Neon's project goes", async () => {
    Object.assign(api.settings, { projectDelete: "no route", pause: false });
    const done = await destroy();
    expect(done["trigger project"]).toMatch(/^left: .*its schedules still run.*delete it in the dashboard$/);
    expect([...variables().keys()]).toEqual(["MINE"]);
    expect(neon.projects).toEqual([]);
  });
});

test("a project from before psn stays, without psn's variables; missing ones are not asked for", async () => {
  held.set("PSN_MADE", "neon-project:psn-1");
  await destroy();
  expect(asked("DELETE")).toEqual(
    ["DATABASE_URL", "HUB_ENCRYPTION_KEY"].map((name) => `/api/v1/projects/REF/envvars/prod/${name}`),
  );
  expect(api.projects).toHaveLength(1);
});

test("a project that somebody has deleted meanwhile stops nothing", async () => {
  held.set("PSN_MADE", "neon-project:psn-1");
  await fetch(`${api.origin}/api/v1/projects/${ref}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${api.token}` },
  });
  api.requests.length = 0;
  await destroy();
  expect(neon.projects).toEqual([]);
});
