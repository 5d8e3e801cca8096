import { type Call, Full, type Route } from "./call.ts";
import { deploymentRoutes } from "./deployments-api.ts";
import { type Answer, NO_ROUTE, Refusal } from "./http.ts";
import { loginRoutes } from "./login-api.ts";
import { managementRoutes } from "./management-api.ts";
import { runRoutes } from "./runs-api.ts";
import { variableRoutes } from "./variables-api.ts";
import { environmentsOf, type Slug, type World } from "./world.ts";

const ROUTES: readonly Route[] = [
  ...loginRoutes,
  ...managementRoutes,
  ...deploymentRoutes,
  ...variableRoutes,
  ...runRoutes,
];
const ENVIRONMENTS: Readonly<Record<string, Slug>> = {
  dev: "dev",
  stg: "stg",
  staging: "stg",
  preview: "preview",
  prod: "prod",
};

export const answering =
  (world: World): Answer =>
  (request, headers) => {
    const url = new URL(request.path, "http://127.0.0.1");
    const token = /^Bearer (.+)$/.exec(request.authorization ?? "")?.[1];
    for (const [method, path, answer] of ROUTES) {
      const found = method === request.method ? path.exec(url.pathname) : null;
      if (found === null) continue;
      const { body } = request;
      const user = () => world.users.find((candidate) => candidate.token === token);
      // A key that was made anew leaves the one before it valid (compared with 4.5.12; for a day, by the server's
      // source).
      const environment = () =>
        environmentsOf(world).find(({ secretKey, formerKeys }) => [secretKey, ...formerKeys].includes(token ?? ""));
      const call: Call = {
        world,
        params: found.slice(1).map(decodeURIComponent),
        query: url.searchParams,
        body: typeof body === "object" && body !== null ? (body as Record<string, unknown>) : {},
        header: (name) => {
          const value = headers[name];
          return typeof value === "string" ? value : undefined;
        },
        isGarbled: typeof body === "string",
        isStranger: () => user() === undefined && environment() === undefined,
        user: () => user() ?? refuse(401, "Invalid or Missing Access Token"),
        environment: () =>
          environment() ?? refuse(401, token === undefined ? "Invalid or Missing API Key" : "Invalid API key"),
        project: (ref) => {
          const project = world.projects.find((candidate) => candidate.ref === ref);
          const key = environment();
          if (key !== undefined) return key.project === project ? key.project : refuse(404, "Project not found");
          const member = user() ?? refuse(401, "Invalid or Missing Access Token");
          return project?.organization.members.has(member.id) === true ? project : refuse(404, "Project not found");
        },
        environmentOf: (ref, name) => {
          const project = call.project(ref);
          const slug = ENVIRONMENTS[name] ?? refuse(400, "Invalid Params");
          return environment() ?? project.environments[slug];
        },
      };
      const result = answer(call);
      return result instanceof Full ? result.reply : { status: 200, body: result };
    }
    return NO_ROUTE;
  };

function refuse(status: number, message: string): never {
  throw new Refusal(status, message);
}
