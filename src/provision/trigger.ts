import type { PlannedCall, TriggerDev, TriggerProject } from "@psn/app/vendor-ports.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Fetch } from "@psn/core/types/platform.ts";
import { z } from "zod";

/*
 * Trigger.dev's management API (trigger.dev docs, management; the paths and shapes are those of its CLI of 4.8.3, apiClient.js,
 * and of @trigger.dev/core 4.8.3, v3/schemas/api; 2026-11). By plain requests: the SDK has no projects and takes long to load.
 */

/** Longest one request may take, in milliseconds. */
const REQUEST_TIMEOUT_MS = 15_000;
/** Pauses between the tries of what may be tried again, in milliseconds. */
const PAUSES_MS = [500, 1500, 4000];
/** Longest pause the server may ask for; its window is ten seconds (measured). */
const MAX_PAUSE_MS = 15_000;

export interface Caller {
  /** Of the Trigger.dev server. */
  readonly url: string;
  /** `tr_pat_…`; undefined before there is one. */
  readonly token: string | undefined;
  readonly fetch: Fetch;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  readonly signal?: AbortSignal;
}

export interface Asked {
  readonly body?: Readonly<Record<string, unknown>>;
  /** Whether it does no harm when it is done twice. */
  readonly repeat: boolean;
  /** Statuses to hand back in place of throwing. */
  readonly accept?: readonly number[];
}

export interface Answer {
  readonly status: number;
  /** Undefined when it is not JSON. */
  readonly value: unknown;
}

/**
 * One request and its answer. What may be repeated is tried four times; anything after a 429, which comes before any effect.
 * Throws VENDOR_AUTH, VENDOR_QUOTA, VENDOR_REFUSED, VENDOR_UNREACHABLE, VENDOR_CHANGED.
 */
export async function ask(caller: Caller, method: string, path: string, { body, repeat, accept = [] }: Asked): Promise<Answer> {
  const { url, token, fetch, sleep, signal } = caller;
  for (let tries = 0; ; tries += 1) {
    const pause = PAUSES_MS[tries];
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    let response: Response;
    let text: string;
    try {
      response = await fetch(new URL(path, url), {
        method,
        headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), "content-type": "application/json" },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        redirect: "manual",
        // On a kept connection that breaks, a runtime may repeat by itself what must not be done twice.
        ...(repeat ? {} : { keepalive: false }),
        signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
      });
      text = await response.text();
    } catch {
      signal?.throwIfAborted();
      if (repeat && pause !== undefined) {
        await sleep(pause, signal);
        continue;
      }
      // Without the cause: it may hold the request.
      throw unreachable(`${hostOf(url)} does not answer`);
    }
    const { status } = response;
    if (pause !== undefined && (status === 429 || (repeat && isPassing(status)))) {
      await sleep(status === 429 ? askedPause(response.headers, pause) : pause, signal);
      continue;
    }
    const answer = { status, value: jsonOf(text) };
    if ((status >= 200 && status < 300) || accept.includes(status)) return answer;
    throw refusal(caller, `${method} ${path}`, answer, body);
  }
}

/** The answer in the shape psn relies on; throws VENDOR_CHANGED for any other. */
export function understood<T extends z.ZodType>({ status, value }: Answer, schema: T, path: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const at = result.error.issues[0]?.path.join(".") ?? "";
  const what = value === undefined ? "with something that is not JSON" : `in a shape psn does not know (at "${at}")`;
  throw new PsnError("VENDOR_CHANGED", `Trigger.dev answered ${path} ${what}`, {
    hint: "psn config get TRIGGER_API_URL",
    details: { status },
  });
}

/** Where a person works: the cloud's dashboard has a host of its own, a server of one's own has one for both. */
export function dashboardOf(url: string): string {
  const { origin, hostname } = new URL(url);
  return hostname === "api.trigger.dev" ? "https://cloud.trigger.dev" : origin;
}

const isPassing = (status: number) => status === 408 || status === 429 || status >= 500;
const hostOf = (url: string) => new URL(url).host;
const unreachable = (message: string) => new PsnError("VENDOR_UNREACHABLE", message, { hint: "try the same command again" });

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Until the server's window ends, by the server's own clock. */
function askedPause(headers: Headers, otherwise: number): number {
  const reset = Number(headers.get("x-ratelimit-reset") ?? "");
  const now = Date.parse(headers.get("date") ?? "");
  return reset > now ? Math.min(reset - now + 1000, MAX_PAUSE_MS) : otherwise;
}

function refusal(caller: Caller, what: string, answer: Answer, body: unknown): PsnError {
  const { status } = answer;
  const details = { status };
  const said = reason(answer, [caller.token, ...strings(body)]);
  const dashboard = dashboardOf(caller.url);
  if (status === 401) {
    const isKey = /^tr_(?!pat_)/.test(caller.token ?? "");
    const why = isKey
      ? "this is an environment's secret key, and psn needs a personal access token"
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
  if (isPassing(status)) return unreachable(`${hostOf(caller.url)} answered ${status}`);
  return new PsnError("VENDOR_REFUSED", `Trigger.dev refused ${what} with ${status}${said}`, {
    // A page in place of an answer, or the way to one: probably no Trigger.dev at all.
    hint: answer.value === undefined ? "psn config get TRIGGER_API_URL" : `see the project at ${dashboard}`,
    details,
  });
}

/** The vendor's own words, one short line, without anything of what was sent. */
function reason({ value }: Answer, secrets: readonly (string | undefined)[]): string {
  const error: unknown = typeof value === "object" && value !== null ? Reflect.get(value, "error") : undefined;
  if (typeof error !== "string" || error === "") return "";
  let line = error;
  for (const secret of secrets) if (secret !== undefined && secret.length > 3) line = line.replaceAll(secret, "•••");
  line = line.replaceAll(/\s+/g, " ");
  return `: ${line.length > 200 ? `${line.slice(0, 199)}…` : line}`;
}

function strings(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(strings) : [];
}

const Me = z.object({ email: z.string(), dashboardUrl: z.string() });
const Organizations = z.array(z.object({ title: z.string(), slug: z.string() }));
const Project = z.object({ externalRef: z.string(), name: z.string(), organization: z.object({ title: z.string(), slug: z.string() }) });
const Environment = z.object({ apiKey: z.string().startsWith("tr_") });
const Variables = z.array(z.object({ name: z.string(), value: z.string(), isSecret: z.boolean().default(false) }));
const Worker = z.object({ worker: z.object({ version: z.string(), tasks: z.array(z.object({ slug: z.string() })) }) });
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
export function triggerApi(options: Omit<Caller, "token" | "signal"> & { readonly token: string }): TriggerDev {
  const get = async <T extends z.ZodType>(path: string, schema: T) => understood(await ask(options, "GET", path, READ), schema, path);
  /** Undefined for 404. */
  const find = async <T extends z.ZodType>(path: string, schema: T): Promise<z.output<T> | undefined> => {
    const answer = await ask(options, "GET", path, { repeat: true, accept: [404] });
    return answer.status === 404 ? undefined : understood(answer, schema, path);
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
      const make = (accept: readonly number[]) => ask(options, "POST", path, { body: { name }, repeat: false, accept });
      let answer = await make([402, 404]);
      if (answer.status === 402) {
        const plan = `${ORGS}/${encodeURIComponent(organizationId)}/activate-free-plan`;
        const { status } = await ask(options, "POST", plan, { repeat: true, accept: [400, 403, 404, 409, 502] });
        // 409: it has its plan already.
        const goesOn = status === 409 || status < 300;
        if (!goesOn) throw refusal(options, `POST ${path}`, answer, undefined);
        answer = await make([404]);
      }
      if (answer.status === 404)
        throw new PsnError("VENDOR_REFUSED", `there is no organisation ${organizationId} that this token may see`, {
          hint: `see your organisations at ${dashboardOf(options.url)}, then psn init --trigger --trigger-org NAME`,
          details: { status: 404 },
        });
      return projectOf(understood(answer, Project, path));
    },
    secretKey: async (ref) => (await get(projectPath(ref, "/prod"), Environment)).apiKey,
    async variables(ref) {
      const variables = await get(variablesPath(ref), Variables);
      return new Map(variables.map(({ name, value, isSecret }) => [name, isSecret ? null : value]));
    },
    async setVariables(ref, variables, secret) {
      if (Object.keys(variables).length === 0) return;
      const path = variablesPath(ref, "/import");
      const answer = await ask(options, "POST", path, { body: { variables, override: true, isSecret: secret }, repeat: true });
      understood(answer, Success, path);
    },
    async removeVariables(ref, names) {
      for (const name of names)
        await ask(options, "DELETE", variablesPath(ref, `/${encodeURIComponent(name)}`), { repeat: true, accept: [404] });
    },
    async pause(ref) {
      await ask(options, "POST", projectPath(ref, "/environments/prod/pause"), { body: {}, repeat: true });
    },
    async currentWorker(ref) {
      const current = await find(projectPath(ref, "/prod/workers/current"), Worker);
      return current && { version: current.worker.version, tasks: current.worker.tasks.map(({ slug }) => slug).toSorted() };
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
 * What giving a hub its project asks of Trigger.dev, in order; nothing is asked here. Secrets are told by their names. Where a
 * project of the name is there already, none is made.
 */
export function plannedTriggerCalls({ organization, project, newName, secrets, plain }: Wish, url: string): readonly PlannedCall[] {
  const call = (method: string, path: string, body?: PlannedCall["body"]): PlannedCall => ({
    method,
    url: `${new URL(url).origin}${path}`,
    ...(body === undefined ? {} : { body }),
  });
  const isRef = project?.startsWith("proj_") === true;
  const ref = isRef && project !== undefined ? project : "PROJECT";
  const projects = `${ORGS}/${organization === undefined ? "ORGANISATION" : encodeURIComponent(organization)}/projects`;
  const hidden = secrets && Object.fromEntries(Object.keys(secrets).map((name) => [name, "•••"]));
  const imported = (variables: Readonly<Record<string, string>> | undefined, isSecret: boolean) =>
    variables !== undefined && Object.keys(variables).length === 0
      ? []
      : [call("POST", variablesPath(ref, "/import"), { ...(variables && { variables }), override: true, isSecret })];
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
