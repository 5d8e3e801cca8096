import { PsnError } from "@psn/core/errors.ts";
import type { Neon, NeonProject, PlannedCall } from "@psn/core/ports/vendors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { z } from "zod";
import { ask, type Refusing, understood, type Vendor } from "./request.ts";

/*
 * Neon's management API, version 2 (the OpenAPI file of @neondatabase/api-client 2.7.3, 2026-07). By plain requests:
 * the client brings axios, and psn needs nine calls.
 */

const KEYS_PAGE = "https://console.neon.tech/app/settings/api-keys";
/** The newest version of Postgres that Neon does not call a preview. */
const PG_VERSION = 17;
/** How often and how long to ask whether a new project is ready, in milliseconds. */
const READY_LOOK_MS = 1_000;
const READY_TIMEOUT_MS = 120_000;
const PAGE = 100;
/** The most the OpenAPI file allows: the default branch may be the oldest of many. */
const BRANCHES = 10_000;
/**
 * Codes of a plan that is full, as 422 PROJECTS_LIMIT_EXCEEDED "user projects limit of 1 exceeded, got 1"
 * (neondatabase/neonctl issue 255), and its words where there is no code. The OpenAPI file lists neither.
 */
const QUOTA_CODE = /(^|_)(QUOTA|EXCEEDED)(_|$)/;
const QUOTA_WORDS = /limit (is |was )?(exceeded|reached)|quota|upgrade/i;
/** The form of an id, by the OpenAPI file; nothing else may stand in a path. */
const ID = /^[a-z0-9-]{1,60}$/;

export interface NeonOptions extends Pick<Vendor, "fetch" | "sleep"> {
  /** `https://console.neon.tech/api/v2` */
  readonly host: string;
  readonly apiKey: string;
}

const Project = z.object({ id: z.string(), name: z.string(), region_id: z.string(), org_id: z.string().optional() });
const One = z.object({ project: Project });
const Projects = z.object({ projects: z.array(Project), pagination: z.object({ cursor: z.string() }).optional() });
const Organizations = z.object({ organizations: z.array(z.object({ id: z.string(), name: z.string() })) });
const Operations = z.object({ operations: z.array(z.object({ status: z.string() })) });
const Branches = z.object({ branches: z.array(z.object({ id: z.string(), default: z.boolean() })) });
const Databases = z.object({ databases: z.array(z.object({ name: z.string(), owner_name: z.string() })) });
const Uri = z.object({ uri: z.string().startsWith("postgres") });

const projectOf = ({ id, name, region_id, org_id }: z.output<typeof Project>): NeonProject => ({
  id,
  name,
  region: region_id,
  organization: org_id ?? null,
});

const projectPath = (id: string, rest = "") => `/projects/${encodeURIComponent(id)}${rest}`;
const READ = { repeat: true } as const;
const DONE = new Set(["finished", "skipped", "cancelled"]);
const FAILED = new Set(["failed", "error"]);
const Refused = z.object({ code: z.string() });

/** Neon by an API key, a person's or an organisation's. */
export function neonApi({ host, apiKey, fetch, sleep }: NeonOptions): Neon {
  const vendor: Vendor = {
    name: "Neon",
    url: host,
    token: apiKey,
    fetch,
    sleep,
    // 423: another operation has the project; 503: nothing was begun; both are always safe to try again (the OpenAPI
    // file).
    noEffect: [423, 429, 503],
    setting: "NEON_API_HOST",
    refuse: refused,
  };
  const get = async <T extends z.ZodType>(path: string, schema: T) =>
    understood(vendor, { answer: await ask(vendor, { method: "GET", path, ...READ }), schema, path });

  /**
   * The list is a history of six months: what failed in it long ago says nothing about a project that was there before.
   */
  const waitUntilReady = async (projectId: string, isNew: boolean) => {
    for (let waited = 0; ; waited += READY_LOOK_MS) {
      const { operations } = await get(projectPath(projectId, "/operations?limit=100"), Operations);
      if (isNew && operations.some(({ status }) => FAILED.has(status)))
        throw new PsnError("VENDOR_REFUSED", "Neon could not finish the new project", {
          hint: "see it at https://console.neon.tech, then run the same command again",
        });
      if (operations.every(({ status }) => DONE.has(status) || FAILED.has(status))) return;
      if (waited >= READY_TIMEOUT_MS)
        throw new PsnError("VENDOR_UNREACHABLE", "the project on Neon is not ready yet", {
          hint: "psn init --neon again, in a minute",
        });
      await sleep(READY_LOOK_MS);
    }
  };

  return {
    organizations: async () =>
      (await get("/users/me/organizations", Organizations)).organizations.map(({ id, name }) => ({ id, name })),
    async byId(projectId) {
      // It may be a name that somebody typed.
      if (!ID.test(projectId)) return undefined;
      const path = projectPath(projectId);
      const answer = await ask(vendor, { method: "GET", path, repeat: true, accept: [403, 404] });
      return answer.status === 200 ? projectOf(understood(vendor, { answer, schema: One, path }).project) : undefined;
    },
    async byName(name, organizationId) {
      const found: NeonProject[] = [];
      for (let cursor: string | undefined; ; ) {
        const query = new URLSearchParams({ limit: String(PAGE), search: name });
        if (organizationId !== undefined) query.set("org_id", organizationId);
        if (cursor !== undefined) query.set("cursor", cursor);
        const { projects, pagination } = await get(`/projects?${query}`, Projects);
        // The search finds parts of names and of ids too.
        found.push(...projects.filter((project) => project.name === name).map(projectOf));
        // The last page has a cursor as well.
        if (projects.length === 0 || pagination === undefined || pagination.cursor === cursor) return found;
        cursor = pagination.cursor;
      }
    },
    async create({ name, region, organizationId }) {
      const project = {
        name,
        pg_version: PG_VERSION,
        ...defined({ region_id: region, org_id: organizationId }),
      };
      // Never blindly again: a lost answer may have made it.
      const answer = await ask(vendor, { method: "POST", path: "/projects", body: { project }, repeat: false });
      const made = understood(vendor, { answer, schema: One, path: "/projects" }).project;
      await waitUntilReady(made.id, true);
      return projectOf(made);
    },
    async ownerUrl(projectId, wanted) {
      await waitUntilReady(projectId, false);
      const { branches } = await get(projectPath(projectId, `/branches?limit=${BRANCHES}`), Branches);
      const branch = branches.find((candidate) => candidate.default);
      if (!branch)
        throw new PsnError("VENDOR_CHANGED", "this project on Neon has no default branch", {
          hint: "see its branches at https://console.neon.tech",
        });
      const { databases } = await get(
        projectPath(projectId, `/branches/${encodeURIComponent(branch.id)}/databases`),
        Databases,
      );
      const database = wanted === undefined ? databases[0] : databases.find(({ name }) => name === wanted);
      if (!database)
        throw new PsnError("NOT_FOUND", `this project on Neon has no database ${wanted ?? "at all"}`, {
          hint:
            "--neon-database takes one of: " +
            `${databases.map(({ name }) => name).join(", ") || "none; make one at https://console.neon.tech"}`,
        });
      const query = new URLSearchParams({
        branch_id: branch.id,
        database_name: database.name,
        role_name: database.owner_name,
        pooled: "false",
      });
      return (await get(projectPath(projectId, `/connection_uri?${query}`), Uri)).uri;
    },
    async remove(projectId) {
      await ask(vendor, { method: "DELETE", path: projectPath(projectId), repeat: true, accept: [404] });
    },
  };
}

function refused(what: string, { status, said, isJson, value }: Refusing): PsnError {
  const details = { status };
  if (status === 401)
    return new PsnError("VENDOR_AUTH", "Neon does not accept the API key", {
      hint: `create one at ${KEYS_PAGE}`,
      details,
    });
  const { code } = Refused.safeParse(value).data ?? { code: "" };
  if (status === 402 || QUOTA_CODE.test(code) || (code === "" && QUOTA_WORDS.test(said)))
    return new PsnError("VENDOR_QUOTA", `Neon's plan does not allow this${said}`, {
      hint: "delete a project or upgrade at https://console.neon.tech, then run the same command again",
      details,
    });
  if (status === 403)
    return new PsnError("VENDOR_AUTH", `Neon's API key does not have permission to do this${said}`, {
      hint: `create a key with this permission at ${KEYS_PAGE}`,
      details,
    });
  return new PsnError("VENDOR_REFUSED", `Neon refused ${what.replace(/\?.*/, "")} with ${status}${said}`, {
    hint: isJson ? "see https://console.neon.tech" : "psn config get NEON_API_HOST",
    details,
  });
}

interface Wish {
  readonly organization?: string | undefined;
  readonly region?: string | undefined;
  readonly project?: string | undefined;
  readonly newName: string;
}

/**
 * What giving a hub its project asks of Neon, in order; nothing is asked here. Where a project of the name is there,
 * none is made.
 */
export function plannedNeonCalls(
  { organization, region, project, newName }: Wish,
  host: string,
): readonly PlannedCall[] {
  const url = (path: string) => `${host.replace(/\/$/, "")}${path}`;
  const name = project ?? newName;
  const organizationId = organization ?? "ORGANISATION";
  const wish = {
    name,
    pg_version: PG_VERSION,
    ...defined({ region_id: region }),
    org_id: organizationId,
  };
  return [
    { method: "GET", url: url("/users/me/organizations") },
    {
      method: "GET",
      url: url(
        `/projects?limit=${PAGE}&search=${encodeURIComponent(name)}&org_id=${encodeURIComponent(organizationId)}`,
      ),
    },
    { method: "POST", url: url("/projects"), body: { project: wish } },
    { method: "GET", url: url("/projects/PROJECT/operations?limit=100") },
    { method: "GET", url: url(`/projects/PROJECT/branches?limit=${BRANCHES}`) },
    { method: "GET", url: url("/projects/PROJECT/branches/BRANCH/databases") },
    {
      method: "GET",
      url: url("/projects/PROJECT/connection_uri?branch_id=BRANCH&database_name=DATABASE&role_name=OWNER&pooled=false"),
    },
  ];
}
