import { PsnError } from "@psn/core/errors.ts";
import type { Organization, TriggerDev, TriggerProject } from "@psn/core/ports/vendors.ts";
import { BUILT_IN, DEPLOYED } from "./deploy-tasks.ts";
import type { HubFile } from "./provision-hub.ts";

export interface TriggerWish {
  /** Id or name of the organisation; needed only where there are several. */
  readonly organization?: string | undefined;
  /** A project that is there, by its ref (`proj_…`) or its name; or the name of a new one. */
  readonly project?: string | undefined;
  /** Of the project that is made where none is named. A new name has a-z, 0-9 and hyphens, at most 60 of them. */
  readonly newName: string;
  /** Variables of the production environment that nobody shall read again. */
  readonly secrets: Readonly<Record<string, string>>;
  readonly plain: Readonly<Record<string, string>>;
}

export interface TriggerStep {
  readonly what: "trigger project" | "trigger key" | "trigger variables";
  /** `set`: written over what was there, which for secrets cannot be compared. */
  readonly did: "made" | "kept" | "adopted" | "set";
}

export interface ProvisionedTrigger {
  readonly steps: readonly TriggerStep[];
  /** What psn deploy noted there last; undefined before the first deployment. */
  readonly deployed: string | undefined;
  /** A setting differs that only a deployment changes. */
  readonly needsBuild: boolean;
}

/** The word in PSN_MADE: written before the project is made, and kept. */
const INTENT = "trigger-project:";
const NAME = /^[a-z0-9-]{1,60}$/;
const isRef = (project: string) => project.startsWith("proj_");

/**
 * Makes the hub's project on Trigger.dev, or adopts one, and tells it environment variables of the tasks. May be
 * stopped anywhere and run again: what is about to be made is written down first, and looked for before it is made.
 * Throws INPUT_INVALID, INPUT_REQUIRED, AMBIGUOUS, NOT_FOUND, ALREADY_EXISTS, VENDOR_….
 */
export async function provisionTrigger(api: TriggerDev, file: HubFile, wish: TriggerWish): Promise<ProvisionedTrigger> {
  const trigger = { ...api, organizations: once(api.organizations) };
  await trigger.whoAmI();
  const { project, did } = await findProject(trigger, file, wish);
  const steps: TriggerStep[] = [{ what: "trigger project", did }];

  const key = await trigger.secretKey(project.ref);
  const isNew = file.get("TRIGGER_SECRET_KEY") !== key;
  if (isNew) file.set({ TRIGGER_SECRET_KEY: key });
  steps.push({ what: "trigger key", did: isNew ? "made" : "kept" });

  const there = await trigger.variables(project.ref);
  const deployed = there.get(DEPLOYED) ?? undefined;
  const other = Object.entries(wish.plain).filter(([name, value]) => there.get(name) !== value);
  // What the build has fixed stays as it was built, so that a comparison shows the difference.
  const built = deployed === undefined ? [] : BUILT_IN;
  const differ = Object.fromEntries(other.filter(([name]) => !built.includes(name)));
  const isSet = Object.keys(differ).length > 0 || Object.keys(wish.secrets).length > 0;
  await trigger.setVariables(project.ref, wish.secrets, true);
  await trigger.setVariables(project.ref, differ, false);
  steps.push({ what: "trigger variables", did: isSet ? "set" : "kept" });
  return { steps, deployed, needsBuild: other.some(([name]) => built.includes(name)) };
}

/** Asks once, however often it is called; an answer that failed is asked for again. */
function once<T>(ask: () => Promise<T>): () => Promise<T> {
  let answer: { readonly value: T } | undefined;
  return async () => {
    answer ??= { value: await ask() };
    return answer.value;
  };
}

interface Found {
  readonly project: TriggerProject;
  readonly did: "made" | "kept" | "adopted";
}

async function findProject(trigger: TriggerDev, file: HubFile, wish: TriggerWish): Promise<Found> {
  const recorded = file.get("TRIGGER_PROJECT_REF");
  if (recorded !== undefined) return { project: await recordedProject(trigger, recorded, wish.project), did: "kept" };
  const intended = wordsOf(file)
    .find((word) => word.startsWith(INTENT))
    ?.slice(INTENT.length);

  // What an earlier run was about to make may be there, in whatever organisation that run was told.
  const resumes = intended !== undefined && (wish.project === undefined || wish.project === intended);
  const name = resumes ? intended : (wish.project ?? wish.newName);
  const found = isRef(name)
    ? await byRef(trigger, name)
    : one(await byName(trigger, name, resumes ? undefined : wish.organization), name);
  if (found !== undefined) {
    // One that was there is not psn's to take away, whatever an earlier run meant to make.
    const marks = resumes ? {} : made(file, undefined);
    file.set({ ...marks, TRIGGER_PROJECT_REF: found.ref });
    return { project: found, did: resumes ? "made" : "adopted" };
  }
  assertName(name);
  const organization = await organizationFor(trigger, wish.organization);
  if (!resumes) file.set(made(file, name));
  const project = await trigger.create(name, organization.id).catch((error: unknown) => {
    // What was clearly refused was not made: a project of this name that somebody makes by hand later is not psn's.
    if (error instanceof PsnError && ["VENDOR_REFUSED", "VENDOR_QUOTA", "VENDOR_AUTH"].includes(error.code))
      file.set(made(file, undefined));
    throw error;
  });
  file.set({ TRIGGER_PROJECT_REF: project.ref });
  return { project, did: "made" };
}

async function recordedProject(trigger: TriggerDev, ref: string, wanted: string | undefined): Promise<TriggerProject> {
  const project = await trigger.byRef(ref);
  if (project === undefined)
    throw new PsnError(
      "VENDOR_REFUSED",
      `the hub's project ${ref} was not found with this token: it belongs to another account or was deleted`,
      {
        hint:
          "log in as its owner: psn init --trigger; or remove the setting: psn config set TRIGGER_PROJECT_REF " +
          "--unset",
      },
    );
  if (wanted !== undefined && wanted !== project.ref && wanted !== project.name)
    throw new PsnError(
      "ALREADY_EXISTS",
      `this hub already has a project on Trigger.dev: ${project.name} (${project.ref})`,
      {
        hint: "psn init in another folder",
      },
    );
  return project;
}

async function byRef(trigger: TriggerDev, ref: string): Promise<TriggerProject> {
  const project = await trigger.byRef(ref);
  if (project !== undefined) return project;
  throw new PsnError("NOT_FOUND", `this token has no access to a project ${ref} on Trigger.dev`, {
    hint: "psn init --trigger without --trigger-project creates one",
  });
}

/** In one organisation, or in all that the token may see. */
async function byName(
  trigger: TriggerDev,
  name: string,
  wanted: string | undefined,
): Promise<readonly TriggerProject[]> {
  const organizations = wanted === undefined ? await trigger.organizations() : [await organizationFor(trigger, wanted)];
  const found: TriggerProject[] = [];
  for (const { id } of organizations) found.push(...(await trigger.byName(name, id)));
  return found;
}

function one(projects: readonly TriggerProject[], name: string): TriggerProject | undefined {
  if (projects.length < 2) return projects[0];
  const choices = projects.map(({ ref, organization }) => `${ref} in ${organization.name}`).join(", ");
  throw new PsnError("AMBIGUOUS", `${projects.length} projects are named ${name}: ${choices}`, {
    hint: `choose one: psn init --trigger --trigger-project ${projects[0]?.ref}`,
  });
}

async function organizationFor(trigger: TriggerDev, wanted: string | undefined): Promise<Organization> {
  const organizations = await trigger.organizations();
  const fitting =
    wanted === undefined ? organizations : organizations.filter(({ id, name }) => id === wanted || name === wanted);
  const [first] = fitting;
  if (first !== undefined && fitting.length === 1) return first;
  if (organizations.length === 0) {
    const { dashboardUrl, email } = await trigger.whoAmI();
    throw new PsnError("VENDOR_REFUSED", `${email} has no organisation on Trigger.dev yet`, {
      hint: `create one at ${dashboardUrl}/orgs/new, then run the same command again`,
    });
  }
  const choices = (fitting.length > 0 ? fitting : organizations).map(({ id, name }) => `${id} (${name})`).join(", ");
  const hint = `psn init --trigger --trigger-org ${organizations[0]?.id}`;
  if (wanted === undefined)
    throw new PsnError("INPUT_REQUIRED", `which organisation on Trigger.dev? --trigger-org takes one of ${choices}`, {
      hint,
    });
  const message =
    fitting.length > 0
      ? "several organisations have this name"
      : `this token has no access to an organisation ${wanted}`;
  throw new PsnError(
    fitting.length > 0 ? "AMBIGUOUS" : "INPUT_INVALID",
    `${message}: --trigger-org takes one of ${choices}`,
    { hint },
  );
}

function assertName(name: string): void {
  if (NAME.test(name)) return;
  throw new PsnError("INPUT_INVALID", "the name of a project on Trigger.dev is 1 to 60 of a-z, 0-9 and hyphens", {
    hint: "psn init --trigger --trigger-project my-hub",
  });
}

const wordsOf = (file: HubFile): string[] => (file.get("PSN_MADE") ?? "").split(" ").filter((word) => word !== "");

/** PSN_MADE with this project in it, or with none; its other words stay. */
function made(file: HubFile, name: string | undefined): { readonly PSN_MADE: string | null } {
  const words = wordsOf(file).filter((word) => !word.startsWith(INTENT));
  if (name !== undefined) words.push(`${INTENT}${name}`);
  return { PSN_MADE: words.length === 0 ? null : words.join(" ") };
}
