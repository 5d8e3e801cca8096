import type { DoctorGround } from "@psn/app/examine-all.ts";
import type { Environment } from "@psn/core/utils/env.ts";

/**
 * What `psn doctor` looks at. Each part loads when it is looked at: a hub that is well needs no look at its database.
 */
export function doctorGround(
  folder: string,
  {
    open,
    version,
    environment,
  }: { readonly open: DoctorGround["open"]; readonly version: string; readonly environment?: Environment | undefined },
): DoctorGround {
  return {
    open,
    settings: async () => (await import("./examine-settings.ts")).examineGround(folder, environment),
    database: async () => (await import("./database.ts")).examineDatabase(folder, environment),
    vendors: async () => (await import("./vendor-ground.ts")).vendorGround(folder, version, environment),
  };
}
