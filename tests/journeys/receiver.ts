import { Webhook } from "standardwebhooks";
import { z } from "zod";

/** A request that was taken: the webhook's id, the post's text, and when, in epoch milliseconds. */
export interface Taken {
  readonly id: string;
  readonly text: string;
  readonly at: number;
}

/** A receiver as the Standard Webhooks specification wants it: it checks the signature, and remembers ids. */
export interface Receiver {
  readonly url: string;
  readonly secret: string;
  /** Posts it has taken and still has, in order: each id once. */
  readonly taken: Taken[];
  /** How often each id was delivered. */
  readonly deliveries: Map<string, number>;
  /** How many requests came, answered or not. */
  readonly requests: () => number;
  /** Answers with this instead, from now on. */
  refuse(status: number | undefined): void;
  /** Answers no request before this is settled. */
  hold(until: Promise<unknown>): void;
  stop(): Promise<void>;
}

const Event = z.discriminatedUnion("type", [
  z.object({
    type: z.literal("post.published"),
    timestamp: z.iso.datetime(),
    data: z.object({ id: z.string(), parts: z.array(z.object({ text: z.string() })).min(1) }),
  }),
  z.object({ type: z.literal("post.removed"), timestamp: z.iso.datetime(), data: z.object({ id: z.string() }) }),
]);

export function startReceiver(): Receiver {
  const secret = `whsec_${Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("base64")}`;
  const webhook = new Webhook(secret);
  const taken: Receiver["taken"] = [];
  const deliveries = new Map<string, number>();
  let requests = 0;
  let refusal: number | undefined;
  let held: Promise<unknown> | undefined;
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (request) => {
      const body = await request.text();
      // Now: of a request whose sender has gone Bun has no headers.
      const headers = new Headers(request.headers);
      requests += 1;
      await held;
      let verified: unknown;
      try {
        verified = webhook.verify(body, Object.fromEntries(headers));
      } catch {
        return Response.json({ error: "the signature does not hold" }, { status: 400 });
      }
      const { type, data } = Event.parse(verified);
      const id = headers.get("webhook-id") ?? "";
      if (id !== (type === "post.removed" ? `${data.id}-removed` : data.id))
        return Response.json({ error: "two ids" }, { status: 400 });
      if (refusal !== undefined) return Response.json({ error: "not today" }, { status: refusal });
      deliveries.set(id, (deliveries.get(id) ?? 0) + 1);
      if (type === "post.removed") {
        const at = taken.findIndex((one) => one.id === data.id);
        if (at >= 0) taken.splice(at, 1);
      } else if (deliveries.get(id) === 1)
        taken.push({ id, text: data.parts.map(({ text }) => text).join("\n"), at: Date.now() });
      return new Response(null, { status: 204 });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/hook`,
    secret,
    taken,
    deliveries,
    requests: () => requests,
    refuse: (status) => {
      refusal = status;
    },
    hold: (until) => {
      held = until;
    },
    stop: () => server.stop(true),
  };
}
