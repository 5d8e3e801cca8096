import { randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { readNeonApi } from "./neon-openapi.ts";

/*
 * Neon's management API for tests: organisations, keys and projects that are remembered, and every request and every
 * answer held against Neon's own OpenAPI file. Awkward as the real one: a new project is answered before it is ready, a
 * project with an operation running is locked, lists come in pages and the last page has a cursor too, the search finds
 * parts of names, a plan ends, an answer is lost on the way.
 */

const PAGE = 2;
/** How often a new project must be asked about before it is ready. */
const POLLS = 2;

export interface ConsoleProject {
  readonly id: string;
  readonly name: string;
  readonly organization: string;
  readonly region: string;
  /** The owner's address of its database; the real one behind it. */
  readonly url: string;
  readonly databases: readonly { readonly name: string; readonly owner: string }[];
  polls: number;
  /** Something failed in it once; the list of operations keeps that for six months. */
  hasFailed?: boolean;
}

export type ConsoleFault =
  | { readonly kind: "drop"; readonly when: "before" | "after" }
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly body?: object;
      readonly headers?: Readonly<Record<string, string>>;
    };

export interface NeonConsole {
  /** `http://127.0.0.1:…/api/v2` */
  readonly host: string;
  /** Of a user with one organisation. */
  readonly apiKey: string;
  readonly projects: ConsoleProject[];
  /** Everything received: method, path with query, body. */
  readonly requests: { readonly method: string; readonly path: string; readonly body: unknown }[];
  /** What the OpenAPI file does not allow, of requests and of answers; a test expects none. */
  readonly violations: string[];
  /** Each happens to one request, in order; `on` chooses which. */
  readonly faults: { readonly fault: ConsoleFault; readonly on?: RegExp }[];
  /** How many projects an organisation's plan allows. */
  readonly plan: { projects: number };
  addOrganization(name: string): string;
  /** A key that sees these organisations and no others. */
  addKey(...organizations: readonly string[]): string;
  revoke(key: string): void;
  addProject(name: string, organization?: string, databases?: ConsoleProject["databases"]): Promise<ConsoleProject>;
  stop(): Promise<void>;
}

class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  constructor(status: number, message: string, code = "") {
    super(message);
    this.status = status;
    this.code = code;
  }
}

interface Call {
  readonly url: URL;
  readonly params: readonly string[];
  readonly body: unknown;
  readonly organizations: readonly string[];
}

/** `database` gives the owner's address of a fresh, empty database for a new project. */
export async function startNeonConsole(database: () => Promise<string>): Promise<NeonConsole> {
  const judge = readNeonApi();
  const organizations = new Map<string, string>();
  const keys = new Map<string, readonly string[]>();
  const state = {
    projects: [] as ConsoleProject[],
    requests: [] as NeonConsole["requests"],
    violations: [] as string[],
    faults: [] as NeonConsole["faults"],
    plan: { projects: 10 },
  };
  const born = new Date().toISOString();

  const addOrganization = (name: string) => {
    const id = `org-${name.toLowerCase()}-${randomBytes(4).toString("hex")}`;
    organizations.set(id, name);
    return id;
  };
  const addKey = (...seen: readonly string[]) => {
    const key = `napi_${randomBytes(24).toString("hex")}`;
    keys.set(key, seen);
    return key;
  };
  const addProject = async (
    name: string,
    organization = first,
    databases: ConsoleProject["databases"] = [{ name: "neondb", owner: "neondb_owner" }],
  ) => {
    const id = `quiet-frost-${randomBytes(4).toString("hex")}`;
    const project: ConsoleProject = {
      id,
      name,
      organization,
      region: "aws-us-east-2",
      url: await database(),
      databases,
      polls: 0,
    };
    state.projects.push(project);
    return project;
  };
  const first = addOrganization("Ada");
  const apiKey = addKey(first);

  const visible = ({ params, organizations: seen }: Call): ConsoleProject => {
    const project = state.projects.find(({ id, organization }) => id === params[0] && seen.includes(organization));
    if (!project) throw new Refusal(404, "project not found");
    return project;
  };
  const shown = ({ id, name, region, organization }: ConsoleProject) => ({
    id,
    platform_id: "aws",
    region_id: region,
    name,
    provisioner: "k8s-neonvm",
    pg_version: 17,
    proxy_host: `${region}.aws.neon.tech`,
    branch_logical_size_limit: 512,
    branch_logical_size_limit_bytes: 536_870_912,
    store_passwords: true,
    active_time: 0,
    cpu_used_sec: 0,
    creation_source: "api",
    created_at: born,
    updated_at: born,
    owner_id: organization,
    org_id: organization,
  });
  const full = (project: ConsoleProject) => ({
    ...shown(project),
    data_storage_bytes_hour: 0,
    data_transfer_bytes: 0,
    written_data_bytes: 0,
    compute_time_seconds: 0,
    active_time_seconds: 0,
    history_retention_seconds: 86_400,
    consumption_period_start: born,
    consumption_period_end: born,
  });
  const operation = ({ id, polls }: ConsoleProject, action: string) => ({
    id: randomUUID(),
    project_id: id,
    action,
    status: polls > 0 ? "running" : "finished",
    failures_count: 0,
    created_at: born,
    updated_at: born,
    total_duration_ms: 100,
  });
  const branchOf = ({ id }: ConsoleProject) => ({
    id: `br-${id}`,
    project_id: id,
    name: "main",
    current_state: "ready",
    state_changed_at: born,
    creation_source: "console",
    created_at: born,
    updated_at: born,
    default: true,
    protected: false,
    cpu_used_sec: 0,
    active_time_seconds: 0,
    compute_time_seconds: 0,
    written_data_bytes: 0,
    data_transfer_bytes: 0,
  });
  const databasesOf = (project: ConsoleProject) =>
    project.databases.map(({ name, owner }, n) => ({
      id: n + 1,
      branch_id: `br-${project.id}`,
      name,
      owner_name: owner,
      created_at: born,
      updated_at: born,
    }));
  const uriOf = (project: ConsoleProject, name: string, role: string) => {
    if (!project.databases.some((one) => one.name === name && one.owner === role))
      throw new Refusal(404, "database or role not found");
    return project.url;
  };
  const unlocked = (call: Call) => {
    const project = visible(call);
    if (project.polls > 0)
      throw new Refusal(
        423,
        "project already has running conflicting operations, scheduling of new ones is prohibited",
      );
    return project;
  };

  const create = async ({ body, organizations: seen }: Call) => {
    const { project: wish } = body as {
      readonly project: { readonly name?: string; readonly region_id?: string; readonly org_id?: string };
    };
    const organization = wish.org_id ?? (seen.length === 1 ? seen[0] : undefined);
    if (organization === undefined || !seen.includes(organization))
      throw new Refusal(400, "org_id is required, you can find it on your organization settings page");
    if (state.projects.filter((one) => one.organization === organization).length >= state.plan.projects)
      throw new Refusal(
        422,
        `user projects limit of ${state.plan.projects} exceeded, got ${state.plan.projects}`,
        "PROJECTS_LIMIT_EXCEEDED",
      );
    if (wish.region_id !== undefined && !/^(aws|azure)-[a-z0-9-]+$/.test(wish.region_id))
      throw new Refusal(400, "region not found");
    const made = {
      ...(await addProject(wish.name ?? "unnamed", organization)),
      region: wish.region_id ?? "aws-us-east-2",
      polls: POLLS,
    };
    state.projects.splice(state.projects.length - 1, 1, made);
    const branch = branchOf(made);
    return {
      status: 201,
      body: {
        project: full(made),
        connection_uris: [
          {
            connection_uri: made.url,
            connection_parameters: {
              database: "neondb",
              password: "hidden",
              role: "neondb_owner",
              host: "ep",
              pooler_host: "ep-pooler",
            },
          },
        ],
        roles: [{ branch_id: branch.id, name: "neondb_owner", protected: false, created_at: born, updated_at: born }],
        databases: databasesOf(made),
        operations: [operation(made, "create_timeline"), operation(made, "start_compute")],
        branch,
        endpoints: [],
      },
    };
  };

  const list = ({ url, organizations: seen }: Call) => {
    const organization = url.searchParams.get("org_id");
    if (organization === null && seen.length > 1)
      throw new Refusal(400, "org_id is required, you can find it on your organization settings page");
    const search = url.searchParams.get("search") ?? "";
    const cursor = url.searchParams.get("cursor");
    const all = state.projects.filter(
      (one) =>
        seen.includes(one.organization) &&
        (organization === null || one.organization === organization) &&
        (one.name.includes(search) || one.id.includes(search)),
    );
    const from = cursor === null ? 0 : all.findIndex(({ id }) => id === cursor) + 1;
    const page = all.slice(from, from + Math.min(PAGE, Number(url.searchParams.get("limit") ?? 10)));
    const last = page.at(-1)?.id ?? cursor;
    return {
      status: 200,
      body: {
        projects: page.map(shown),
        ...(last === null ? {} : { pagination: { cursor: last } }),
        applications: {},
        integrations: {},
      },
    };
  };

  const routes: readonly (readonly [
    string,
    RegExp,
    (call: Call) => { status: number; body: unknown } | Promise<{ status: number; body: unknown }>,
  ])[] = [
    [
      "GET",
      /^\/users\/me\/organizations$/,
      ({ organizations: seen }) => ({
        status: 200,
        body: {
          organizations: seen.map((id) => ({
            id,
            name: organizations.get(id),
            handle: id,
            plan: "free",
            created_at: born,
            updated_at: born,
            managed_by: "console",
          })),
        },
      }),
    ],
    ["GET", /^\/projects$/, list],
    ["POST", /^\/projects$/, create],
    ["GET", /^\/projects\/([^/]+)$/, (call) => ({ status: 200, body: { project: full(visible(call)) } })],
    [
      "DELETE",
      /^\/projects\/([^/]+)$/,
      (call) => {
        const project = unlocked(call);
        state.projects.splice(state.projects.indexOf(project), 1);
        return { status: 200, body: { project: full(project) } };
      },
    ],
    [
      "GET",
      /^\/projects\/([^/]+)\/operations$/,
      (call) => {
        const project = visible(call);
        const old = project.hasFailed
          ? [{ ...operation(project, "check_availability"), status: "failed", failures_count: 1 }]
          : [];
        const body = {
          operations: [operation(project, "create_timeline"), operation(project, "start_compute"), ...old],
        };
        if (project.polls > 0) project.polls -= 1;
        return { status: 200, body };
      },
    ],
    [
      "GET",
      /^\/projects\/([^/]+)\/branches$/,
      (call) => ({ status: 200, body: { branches: [branchOf(unlocked(call))], annotations: {} } }),
    ],
    [
      "GET",
      /^\/projects\/([^/]+)\/branches\/([^/]+)\/databases$/,
      (call) => ({ status: 200, body: { databases: databasesOf(unlocked(call)) } }),
    ],
    [
      "GET",
      /^\/projects\/([^/]+)\/connection_uri$/,
      (call) => {
        const query = call.url.searchParams;
        return {
          status: 200,
          body: { uri: uriOf(unlocked(call), query.get("database_name") ?? "", query.get("role_name") ?? "") },
        };
      },
    ],
  ];

  const answerTo = async (
    request: IncomingMessage,
    url: URL,
    body: unknown,
  ): Promise<{ status: number; body: unknown }> => {
    const method = request.method ?? "";
    try {
      const seen = keys.get(request.headers.authorization?.replace("Bearer ", "") ?? "");
      if (!seen) throw new Refusal(401, "This request is not authorized");
      const wrong = judge.request(method, url, body);
      if (wrong.length > 0) {
        state.violations.push(...wrong.map((one) => `request ${method} ${url.pathname}: ${one}`));
        throw new Refusal(500, "the request breaks Neon's description");
      }
      const path = url.pathname.replace(/^\/api\/v2/, "");
      for (const [verb, pattern, handle] of routes) {
        const match = verb === method ? pattern.exec(path) : null;
        if (match) return await handle({ url, params: match.slice(1), body, organizations: seen });
      }
      throw new Refusal(404, "not found");
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      return { status: error.status, body: { message: error.message, code: error.code } };
    }
  };

  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const body: unknown = text === "" ? undefined : JSON.parse(text);
    const path = request.url ?? "";
    const line = `${request.method} ${path}`;
    state.requests.push({ method: request.method ?? "", path, body });
    const url = new URL(path, "http://neon");
    const at = state.faults.findIndex(({ on }) => on === undefined || on.test(line));
    const fault = at < 0 ? undefined : state.faults.splice(at, 1)[0]?.fault;
    if (fault?.kind === "drop" && fault.when === "before") return void request.socket.destroy();
    if (fault?.kind === "answer") {
      response.writeHead(fault.status, { "content-type": "application/json", ...fault.headers });
      return void response.end(JSON.stringify(fault.body ?? { message: "try later", code: "" }));
    }
    const answer = await answerTo(request, url, body);
    if (answer.status !== 401)
      state.violations.push(
        ...judge
          .answer(request.method ?? "", url, answer.status, answer.body)
          .map((one) => `answer ${line} ${answer.status}: ${one}`),
      );
    if (fault?.kind === "drop") return void request.socket.destroy();
    response.writeHead(answer.status, { "content-type": "application/json" });
    response.end(JSON.stringify(answer.body));
  };

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      state.violations.push(String(error));
      response.writeHead(500).end();
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    host: `http://127.0.0.1:${port}/api/v2`,
    apiKey,
    ...state,
    addOrganization,
    addKey,
    revoke: (key) => void keys.delete(key),
    addProject,
    stop: async () => {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
