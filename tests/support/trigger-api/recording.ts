/*
 * What a Trigger.dev server of 4.5.12 answered in November 2026, asked by the SDK of 4.8.3 and by hand: status,
 * headers, the shape of the body or its error. Keys are sorted; of lists the first element; `any` is the user's own or
 * the server's to change. What was compared by hand afterwards stands in compared.ts.
 */

export interface Recorded {
  readonly status: number;
  /** Names of those that begin with `x-`. */
  readonly headers: readonly string[];
  /** The words, or what of them is known. */
  readonly error?: string | RegExp;
  readonly shape?: string;
  /** `x-ratelimit-limit`; 750 where the header is there and this is not. */
  readonly limit?: 1500;
  /** Of the body; JSON when absent. */
  readonly type?: "text/html" | "application/problem+json";
}

export const RECORDED = {
  // POST /api/v1/tasks/send-reminder/trigger
  trigger: {
    status: 200,
    headers: [
      "x-ratelimit-limit",
      "x-ratelimit-remaining",
      "x-ratelimit-reset",
      "x-trigger-jwt",
      "x-trigger-jwt-claims",
    ],
    shape: "{id: string, isCached: boolean}",
  },
  // POST /api/v1/tasks/send-reminder/trigger
  "trigger again": {
    status: 200,
    headers: [
      "x-ratelimit-limit",
      "x-ratelimit-remaining",
      "x-ratelimit-reset",
      "x-trigger-jwt",
      "x-trigger-jwt-claims",
    ],
    shape: "{id: string, isCached: boolean}",
  },
  // GET /api/v3/runs/run_…
  "a delayed run": {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape:
      "{attemptCount: number, attempts: [], baseCostInCents: number, costInCents: number, createdAt: time, " +
      "delayedUntil: time, depth: number, durationMs: number, id: string, idempotencyKey: string, isCancelled: " +
      "boolean, isCompleted: boolean, isExecuting: boolean, isFailed: boolean, isQueued: boolean, isSuccess: " +
      "boolean, isTest: boolean, isWaiting: boolean, metadata: any, payload: any, region: string, relatedRuns: " +
      "{children: []}, status: string, tags: [string], taskIdentifier: string, triggerFunction: string, ttl: " +
      "string, updatedAt: time}",
  },
  // POST /api/v1/runs/run_…/reschedule
  reschedule: {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape:
      "{attemptCount: number, attempts: [], baseCostInCents: number, costInCents: number, createdAt: time, " +
      "delayedUntil: time, depth: number, durationMs: number, id: string, idempotencyKey: string, isCancelled: " +
      "boolean, isCompleted: boolean, isExecuting: boolean, isFailed: boolean, isQueued: boolean, isSuccess: " +
      "boolean, isTest: boolean, isWaiting: boolean, metadata: any, payload: any, region: string, relatedRuns: " +
      "{children: []}, status: string, tags: [string], taskIdentifier: string, triggerFunction: string, ttl: " +
      "string, updatedAt: time}",
  },
  // POST /api/v2/runs/run_…/cancel
  cancel: {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape: "{id: string}",
  },
  // POST /api/v1/runs/run_…/reschedule
  "reschedule a cancelled run": {
    status: 400,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    error: "Cannot reschedule a run that is not delayed",
  },
  // POST /api/v1/idempotencyKeys/c58702796f4ed5473a1a3a910ce4ee4818550333ad898cde4d62087554a0538a/reset
  reset: {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape: "{id: string}",
  },
  // GET /api/v3/runs/run_…
  "a queued run": {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape:
      "{attemptCount: number, attempts: [], baseCostInCents: number, costInCents: number, createdAt: time, depth: " +
      "number, durationMs: number, id: string, isCancelled: boolean, isCompleted: boolean, isExecuting: boolean, " +
      "isFailed: boolean, isQueued: boolean, isSuccess: boolean, isTest: boolean, isWaiting: boolean, payload: " +
      "any, region: string, relatedRuns: {children: []}, status: string, tags: [], taskIdentifier: string, " +
      "triggerFunction: string, updatedAt: time}",
  },
  // GET /api/v3/runs/run_…
  "a finished run": {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape:
      "{attemptCount: number, attempts: [], baseCostInCents: number, costInCents: number, createdAt: time, depth: " +
      "number, durationMs: number, finishedAt: time, id: string, isCancelled: boolean, isCompleted: boolean, " +
      "isExecuting: boolean, isFailed: boolean, isQueued: boolean, isSuccess: boolean, isTest: boolean, isWaiting: " +
      "boolean, metadata: any, output: any, payload: any, region: string, relatedRuns: {children: []}, startedAt: " +
      "time, status: string, tags: [], taskIdentifier: string, triggerFunction: string, updatedAt: time, version: " +
      "string}",
  },
  // GET /api/v1/runs
  list: {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape:
      "{data: [{baseCostInCents: number, costInCents: number, createdAt: time, delayedUntil: time, depth: number, " +
      "durationMs: number, env: {id: string, name: string}, finishedAt: time, id: string, isCancelled: boolean, " +
      "isCompleted: boolean, isExecuting: boolean, isFailed: boolean, isQueued: boolean, isSuccess: boolean, " +
      "isTest: boolean, isWaiting: boolean, metadata: any, region: string, status: string, tags: [string], " +
      "taskIdentifier: string, taskKind: string, ttl: string, updatedAt: time}], pagination: {}}",
  },
  // GET /api/v3/runs/run_…
  "no such run": {
    status: 404,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "x-should-retry"],
    error: "Not found",
  },
  // POST /api/v1/projects/proj_…/envvars/prod/import
  import: {
    status: 200,
    limit: 1500,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape: "{success: boolean}",
  },
  // GET /api/v1/projects/proj_…/envvars/prod
  variables: {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape: "[{isSecret: boolean, name: string, value: string}]",
  },
  // GET /api/v1/projects/proj_…/envvars/prod/A
  "a variable": {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape: "{isSecret: boolean, name: string, value: string}",
  },
  // DELETE /api/v1/projects/proj_…/envvars/prod/A
  "remove a variable": {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape: "{success: boolean}",
  },
  // GET /api/v1/deployments/current
  "current deployment": {
    status: 200,
    headers: [],
    shape:
      "{createdAt: time, deployedAt: time, id: string, runtime: string, runtimeVersion: string, shortCode: string, " +
      "status: string, version: string}",
  },
  // POST /api/v1/tasks/send-reminder/trigger
  "trigger by a wrong key": {
    status: 401,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    error: "Invalid API key",
  },
  // GET /api/v2/whoami
  whoami: {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape: "{dashboardUrl: string, email: string, userId: string}",
  },
  // GET /api/v2/whoami
  "whoami of a project": {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape:
      "{dashboardUrl: string, email: string, project: {name: string, orgTitle: string, url: string}, userId: string}",
  },
  // GET /api/v1/orgs
  organisations: {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape: "[{createdAt: time, id: string, slug: string, title: string}]",
  },
  // GET /api/v1/projects
  projects: {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape:
      "[{createdAt: time, defaultRegion: null, externalRef: string, id: string, name: string, organization: " +
      "{createdAt: time, id: string, slug: string, title: string}, slug: string}]",
  },
  // GET /api/v1/orgs/references-1966/projects
  "projects of an organisation": {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape:
      "[{createdAt: time, defaultRegion: null, externalRef: string, id: string, name: string, organization: " +
      "{createdAt: time, id: string, slug: string, title: string}, slug: string}]",
  },
  // POST /api/v1/orgs/references-1966/projects
  create: {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape:
      "{createdAt: time, defaultRegion: null, externalRef: string, id: string, name: string, organization: " +
      "{createdAt: time, id: string, slug: string, title: string}, slug: string}",
  },
  // POST /api/v1/orgs/nope/projects
  "create in no organisation": {
    status: 404,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    error: "Organization not found",
  },
  // GET /api/v1/projects/proj_…
  project: {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape:
      "{createdAt: time, defaultRegion: null, defaultRuntime: string, externalRef: string, id: string, name: " +
      "string, organization: {createdAt: time, id: string, slug: string, title: string}, slug: string}",
  },
  // GET /api/v1/projects/proj_…/prod
  environment: {
    status: 200,
    limit: 1500,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape: "{apiKey: string, apiUrl: string, defaultRuntime: string, name: string, projectId: string}",
  },
  // GET /api/v1/projects/proj_…/environments
  environments: {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape:
      "[{branchName: null, id: string, isBranchableEnvironment: boolean, paused: boolean, slug: string, type: string}]",
  },
  // POST /api/v1/authorization-code
  "authorization code": { status: 200, headers: [], shape: "{authorizationCode: string, url: string}" },
  // POST /api/v1/token
  "token by a wrong code": { status: 400, headers: [], error: "Invalid authorization code, or code expired" },
  // GET /api/v1/projects/proj_…/prod/workers/current
  worker: {
    status: 200,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape:
      "{urls: {runs: string}, worker: {cliVersion: string, engine: string, id: string, sdkVersion: string, tasks: " +
      "[{createdAt: time, filePath: string, id: string, payloadSchema: null, queueConfig: any, slug: string, " +
      "triggerSource: string}], version: string}}",
  },
  // GET /api/v1/deployments
  deployments: {
    status: 200,
    limit: 1500,
    headers: ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"],
    shape:
      "{data: [{createdAt: time, deployedAt: time, git: any, id: string, runtime: string, runtimeVersion: string, " +
      "shortCode: string, status: string, version: string}], pagination: {}}",
  },
} as const satisfies Readonly<Record<string, Recorded>>;
