import { connectAccount } from "@psn/app/connect-account.ts";
import { expect, test } from "vitest";
import { asOwner } from "../support/databases.ts";
import { openStage } from "./stage.ts";

/* What another hub may be publishing waits for a word of its user, whatever else happens to its account. */

test.each(["imported", "moved"])(
  "connecting an account again lets out what waited for it, and not what was %s",
  async (reason) => {
    const stage = await openStage();
    const account = await stage.connect("chosen", "ada");
    const [waits = "", elsewhere = ""] = [...(await stage.post(account)), ...(await stage.post(account))];
    await asOwner(stage.db, "UPDATE psn.deliveries SET state = 'held'");
    await asOwner(stage.db, "UPDATE psn.deliveries SET held_reason = $2 WHERE id = $1", [elsewhere, reason]);
    await connectAccount(stage.world, {
      userId: stage.userId,
      platformId: "chosen",
      consent: { form: { name: "ada" } },
      signal: new AbortController().signal,
    });
    expect((await stage.detail(waits)).state).toBe("scheduled");
    expect((await stage.detail(elsewhere)).state).toBe("held");
    await stage.run();
    expect(stage.remote.posts).toHaveLength(1);
  },
);

test("connecting as somebody else, while an account waits for it, changes nothing and names both", async () => {
  const stage = await openStage();
  const account = await stage.connect("chosen", "ada");
  await stage.world.stores.accounts.needsReconnect(stage.userId, account.id, "its token was taken back");
  const connect = (name: string, another = false) =>
    connectAccount(stage.world, {
      userId: stage.userId,
      platformId: "chosen",
      consent: { form: { name } },
      signal: new AbortController().signal,
      meant: { another },
    });
  await expect(connect("bob")).rejects.toMatchObject({
    code: "ACCOUNT_MISMATCH",
    message: expect.stringMatching(/chosen:bob.*chosen:ada/),
    hint: expect.stringContaining("--another"),
  });
  expect((await stage.world.stores.accounts.list(stage.userId)).map(({ profile }) => profile.handle)).toEqual(["ada"]);
  expect(await connect("bob", true)).toMatchObject({ again: false });
  expect(await connect("ada")).toMatchObject({ again: true, id: account.id });
  // Named by its account, only that one will do.
  const named = connectAccount(stage.world, {
    userId: stage.userId,
    platformId: "chosen",
    consent: { form: { name: "bob" } },
    signal: new AbortController().signal,
    meant: { account },
  });
  await expect(named).rejects.toMatchObject({ code: "ACCOUNT_MISMATCH" });
});
