import { type Call, Full, type Route } from "./call.ts";
import { NO_ROUTE, Refusal } from "./http.ts";
import { addProject, newKey, type Organization, type Project, SLUGS } from "./world.ts";

/*
 * Users, organisations, projects and their environments, by a personal access token (recorded from a server of 4.5.12).
 */

export const managementRoutes: readonly Route[] = [
  ["GET", /^\/api\/v2\/whoami$/, whoAmI],
  ["GET", /^\/api\/v1\/orgs$/, organizations],
  ["POST", /^\/api\/v1\/orgs$/, createOrganization],
  ["GET", /^\/api\/v1\/projects$/, (call) => projectsOf(call).map(shownProject)],
  ["GET", /^\/api\/v1\/orgs\/([^/]+)\/projects$/, (call) => projectsIn(call).map(shownProject)],
  ["POST", /^\/api\/v1\/orgs\/([^/]+)\/projects$/, create],
  ["POST", /^\/api\/v1\/orgs\/([^/]+)\/activate-free-plan$/, activate],
  [
    "GET",
    /^\/api\/v1\/projects\/(proj_[^/]+)$/,
    (call) => ({ ...shownProject(visible(call)), defaultRuntime: "node-24" }),
  ],
  ["DELETE", /^\/api\/v1\/projects\/(proj_[^/]+)$/, remove],
  ["GET", /^\/api\/v1\/projects\/(proj_[^/]+)\/environments$/, environments],
  ["POST", /^\/api\/v1\/projects\/(proj_[^/]+)\/([^/]+)\/(pause|resume)$/, pause],
  ["POST", /^\/api\/v1\/projects\/(proj_[^/]+)\/([^/]+)\/regenerate-api-key$/, regenerate],
  ["GET", /^\/api\/v1\/projects\/(proj_[^/]+)\/(?!environments$|envvars$)([^/]+)$/, environment],
];

function fail(status: number, message: string): never {
  throw new Refusal(status, message);
}

/** The words of a request body that is not of the form the route wants (zod-validation-error). */
const invalid = (path: string): never => fail(400, `Validation error: Required at "${path}"`);

function organizations(call: Call) {
  // This route has words of its own for a token that is none (compared with 4.5.12).
  if (call.isStranger()) fail(401, "Invalid PAT");
  return organizationsOf(call).map(shownOrganization);
}

/** ORG_CREATION_API_ENABLED is off unless a server turns it on (measured); the title is looked at before that. */
function createOrganization(call: Call) {
  call.user();
  const { title } = call.body;
  if (typeof title !== "string" || title.trim().length < 3) invalid("title");
  fail(404, "Not found");
}

function whoAmI(call: Call) {
  const { id, email } = call.user();
  const dashboardUrl = call.world.origin();
  const ref = call.query.get("projectRef");
  const project = projectsOf(call).find((candidate) => candidate.ref === ref);
  const about = project && {
    url: `${dashboardUrl}/orgs/${project.organization.slug}/projects/${project.slug}`,
    name: project.name,
    orgTitle: project.organization.title,
  };
  return { userId: id, email, dashboardUrl, project: about };
}

function organizationsOf(call: Call): Organization[] {
  const { id } = call.user();
  return call.world.organizations.filter(({ members }) => members.has(id));
}

const projectsOf = (call: Call): Project[] => {
  const organizations = organizationsOf(call);
  return call.world.projects.filter(({ organization }) => organizations.includes(organization));
};

const isNamed = ({ id, slug }: Organization, name: string | undefined) => id === name || slug === name;

/** Of an organisation that is not there, or not theirs, an empty list (apps/webapp, api.v1.orgs.$orgParam.projects). */
const projectsIn = (call: Call) => projectsOf(call).filter(({ organization }) => isNamed(organization, call.params[0]));

function visible(call: Call): Project {
  const project = projectsOf(call).find(({ ref }) => ref === call.params[0]);
  return project ?? fail(404, "Project not found");
}

function organizationOf(call: Call): Organization {
  return (
    organizationsOf(call).find((candidate) => isNamed(candidate, call.params[0])) ?? fail(404, "Organization not found")
  );
}

function create(call: Call) {
  const organization = organizationOf(call);
  const { name } = call.body;
  if (typeof name !== "string" || name.trim() === "" || name.length > 255) return invalid("name");
  // The status is the CLI's (commands/projects/common.js); the words are not recorded.
  if (organization.plan === null) fail(402, "Select a plan for this organization before creating a project");
  return shownProject(addProject(call.world, organization, name.trim()));
}

/** apps/webapp, api.v1.orgs.$orgParam.activate-free-plan; 4.5.12 has no such route. */
function activate(call: Call) {
  if (!call.world.settings.cloud) return new Full(NO_ROUTE);
  const organization = organizationOf(call);
  if (!organization.activatable) fail(404, "Not found");
  if (organization.plan !== null) fail(409, "Organization is already activated");
  organization.plan = "free";
  return { plan: "free" };
}

const TYPES = { dev: "DEVELOPMENT", stg: "STAGING", preview: "PREVIEW", prod: "PRODUCTION" } as const;

function environments(call: Call) {
  const project = visible(call);
  return SLUGS.map((slug) => ({
    id: project.environments[slug].id,
    slug,
    type: TYPES[slug],
    isBranchableEnvironment: slug === "dev" || slug === "preview",
    branchName: null,
    paused: project.environments[slug].paused,
  }));
}

/** The server's source, 2026-11; before it had the route it answered 405. */
function remove(call: Call) {
  const { projectDelete } = call.world.settings;
  if (projectDelete === "no route") return new Full(NO_ROUTE);
  const project = visible(call);
  if (!projectDelete) fail(405, "Method not allowed");
  call.world.projects.splice(call.world.projects.indexOf(project), 1);
  return { id: project.id };
}

/** Compared with 4.5.12; the state of a resumed one is read in apps/webapp, pauseEnvironment.server. */
function pause(call: Call) {
  if (!call.world.settings.pause) return new Full(NO_ROUTE);
  call.user();
  const found = named(call);
  found.paused = call.params[2] === "pause";
  return { paused: found.paused, state: found.paused ? "paused" : "resumed" };
}

/** apps/webapp, api.v1.projects.$projectRef.$env.regenerate-api-key. */
function regenerate(call: Call) {
  call.user();
  const found = named(call);
  found.formerKeys.push(found.secretKey);
  found.secretKey = newKey(found.slug);
  return { apiKey: found.secretKey };
}

/**
 * By the names these routes know; `stg`, by which the server itself calls one, is not among them (compared with
 * 4.5.12).
 */
function named(call: Call) {
  const [ref = "", name = ""] = call.params;
  if (!["dev", "staging", "prod", "preview"].includes(name)) fail(400, "Invalid Params");
  return call.environmentOf(ref, name);
}

function environment(call: Call) {
  const found = named(call);
  return {
    apiKey: found.secretKey,
    name: found.project.name,
    apiUrl: call.world.settings.apiOrigin ?? call.world.origin(),
    projectId: found.project.id,
    defaultRuntime: "node-24",
  };
}

const shownOrganization = ({ id, title, slug, createdAt }: Organization) => ({ id, title, slug, createdAt });

const shownProject = ({ id, ref, name, slug, createdAt, organization }: Project) => ({
  id,
  externalRef: ref,
  name,
  slug,
  createdAt,
  defaultRegion: null,
  organization: shownOrganization(organization),
});
