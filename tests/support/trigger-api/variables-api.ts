import type { Call, Route } from "./call.ts";
import { Refusal } from "./http.ts";
import type { Environment } from "./world.ts";

/* Environment variables (recorded; refusals: apps/webapp, environmentVariablesRepository.server). */

const ENV = "^/api/v1/projects/([^/]+)/envvars/([^/]+)";

export const variableRoutes: readonly Route[] = [
  // As the worker gets them, by the secret key: values and all.
  ["GET", /^\/api\/v1\/projects\/([^/]+)\/envvars$/, asWorker],
  ["GET", new RegExp(`${ENV}$`), (call) => [...of(call).variables].map(([name, held]) => shown(name, held))],
  ["POST", new RegExp(`${ENV}/import$`), (call) => set(of(call), call.body["variables"], call.body)],
  [
    "POST",
    new RegExp(`${ENV}$`),
    (call) => set(of(call), { [String(call.body["name"])]: call.body["value"] }, call.body),
  ],
  ["GET", new RegExp(`${ENV}/([^/]+)$`), (call) => shown(nameOf(call), held(call))],
  ["PUT", new RegExp(`${ENV}/([^/]+)$`), edit],
  ["DELETE", new RegExp(`${ENV}/([^/]+)$`), remove],
];

interface Held {
  readonly value: string;
  readonly isSecret: boolean;
}

/** The server's own: taken out of whatever is imported (measured). */
const RESERVED = ["TRIGGER_SECRET_KEY", "TRIGGER_API_URL"];

const of = ({ params: [ref = "", name = ""], ...call }: Call): Environment => call.environmentOf(ref, name);
const nameOf = ({ params }: Call) => params[2] ?? "";
const shown = (name: string, { value, isSecret }: Held) => ({ name, value: isSecret ? "<redacted>" : value, isSecret });

function held(call: Call): Held {
  const found = of(call).variables.get(nameOf(call));
  if (found === undefined) throw new Refusal(404, "Environment variable not found");
  return found;
}

function asWorker(call: Call) {
  call.project(call.params[0] ?? "");
  const environment = call.environment();
  const set = Object.fromEntries([...environment.variables].map(([name, { value }]) => [name, value]));
  // The server adds fifteen of its own; of thirteen the names were not written down, and psn asks for none of them.
  const own = {
    TRIGGER_API_URL: call.world.settings.apiOrigin ?? call.world.origin(),
    TRIGGER_SECRET_KEY: environment.secretKey,
  };
  return { variables: { ...set, ...own } };
}

function set({ variables, slug }: Environment, wanted: unknown, { override, isSecret }: Call["body"]) {
  if (typeof wanted !== "object" || wanted === null) throw new Refusal(400, "Invalid body");
  const pairs = Object.entries(wanted);
  if (pairs.some(([, value]) => typeof value !== "string")) throw new Refusal(400, "Invalid body");
  const kept = pairs.filter(([name, value]) => !RESERVED.includes(name) && String(value).trim() !== "");
  const nothing = "You must set at least one valid variable.";
  if (kept.length === 0)
    throw new Refusal(400, pairs.length === 0 ? nothing : `${nothing} All the variables submitted are not allowed.`);
  const there = kept.filter(([name]) => variables.has(name));
  if (override !== true && there.length > 0) {
    throw new Refusal(
      400,
      "Some of the variables are already set for these environments. Set override to true to override them.",
      {
        variableErrors: there.map(([key]) => ({ key, error: `Variable already set in ${slug}.` })),
      },
    );
  }
  for (const [name, value] of kept) variables.set(name, { value: String(value), isSecret: isSecret === true });
  return { success: true };
}

function edit(call: Call) {
  const { value } = call.body;
  if (typeof value !== "string") throw new Refusal(400, "Invalid request body");
  of(call).variables.set(nameOf(call), { ...held(call), value });
  return { success: true };
}

function remove(call: Call) {
  held(call);
  of(call).variables.delete(nameOf(call));
  return { success: true };
}
