import type { Recorded } from "./recording.ts";

/*
 * What the same server of 4.5.12 answered when requests were sent to it and to the double side by side, November 2026:
 * all in which the double differed until then, and what was measured beside them. Words that were not written down are
 * left open.
 */

const LIMITS = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"] as const;
const refused = (status: number, error: string | RegExp, more: Partial<Recorded> = {}): Recorded => ({
  status,
  headers: LIMITS,
  error,
  ...more,
});
const answered = (shape: string, more: Partial<Recorded> = {}): Recorded => ({
  status: 200,
  headers: LIMITS,
  shape,
  ...more,
});
/** Where the server has no route: a page of its dashboard. */
const page: Recorded = { status: 404, headers: LIMITS, type: "text/html" };
/** Before anything else is looked at. */
const unnamed: Recorded = {
  status: 401,
  headers: [],
  type: "application/problem+json",
  error: "No authorization header provided",
};

export const COMPARED = {
  "token without a code": { status: 422, headers: [], error: /^Code: invalid_type ~ Path: authorizationCode/ },
  pause: answered("{paused: boolean, state: string}"),
  resume: answered("{paused: boolean, state: string}"),
  "pause by the path with environments": page,
  "a path that is none": page,
  "activate a free plan": page,
  "settings of a deployment": page,
  "delete a project": answered("{id: string}"),
  "delete it again": refused(404, "Project not found"),
  "whoami without a header": unnamed,
  "organisations without a header": unnamed,
  "project without a header": unnamed,
  "variables without a header": unnamed,
  "trigger without a header": unnamed,
  "list without a header": unnamed,
  "organisations by a wrong token": refused(401, "Invalid PAT"),
  "whoami by a wrong token": refused(401, "Invalid or Missing Access Token"),
  "whoami by a secret key": refused(401, "Invalid or Missing Access Token"),
  "environment stg": refused(400, "Invalid Params", { limit: 1500 }),
  "environment of no name": refused(400, "Invalid Params", { limit: 1500 }),
  "environment staging": answered(
    "{apiKey: string, apiUrl: string, defaultRuntime: string, name: string, projectId: string}",
    {
      limit: 1500,
    },
  ),
  "environment dev": answered(
    "{apiKey: string, apiUrl: string, defaultRuntime: string, name: string, projectId: string}",
    { limit: 1500 },
  ),
  "environment of a project that is none": refused(404, "Project not found", { limit: 1500 }),
  "a project that is none": refused(404, "Project not found"),
  "create without a name": refused(400, /^Validation error: .+ at "name"$/),
  "make an organisation of a short title": refused(400, /^Validation error: .+ at "title"$/),
  "make an organisation": refused(404, "Not found"),
  "import nothing": refused(400, "You must set at least one valid variable.", { limit: 1500 }),
  "import reserved names": refused(
    400,
    "You must set at least one valid variable. All the variables submitted are not allowed.",
    {
      limit: 1500,
    },
  ),
  "import what is set": refused(400, /already set/, { limit: 1500 }),
  "a variable that is none": refused(404, "Environment variable not found"),
  "variables as the worker sees them": answered(
    "{variables: {A: string, TRIGGER_API_URL: string, TRIGGER_SECRET_KEY: string}}",
    {
      limit: 1500,
    },
  ),
  "trigger with what is no JSON": refused(400, /./),
  "trigger with eleven tags": refused(422, /^Runs can only have 10 tags/),
  "a cancelled run": answered(
    "{attemptCount: number, attempts: [], baseCostInCents: number, costInCents: number, createdAt: time, " +
      "delayedUntil: time, depth: number, durationMs: number, error: {message: string}, id: string, idempotencyKey: " +
      "string, isCancelled: boolean, isCompleted: boolean, isExecuting: boolean, isFailed: boolean, isQueued: " +
      "boolean, isSuccess: boolean, isTest: boolean, isWaiting: boolean, metadata: any, payload: any, region: " +
      "string, relatedRuns: {children: []}, status: string, tags: [string], taskIdentifier: string, triggerFunction: " +
      "string, ttl: string, updatedAt: time}",
  ),
  "cancel a run that is over": answered("{id: string}"),
  "cancel a run that is none": refused(404, "Resource not found"),
  "reschedule to no time": refused(400, "Invalid delay: 1 month"),
  "reset a key that is none": refused(404, /^No runs found with idempotency key/),
  "a page of 101": refused(400, "Query Error"),
  "current deployment before the first": { status: 404, headers: ["x-should-retry"], error: "Not found" },
  "worker before the first deployment": refused(404, "Worker not found"),
  "promote an older version": refused(400, "Cannot promote a deployment that is older than the current deployment."),
  "a key made anew": answered("{apiKey: string}"),
  "trigger by the key before it": {
    status: 200,
    headers: [...LIMITS, "x-trigger-jwt", "x-trigger-jwt-claims"],
    shape: "{id: string, isCached: boolean}",
  },
} as const satisfies Readonly<Record<string, Recorded>>;
