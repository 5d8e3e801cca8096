import type { HubFile, HubFileName } from "@psn/app/provision-hub.ts";
import { type NeonWish, provisionNeon } from "@psn/app/provision-neon.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Neon } from "@psn/core/ports/vendors.ts";
import { neonApi, plannedNeonCalls } from "@psn/provision/neon.ts";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type NeonConsole, startNeonConsole } from "../support/neon-console.ts";
import { readNeonApi } from "../support/neon-openapi.ts";

const OWNER = "postgres://neondb_owner:hunter2hunter2@ep-quiet.neon.tech/neondb?sslmode=require";

let neon: NeonConsole;
let slept: number[];
beforeEach(async () => {
  slept = [];
  neon = await startNeonConsole(async () => OWNER);
});
afterEach(async () => {
  expect(neon.violations).toEqual([]);
  await neon.stop();
});

const connect = (apiKey = neon.apiKey, host = neon.host): Neon =>
  neonApi({ host, apiKey, fetch: (input, init) => fetch(input, init), sleep: async (ms) => void slept.push(ms) });

/** A hub.env in memory that may die at a write. */
function memory(
  values: Readonly<Record<string, string>> = {},
): HubFile & { readonly kept: Map<string, string>; dieAt: number; writes: number } {
  const kept = new Map(Object.entries(values));
  const file = {
    kept,
    dieAt: Number.POSITIVE_INFINITY,
    writes: 0,
    get: (name: HubFileName) => kept.get(name),
    set: (more: Readonly<Record<string, string | null>>) => {
      file.writes += 1;
      if (file.writes === file.dieAt) throw new Error("killed");
      for (const [name, value] of Object.entries(more)) value === null ? kept.delete(name) : kept.set(name, value);
    },
  };
  return file;
}

async function failure(run: Promise<unknown>): Promise<PsnError> {
  const outcome = await run.then(
    () => new Error("nothing was thrown"),
    (error: unknown) => error,
  );
  if (!(outcome instanceof PsnError)) throw outcome;
  const said = `${JSON.stringify(outcome)} ${outcome.message} ${outcome.stack} ${String(outcome.cause)}`;
  for (const secret of [neon.apiKey, "hunter2"]) expect(said).not.toContain(secret);
  return outcome;
}

const wish = (more: Partial<NeonWish> = {}): NeonWish => ({ newName: "psn-3fa9c1", ...more });
const made = () =>
  neon.requests.filter(({ method }) => method !== "GET").map(({ method, path }) => `${method} ${path}`);

describe("the double", () => {
  test("is a judge that can say no", () => {
    const judge = readNeonApi();
    const url = new URL("http://neon/api/v2/projects");
    expect(judge.request("POST", url, { project: { name: "a" } })).toEqual([]);
    expect(judge.request("POST", url, { project: { nam: "a" } })).toEqual(["/project/nam is no field"]);
    expect(judge.request("POST", url, { project: { name: 7 } })).not.toEqual([]);
    expect(judge.request("POST", url, undefined)).not.toEqual([]);
    expect(judge.request("GET", new URL("http://neon/api/v2/projects?limt=3"), undefined)).not.toEqual([]);
    expect(judge.request("GET", new URL("http://neon/api/v2/projects?limit=401"), undefined)).not.toEqual([]);
    expect(judge.request("GET", new URL("http://neon/api/v2/project"), undefined)).not.toEqual([]);
    expect(judge.answer("GET", url, 200, { projects: [{ id: "a" }] })).not.toEqual([]);
    expect(judge.answer("GET", url, 201, { projects: [] })).not.toEqual([]);
    expect(judge.request("GET", new URL("http://neon/api/v2/projects/quiet-frost-1"), undefined)).toEqual([]);
    expect(judge.request("GET", new URL("http://neon/api/v2/projects/My%20Own"), undefined)).not.toEqual([]);
  });
});

describe("the adapter", () => {
  test("finds a project by its whole name alone, over all pages", async () => {
    for (const name of ["hub", "my-hub", "hub-2", "other", "hubs", "hub"]) await neon.addProject(name);
    expect(await connect().byName("hub", undefined)).toHaveLength(2);
    expect(await connect().byName("hu", undefined)).toEqual([]);
  });

  test("waits until a new project takes connections, and asks about no locked one", async () => {
    const project = await connect().create({ name: "a", region: "aws-eu-central-1", organizationId: undefined });
    expect(project).toMatchObject({ name: "a", region: "aws-eu-central-1" });
    expect(slept.length).toBeGreaterThan(0);
    expect(await connect().ownerUrl(project.id, undefined)).toBe(OWNER);
  });

  test("a lost answer is not followed by a second project", async () => {
    neon.faults.push({ fault: { kind: "drop", when: "after" }, on: /POST/ });
    expect(await failure(connect().create({ name: "a", region: undefined, organizationId: undefined }))).toMatchObject({
      code: "VENDOR_UNREACHABLE",
    });
    expect(neon.projects).toHaveLength(1);
  });

  test.each([
    [401, { message: "This request is not authorized", code: "" }, "VENDOR_AUTH"],
    [402, { message: "payment required", code: "" }, "VENDOR_QUOTA"],
    [403, { message: "not allowed", code: "" }, "VENDOR_AUTH"],
    [422, { message: "user projects limit of 1 exceeded, got 1", code: "PROJECTS_LIMIT_EXCEEDED" }, "VENDOR_QUOTA"],
    [403, { message: "not permitted", code: "PROJECTS_LIMIT_EXCEEDED" }, "VENDOR_QUOTA"],
    [400, { message: "limit must be between 1 and 400", code: "" }, "VENDOR_REFUSED"],
    [400, { message: "region not found", code: "" }, "VENDOR_REFUSED"],
  ] as const)("%i is its own end", async (status, body, code) => {
    neon.faults.push({ fault: { kind: "answer", status, body }, on: /POST/ });
    const said = await failure(connect().create({ name: "a", region: undefined, organizationId: undefined }));
    expect(said).toMatchObject({ code, hint: expect.stringMatching(/./) });
    expect(neon.projects).toEqual([]);
  });

  test("passing trouble passes: 429 by its own time, 503 and 423 even for what must not be repeated", async () => {
    neon.faults.push({ fault: { kind: "answer", status: 429, headers: { "retry-after": "7" } } });
    neon.faults.push({ fault: { kind: "answer", status: 503 }, on: /POST/ });
    neon.faults.push({ fault: { kind: "answer", status: 423 }, on: /POST/ });
    await connect().organizations();
    expect(slept).toEqual([7000]);
    await connect().create({ name: "a", region: undefined, organizationId: undefined });
    expect(neon.projects).toHaveLength(1);
    for (let n = 0; n < 9; n += 1) neon.faults.push({ fault: { kind: "answer", status: 500 } });
    expect(await failure(connect().organizations())).toMatchObject({ code: "VENDOR_UNREACHABLE" });
  });

  test("what Neon says about the key or the name is not repeated", async () => {
    neon.faults.push({
      fault: { kind: "answer", status: 400, body: { message: `no ${neon.apiKey} for my-secret-name`, code: "" } },
    });
    const said = await failure(
      connect().create({ name: "my-secret-name", region: undefined, organizationId: undefined }),
    );
    expect(said).toMatchObject({ code: "VENDOR_REFUSED", message: expect.not.stringContaining("my-secret-name") });
  });

  test("does not wait for ever, and says to come back", async () => {
    const slow = await neon.addProject("slow");
    slow.polls = 1000;
    expect(await failure(connect().ownerUrl(slow.id, undefined))).toMatchObject({
      code: "VENDOR_UNREACHABLE",
      hint: expect.stringMatching(/psn init --neon/),
    });
    expect(slept.reduce((sum, ms) => sum + ms, 0)).toBe(120_000);
  });

  test("what failed in a project long ago does not matter; what fails in a new one does", async () => {
    const mine = await neon.addProject("mine");
    mine.hasFailed = true;
    expect(await connect().ownerUrl(mine.id, undefined)).toBe(OWNER);
    neon.faults.push({
      fault: { kind: "answer", status: 200, body: { operations: [{ status: "failed" }] } },
      on: /operations/,
    });
    expect(await failure(connect().create({ name: "a", region: undefined, organizationId: undefined }))).toMatchObject({
      code: "VENDOR_REFUSED",
    });
  });

  test("a project that is gone is gone, also when the answer to its removal was lost", async () => {
    const mine = await neon.addProject("mine");
    neon.faults.push({ fault: { kind: "drop", when: "after" }, on: /DELETE/ });
    await connect().remove(mine.id);
    await connect().remove(mine.id);
    expect(neon.projects).toEqual([]);
  });

  test("what can be no id is not asked for", async () => {
    for (const id of ["My Own", "..", "a/../b", "a?b", ""]) expect(await connect().byId(id)).toBeUndefined();
    expect(neon.requests).toEqual([]);
  });

  test("nobody there, and somebody else there", async () => {
    await neon.stop();
    expect(await failure(connect().organizations())).toMatchObject({ code: "VENDOR_UNREACHABLE" });
    neon = await startNeonConsole(async () => OWNER);
    neon.faults.push({ fault: { kind: "answer", status: 200, body: { hello: "world" } } });
    expect(await failure(connect().organizations())).toMatchObject({
      code: "VENDOR_CHANGED",
      hint: "psn config get NEON_API_HOST",
    });
  });

  test("a project of another organisation is none of ours", async () => {
    const theirs = await neon.addProject("theirs", neon.addOrganization("Bob"));
    expect(await connect().byId(theirs.id)).toBeUndefined();
    expect(await connect().byName("theirs", undefined)).toEqual([]);
  });

  test("what is planned is what is done", async () => {
    const file = memory();
    const [organization] = await connect().organizations();
    neon.requests.length = 0;
    await provisionNeon(connect(), file, wish({ region: "aws-eu-central-1" }));
    const planned = plannedNeonCalls(
      { newName: "psn-3fa9c1", region: "aws-eu-central-1", organization: organization?.id },
      neon.host,
    );
    const kind = ({ method, url }: { readonly method: string; readonly url: string }) =>
      `${method} ${new URL(url).pathname.replaceAll(/(projects|branches)\/[^/]+/g, "$1/X")}`;
    const done = new Set(neon.requests.map(({ method, path }) => kind({ method, url: `http://neon${path}` })));
    // It looks for the name only where one was named or an earlier run was stopped.
    expect(new Set(planned.map(kind)).symmetricDifference(done)).toEqual(new Set(["GET /api/v2/projects"]));
    expect(neon.requests.find(({ method }) => method === "POST")?.body).toEqual(
      planned.find(({ method }) => method === "POST")?.body,
    );
  });
});

describe("the use case", () => {
  test("makes a project, and the second run makes nothing", async () => {
    const file = memory({ PSN_MADE: "trigger-project:x" });
    expect(await provisionNeon(connect(), file, wish())).toEqual({
      steps: [{ what: "neon project", did: "made" }],
      databaseUrl: OWNER,
    });
    expect(Object.fromEntries(file.kept)).toEqual({
      PSN_MADE: "trigger-project:x neon-project:psn-3fa9c1",
      NEON_PROJECT_ID: neon.projects[0]?.id,
    });
    neon.requests.length = 0;
    const writes = file.writes;
    expect((await provisionNeon(connect(), file, wish({ newName: "psn-other" }))).steps).toEqual([
      { what: "neon project", did: "kept" },
    ]);
    expect([made(), file.writes]).toEqual([[], writes]);
  });

  test("stopped around the creation, the next run finds what was made", async () => {
    const file = memory();
    file.dieAt = 2;
    await expect(provisionNeon(connect(), file, wish())).rejects.toThrow("killed");
    expect(neon.projects).toHaveLength(1);
    file.dieAt = Number.POSITIVE_INFINITY;
    expect((await provisionNeon(connect(), file, wish({ newName: "psn-other" }))).steps[0]?.did).toBe("made");
    expect(neon.projects).toHaveLength(1);
    expect(file.kept.get("NEON_PROJECT_ID")).toBe(neon.projects[0]?.id);
  });

  test("a lost answer: the next run finds what was made; a request that never came: it makes it", async () => {
    for (const when of ["after", "before"] as const) {
      const file = memory();
      neon.faults.push({ fault: { kind: "drop", when }, on: /POST/ });
      expect(await failure(provisionNeon(connect(), file, wish({ newName: `psn-${when}` })))).toMatchObject({
        code: "VENDOR_UNREACHABLE",
      });
      expect((await provisionNeon(connect(), file, wish())).steps[0]?.did).toBe("made");
      expect(neon.projects.filter(({ name }) => name === `psn-${when}`)).toHaveLength(1);
    }
  });

  test("stopped around the creation, and then another project is wished for: neither is lost", async () => {
    const stopped = { PSN_MADE: "trigger-project:x neon-project:psn-old" };
    const theirs = await neon.addProject("theirs");
    const left = await neon.addProject("psn-old");
    for (const project of ["theirs", theirs.id, "new-name"]) {
      const file = memory(stopped);
      expect(await failure(provisionNeon(connect(), file, wish({ project })))).toMatchObject({
        code: "ALREADY_EXISTS",
        message: expect.stringContaining(left.id),
      });
      expect(file.writes).toBe(0);
    }
    for (const project of ["psn-old", left.id, undefined]) {
      const file = memory(stopped);
      expect((await provisionNeon(connect(), file, wish({ project }))).steps[0]?.did).toBe("made");
      expect(Object.fromEntries(file.kept)).toEqual({ ...stopped, NEON_PROJECT_ID: left.id });
    }
    neon.projects.splice(neon.projects.indexOf(left), 1);
    const adopting = memory(stopped);
    await provisionNeon(connect(), adopting, wish({ project: "theirs" }));
    expect(Object.fromEntries(adopting.kept)).toEqual({ PSN_MADE: "trigger-project:x", NEON_PROJECT_ID: theirs.id });
    const making = memory(stopped);
    await provisionNeon(connect(), making, wish({ project: "new-name" }));
    expect(making.get("PSN_MADE")).toBe("trigger-project:x neon-project:new-name");
    expect(neon.projects.map(({ name }) => name)).toEqual(["theirs", "new-name"]);
  });

  test("of two with the name that was to be made, the one named by its id is not psn's to take away", async () => {
    const [a] = [await neon.addProject("blog"), await neon.addProject("blog")];
    const stopped = { PSN_MADE: "neon-project:blog" };
    expect(await failure(provisionNeon(connect(), memory(stopped), wish()))).toMatchObject({ code: "AMBIGUOUS" });
    const file = memory(stopped);
    expect((await provisionNeon(connect(), file, wish({ project: a.id }))).steps[0]?.did).toBe("adopted");
    expect(Object.fromEntries(file.kept)).toEqual({ NEON_PROJECT_ID: a.id });
  });

  test("a lost answer, then another organisation: still one project; an id needs no organisation", async () => {
    const key = neon.addKey(neon.addOrganization("Bob"), neon.addOrganization("Cy"));
    const file = memory();
    neon.faults.push({ fault: { kind: "drop", when: "after" }, on: /POST/ });
    await failure(provisionNeon(connect(key), file, wish({ organization: "Bob" })));
    for (const organization of ["Cy", undefined])
      await provisionNeon(connect(key), memory(Object.fromEntries(file.kept)), wish({ organization }));
    expect(neon.projects).toHaveLength(1);
    expect((await provisionNeon(connect(key), memory(), wish({ project: neon.projects[0]?.id }))).steps[0]?.did).toBe(
      "adopted",
    );
  });

  test("a hub with a database whose project was forgotten gets no second one", async () => {
    const values = {
      PSN_MADE: "neon-project:psn-old",
      DATABASE_OWNER_URL: OWNER,
      DATABASE_URL: "postgres://a:b@c/d",
      PSN_USER: "u",
    };
    expect(await failure(provisionNeon(connect(), memory(values), wish()))).toMatchObject({ code: "ALREADY_EXISTS" });
    expect(neon.projects).toEqual([]);
    const left = await neon.addProject("psn-old");
    const file = memory(values);
    await provisionNeon(connect(), file, wish());
    expect(file.get("NEON_PROJECT_ID")).toBe(left.id);
    const gone = await failure(provisionNeon(connect(), memory({ ...values, NEON_PROJECT_ID: "gone-1" }), wish()));
    expect(gone).toMatchObject({ code: "VENDOR_REFUSED", hint: expect.stringContaining("in another folder") });
  });

  test("adopts what is named, by name or id, and does not call it its own", async () => {
    const mine = await neon.addProject("My Own");
    for (const project of ["My Own", mine.id]) {
      const file = memory();
      expect((await provisionNeon(connect(), file, wish({ project }))).steps[0]?.did).toBe("adopted");
      expect(Object.fromEntries(file.kept)).toEqual({ NEON_PROJECT_ID: mine.id });
    }
    expect(made()).toEqual([]);
  });

  test("a named project that is not there is made under that name", async () => {
    const file = memory();
    await provisionNeon(connect(), file, wish({ project: "blog" }));
    expect(neon.projects.map(({ name }) => name)).toEqual(["blog"]);
    expect(file.get("PSN_MADE")).toBe("neon-project:blog");
    expect(await failure(provisionNeon(connect(), memory(), wish({ project: "My New" })))).toMatchObject({
      code: "INPUT_INVALID",
    });
  });

  test("two of a name: says which", async () => {
    const [a, b] = [await neon.addProject("twin"), await neon.addProject("twin")];
    const said = await failure(provisionNeon(connect(), memory(), wish({ project: "twin" })));
    expect(said).toMatchObject({ code: "AMBIGUOUS", message: expect.stringContaining(`${a.id}, ${b.id}`) });
  });

  test("the database in it: its first, the one named, or the choices", async () => {
    const mine = await neon.addProject("mine", undefined, [
      { name: "app", owner: "app_owner" },
      { name: "psn", owner: "ada" },
    ]);
    const to = async (database?: string) => {
      neon.requests.length = 0;
      await provisionNeon(connect(), memory(), wish({ project: mine.id, database }));
      return neon.requests.at(-1)?.path;
    };
    expect(await to()).toContain("database_name=app&role_name=app_owner&pooled=false");
    expect(await to("psn")).toContain("database_name=psn&role_name=ada");
    expect(await failure(provisionNeon(connect(), memory(), wish({ project: mine.id, database: "no" })))).toMatchObject(
      {
        code: "NOT_FOUND",
        hint: expect.stringContaining("app, psn"),
      },
    );
  });

  test("several organisations: asks which; none: the key says where", async () => {
    const bob = neon.addOrganization("Bob");
    const both = neon.addKey(bob, neon.addOrganization("Cy"));
    expect(await failure(provisionNeon(connect(both), memory(), wish()))).toMatchObject({
      code: "INPUT_REQUIRED",
      message: expect.stringContaining("(Cy)"),
    });
    expect(await failure(provisionNeon(connect(both), memory(), wish({ organization: "Dee" })))).toMatchObject({
      code: "INPUT_INVALID",
    });
    await provisionNeon(connect(both), memory(), wish({ organization: "Bob" }));
    expect(neon.projects[0]).toMatchObject({ organization: bob });
  });

  test.each([
    ["a hub on another Postgres", { DATABASE_URL: "postgres://a:b@c/d", PSN_USER: "u" }],
    ["an embedded hub", { PSN_USER: "u" }],
    ["a hub begun on another Postgres", { DATABASE_OWNER_URL: "postgres://a:b@c/d" }],
  ])("%s keeps its database, and nobody is asked", async (_, values) => {
    expect(await failure(provisionNeon(connect(), memory(values), wish()))).toMatchObject({ code: "ALREADY_EXISTS" });
    expect(neon.requests).toEqual([]);
  });

  test("a recorded project that is gone, another's, or not the one named", async () => {
    const theirs = await neon.addProject("theirs", neon.addOrganization("Bob"));
    for (const id of [theirs.id, "gone-1"])
      expect(await failure(provisionNeon(connect(), memory({ NEON_PROJECT_ID: id }), wish()))).toMatchObject({
        code: "VENDOR_REFUSED",
        hint: expect.stringContaining("psn config set NEON_PROJECT_ID --unset"),
      });
    const mine = await neon.addProject("mine");
    expect(
      await failure(provisionNeon(connect(), memory({ NEON_PROJECT_ID: mine.id }), wish({ project: "other" }))),
    ).toMatchObject({
      code: "ALREADY_EXISTS",
    });
  });

  test("a revoked key, and a full plan: nothing is half done that the next run cannot finish", async () => {
    neon.revoke(neon.apiKey);
    const file = memory();
    expect(await failure(provisionNeon(connect(), file, wish()))).toMatchObject({ code: "VENDOR_AUTH" });
    expect(file.writes).toBe(0);
    const [organization = ""] = [neon.addOrganization("Full")];
    const key = neon.addKey(organization);
    neon.plan.projects = 0;
    expect(await failure(provisionNeon(connect(key), file, wish()))).toMatchObject({ code: "VENDOR_QUOTA" });
    neon.plan.projects = 1;
    expect((await provisionNeon(connect(key), file, wish())).steps[0]?.did).toBe("made");
  });
});
