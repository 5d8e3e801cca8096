import { deploy, type NewDeployment } from "./deployments-api.ts";
import { type Engine, startEngine } from "./engine.ts";
import { startWire, type Wire } from "./http.ts";
import { approve, deny } from "./login-api.ts";
import { answering } from "./routes.ts";
import type { Execute, HeldRun } from "./runs.ts";
import { makeRun } from "./runs-api.ts";
import {
  addOrganization,
  addProject,
  addUser,
  type Deployment,
  type NewOrganization,
  type Organization,
  type Project,
  type Settings,
  type User,
  type World,
} from "./world.ts";

/*
 * A Trigger.dev server for tests: its management API, its runs and its clock, stateful, and as awkward as the real one.
 * Shapes, statuses and words are those of a server of 4.5.12, recorded in November 2026; signing in by approval codes
 * and plans that must be chosen first are read in the CLI of 4.8.3. tests/support/trigger-api.test.ts lays it beside
 * the recording.
 */

export type { What } from "./http.ts";
export type { Execute, Execution, HeldRun, Result, Status } from "./runs.ts";
export type { Deployment, Organization, Project, User } from "./world.ts";

export interface TriggerApiOptions extends Partial<Settings> {
  /** What the clock shows before it is moved; the real time when absent. */
  readonly now?: () => Date;
  /** Runs a task. Without it nothing is ever executed: what is due stays QUEUED. */
  readonly execute?: Execute;
  /** Of the first user; one with a free plan when absent. */
  readonly organizations?: readonly NewOrganization[];
}

export interface TriggerApi
  extends Pick<Wire, "origin" | "requests" | "faults" | "down" | "up">,
    Omit<Engine, "execute"> {
  /** The first user, and the token by which it acts. */
  readonly user: User;
  readonly token: string;
  readonly runs: readonly HeldRun[];
  readonly projects: readonly Project[];
  readonly organizations: readonly Organization[];
  /** May be changed at any time. */
  readonly settings: Settings;
  readonly now: () => Date;
  addUser(email: string): User;
  /** Of the first user when nobody else is named. */
  addOrganization(wish: NewOrganization & { readonly members?: readonly User[] }): Organization;
  /** In the first organisation when no other is named. */
  addProject(name: string, organization?: Organization): Project;
  /** The token is not accepted any more. */
  revoke(token: string): void;
  /** To the production environment of the project, or of the only one. */
  deploy(wish: NewDeployment & { readonly project?: Project }): Deployment;
  /** A scheduled task's time has come: makes its run, and executes it. */
  fireCron(taskId: string, project?: Project): Promise<HeldRun>;
  /** The user says yes on the login's page; `callback` is where the page then sends the browser. */
  approve(url: string, user?: User): { readonly approvalCode: string; readonly callback: string | undefined };
  deny(url: string): void;
  stop(): Promise<void>;
}

/** Starts on 127.0.0.1 and a free port, with one user and one organisation. */
export async function startTriggerApi(options: TriggerApiOptions = {}): Promise<TriggerApi> {
  const { now: base = () => new Date(), execute, organizations = [{ title: "References" }] } = options;
  const settings: Settings = {
    listLagMs: options.listLagMs ?? 1500,
    pkce: options.pkce ?? true,
    rateLimit: options.rateLimit ?? 750,
    projectDelete: true,
    pause: true,
    cloud: options.cloud ?? false,
    apiOrigin: options.apiOrigin,
  };
  let ahead = 0;
  let origin = "";
  const now = () => new Date(base().getTime() + ahead);
  const world: World = {
    users: [],
    organizations: [],
    projects: [],
    runs: [],
    authorizations: [],
    now,
    origin: () => origin,
    settings,
  };
  const setTo = (at: Date) => {
    ahead = at.getTime() - base().getTime();
  };
  const engine = startEngine(world, { now, setTo }, execute);
  const wire = await startWire(answering(world), { now, rateLimit: () => settings.rateLimit });
  origin = wire.origin;
  const user = addUser(world, "ada@example.com");
  for (const wish of organizations) addOrganization(world, { ...wish, members: [user] });

  const production = (project: Project | undefined) => {
    const found = project ?? (world.projects.length === 1 ? world.projects[0] : undefined);
    if (found === undefined) throw new Error(`there are ${world.projects.length} projects: which one?`);
    return found.environments.prod;
  };

  return {
    ...wire,
    user,
    token: user.token,
    runs: world.runs,
    projects: world.projects,
    organizations: world.organizations,
    settings,
    now,
    advance: engine.advance,
    runDue: engine.runDue,
    addUser: (email) => addUser(world, email),
    addOrganization: ({ members = [user], ...wish }) => addOrganization(world, { ...wish, members }),
    addProject: (name, organization = world.organizations[0]) => {
      if (organization === undefined) throw new Error("there is no organisation");
      return addProject(world, organization, name);
    },
    revoke: (token) => {
      const at = world.users.findIndex((candidate) => candidate.token === token);
      if (at >= 0) world.users.splice(at, 1);
    },
    deploy: ({ project, ...wish }) => deploy(world, production(project), wish),
    fireCron: async (taskId, project) => {
      const environment = production(project);
      const task = environment.current?.tasks.find(({ id }) => id === taskId);
      if (task?.cron === undefined) throw new Error(`${taskId} is not a scheduled task of the current version`);
      const at = now();
      const payload = {
        type: "DECLARATIVE",
        timestamp: at,
        timezone: "UTC",
        scheduleId: `sched_${taskId}`,
        upcoming: [],
      };
      const run = makeRun(world, environment, { task: taskId, payload, options: {}, tags: [], kind: "SCHEDULED" });
      await engine.execute(run);
      return run;
    },
    approve: (url, as = user) => approve(world, url, as),
    deny: (url) => deny(world, url),
    stop: wire.down,
  };
}
