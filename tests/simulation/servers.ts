import { z } from "zod";
import type { Ground, Pause } from "./ground.ts";
import { MODELS, type ModelId, type Traits } from "./models.ts";

/*
 * What stands at the other end: posts of all accounts, tokens, pauses. A request changes it at one instant, whatever
 * becomes of the answer.
 */

export interface Held {
  readonly id: string;
  readonly key: string;
  readonly text: string;
  readonly account: number;
  readonly parent: string | null;
  readonly media: number;
  /** When it became public, in true time; later than now where the server still works on it. */
  readonly at: number;
  /** From when a search shows it. */
  readonly shownFrom: number;
}

export interface Reply {
  readonly status: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Servers {
  readonly posts: Held[];
  /** `pauseMs`: asks for a pause in place of doing it. */
  handle(account: number, method: string, url: URL, bearer: string, body: unknown, lagMs: number): Reply;
  pause(account: number, ms: number): { readonly reply: Reply; readonly pause: Pause };
  expire(account: number): void;
  revoke(account: number): void;
}

const Sent = z.object({ key: z.string(), text: z.string(), parent: z.string().nullable(), media: z.unknown() });
const Refreshing = z.object({ refresh: z.string() });

const json = (body: unknown, status = 200): Reply => ({ status, body: JSON.stringify(body) });

export function createServers({ kernel, scenario, watch }: Ground): Servers {
  const posts: Held[] = [];
  const tokens = scenario.accounts.map(() => ({ serial: 1, valid: true, refreshable: true }));
  const pausedUntil = scenario.accounts.map(() => 0);
  /** When a server is done with a medium, or with a container. */
  const working = new Map<string, number>();
  let count = 0;

  const traitsOf = (account: number): Traits => MODELS[scenario.accounts[account]?.platform ?? "chosen"];
  const login = (account: number): Reply => {
    const token = tokens[account];
    if (!token) return json({ error: "nobody" }, 400);
    Object.assign(token, { serial: token.serial + 1, valid: true, refreshable: true });
    return json({ access: `${account}/${token.serial}`, refresh: `r${token.serial}` });
  };
  const paused = (ms: number): Reply => ({
    status: 429,
    body: JSON.stringify({ error: "slow down" }),
    headers: { "retry-after": String(Math.ceil(ms / 1000)) },
  });

  return {
    posts,
    pause: (account, ms) => {
      const until = kernel.now() + ms;
      pausedUntil[account] = Math.max(pausedUntil[account] ?? 0, until);
      const pause: Pause = { account, from: kernel.now(), until };
      watch.pauses.push(pause);
      return { reply: paused(ms), pause };
    },
    expire: (account) => void Object.assign(tokens[account] ?? {}, { valid: false }),
    revoke: (account) => void Object.assign(tokens[account] ?? {}, { valid: false, refreshable: false }),
    handle: (account, method, url, bearer, body, lagMs) => {
      const token = tokens[account];
      const traits = traitsOf(account);
      const now = kernel.now();
      if (!token) return json({ error: "nobody" }, 400);
      const route = `${method} /${url.pathname.split("/")[1] ?? ""}`;
      if (route === "POST /login") return login(account);
      if (route === "POST /refresh") {
        const { refresh } = Refreshing.parse(body);
        // A token that rotates dies when it is used.
        if (!token.refreshable || refresh !== `r${token.serial}`) return json({ error: "the session has ended" }, 400);
        return login(account);
      }
      if (!token.valid || bearer !== `${account}/${token.serial}`) return json({ error: "the token has expired" }, 401);
      if (route === "POST /media") {
        const id = `m${++count}`;
        working.set(id, now + lagMs);
        return json({ id, ready: lagMs === 0 });
      }
      if (route === "GET /media") {
        const id = url.pathname.split("/")[2] ?? "";
        return json({ id, ready: (working.get(id) ?? now) <= now });
      }
      if (route === "GET /jobs") {
        const job = url.pathname.split("/")[2];
        const held = posts.find(({ id }) => id === job);
        if (!held) return json({ error: "no such job" }, 404);
        return held.at <= now ? json({ id: held.id }) : json({ job }, 202);
      }
      if (route === "DELETE /posts") {
        const index = posts.findIndex((post) => post.id === url.pathname.split("/")[2] && post.account === account);
        if (index < 0) return json({ error: "no such post" }, 404);
        posts.splice(index, 1);
        return json({ removed: true });
      }
      if (route === "GET /posts") {
        const key = url.searchParams.get("key");
        return json({ id: posts.find((post) => post.key === key && post.shownFrom <= now)?.id ?? null });
      }
      const left = (pausedUntil[account] ?? 0) - now;
      if (left > 0) return paused(left);
      const sent = Sent.parse(body);
      const same = posts.find((post) =>
        traits.honours
          ? post.key === sent.key
          : traits.duplicates === "refused" && post.account === account && post.text === sent.text,
      );
      if (
        traits.container &&
        !same &&
        !z
          .array(z.string())
          .safeParse(sent.media)
          .data?.some((id) => (working.get(id) ?? now + 1) <= now)
      )
        return json({ error: "the container is not ready" }, 400);
      if (same && !traits.honours) return json({ error: "said already", duplicate: same.id }, 409);
      const at = traits.pending ? now + lagMs : now;
      const held: Held = same ?? {
        id: `post${++count}`,
        key: sent.key,
        text: sent.text,
        account,
        parent: sent.parent,
        media: Array.isArray(sent.media) ? sent.media.length : 0,
        at,
        shownFrom: at + lagMs,
      };
      if (!same) posts.push(held);
      return held.at > now ? json({ job: held.id }, 202) : json({ id: held.id });
    },
  };
}

export type { ModelId };
