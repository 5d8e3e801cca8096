import { PsnError } from "@psn/core/errors.ts";
import type { HubFile } from "./provision-hub.ts";
import type { Neon, NeonProject, Organization } from "./vendor-ports.ts";

export interface NeonWish {
  /** Id or name of the organisation; needed only where there are several. */
  readonly organization?: string | undefined;
  /** Of a new project: `aws-eu-central-1`. */
  readonly region?: string | undefined;
  /** A project that is there, by its id or its name; or the name of a new one. */
  readonly project?: string | undefined;
  /** In an existing project; else its first. */
  readonly database?: string | undefined;
  /** Of the project that is made where none is named: a-z, 0-9 and hyphens, at most 60. */
  readonly newName: string;
}

export interface NeonStep {
  readonly what: "neon project";
  readonly did: "made" | "kept" | "adopted";
}

/** The word in PSN_MADE: written before the project is made, and kept. */
const INTENT = "neon-project:";
const NAME = /^[a-z0-9-]{1,60}$/;

/**
 * Makes the hub's project on Neon, or adopts one, and returns its database by its owner's address. May be stopped anywhere and
 * run again: what is about to be made is written down first, and looked for before it is made. Throws INPUT_INVALID,
 * INPUT_REQUIRED, STATE_CONFLICT, NOT_FOUND, VENDOR_….
 */
export async function provisionNeon(
  neon: Neon,
  file: HubFile,
  wish: NeonWish,
): Promise<{ readonly steps: readonly NeonStep[]; readonly databaseUrl: string }> {
  assertFree(file);
  const { project, did } = await findProject(neon, file, wish);
  const databaseUrl = await neon.ownerUrl(project.id, wish.database);
  return { steps: [{ what: "neon project", did }], databaseUrl };
}

/** A hub cannot be given another database than the one it has. */
function assertFree(file: HubFile): void {
  if (file.get("NEON_PROJECT_ID") !== undefined || intentOf(file) !== undefined) return;
  if (file.get("DATABASE_URL") === undefined && file.get("PSN_USER") === undefined && file.get("DATABASE_OWNER_URL") === undefined) return;
  throw new PsnError("STATE_CONFLICT", "this hub already has a database; a hub cannot be given another one", {
    hint: "psn init --neon in another folder",
  });
}

interface Found {
  readonly project: NeonProject;
  readonly did: NeonStep["did"];
}

async function findProject(neon: Neon, file: HubFile, wish: NeonWish): Promise<Found> {
  const recorded = file.get("NEON_PROJECT_ID");
  if (recorded !== undefined) return { project: await recordedProject(neon, recorded, wish.project), did: "kept" };
  const intent = intentOf(file);
  const organization = await organizationFor(neon, wish.organization);

  if (wish.project !== undefined && wish.project !== intent) {
    const named = (await neon.byId(wish.project)) ?? one(await neon.byName(wish.project, organization?.id), wish.project);
    if (named) {
      // Whatever an earlier run meant to make: this one is not psn's to take away.
      file.set({ ...made(file, undefined), NEON_PROJECT_ID: named.id });
      return { project: named, did: "adopted" };
    }
  }

  const name = intent ?? wish.project ?? wish.newName;
  if (!NAME.test(name))
    throw new PsnError("INPUT_INVALID", "the name of a new project on Neon is 1 to 60 of a-z, 0-9 and hyphens", {
      hint: "psn init --neon --neon-project my-hub",
    });
  // An earlier run may have been stopped after it was made and before it was written down.
  const left = intent === undefined ? undefined : one(await neon.byName(intent, organization?.id), intent);
  if (left) {
    file.set({ NEON_PROJECT_ID: left.id });
    return { project: left, did: "made" };
  }
  if (intent === undefined) file.set(made(file, name));
  const project = await neon.create({ name, region: wish.region, organizationId: organization?.id });
  file.set({ NEON_PROJECT_ID: project.id });
  return { project, did: "made" };
}

async function recordedProject(neon: Neon, id: string, wanted: string | undefined): Promise<NeonProject> {
  const project = await neon.byId(id);
  if (!project)
    throw new PsnError(
      "VENDOR_REFUSED",
      `the hub's project ${id} on Neon belongs to another organisation than this API key's, or is gone`,
      {
        hint: "use a key of its organisation; or let psn forget it: psn config set NEON_PROJECT_ID --unset",
      },
    );
  if (wanted !== undefined && wanted !== project.id && wanted !== project.name)
    throw new PsnError("STATE_CONFLICT", `this hub already has a project on Neon: ${project.name} (${project.id})`, {
      hint: "psn init --neon in another folder",
    });
  return project;
}

function one(projects: readonly NeonProject[], name: string): NeonProject | undefined {
  if (projects.length < 2) return projects[0];
  throw new PsnError("INPUT_INVALID", `there are ${projects.length} projects named ${name}: ${projects.map(({ id }) => id).join(", ")}`, {
    hint: `say which one: psn init --neon --neon-project ${projects[0]?.id}`,
  });
}

/** Undefined where the key knows none: then the key itself says where. */
async function organizationFor(neon: Neon, wanted: string | undefined): Promise<Organization | undefined> {
  const organizations = await neon.organizations();
  const fitting = wanted === undefined ? organizations : organizations.filter(({ id, name }) => id === wanted || name === wanted);
  const [first] = fitting;
  if (fitting.length === 1 || (wanted === undefined && organizations.length === 0)) return first;
  const choices = (fitting.length > 0 ? fitting : organizations).map(({ id, name }) => `${id} (${name})`).join(", ");
  const hint = organizations[0] ? `psn init --neon --neon-org ${organizations[0].id}` : "use a key of that organisation";
  if (wanted === undefined)
    throw new PsnError("INPUT_REQUIRED", `which organisation on Neon? --neon-org takes one of ${choices}`, { hint });
  const message = fitting.length > 0 ? "there are several organisations of this name" : `this API key sees no organisation ${wanted}`;
  throw new PsnError("INPUT_INVALID", choices === "" ? message : `${message}: --neon-org takes one of ${choices}`, { hint });
}

const wordsOf = (file: HubFile): string[] => (file.get("PSN_MADE") ?? "").split(" ").filter((word) => word !== "");
const intentOf = (file: HubFile) =>
  wordsOf(file)
    .find((word) => word.startsWith(INTENT))
    ?.slice(INTENT.length);

/** PSN_MADE with this project in it, or with none; its other words stay. */
function made(file: HubFile, name: string | undefined): { readonly PSN_MADE: string | null } {
  const words = wordsOf(file).filter((word) => !word.startsWith(INTENT));
  if (name !== undefined) words.push(`${INTENT}${name}`);
  return { PSN_MADE: words.length === 0 ? null : words.join(" ") };
}
