import { PsnError } from "@psn/core/errors.ts";
import type { PlannedCall, TriggerDev, TriggerProject } from "@psn/core/ports/vendors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { z } from "zod";
import { type Answer, ask, refusal, understood, type Vendor } from "./request.ts";

/*
 * Trigger.dev's management API (trigger.dev docs, management; the paths and shapes are those of its CLI of 4.8.3,
 * apiClient.js, and of @trigger.dev/core 4.8.3, v3/schemas/api; 2026-11). By plain requests: the SDK has no projects
 * and takes long to load.
 */

/** Where a person works: the cloud's dashboard has a host of its own, a server of one's own has one for both. */
export function dashboardOf(url: string): string {
  const { origin, hostname } = new URL(url);
  return hostname === "api.trigger.dev" ? "https://cloud.trigger.dev" : origin;
}

export type Connection = Pick<Vendor, "url" | "fetch" | "sleep" | "signal">;

/** Trigger.dev as a vendor. A 429 comes before any effect; its window is ten seconds (measured). */
export function triggerVendor(connection: Connection, token: string | undefined): Vendor {
  const dashboard = dashboardOf(connection.url);
  return {
    ...connection,
    name: "Trigger.dev",
    token,
    noEffect: [429],
    setting: "TRIGGER_API_URL",
    refuse: (what, { status, said, isJson }) => {
      const details = { status };
      if (status === 401) {
        const isKey = /^tr_(?!pat_)/.test(token ?? "");
        const why = isKey
          ? "this is the secret key of an environment; psn needs a personal access token"
          : "Trigger.dev does not accept the token";
        return new PsnError("VENDOR_AUTH", why, {
          hint: `make a token at ${dashboard}/account/tokens, or log in: psn init --trigger`,
          details,
        });
      }
      if (status === 402)
        return new PsnError("VENDOR_QUOTA", `Trigger.dev's plan does not allow this${said}`, {
          hint: `choose a plan at ${dashboard}, then run the same command again`,
          details,
        });
      return new PsnError("VENDOR_REFUSED", `Trigger.dev refused ${what} with ${status}${said}`, {
        // A page in place of an answer, or the way to one: probably no Trigger.dev at all.
        hint: isJson ? `see the project at ${dashboard}` : "psn config get TRIGGER_API_URL",
        details,
      });
    },
  };
}

const Me = z.object({ email: z.string(), dashboardUrl: z.string() });
const Organizations = z.array(z.object({ title: z.string(), slug: z.string() }));
const Project = z.object({
  externalRef: z.string(),
  name: z.string(),
  organization: z.object({ title: z.string(), slug: z.string() }),
});
const Environment = z.object({ apiKey: z.string().startsWith("tr_") });
const Variables = z.array(z.object({ name: z.string(), value: z.string(), isSecret: z.boolean().default(false) }));
const Worker = z.object({ worker: z.object({ version: z.string(), tasks: z.array(z.object({ slug: z.string() })) }) });
const Environments = z.array(z.object({ slug: z.string(), paused: z.boolean().default(false) }));
const WorkerVariables = z.object({ variables: z.record(z.string(), z.string()) });
const Runs = z.object({
  data: z.array(z.object({ id: z.string(), isFailed: z.boolean(), isCancelled: z.boolean().default(false) })),
});
const Run = z.object({ error: z.object({ message: z.string() }).nullish() });
const Success = z.object({ success: z.literal(true) });

const projectOf = ({ externalRef, name, organization }: z.output<typeof Project>): TriggerProject => ({
  ref: externalRef,
  name,
  // The slug stands in the dashboard's addresses, and the API takes it for the id.
  organization: { id: organization.slug, name: organization.title },
});

const ORGS = "/api/v1/orgs";
const projectsPath = (organizationId: string) => `${ORGS}/${encodeURIComponent(organizationId)}/projects`;
const projectPath = (ref: string, rest = "") => `/api/v1/projects/${encodeURIComponent(ref)}${rest}`;
const variablesPath = (ref: string, rest = "") => projectPath(ref, `/envvars/prod${rest}`);
const READ = { repeat: true } as const;

/** Trigger.dev by a personal access token. */
export function triggerApi({ token, ...connection }: Connection & { readonly token: string }): TriggerDev {
  const options = triggerVendor(connection, token);
  const get = async <T extends z.ZodType>(path: string, schema: T, by = options) =>
    understood(by, { answer: await ask(by, { method: "GET", path, ...READ }), schema, path });
  /**
   * Whether the server knows no such thing. Throws where it knows no such path: then it answers 404 with a page of its
   * dashboard.
   */
  const isMissing = (what: string, answer: Answer): boolean => {
    if (answer.status === 404 && answer.value === undefined) throw refusal(options, { what, answer, body: undefined });
    return answer.status === 404;
  };
  const find = async <T extends z.ZodType>(path: string, schema: T): Promise<z.output<T> | undefined> => {
    const answer = await ask(options, { method: "GET", path, repeat: true, accept: [404] });
    return isMissing(`GET ${path}`, answer) ? undefined : understood(options, { answer, schema, path });
  };

  return {
    whoAmI: () => get("/api/v2/whoami", Me),
    organizations: async () => (await get(ORGS, Organizations)).map(({ slug, title }) => ({ id: slug, name: title })),
    async byRef(ref) {
      const project = await find(projectPath(ref), Project);
      return project && projectOf(project);
    },
    async byName(name, organizationId) {
      const projects = await get(projectsPath(organizationId), z.array(Project));
      return projects.filter((project) => project.name === name).map(projectOf);
    },
    async create(name, organizationId) {
      const path = projectsPath(organizationId);
      // Never blindly again: a lost answer may have made it.
      const make = (accept: readonly number[]) =>
        ask(options, { method: "POST", path, body: { name }, repeat: false, accept });
      let answer = await make([402, 404]);
      if (answer.status === 402) {
        const plan = `${ORGS}/${encodeURIComponent(organizationId)}/activate-free-plan`;
        const { status } = await ask(options, {
          method: "POST",
          path: plan,
          repeat: true,
          accept: [400, 403, 404, 409, 502],
        });
        // 409: it has its plan already.
        const goesOn = status === 409 || status < 300;
        if (!goesOn) throw refusal(options, { what: `POST ${path}`, answer, body: undefined });
        answer = await make([404]);
      }
      if (isMissing(`POST ${path}`, answer))
        throw new PsnError("VENDOR_REFUSED", `there is no organisation ${organizationId} that this token may see`, {
          hint: `see your organisations at ${dashboardOf(options.url)}, then psn init --trigger --trigger-org NAME`,
          details: { status: 404 },
        });
      return projectOf(understood(options, { answer, schema: Project, path }));
    },
    secretKey: async (ref) => (await get(projectPath(ref, "/prod"), Environment)).apiKey,
    async variables(ref) {
      const variables = await get(variablesPath(ref), Variables);
      return new Map(variables.map(({ name, value, isSecret }) => [name, isSecret ? null : value]));
    },
    async setVariables(ref, variables, secret) {
      if (Object.keys(variables).length === 0) return;
      const path = variablesPath(ref, "/import");
      const answer = await ask(options, {
        method: "POST",
        path,
        body: { variables, override: true, isSecret: secret },
        repeat: true,
      });
      understood(options, { answer, schema: Success, path });
    },
    async removeVariables(ref, names) {
      for (const name of names) {
        const path = variablesPath(ref, `/${encodeURIComponent(name)}`);
        isMissing(`DELETE ${path}`, await ask(options, { method: "DELETE", path, repeat: true, accept: [404] }));
      }
    },
    async remove(ref) {
      // Newer than the CLI of 4.8.3 (the server's route api.v1.projects.$projectRef, 2026-11); older servers answer
      // 405, or 404 with a page.
      const accept = [404, 405];
      const gone = (answer: Answer) => answer.status < 300 || (answer.status === 404 && answer.value !== undefined);
      if (gone(await ask(options, { method: "DELETE", path: projectPath(ref), repeat: true, accept })))
        return "removed";
      // The route api.v1.projects.$projectRef.$env.pause (compared with 4.5.12); servers before it have none.
      const pausing = await ask(options, {
        method: "POST",
        path: projectPath(ref, "/prod/pause"),
        body: {},
        repeat: true,
        accept,
      });
      if (pausing.status < 300) return "paused";
      return gone(pausing) ? "removed" : "left";
    },
    isPaused: async (ref) =>
      (await get(projectPath(ref, "/environments"), Environments)).some(
        ({ slug, paused }) => slug === "prod" && paused,
      ),
    async workerVariables(ref, secretKey) {
      const { variables } = await get(
        projectPath(ref, "/envvars"),
        WorkerVariables,
        triggerVendor(connection, secretKey),
      );
      return new Map(Object.entries(variables));
    },
    async lastRun(task, secretKey) {
      const by = triggerVendor(connection, secretKey);
      const wanted = new URLSearchParams({ "filter[taskIdentifier]": task, "page[size]": "1" });
      const [last] = (await get(`/api/v1/runs?${wanted}`, Runs, by)).data;
      if (last === undefined) return undefined;
      const hasFailed = last.isFailed && !last.isCancelled;
      const { error } = hasFailed ? await get(`/api/v3/runs/${encodeURIComponent(last.id)}`, Run, by) : {};
      return { hasFailed, error: error?.message ?? null };
    },
    async currentWorker(ref) {
      const current = await find(projectPath(ref, "/prod/workers/current"), Worker);
      return (
        current && { version: current.worker.version, tasks: current.worker.tasks.map(({ slug }) => slug).toSorted() }
      );
    },
  };
}

/** Of what `psn init --trigger` wishes, all that decides which calls are made. */
interface Wish {
  readonly organization?: string | undefined;
  readonly project?: string | undefined;
  readonly newName: string;
  /** Undefined while they are not known. */
  readonly secrets?: Readonly<Record<string, string>>;
  readonly plain?: Readonly<Record<string, string>>;
}

/**
 * What giving a hub its project asks of Trigger.dev, in order; nothing is asked here. Secrets are told by their names.
 * Where a project of the name is there already, none is made.
 */
export function plannedTriggerCalls(
  { organization, project, newName, secrets, plain }: Wish,
  url: string,
): readonly PlannedCall[] {
  const call = (method: string, path: string, body?: PlannedCall["body"]): PlannedCall => ({
    method,
    url: `${new URL(url).origin}${path}`,
    ...defined({ body }),
  });
  const isRef = project?.startsWith("proj_") === true;
  const ref = isRef && project !== undefined ? project : "PROJECT";
  const projects = `${ORGS}/${organization === undefined ? "ORGANISATION" : encodeURIComponent(organization)}/projects`;
  const hidden = secrets && Object.fromEntries(Object.keys(secrets).map((name) => [name, "•••"]));
  const imported = (variables: Readonly<Record<string, string>> | undefined, isSecret: boolean) =>
    variables !== undefined && Object.keys(variables).length === 0
      ? []
      : [call("POST", variablesPath(ref, "/import"), { ...defined({ variables }), override: true, isSecret })];
  return [
    call("GET", "/api/v2/whoami"),
    ...(isRef ? [call("GET", projectPath(ref))] : [call("GET", ORGS), call("GET", projects)]),
    ...(isRef ? [] : [call("POST", projects, { name: project ?? newName })]),
    call("GET", projectPath(ref, "/prod")),
    call("GET", variablesPath(ref)),
    ...imported(hidden, true),
    ...imported(plain, false),
  ];
}
