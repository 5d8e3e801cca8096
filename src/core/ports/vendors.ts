/*
 * What provisioning needs from the vendors' management APIs: Neon's and Trigger.dev's. Implemented in provision/. Every
 * verb throws VENDOR_AUTH for a key that is not accepted, VENDOR_QUOTA for what the plan does not allow,
 * VENDOR_UNREACHABLE when nothing answers, VENDOR_REFUSED with the vendor's own reason for any other refusal,
 * VENDOR_CHANGED for an answer psn does not understand.
 */

export interface Organization {
  readonly id: string;
  /** What a person calls it. */
  readonly name: string;
}

export interface NeonProject {
  readonly id: string;
  readonly name: string;
  readonly region: string;
  readonly organization: string | null;
}

export interface Neon {
  organizations(): Promise<readonly Organization[]>;
  /** Undefined when there is none, or none that this key may see. */
  byId(projectId: string): Promise<NeonProject | undefined>;
  /** Every project of exactly this name. */
  byName(name: string, organizationId: string | undefined): Promise<readonly NeonProject[]>;
  /** Resolves when its database takes connections. */
  create(wish: {
    readonly name: string;
    readonly region: string | undefined;
    readonly organizationId: string | undefined;
  }): Promise<NeonProject>;
  /**
   * The direct (not pooled) address of the default branch by the role that owns the database; without a name the first
   * database.
   */
  ownerUrl(projectId: string, database: string | undefined): Promise<string>;
  /** A project that is gone already is no error. */
  remove(projectId: string): Promise<void>;
}

export interface TriggerProject {
  /** `proj_…` */
  readonly ref: string;
  readonly name: string;
  readonly organization: Organization;
}

export interface TriggerDev {
  /** Whose token this is. */
  whoAmI(): Promise<{ readonly email: string; readonly dashboardUrl: string }>;
  organizations(): Promise<readonly Organization[]>;
  byRef(ref: string): Promise<TriggerProject | undefined>;
  byName(name: string, organizationId: string): Promise<readonly TriggerProject[]>;
  /** Takes the free plan where the organisation has none yet. */
  create(name: string, organizationId: string): Promise<TriggerProject>;
  /** Of the production environment. */
  secretKey(ref: string): Promise<string>;
  /** Names of the production environment's variables, with the values of those that are not secret. */
  variables(ref: string): Promise<ReadonlyMap<string, string | null>>;
  /** Sets them in the production environment, over what is there. */
  setVariables(ref: string, variables: Readonly<Record<string, string>>, secret: boolean): Promise<void>;
  /** Names that are not there are no error. */
  removeVariables(ref: string, names: readonly string[]): Promise<void>;
  /**
   * Deletes the project; one that is gone already is no error. A server that cannot delete a project pauses its
   * production instead: `paused`. Where it can do neither, the project stays as it is: `left`.
   */
  remove(ref: string): Promise<"removed" | "paused" | "left">;
  /** Whether production takes no runs at the moment. */
  isPaused(ref: string): Promise<boolean>;
  /**
   * Variables of the environment whose secret key this is, as its tasks get them: the server's own too, and secrets
   * with their values.
   */
  workerVariables(ref: string, secretKey: string): Promise<ReadonlyMap<string, string>>;
  /** The newest run of a task in the environment whose secret key this is; the list may be seconds behind. */
  lastRun(task: string, secretKey: string): Promise<TriggerRun | undefined>;
  /** What production runs now; undefined before the first deployment. */
  currentWorker(ref: string): Promise<TriggerWorker | undefined>;
}

export interface TriggerWorker {
  /** `20261123.4` */
  readonly version: string;
  /** Ids of its tasks, sorted. */
  readonly tasks: readonly string[];
}

export interface TriggerRun {
  readonly hasFailed: boolean;
  /** Why, where the server tells. */
  readonly error: string | null;
}

/** One request as a dry run tells it; no secret is in it. */
export interface PlannedCall {
  readonly method: string;
  readonly url: string;
  readonly body?: Readonly<Record<string, unknown>>;
}
