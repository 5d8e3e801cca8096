import { type Call, Full, type Route } from "./call.ts";
import { NO_ROUTE, Refusal } from "./http.ts";
import { type DeployedTask, type Deployment, type Environment, letters, type World } from "./world.ts";

/* What an environment runs (recorded from a server of 4.5.12), and what `trigger deploy` asks before it builds. */

export const deploymentRoutes: readonly Route[] = [
  ["GET", /^\/api\/v1\/projects\/([^/]+)\/([^/]+)\/workers\/([^/]+)$/, worker],
  // The Depot path, on which a dry run builds here and stops (trigger.dev 4.8.3, commands/deploy.js).
  ["GET", /^\/api\/v1\/projects\/([^/]+)\/([^/]+)\/deploy-settings$/, deploySettings],
  [
    "GET",
    /^\/api\/v1\/deployments$/,
    (call) => ({ data: call.environment().deployments.toReversed().map(listed), pagination: {} }),
  ],
  ["GET", /^\/api\/v1\/deployments\/current$/, current],
  ["POST", /^\/api\/v1\/deployments\/([^/]+)\/promote$/, promote],
];

function worker(call: Call) {
  const [ref = "", name = "", tag] = call.params;
  const environment = call.environmentOf(ref, name);
  const deployment =
    tag === "current" ? environment.current : environment.deployments.find(({ version }) => version === tag);
  if (deployment === undefined) throw new Refusal(404, "Worker not found");
  const { project } = environment;
  const path = `/orgs/${project.organization.slug}/projects/${project.slug}/env/${environment.slug}/runs`;
  return {
    worker: {
      id: `worker_${deployment.shortCode}`,
      version: deployment.version,
      engine: "V2",
      sdkVersion: "4.8.3",
      cliVersion: "4.8.3",
      tasks: deployment.tasks
        .toSorted((a, b) => (a.id < b.id ? -1 : 1))
        .map((task) => ({
          id: `task_${task.id}`,
          slug: task.id,
          filePath: `src/trigger/${task.id}.ts`,
          triggerSource: task.cron === undefined ? "STANDARD" : "SCHEDULED",
          createdAt: deployment.createdAt,
          payloadSchema: null,
          queueConfig: task.queue === undefined ? null : { name: task.queue },
        })),
    },
    urls: { runs: `${call.world.origin()}${path}?versions=${deployment.version}` },
  };
}

/** Newer than 4.5.12, which has no such route. */
function deploySettings(call: Call) {
  if (!call.world.settings.cloud) return new Full(NO_ROUTE);
  const [ref = "", name = ""] = call.params;
  call.environmentOf(ref, name);
  return { build_path: "depot" };
}

function current(call: Call) {
  const deployment = call.environment().current;
  if (deployment === undefined) throw new Refusal(404, "Not found", {}, { "x-should-retry": "false" });
  const { git: _git, ...shown } = listed(deployment);
  return shown;
}

/** apps/webapp, changeCurrentDeployment.server: forwards only. */
function promote(call: Call) {
  const environment = call.environment();
  const deployment = environment.deployments.find(({ version }) => version === call.params[0]);
  if (deployment === undefined) throw new Refusal(404, "Deployment not found");
  const { current } = environment;
  if (deployment === current) throw new Refusal(400, "Deployment is already the current deployment.");
  if (deployment.error !== null) throw new Refusal(400, "Deployment must be in the DEPLOYED state to be promoted.");
  if (current !== undefined && environment.deployments.indexOf(deployment) < environment.deployments.indexOf(current))
    throw new Refusal(400, "Cannot promote a deployment that is older than the current deployment.");
  environment.current = deployment;
  return { id: deployment.id, version: deployment.version, shortCode: deployment.shortCode };
}

const listed = ({ id, createdAt, shortCode, version, error }: Deployment) => ({
  id,
  createdAt,
  shortCode,
  version,
  runtime: "bun-1.4",
  runtimeVersion: error === null ? "1.4.5" : null,
  status: error === null ? "DEPLOYED" : "FAILED",
  deployedAt: error === null ? createdAt : null,
  git: null,
  ...(error === null ? {} : { error: { name: "BuildError", message: error } }),
});

export interface NewDeployment {
  readonly tasks: readonly DeployedTask[];
  /** `20261123.4`; without one the next of the day. */
  readonly version?: string;
  /** Why it fails; then what ran before goes on running. */
  readonly error?: string;
  /** It is built and not made current, as with `--skip-promotion`. */
  readonly skipPromotion?: boolean;
}

/** What a finished `trigger deploy` leaves behind: declared queues and crons are those of this version alone. */
export function deploy(
  world: World,
  environment: Environment,
  { tasks, version, error, skipPromotion }: NewDeployment,
): Deployment {
  const day = world.now().toISOString().slice(0, 10).replaceAll("-", "");
  const sameDay = environment.deployments.filter((other) => other.version.startsWith(`${day}.`)).length;
  const ids = tasks.map(({ id }) => id);
  if (new Set(ids).size < ids.length) throw new Error(`two tasks have one id: ${ids.join(", ")}`);
  const deployment: Deployment = {
    id: `deployment_${letters(21)}`,
    version: version ?? `${day}.${sameDay + 1}`,
    tasks,
    createdAt: world.now(),
    shortCode: letters(8),
    error: error ?? null,
  };
  environment.deployments.push(deployment);
  if (error === undefined && skipPromotion !== true) environment.current = deployment;
  return deployment;
}
