import { PsnError } from "@psn/core/errors.ts";
import type { Neon, NeonProject, Organization } from "@psn/core/ports/vendors.ts";
import type { HubFile } from "./provision-hub.ts";

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
 * Makes the hub's project on Neon, or adopts one, and returns its database by its owner's address. May be stopped
 * anywhere and run again: what is about to be made is written down first, and looked for before it is made. Throws
 * INPUT_INVALID, INPUT_REQUIRED, AMBIGUOUS, ALREADY_EXISTS, NOT_FOUND, VENDOR_….
 */
export async function provisionNeon(
  neon: Neon,
  file: HubFile,
  wish: NeonWish,
): Promise<{ readonly steps: readonly NeonStep[]; readonly databaseUrl: string }> {
  assertFree(file);
  const { project, did } = await findProject(neon, file, wish);
  const databaseUrl = await neon.ownerUrl(
    project.id,
    file.get("DATABASE_URL") === undefined ? wish.database : undefined,
  );
  return { steps: [{ what: "neon project", did }], databaseUrl };
}

const hasDatabase = (file: HubFile) =>
  file.get("DATABASE_URL") !== undefined ||
  file.get("PSN_USER") !== undefined ||
  file.get("DATABASE_OWNER_URL") !== undefined;

/** Throws ALREADY_EXISTS for a hub whose database is somewhere else. */
export function assertFree(file: HubFile): void {
  if (file.get("NEON_PROJECT_ID") === undefined && intentOf(file) === undefined) assertNoDatabase(file);
}

/** A hub cannot be given another database than the one it has. */
function assertNoDatabase(file: HubFile): void {
  if (!hasDatabase(file)) return;
  throw new PsnError("ALREADY_EXISTS", "this hub already has a database, which cannot be replaced", {
    hint: "psn init --neon in another folder",
  });
}

interface Found {
  readonly project: NeonProject;
  readonly did: NeonStep["did"];
}

async function findProject(neon: Neon, file: HubFile, wish: NeonWish): Promise<Found> {
  const recorded = file.get("NEON_PROJECT_ID");
  if (recorded !== undefined)
    return { project: await recordedProject(neon, { file, id: recorded, wanted: wish.project }), did: "kept" };
  const organizations = await neon.organizations();
  const left = await leftBehind(neon, { file, wish, organizations });
  if (left) {
    file.set({ NEON_PROJECT_ID: left.id });
    return { project: left, did: "made" };
  }
  assertNoDatabase(file);
  const byId = wish.project === undefined ? undefined : await neon.byId(wish.project);
  const organization = byId ? undefined : organizationFor(organizations, wish.organization);
  const named =
    byId ??
    (wish.project === undefined ? undefined : one(await neon.byName(wish.project, organization?.id), wish.project));
  if (named) {
    // It is not psn's to take away.
    file.set({ ...made(file, undefined), NEON_PROJECT_ID: named.id });
    return { project: named, did: "adopted" };
  }

  const intent = intentOf(file);
  const name = wish.project ?? intent ?? wish.newName;
  if (!NAME.test(name))
    throw new PsnError("INPUT_INVALID", "the name of a new project on Neon is 1 to 60 of a-z, 0-9 and hyphens", {
      hint: "psn init --neon --neon-project my-hub",
    });
  if (intent !== name) file.set(made(file, name));
  const project = await neon
    .create({ name, region: wish.region, organizationId: organization?.id })
    .catch(async (error: unknown) => {
      // What was clearly refused was not made: a project of this name that somebody makes by hand later is not psn's.
      if (isRefusal(error) && (await neon.byName(name, organization?.id)).length === 0) file.set(made(file, undefined));
      throw error;
    });
  file.set({ NEON_PROJECT_ID: project.id });
  return { project, did: "made" };
}

const isRefusal = (error: unknown) =>
  error instanceof PsnError && ["VENDOR_REFUSED", "VENDOR_QUOTA", "VENDOR_AUTH"].includes(error.code);

/**
 * What an earlier run made and was stopped before it wrote that down, in whichever organisation; undefined where there
 * is none. Throws ALREADY_EXISTS when another project is wished for: psn would leave it behind and never remove it.
 */
async function leftBehind(
  neon: Neon,
  {
    file,
    wish,
    organizations,
  }: { readonly file: HubFile; readonly wish: NeonWish; readonly organizations: readonly Organization[] },
): Promise<NeonProject | undefined> {
  const intent = intentOf(file);
  if (intent === undefined) return undefined;
  const places = organizations.length === 0 ? [undefined] : organizations.map(({ id }) => id);
  const found: NeonProject[] = [];
  for (const place of places) found.push(...(await neon.byName(intent, place)));
  // Of several with this name nobody can tell which is psn's: the one that is named by its id counts as somebody
  // else's.
  if (found.length > 1 && found.some(({ id }) => id === wish.project)) return undefined;
  const left = one(found, intent);
  if (left && wish.project !== undefined && wish.project !== left.name && wish.project !== left.id)
    throw new PsnError("ALREADY_EXISTS", `an earlier run created the project ${left.name} (${left.id}) on Neon`, {
      hint: "psn init --neon to continue with it; or delete it at https://console.neon.tech and run this command again",
    });
  return left;
}

async function recordedProject(
  neon: Neon,
  { file, id, wanted }: { readonly file: HubFile; readonly id: string; readonly wanted: string | undefined },
): Promise<NeonProject> {
  const project = await neon.byId(id);
  if (!project)
    throw new PsnError(
      "VENDOR_REFUSED",
      `the hub's project ${id} on Neon was not found with this API key: it belongs to another organisation or was ` +
        `deleted`,
      {
        hint: hasDatabase(file)
          ? "use a key of its organisation; if the project was deleted, the hub was deleted with it: psn init " +
            "--neon in another folder"
          : "use a key of its organisation; or remove the setting: psn config set NEON_PROJECT_ID --unset",
      },
    );
  if (wanted !== undefined && wanted !== project.id && wanted !== project.name)
    throw new PsnError("ALREADY_EXISTS", `this hub already has a project on Neon: ${project.name} (${project.id})`, {
      hint: "psn init --neon in another folder",
    });
  return project;
}

function one(projects: readonly NeonProject[], name: string): NeonProject | undefined {
  if (projects.length < 2) return projects[0];
  throw new PsnError(
    "AMBIGUOUS",
    `${projects.length} projects are named ${name}: ${projects.map(({ id }) => id).join(", ")}`,
    {
      hint: `choose one: psn init --neon --neon-project ${projects[0]?.id}`,
    },
  );
}

/** Undefined where the key knows none: then the key itself says where. */
function organizationFor(organizations: readonly Organization[], wanted: string | undefined): Organization | undefined {
  const fitting =
    wanted === undefined ? organizations : organizations.filter(({ id, name }) => id === wanted || name === wanted);
  const [first] = fitting;
  if (fitting.length === 1 || (wanted === undefined && organizations.length === 0)) return first;
  const choices = (fitting.length > 0 ? fitting : organizations).map(({ id, name }) => `${id} (${name})`).join(", ");
  const hint = organizations[0]
    ? `psn init --neon --neon-org ${organizations[0].id}`
    : "use a key of that organisation";
  if (wanted === undefined)
    throw new PsnError("INPUT_REQUIRED", `which organisation on Neon? --neon-org takes one of ${choices}`, { hint });
  const message =
    fitting.length > 0
      ? "several organisations have this name"
      : `this API key has no access to an organisation ${wanted}`;
  throw new PsnError(
    fitting.length > 0 ? "AMBIGUOUS" : "INPUT_INVALID",
    choices === "" ? message : `${message}: --neon-org takes one of ${choices}`,
    { hint },
  );
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
