import type { User } from "@psn/core/ports/accounts.ts";
import type { Neon, TriggerDev } from "@psn/core/ports/vendors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { assertOurs, deployedAs } from "./deploy-tasks.ts";
import { assertSameDatabase, type HubWish, type Provisioning, provisionHub, type Step } from "./provision-hub.ts";
import { assertFree, type NeonStep, type NeonWish, provisionNeon } from "./provision-neon.ts";
import { provisionTrigger, type TriggerStep, type TriggerWish } from "./provision-trigger.ts";

export type InitStep = Step | NeonStep | TriggerStep;

export interface InitWish {
  readonly hub: HubWish;
  /** Where the vendors are, where that is not where they usually are. */
  readonly settings: Readonly<Record<string, string>>;
  readonly neon?: { readonly api: Neon; readonly wish: NeonWish };
  readonly trigger?: {
    readonly api: TriggerDev;
    readonly token: string;
    readonly wish: Omit<TriggerWish, "secrets" | "plain">;
    /** Of this psn. */
    readonly version: string;
    /**
     * What the tasks need to know, once the hub is made. Throws DB_UNSUITABLE where the tasks could not reach its
     * database.
     */
    readonly variables: () => Pick<TriggerWish, "secrets" | "plain">;
  };
}

export interface Initialised {
  readonly steps: readonly InitStep[];
  readonly user: User;
  /**
   * Production at Trigger.dev runs this psn's tasks as this hub wants them; null where no clock there was wished for.
   */
  readonly isDeployed: boolean | null;
}

/**
 * Makes a hub, or what is missing of one, on this machine or at Neon, and its clock at Trigger.dev. Each step looks
 * first whether it is done and writes down what it is about to make, so that it may be stopped anywhere and run again.
 */
export async function initHub(
  provisioning: Provisioning,
  wish: InitWish,
  onStep: (step: InitStep) => void = () => undefined,
): Promise<Initialised> {
  const { file } = provisioning;
  const steps: InitStep[] = [];
  const took = (some: readonly InitStep[]) => {
    for (const step of some) onStep(step);
    steps.push(...some);
  };
  if (wish.neon) assertFree(file);
  assertSameDatabase(file, wish.hub.databaseUrl);
  provisioning.checkPlace(false);
  if (Object.keys(wish.settings).length > 0) file.set(wish.settings);
  let { databaseUrl } = wish.hub;
  if (wish.neon) {
    const neon = await provisionNeon(wish.neon.api, file, wish.neon.wish);
    took(neon.steps);
    // A hub that has its login keeps its addresses.
    if (file.get("DATABASE_URL") === undefined) databaseUrl = neon.databaseUrl;
  }
  const hub = await provisionHub(provisioning, { ...wish.hub, ...defined({ databaseUrl }) });
  took(hub.steps);
  let isDeployed: boolean | null = null;
  if (wish.trigger) {
    const { api, token, variables, version } = wish.trigger;
    const known = variables();
    if (file.get("TRIGGER_ACCESS_TOKEN") !== token) file.set({ TRIGGER_ACCESS_TOKEN: token });
    const { steps, deployed, needsBuild } = await provisionTrigger(api, file, { ...wish.trigger.wish, ...known });
    took(steps);
    const worker = await api.currentWorker(file.get("TRIGGER_PROJECT_REF") ?? "");
    assertOurs(worker);
    isDeployed = worker !== undefined && deployed === deployedAs(version, worker) && !needsBuild;
  }
  return { steps, user: hub.user, isDeployed };
}
