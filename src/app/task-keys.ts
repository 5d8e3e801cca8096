import type { TaskKeys } from "@psn/app/rotate-vault.ts";
import type { TriggerDev } from "@psn/core/ports/vendors.ts";

/** Beside the keys at Trigger.dev: which key the tasks were given, and when. Neither is secret. */
const SHIPPED = "PSN_KEYS_SHIPPED";

/**
 * The keys among the variables of the tasks. `secrets` gives them as hub.env has them now, and `plain` the marks of
 * earlier ones.
 */
export function taskKeysOf(
  trigger: TriggerDev,
  {
    projectRef,
    secrets,
    now,
    plain = () => ({}),
  }: {
    readonly projectRef: string;
    readonly secrets: () => Readonly<Record<string, string>>;
    readonly now: () => Date;
    readonly plain?: () => Readonly<Record<string, string>>;
  },
): TaskKeys {
  return {
    ship: async (id) => {
      const [shipped, at = ""] = ((await trigger.variables(projectRef)).get(SHIPPED) ?? "").split(" ");
      if (shipped === id && !Number.isNaN(Date.parse(at))) return new Date(at);
      await trigger.setVariables(projectRef, secrets(), true);
      const since = now();
      await trigger.setVariables(projectRef, { ...plain(), [SHIPPED]: `${id} ${since.toISOString()}` }, false);
      return since;
    },
    drop: () => trigger.removeVariables(projectRef, ["HUB_ENCRYPTION_KEY_OLD", SHIPPED]),
  };
}
