import type { Call, Route } from "./call.ts";
import { Refusal } from "./http.ts";
import { addProject, type Organization, type Project, SLUGS } from "./world.ts";

/* Users, organisations, projects and their environments, by a personal access token (recorded from a server of 4.5.12). */

export const managementRoutes: readonly Route[] = [
  ["GET", /^\/api\/v2\/whoami$/, whoAmI],
  ["GET", /^\/api\/v1\/orgs$/, (call) => organizationsOf(call).map(shownOrganization)],
  // ORG_CREATION_API_ENABLED is off unless a server turns it on (measured).
  ["POST", /^\/api\/v1\/orgs$/, (call) => call.user() && fail(404, "Not found")],
  ["GET", /^\/api\/v1\/projects$/, (call) => projectsOf(call).map(shownProject)],
  ["GET", /^\/api\/v1\/orgs\/([^/]+)\/projects$/, (call) => projectsIn(call).map(shownProject)],
  ["POST", /^\/api\/v1\/orgs\/([^/]+)\/projects$/, create],
  ["POST", /^\/api\/v1\/orgs\/([^/]+)\/activate-free-plan$/, activate],
  ["GET", /^\/api\/v1\/projects\/(proj_[^/]+)$/, (call) => ({ ...shownProject(visible(call)), defaultRuntime: "node-24" })],
  ["DELETE", /^\/api\/v1\/projects\/(proj_[^/]+)$/, remove],
  ["GET", /^\/api\/v1\/projects\/(proj_[^/]+)\/environments$/, environments],
  // The answer is not recorded.
  ["POST", /^\/api\/v1\/projects\/(proj_[^/]+)\/environments\/(dev|stg|staging|prod|preview)\/(pause|resume)$/, pause],
  ["GET", /^\/api\/v1\/projects\/(proj_[^/]+)\/(dev|staging|prod|preview)$/, environment],
];

function fail(status: number, message: string): never {
  throw new Refusal(status, message);
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
  return organizationsOf(call).find((candidate) => isNamed(candidate, call.params[0])) ?? fail(404, "Organization not found");
}

function create(call: Call) {
  const organization = organizationOf(call);
  const { name } = call.body;
  if (typeof name !== "string" || name.trim() === "" || name.length > 255) fail(400, "Invalid request body");
  // The status is the CLI's (commands/projects/common.js); the words are not recorded.
  if (organization.plan === null) fail(402, "Select a plan for this organization before creating a project");
  return shownProject(addProject(call.world, organization, name.trim()));
}

/** apps/webapp, api.v1.orgs.$orgParam.activate-free-plan. */
function activate(call: Call) {
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
  const project = visible(call);
  if (!call.world.settings.projectDelete) fail(405, "Method not allowed");
  call.world.projects.splice(call.world.projects.indexOf(project), 1);
  return { id: project.id };
}

function pause(call: Call) {
  const project = visible(call);
  const found = call.environmentOf(project.ref, call.params[1] ?? "");
  found.paused = call.params[2] === "pause";
  return { success: true, paused: found.paused };
}

function environment(call: Call) {
  const [ref = "", name = ""] = call.params;
  const found = call.environmentOf(ref, name);
  return {
    apiKey: found.secretKey,
    name: found.project.name,
    apiUrl: call.world.origin(),
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
