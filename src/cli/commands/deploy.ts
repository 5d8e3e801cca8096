import { deployTasks, TASKS } from "@psn/app/deploy-tasks.ts";
import { DeployDocument } from "@psn/app/documents/hub.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { showing } from "@psn/cli/progress.ts";
import { TRIGGER_TOKEN_FLAGS, triggerToken, triggerTokenSchema } from "@psn/cli/vendors.ts";
import { PsnError } from "@psn/core/errors.ts";
import { z } from "zod";

export default defineCommand({
  name: "deploy",
  summary: "deploy the tasks and their settings to Trigger.dev",
  details:
    "Stores the settings that the tasks need, from hub.env and keys.env, as secrets of the production environment. " +
    "Then builds and deploys the tasks with Trigger.dev's CLI, which needs Node 20, and for a self-hosted server " +
    "also Docker with buildx. Then checks that production runs exactly the tasks of this version. Run it after " +
    "every update of psn and after every change of a setting.",
  examples: [
    { line: "psn deploy", does: "to the project that psn init --trigger found or made" },
    { line: "psn deploy --dry-run", does: "build, and show what would be set; deploy nothing" },
  ],
  flags: [...TRIGGER_TOKEN_FLAGS, { flags: "--dry-run", help: "build and check; set nothing, deploy nothing" }],
  document: DeployDocument,
  schema: z.object({ ...triggerTokenSchema, dryRun: z.boolean().default(false) }),
  run: async (input, context) => {
    const { output, signal, version } = context;
    const folder = await context.folder();
    const [vendors, shipping] = await Promise.all([
      import("@psn/wiring/vendors.ts"),
      import("@psn/wiring/ship-tasks.ts"),
    ]);
    const env = vendors.settingsOf(folder);
    const projectRef = env.get("TRIGGER_PROJECT_REF");
    if (projectRef === undefined)
      throw new PsnError("TRIGGER_MISSING", "this hub has no project on Trigger.dev", { hint: "psn init --trigger" });
    vendors.assertReachable(env);
    const token = await triggerToken(input, env, context);
    const { secrets, plain } = vendors.variablesOf(folder);
    const variables = [...Object.keys(secrets), ...Object.keys(plain)];
    const onLine = (line: string) => output.interactive && output.note(line);
    const shipment = { env, version, token, projectRef, dryRun: input.dryRun, signal, onLine };
    const ship = () => shipping.ship(shipment);
    const ready = () => shipping.makeReady(shipment);
    if (input.dryRun) {
      await ready();
      await ship();
      output.result(
        { dryRun: true, project: projectRef, variables, tasks: TASKS },
        () => `the tasks build; would set ${variables.join(", ")} in ${projectRef} and deploy ${TASKS.join(", ")}`,
      );
      return undefined;
    }
    context.leaves("stopped; the settings that were stored stay; psn deploy does the rest", "psn deploy");
    const worker = await showing(output, { what: "deploying", parts: "steps" }, ({ step }) => {
      const said = (name: string, work: () => Promise<void>) => () => {
        step(name);
        return work();
      };
      return deployTasks({
        trigger: vendors.openTrigger(env, token),
        projectRef,
        version,
        secrets,
        plain,
        ours: vendors.VARIABLES,
        ready: said("checking the project and the tools", ready),
        ship: said("building and sending the tasks", ship),
      });
    });
    output.result(
      { project: projectRef, version: worker.version, tasks: worker.tasks, variables },
      () => `${output.style("green", "deployed")}  ${worker.version}: ${worker.tasks.join(", ")}`,
    );
    output.note("next: psn doctor");
    return undefined;
  },
});
