import { randomBytes } from "node:crypto";
import type { HeldRun } from "./runs.ts";

/*
 * Who and what the double knows: users, organisations, projects with their four environments, deployments and
 * variables.
 */

export interface User {
  readonly id: string;
  readonly email: string;
  /** `tr_pat_…` */
  readonly token: string;
}

export interface Organization {
  readonly id: string;
  readonly title: string;
  readonly slug: string;
  readonly createdAt: Date;
  /** Users' ids. */
  readonly members: Set<string>;
  /** Without one no project can be made: 402 (trigger.dev 4.8.3, commands/projects/common.js). */
  plan: "free" | null;
  /** False: as on a server of one's own, where nothing activates a plan and the answer is 404. */
  readonly activatable: boolean;
}

export interface DeployedTask {
  readonly id: string;
  /** Name of the queue it declares; without one `task/ID`. */
  readonly queue?: string;
  /** Runs of that queue and one concurrency key at once; any number when absent. */
  readonly concurrencyLimit?: number;
  /** Five fields; makes it a scheduled task. */
  readonly cron?: string;
}

export interface Deployment {
  readonly id: string;
  readonly version: string;
  readonly tasks: readonly DeployedTask[];
  readonly createdAt: Date;
  readonly shortCode: string;
  /** Why it failed; null when it did not. */
  readonly error: string | null;
}

export const SLUGS = ["dev", "stg", "preview", "prod"] as const;
export type Slug = (typeof SLUGS)[number];

export interface Environment {
  readonly id: string;
  readonly slug: Slug;
  /** `tr_prod_…` and so on. */
  secretKey: string;
  /** Keys before it; they are accepted too. */
  readonly formerKeys: string[];
  readonly project: Project;
  readonly variables: Map<string, { readonly value: string; readonly isSecret: boolean }>;
  /** Oldest first. */
  readonly deployments: Deployment[];
  current: Deployment | undefined;
  /** Nothing of it is executed. */
  paused: boolean;
}

export interface Project {
  readonly id: string;
  /** `proj_…` */
  readonly ref: string;
  readonly name: string;
  readonly slug: string;
  readonly createdAt: Date;
  readonly organization: Organization;
  readonly environments: Readonly<Record<Slug, Environment>>;
}

/** A login that waits for the browser. */
export interface Authorization {
  readonly code: string;
  readonly url: string;
  readonly createdAt: Date;
  readonly codeChallenge: string | undefined;
  readonly callbackPort: number | undefined;
  readonly approval: "callback" | "paste" | undefined;
  state: "waiting" | "denied" | { readonly user: User; readonly approvalCode: string };
}

export interface World {
  /** In the order of their making. */
  readonly users: User[];
  readonly organizations: Organization[];
  readonly projects: Project[];
  readonly runs: HeldRun[];
  readonly authorizations: Authorization[];
  readonly now: () => Date;
  readonly origin: () => string;
  readonly settings: Settings;
}

export interface Settings {
  /** How far the list of runs is behind, in milliseconds of the double's clock. Measured: one to two seconds. */
  listLagMs: number;
  /** False: a server before approval codes, which is asked for the token again and again (4.5.12, measured). */
  pkce: boolean;
  /** Requests of one token in ten seconds until 429; measured: 750. */
  rateLimit: number;
  /** False: a server that cannot delete a project: 405, or 404 with a page where it has no such route at all. */
  projectDelete: boolean | "no route";
  /** False: a server that cannot pause an environment by its API either. */
  pause: boolean;
  /**
   * The service in the cloud: has plans to activate and settings of a deployment, for which a server of one's own has
   * no route.
   */
  cloud: boolean;
  /** What the server tells its tasks that its address is (its API_ORIGIN); undefined: where it listens. */
  apiOrigin: string | undefined;
}

const ALPHABET = "123456789abcdefghijkmnopqrstuvwxyz";

export function letters(count: number): string {
  return [...randomBytes(count)].map((byte) => ALPHABET[byte % ALPHABET.length]).join("");
}

export const newKey = (slug: Slug) => `tr_${slug}_${letters(24)}`;
export const newId = () => `c${letters(24)}`;
const slugOf = (title: string) => title.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");

export function addUser(world: World, email: string): User {
  const user = { id: newId(), email, token: `tr_pat_${letters(40)}` };
  world.users.push(user);
  return user;
}

export function addOrganization(
  world: World,
  { title, members, plan = "free", activatable = true }: NewOrganization & { readonly members: readonly User[] },
): Organization {
  const organization = {
    id: newId(),
    title,
    slug: `${slugOf(title)}-${letters(4)}`,
    createdAt: world.now(),
    members: new Set(members.map((user) => user.id)),
    plan: plan === "none" ? null : plan,
    activatable,
  };
  world.organizations.push(organization);
  return organization;
}

export interface NewOrganization {
  readonly title: string;
  readonly plan?: "free" | "none";
  readonly activatable?: boolean;
}

/** Two projects of one name are allowed, in one organisation too. */
export function addProject(world: World, organization: Organization, name: string): Project {
  const environments: Partial<Record<Slug, Environment>> = {};
  const project: Project = {
    id: newId(),
    ref: `proj_${letters(20)}`,
    name,
    slug: `${slugOf(name)}-${letters(4)}`,
    createdAt: world.now(),
    organization,
    get environments() {
      return environments as Readonly<Record<Slug, Environment>>;
    },
  };
  for (const slug of SLUGS) {
    environments[slug] = {
      id: newId(),
      slug,
      secretKey: newKey(slug),
      formerKeys: [],
      project,
      variables: new Map(),
      deployments: [],
      current: undefined,
      paused: false,
    };
  }
  world.projects.push(project);
  return project;
}

export function environmentsOf(world: World): Environment[] {
  return world.projects.flatMap((project) => SLUGS.map((slug) => project.environments[slug]));
}
