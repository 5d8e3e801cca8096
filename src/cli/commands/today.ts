import { nameOf } from "@psn/app/choose-accounts.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { deliveryDocument, deliveryTable } from "@psn/cli/render.ts";
import { EXIT, PsnError } from "@psn/core/errors.ts";
import { z } from "zod";

const MOST = 10;

export default defineCommand({
  name: "psn",
  summary: "the day at a glance, or how to begin",
  examples: [],
  schema: z.object({}),
  run: async (_input, context) => {
    const { output } = context;
    try {
      await context.folder();
    } catch (error) {
      if (!(error instanceof PsnError) || error.code !== "HUB_MISSING") throw error;
      output.result(
        { hub: null, next: "psn init" },
        () =>
          'psn publishes what you write to your networks, now or at the time you say.\n\n  psn init                   make a hub in this folder\n  psn connect feed ./public  connect an account\n  psn post "hello"           publish\n\npsn --help shows every command.',
      );
      return EXIT.ok;
    }
    const { world, user } = await context.hub();
    const open = await world.stores.posts.list(user.id, "open", MOST);
    const recent = await world.stores.posts.list(user.id, "all", MOST);
    const failed = recent.filter(({ state }) => state === "failed");
    const sick = (await world.stores.accounts.list(user.id)).filter(({ health }) => health === "needs-reconnect");
    const late = open.filter(({ state, code }) => state === "held" && code === "LATE");
    output.result(
      {
        next: open.map(deliveryDocument),
        late: late.map(deliveryDocument),
        failed: failed.map(deliveryDocument),
        reconnect: sick.map(nameOf),
      },
      () => {
        const parts = [open.length === 0 ? "nothing is waiting" : deliveryTable(output, open, user.timeZone)];
        if (failed.length > 0) parts.push(`failed lately:\n${deliveryTable(output, failed, user.timeZone)}`);
        if (late.length > 0)
          parts.push(
            `very late: publish it all the same with psn retry ID, or psn cancel ID\n${deliveryTable(output, late, user.timeZone)}`,
          );
        if (sick.length > 0) parts.push(`needs reconnecting: ${sick.map(nameOf).join(", ")}`);
        return parts.join("\n\n");
      },
    );
    output.note('next: psn post "…" --to ACCOUNT, psn queue, psn --help');
    return EXIT.ok;
  },
});
