import { toPsnError } from "@psn/core/errors.ts";
import type { Bucket } from "@psn/core/ports/outside.ts";
import { type Check, checking, fail, ok, warn } from "./doctor.ts";
import { examineTrigger, type TriggerGround } from "./doctor-trigger.ts";

export interface VendorGround {
  /** Each way to the database, and what the login may do by it that it must not; absent where it is not on Neon. */
  readonly ways: readonly { readonly name: string; readonly privileges: () => Promise<readonly string[]> }[];
  readonly bucket: undefined | { readonly bucket: Bucket; readonly folder: string };
  readonly trigger: TriggerGround | undefined;
}

/** What a hub on somebody else's machines can be asked about them. Read-only, but for a small object in the bucket. */
export async function examineVendors({ ways, bucket, trigger }: VendorGround): Promise<readonly Check[]> {
  const checks: Check[] = [];
  for (const { name, privileges } of ways)
    checks.push(
      await checking(name, async () => {
        const more = await privileges();
        return more.length === 0
          ? ok(name, "reachable; the login has only the privileges that psn needs")
          : fail(name, `reachable, but the login has more privileges than psn needs: ${more.join(", ")}`, "psn init");
      }),
    );
  if (bucket)
    checks.push(
      await checking("bucket", async () => {
        const { address } = bucket.bucket;
        await bucket.bucket.check(bucket.folder);
        const unlisted = await bucket.bucket.list(bucket.folder).then(() => undefined, toPsnError);
        if (!unlisted) return ok("bucket", `psn can write, read, list and delete files in ${address}`);
        const said =
          `psn can write, read and delete files in ${address}, but not list them: files that a crash ` +
          `leaves behind stay there`;
        return warn(
          "bucket",
          `${said} (${unlisted.message})`,
          "allow the bucket's key to list the bucket (s3:ListBucket)",
        );
      }),
    );
  if (trigger) checks.push(...(await examineTrigger(trigger)));
  return checks;
}
