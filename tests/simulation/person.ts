import { isUnsure } from "@psn/app/advice.ts";
import { changeDeliveries, resolveDelivery } from "@psn/app/change-deliveries.ts";
import { connectAccount, disconnectAccount } from "@psn/app/connect-account.ts";
import { deletePost, planDeletion } from "@psn/app/delete-post.ts";
import { editPost, openPost, storedMedia } from "@psn/app/edit-post.ts";
import { followPost } from "@psn/app/follow-post.ts";
import { type DraftPart, schedulePost } from "@psn/app/schedule-post.ts";
import { wakeUp } from "@psn/app/wake-up.ts";
import { PsnError, toPsnError } from "@psn/core/errors.ts";
import type { NewMedia } from "@psn/core/ports/posts.ts";
import type { World } from "@psn/core/ports/world.ts";
import { labelOf } from "./database.ts";
import type { Ground } from "./ground.ts";
import type { Living } from "./process.ts";
import type { ScenarioPost } from "./scenario.ts";
import type { Servers } from "./servers.ts";

/*
 * What a person does with the command line: each command is a process that calls the use case which the command calls,
 * and says what it was told. The person can look at the platforms, and never lies.
 */

export interface Person {
  post(living: Living, post: ScenarioPost): Promise<void>;
  change(living: Living, name: string, to: "cancel" | "move" | "retry"): Promise<void>;
  /** Gives the post other words: the next revision says its number. */
  edit(living: Living, name: string): Promise<void>;
  delete(living: Living, name: string): Promise<void>;
  /** Tells psn of each delivery of the post that only a person can settle whether it is there. */
  resolve(living: Living, name: string): Promise<void>;
  connect(living: Living, account: number): Promise<void>;
  disconnect(living: Living, account: number): Promise<void>;
}

/** Larger than a row holds beside a bucket: what the person's picture says of itself. */
const PICTURE_BYTES = 300_000;

export function createPerson(ground: Ground, servers: Servers): Person {
  const { kernel, watch, userId, scenario } = ground;
  const signal = new AbortController().signal;
  const told = async (living: Living, what: string, work: () => Promise<string>): Promise<boolean> => {
    const { name } = living.process;
    kernel.note(name, `psn ${what}`);
    try {
      kernel.note(name, `psn ${what}: ${await work()}`);
      return true;
    } catch (error) {
      const { code, message } = toPsnError(error);
      kernel.note(name, `psn ${what}: ${code} ${message}`);
      // What is no PsnError is a fault of psn or of the simulator.
      if (!(error instanceof PsnError) || code === "BUG") watch.broken.push(`psn ${what} threw ${String(error)}`);
      return false;
    }
  };
  const accountsOf = async (world: World, some: readonly number[]) => {
    const all = await world.stores.accounts.list(userId);
    return some.flatMap((index) => all.filter(({ id }) => id === ground.accountIds[index]));
  };
  const postId = async (name: string): Promise<string | undefined> => {
    const found = await ground.postgres.query<{ readonly id: string }>(
      "select id::text from psn.posts where split_part(parts->0->>'text', '.', 1) = $1",
      [name],
    );
    return found[0]?.id;
  };

  const person: Person = {
    post: async (living, post) => {
      const { world } = living;
      const done = await told(living, `post ${post.name}`, async () => {
        const accounts = await accountsOf(world, post.accounts);
        const parts = Array.from(
          { length: post.parts },
          (_, n): DraftPart => ({
            text: `${post.name}.${n + 1}`,
            media: n === 0 && post.media ? [picture(world)] : [],
          }),
        );
        const [first, ...others] = parts;
        if (!first) return "nothing";
        const draft = { parts: [first, ...others] as const, overrides: {}, split: false, numbered: false };
        const at = new Date(world.now().getTime() + post.inMs);
        const due = { at, wallTime: null, timeZone: null, late: post.late };
        const { postId: id, repeated } = await schedulePost(world, {
          userId,
          draft,
          accounts,
          due,
          idempotencyKey: post.keyed ? post.name : null,
        });
        watch.confirmed.set(id, post.name);
        await wakeUp(world, userId, await world.stores.posts.ofPost(userId, id));
        if (post.follows) {
          const ended = await followPost({
            world,
            userId,
            postId: id,
            version: "0",
            stop: AbortSignal.timeout(90_000),
          });
          return `followed to ${ended.map((one) => `${labelOf(ground, one.id)} ${one.state}`).join(", ")}`;
        }
        return repeated ? "was stored before" : "stored";
      });
      if (!done && post.keyed) return Promise.reject(new Error("again"));
    },
    change: async (living, name, to) => {
      const id = await postId(name);
      if (id === undefined) return;
      await told(living, `${to} ${name}`, async () => {
        const { world } = living;
        const at = new Date(world.now().getTime() + 60_000);
        const change = to === "move" ? ({ to, at, wallTime: "later", timeZone: "UTC" } as const) : { to };
        const { deliveries } = await changeDeliveries(world, { userId, id, change, dryRun: false });
        for (const one of deliveries) if (to === "cancel") watch.cancelled.set(one.id, kernel.now());
        return deliveries.map((one) => `${labelOf(ground, one.id)} ${one.state}`).join(", ");
      });
    },
    edit: async (living, name) => {
      const id = await postId(name);
      if (id === undefined) return;
      await told(living, `edit ${name}`, async () => {
        const { world } = living;
        const post = await openPost(world, userId, id);
        const { parts, split, numbered } = post.written;
        const [first, ...others] = await Promise.all(
          parts.map(
            async ({ media }, n): Promise<DraftPart> => ({
              text: `${name}.${n + 1} r${post.source.revision + 1}`,
              media: await Promise.all(
                media.map((one) => storedMedia(world, { userId, source: post.source, medium: one })),
              ),
            }),
          ),
        );
        if (!first) return "nothing";
        const draft = { parts: [first, ...others] as const, overrides: {}, split, numbered };
        const { changed, left, revision } = await editPost(world, { userId, post, draft });
        const labels = changed.map(({ delivery }) => labelOf(ground, delivery.id)).join(", ");
        return `revision ${revision} of ${labels}; ${left.length} left`;
      });
    },
    delete: async (living, name) => {
      const id = await postId(name);
      if (id === undefined) return;
      await told(living, `delete ${name}`, async () => {
        const { world } = living;
        const plan = await planDeletion(world, userId, id);
        // Whatever becomes of the answer, it was asked for.
        for (const { step, delivery } of plan)
          if (step === "remove" || step === "cancel") watch.removalAsked.add(delivery.id);
        const { deliveries } = await deletePost(world, { userId, plan });
        return deliveries.map(({ delivery: one }) => `${labelOf(ground, one.id)} ${one.state}`).join(", ");
      });
    },
    resolve: async (living, name) => {
      const id = await postId(name);
      if (id === undefined) return;
      const { world } = living;
      await told(living, `resolve ${name}`, async () => {
        const said: string[] = [];
        for (const delivery of await world.stores.posts.detail(
          userId,
          (await world.stores.posts.ofPost(userId, id)).map((one) => one.id),
        )) {
          const removing = delivery.operation === "remove";
          const unit = removing
            ? delivery.unitList.findLast(({ state }) => state === "sending")
            : delivery.unitList.find(({ state }) => state !== "published");
          if (!unit || !isUnsure(delivery)) continue;
          // Whoever looks too early sees nothing yet; this person waits until nothing is on its way.
          const waiting = () =>
            watch.sent.some((sent) => sent.key === unit.id && (sent.until ?? 0) > kernel.now()) ||
            watch.removals.some(({ post, until }) => unit.ref?.url.endsWith(`/${post}`) && until > kernel.now());
          const there = () => servers.posts.find((post) => post.key === unit.id);
          for (let tries = 0; (waiting() || (there()?.at ?? 0) > kernel.now()) && tries < 30; tries += 1)
            await world.sleep(10_000);
          const live = there();
          const url = live && `https://${delivery.platform}.example/${live.id}`;
          await resolveDelivery(world, { userId, id: delivery.id, live: url });
          said.push(`${labelOf(ground, delivery.id)} ${live ? "is there" : "is not there"}`);
        }
        return said.join(", ") || "nothing to resolve";
      });
    },
    connect: async (living, account) => {
      const platform = scenario.accounts[account]?.platform;
      if (platform === undefined) return;
      await told(living, `connect a${account}`, async () => {
        await connectAccount(living.world, {
          userId,
          platformId: platform,
          consent: { form: { name: String(account) } },
          signal,
        });
        return "connected";
      });
    },
    disconnect: async (living, account) => {
      await told(living, `disconnect a${account}`, async () => {
        const [found] = await accountsOf(living.world, [account]);
        if (!found) return "not there";
        const { cancelled, unconfirmed } = await disconnectAccount(living.world, { userId, account: found, signal });
        return `${cancelled} cancelled, ${unconfirmed} unconfirmed`;
      });
    },
  };
  return person;
}

function picture(world: World): NewMedia {
  const content = new Uint8Array(8).fill(7);
  return {
    id: world.newId(),
    kind: "image",
    mime: "image/png",
    bytes: PICTURE_BYTES,
    width: 1,
    height: 1,
    sha256: "ab".repeat(32),
    content,
  };
}
