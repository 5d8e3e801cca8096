import { PsnError } from "@psn/core/errors.ts";
import { BODY_BYTES, readBody, textOf } from "@psn/core/net/answer-body.ts";
import type { Queue, WakeUp } from "@psn/core/ports/outside.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Fetch } from "@psn/core/types/platform.ts";

/** A person waits for `psn post`; the watchdog makes up for a call that did not get through. In milliseconds. */
const REQUEST_TIMEOUT_MS = 5_000;

export interface TriggerQueue {
  /** Of the Trigger.dev server. */
  readonly url: string;
  /** Of the environment whose tasks shall wake: `tr_prod_…`. */
  readonly secretKey: string;
  /** Platforms whose adapters run on Trigger.dev. */
  readonly platforms: readonly string[];
  readonly fetch: Fetch;
  readonly now: () => Date;
}

/** What the tasks get: ids and nothing else. */
export interface Payload {
  readonly deliveryId: string;
  readonly userId: string;
}

/** The name of a platform's queue; the tasks declare one for each. */
export const queueName = (platform: string) => `publish-${platform}`;
/** The queue of what settles and asks. */
export const SETTLE_QUEUE = "settle";

/**
 * Delayed runs on Trigger.dev (trigger.dev docs: triggering, idempotency, queue-concurrency; 2026-11). By plain
 * requests and not the SDK: that takes a tenth of a second to load, tries for half a minute when the server is down,
 * and gives a key another meaning inside a task than outside.
 */
export function triggerQueue({ url, secretKey, platforms, fetch, now }: TriggerQueue): Queue {
  const post = async (path: string, body: unknown): Promise<unknown> => {
    const connection = new AbortController();
    const timeout = AbortSignal.timeout(REQUEST_TIMEOUT_MS);
    let status: number;
    let text: string;
    try {
      const response = await fetch(new URL(path, url), {
        method: "POST",
        headers: { authorization: `Bearer ${secretKey}`, "content-type": "application/json" },
        body: JSON.stringify(body),
        redirect: "error",
        signal: AbortSignal.any([connection.signal, timeout]),
      });
      status = response.status;
      const read = await readBody(response, BODY_BYTES, timeout);
      if (!read.whole) connection.abort();
      if (!read.whole && response.ok) throw new Error("the rest of the answer cannot be read");
      text = textOf(read);
    } catch {
      // Without the cause: it may hold the request.
      throw new PsnError("VENDOR_UNREACHABLE", `Trigger.dev does not answer at ${new URL(url).origin}`, {
        hint: "psn doctor",
      });
    }
    if (status === 401 || status === 403)
      throw new PsnError("VENDOR_AUTH", "Trigger.dev does not accept TRIGGER_SECRET_KEY", {
        hint: "psn init --trigger",
      });
    if (status === 402) throw new PsnError("VENDOR_QUOTA", "Trigger.dev's plan does not allow another run");
    if (status === 408 || status === 429 || status >= 500)
      throw new PsnError("VENDOR_UNREACHABLE", `Trigger.dev answered ${status}`, { hint: "psn doctor" });
    if (status >= 400)
      throw new PsnError("VENDOR_REFUSED", `Trigger.dev refused a wake-up with ${status}`, { hint: "psn deploy" });
    try {
      return JSON.parse(text);
    } catch {
      throw new PsnError("VENDOR_CHANGED", "Trigger.dev answered with something that is not JSON");
    }
  };

  return {
    name: "Trigger.dev",
    serves: (platform) => platforms.includes(platform),
    async wake(wakeUp, again) {
      const { task, options } = runOf(wakeUp, again, now());
      const { deliveryId, userId } = wakeUp;
      const payload: Payload = { deliveryId, userId };
      const answer = await post(`/api/v1/tasks/${task}/trigger`, { payload, options });
      const id: unknown = typeof answer === "object" && answer !== null ? Reflect.get(answer, "id") : undefined;
      if (typeof id !== "string") throw new PsnError("VENDOR_CHANGED", "Trigger.dev did not say which run it made");
      return id;
    },
    async forget(handle) {
      await post(`/api/v2/runs/${encodeURIComponent(handle)}/cancel`, {});
    },
  };
}

/** A lease that ends calls for settling; anything else for publishing. Exported for its test. */
export function runOf(
  { deliveryId, accountId, platform, fence, state, at }: WakeUp,
  again: string | undefined,
  now: Date,
) {
  // An unparsable delay would be no error there: the run would begin at once.
  if (Number.isNaN(at.getTime())) throw new PsnError("BUG", "a wake-up without a time");
  const settles = state === "claimed" || state === "sending";
  return {
    task: settles ? "settle-unknown" : "publish-delivery",
    options: {
      queue: { name: settles ? SETTLE_QUEUE : queueName(platform) },
      concurrencyKey: accountId,
      // The fence grows with every claim, move and cancel, so that a changed delivery gets a run of its own. A
      // cancelled run keeps its key, and so does one that succeeded.
      idempotencyKey: [deliveryId, fence, at.getTime(), ...(again === undefined ? [] : [again])].join(":"),
      tags: [`delivery:${deliveryId}`],
      ...defined({ delay: at > now ? at.toISOString() : undefined }),
    },
  };
}
