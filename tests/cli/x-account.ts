import { nameOf } from "@psn/app/choose-accounts.ts";
import { expect } from "vitest";
import type { TestHub } from "../support/cli.ts";

/** An account on X in the hub's rows, for what needs no network: its token opens nothing. */
export async function connectX(hub: TestHub): Promise<string> {
  const { openHub } = await import("../../src/wiring/hub.ts");
  const { sealCredentials } = await import("@psn/app/session.ts");
  const opened = await openHub({ folder: hub.folder, use: "once" });
  try {
    const { world, user } = opened;
    const profile = { subject: "783214", handle: "ada_x", url: "https://x.com/ada_x", home: "https://x.com" };
    const account = { id: world.newId(), platform: "x", profile };
    const row = { id: world.newId(), version: 1 };
    const sealed = sealCredentials(world, {
      userId: user.id,
      row,
      account,
      credentials: { access: "at-none", refresh: "rt-none", scopes: [] },
    });
    await world.stores.accounts.connect(user.id, account, sealed);
    const accounts = await world.stores.accounts.list(user.id);
    expect(accounts.map(nameOf)).toContain("x:ada_x");
    return "x:ada_x";
  } finally {
    await opened.close();
  }
}
