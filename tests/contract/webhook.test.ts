import webhook from "@psn/platforms/webhook/index.ts";
import { Webhook } from "standardwebhooks";
import { testPlatform, type World } from "./platform.ts";

const SECRET = `whsec_${Buffer.alloc(32, 7).toString("base64")}`;
const NOON = Date.parse("2026-11-02T12:00:00.000Z");

/**
 * A receiver as the specification wants it: it verifies, takes each `webhook-id` once and forgets what is removed.
 * https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md (2026-11)
 */
function receiver() {
  const seen = new Set<string>();
  const posts = new Map<string, unknown>();
  const take = async (request: Request): Promise<Response> => {
    if (request.method !== "POST") return new Response(null, { status: 405 });
    const body = await request.text();
    const headers = Object.fromEntries(request.headers);
    try {
      verify(body, headers);
    } catch {
      return Response.json({ error: "bad signature" }, { status: 401 });
    }
    const id = headers["webhook-id"] ?? "";
    if (!seen.has(id)) {
      seen.add(id);
      const event: { type: string; data: { id: string } } = JSON.parse(body);
      if (event.type === "post.published") posts.set(event.data.id, event);
      else posts.delete(event.data.id);
    }
    return new Response("ok", { status: 202 });
  };
  return { take, posts };
}

/**
 * By the specification's own library, but for the clock: `verify` reads the machine's, and the contract's stands still.
 */
function verify(body: string, headers: Record<string, string>): void {
  const at = Number(headers["webhook-timestamp"]);
  if (at * 1000 < NOON) throw new Error("too old");
  const expected = new Webhook(SECRET).sign(headers["webhook-id"] ?? "", new Date(at * 1000), body);
  if (headers["webhook-signature"] !== expected) throw new Error("no matching signature");
}

testPlatform({
  platform: webhook,
  world: (): World => {
    const { take, posts } = receiver();
    return {
      form: { url: "https://hooks.example/psn?list=news", secret: SECRET },
      fetch: (input, init) => take(new Request(input, init)),
      live: () => posts.size,
    };
  },
  // A receiver that is being deployed: tried again for days.
  codes: { "404": "PLATFORM_DOWN" },
  perAttempt: ["webhook-timestamp", "webhook-signature"],
  skip: {
    "answer.html": "any body with status 2xx is success by the specification",
    "answer.half": "any body with status 2xx is success by the specification",
    "answer.empty": "any body with status 2xx is success by the specification",
    "answer.removing-elsewhere": "any body with status 2xx is success by the specification",
    "answer.reading": "a webhook has nothing to read: identify sends no request",
  },
});
