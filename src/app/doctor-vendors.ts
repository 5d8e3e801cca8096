import { DEPLOYED, TASKS } from "./deploy-tasks.ts";
import { type Check, checking, fail, ok, warn } from "./doctor.ts";
import type { Bucket } from "./ports/outside.ts";
import type { TriggerDev } from "./ports/vendors.ts";

export interface VendorGround {
  /** Each way to the database, and what the login may do by it that it must not; absent where it is not on Neon. */
  readonly ways: readonly { readonly name: string; readonly privileges: () => Promise<readonly string[]> }[];
  readonly bucket: Bucket | undefined;
  readonly trigger:
    | undefined
    | {
        readonly api: TriggerDev;
        readonly projectRef: string;
        readonly secretKey: string | undefined;
        /** Names of what the tasks need to know. */
        readonly variables: readonly string[];
        readonly version: string;
      };
}

/** What a hub on somebody else's machines can be asked about them. Read-only, but for a small object in the bucket. */
export async function examineVendors({ ways, bucket, trigger }: VendorGround): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const { name, privileges } of ways)
    checks.push(
      await checking(name, async () => {
        const more = await privileges();
        return more.length === 0
          ? ok(name, "answers; the login is unprivileged")
          : fail(name, `answers, but the login may more than it must: ${more.join(", ")}`, "psn init");
      }),
    );
  if (bucket)
    checks.push(
      await checking("bucket", async () => {
        await bucket.check();
        return ok("bucket", "can be written, read and cleaned");
      }),
    );
  if (trigger) checks.push(...(await examineTrigger(trigger)));
  return checks;
}

async function examineTrigger({
  api,
  projectRef,
  secretKey,
  variables,
  version,
}: NonNullable<VendorGround["trigger"]>): Promise<readonly Check[]> {
  const key = await checking("trigger.dev", async () => {
    if (!(await api.byRef(projectRef))) return fail("trigger.dev", `this token does not see ${projectRef}`, "psn init --trigger");
    if ((await api.secretKey(projectRef)) !== secretKey)
      return fail("trigger.dev", "TRIGGER_SECRET_KEY is not the key of this project's production", "psn init --trigger");
    return ok("trigger.dev", "token and key are valid");
  });
  if (key.status !== "ok") return [key];
  const deployment = await checking("deployment", async () => {
    const worker = await api.currentWorker(projectRef);
    if (!worker) return fail("deployment", "nothing is deployed yet", "psn deploy");
    const missing = TASKS.filter((task) => !worker.tasks.includes(task));
    if (missing.length > 0) return fail("deployment", `${worker.version} lacks ${missing.join(", ")}`, "psn deploy");
    const deployed = (await api.variables(projectRef)).get(DEPLOYED);
    if (deployed === `${version} ${worker.version}`) return ok("deployment", `${worker.version} is this version, ${version}`);
    if (deployed?.endsWith(` ${worker.version}`))
      return warn("deployment", `${worker.version} is psn ${deployed.split(" ")[0]}, and this is ${version}`, "psn deploy");
    return warn("deployment", `${worker.version} was not deployed by psn deploy`, "psn deploy");
  });
  const settings = await checking("task settings", async () => {
    const there = await api.variables(projectRef);
    const missing = variables.filter((name) => !there.has(name));
    return missing.length === 0
      ? ok("task settings", `${variables.length} variables are there`)
      : fail("task settings", `production lacks ${missing.join(", ")}`, "psn deploy");
  });
  return [key, deployment, settings];
}
