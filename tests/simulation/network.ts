import type { Fetch } from "@psn/core/types/platform.ts";
import { labelOf } from "./database.ts";
import { type Found, type Ground, mayStop, type Removal, type Sent, type Step } from "./ground.ts";
import type { Process } from "./kernel.ts";
import type { Ways } from "./scenario.ts";
import type { Reply, Servers } from "./servers.ts";

/*
 * The way between psn and the platforms: every request takes time in both directions, can be lost on either, can be
 * carried out when nobody waits for it any more, and can be answered with anything.
 */

type Fault = Ways["request"][number] | "none";

/** A request is given up after this, in milliseconds (`platforms/kit/http.ts`). */
const PATIENCE_MS = 30_000;
/**
 * What is carried out later than this after psn stopped waiting can be doubled by a server that ignores keys
 * (docs/guarantees.md); in milliseconds, with what a search lags behind.
 */
const LATEST_MS = 55_000;

/** Words that a database, a terminal or a cut can stumble over. */
const WORDS = [
  "no",
  "no\u0000way",
  "\ud83d",
  `${"x".repeat(198)}\ud83d\ude00\ud83d\ude00 and so on`,
  "\udc00 backwards \ud800",
  "line\r\nline\u2028line\u001b[31m",
  "e\u0301".repeat(300),
] as const;

const failure = (code: string) => Object.assign(new Error("the connection failed"), { code });

export function fetchOf(ground: Ground, servers: Servers, process: Process): Fetch {
  const { kernel } = ground;
  return (input, init) =>
    new Promise<Response>((resolve, reject) => {
      const url = new URL(input);
      const method = init?.method ?? "GET";
      const [, bearer = ""] = (new Headers(init?.headers).get("authorization") ?? "").split(" ");
      const account = Number(bearer.split("/")[0]);
      const body: unknown = typeof init?.body === "string" ? JSON.parse(init.body) : undefined;
      const route = `${method} /${url.pathname.split("/")[1] ?? ""}`;
      const creates = route === "POST /posts";
      const label = creates ? `${route} a${account} ${fieldOf(body, "text")}` : `${route} a${account}`;
      const name = `${label} #${numberOf(ground, label)}`;
      const chance = ground.chance(name);
      let fault: Fault = ground.befalls("request", name) ?? "none";
      if (refusedAgain(ground).has(label)) fault = "refusal";
      if (fault === "answer lost, then refused") {
        refusedAgain(ground).add(label);
        fault = "answer lost";
      }
      if (kernel.now() < ground.away.platforms) fault = chance.pick(["refused connection", "500 before"]);
      const sent: Sent | undefined = creates
        ? {
            key: fieldOf(body, "key"),
            instant: fieldOf(body, "at"),
            account,
            by: process.name,
            sender: process,
            startedAt: kernel.now(),
            found: undefined,
          }
        : undefined;
      const post = route === "DELETE /posts" ? url.pathname.split("/")[2] : undefined;
      const removal: Removal | undefined = post === undefined ? undefined : { post, until: kernel.now() };
      if (removal) {
        ground.watch.removals.push(removal);
        void removalAt(ground, removal, process);
      }
      kernel.note(process.name, `${name}${fault === "none" ? "" : `: ${fault}`}`);
      if (sent) {
        ground.watch.sent.push(sent);
        void foundAt(ground, sent).then((found) => Object.assign(sent, { found }));
      }

      mayStop(ground, process, name);
      let over = false;
      const finish = (ms: number, give: () => void) =>
        kernel.after(ms, process, () => {
          if (over) return;
          over = true;
          if (sent) sent.endedAt = kernel.now();
          give();
        });
      const { signal } = init ?? {};
      const giveUp = () => {
        if (over) return;
        over = true;
        if (sent) sent.gaveUpAt = sent.endedAt = kernel.now();
        reject(signal?.reason);
      };
      if (signal?.aborted) {
        giveUp();
        return;
      }
      signal?.addEventListener("abort", giveUp, { once: true });

      const fail = (code: string, ms: number) => finish(ms, () => reject(failure(code)));
      const give = ({ status, body: text, headers = {} }: Reply, ms: number, told?: () => void) =>
        finish(ms, () => {
          told?.();
          kernel.note(process.name, `${name} is answered ${status}`);
          resolve(new Response(text, { status, headers }));
        });
      const lagMs = chance.happens(0.3) ? chance.int(0, 20_000) : 0;
      const carryOut = () => {
        const reply = servers.handle(account, method, url, bearer, body, lagMs);
        if (sent && reply.status < 300) sent.handledAt = kernel.now();
        kernel.note("platform", `${name} → ${reply.status} ${reply.body.slice(0, 40)}`);
        return reply;
      };
      /** The answer to what reached the server. */
      const reached = (ms: number, then: () => void) => {
        if (sent) sent.until = kernel.now() + ms;
        if (removal) removal.until = kernel.now() + ms;
        kernel.after(ms, undefined, then);
      };
      const [there, back] = [chance.int(1, 200), chance.int(1, 200)];
      switch (fault) {
        case "none":
          reached(there, () => give(carryOut(), back));
          return;
        case "refused connection":
          fail("ECONNREFUSED", back);
          return;
        case "lost":
          fail("ECONNRESET", there + chance.int(0, 5_000));
          return;
        case "silence":
          return;
        case "500 before":
          give({ status: chance.pick([500, 502, 503, 504, 408]), body: "oops" }, there + back);
          return;
        case "500 after":
          reached(there, () => {
            carryOut();
            give({ status: chance.pick([500, 502, 504]), body: "oops" }, back);
          });
          return;
        case "answer lost":
          reached(there, () => {
            carryOut();
            fail("ECONNRESET", back);
          });
          return;
        case "carried out, then silence":
          reached(there, () => void carryOut());
          return;
        case "late":
          // The search lags too: both together stay within what psn's documents allow.
          reached(chance.int(PATIENCE_MS - 5_000, PATIENCE_MS + LATEST_MS - 2 * lagMs), () =>
            give(carryOut(), chance.int(1, 2_000)),
          );
          return;
        case "slow": {
          const whole = chance.int(5_000, PATIENCE_MS - 1_000);
          const first = chance.int(1, whole);
          reached(first, () => give(carryOut(), whole - first));
          return;
        }
        case "garbage before":
          // To a question this would be a clear word that the post is not there, which psn believes
          // (docs/guarantees.md).
          give(
            {
              status: 200,
              body: chance.pick(["<html>welcome</html>", "", "{", sent ? '{"id":null}' : "[]", '{"job":7}']),
            },
            there + back,
          );
          return;
        case "garbage after":
          reached(there, () => {
            carryOut();
            give({ status: 200, body: chance.pick(["<html>welcome</html>", "", "{", "[]", '{"id":5}']) }, back);
          });
          return;
        case "429":
          reached(there, () => {
            const { reply, pause } = servers.pause(account, chance.int(1, 240) * 1_000);
            give(reply, back, () => {
              if (sent) pause.told = { at: kernel.now(), by: process.name, key: sent.key };
            });
          });
          return;
        case "refusal":
          give(
            {
              // Of a removal, "there is no such post" is a clear word, which psn believes.
              status: chance.pick(removal ? [400, 403, 409, 422] : [400, 403, 404, 409, 410, 413, 422, 422]),
              body: `{"error":${escaped(chance.pick(WORDS))}}`,
            },
            there + back,
          );
          return;
        case "redirect":
          give(
            {
              status: chance.pick([301, 302, 307, 308]),
              body: "",
              headers: { location: "https://elsewhere.example/posts" },
            },
            there + back,
          );
          return;
      }
    });
}

/** JSON in ASCII: half a character must reach psn as one. */
const escaped = (text: string): string =>
  `"${[...Array(text.length).keys()].map((at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")}"`;

const refused = new WeakMap<Ground, Set<string>>();
/** Requests whose answer was lost once, and which the server refuses from then on until all is calm. */
function refusedAgain(ground: Ground): Set<string> {
  const some = ground.calm ? new Set<string>() : (refused.get(ground) ?? new Set<string>());
  refused.set(ground, some);
  return some;
}

const numbers = new WeakMap<Ground, Map<string, number>>();
function numberOf(ground: Ground, label: string): number {
  const some = numbers.get(ground) ?? new Map<string, number>();
  numbers.set(ground, some);
  const number = (some.get(label) ?? 0) + 1;
  some.set(label, number);
  return number;
}

const fieldOf = (body: unknown, field: string): string => {
  const value: unknown = typeof body === "object" && body !== null ? Reflect.get(body, field) : undefined;
  return typeof value === "string" ? value : "";
};

const REMOVES = `select u.delivery_id::text as delivery, u.state as "unitState", d.state, d.operation
  from psn.delivery_units u join psn.deliveries d on d.id = u.delivery_id
  where u.ref_id = $1 or u.ref_url like '%/' || $1`;

/** Nothing is removed that its user has not asked for, nor before the database says so. */
async function removalAt({ watch, postgres }: Ground, { post }: Removal, { name }: Process): Promise<void> {
  const [found] = await postgres.query<Omit<Found, "position" | "fence"> & { readonly operation: string }>(REMOVES, [
    post,
  ]);
  if (!found) watch.broken.push(`${name} removes a post that the database does not have`);
  else if (!watch.removalAsked.has(found.delivery))
    watch.broken.push(`${name} removes ${post}, and nobody asked for it`);
  else if (found.operation !== "remove" || found.unitState !== "sending")
    watch.broken.push(
      `${name} removes ${post} while the database says that its unit is ${found.unitState} (${found.state})`,
    );
}

const FIND = `select u.delivery_id::text as delivery, u.position, u.state as "unitState", d.state, d.fence::integer
  from psn.delivery_units u join psn.deliveries d on d.id = u.delivery_id where u.id = $1`;

/**
 * What the database says of a unit at the instant at which its request begins; nothing may be sent that is not
 * `sending` there.
 */
async function foundAt(ground: Ground, sent: Sent): Promise<Found | undefined> {
  const { watch, postgres } = ground;
  const [found] = await postgres.query<Found>(FIND, [sent.key]);
  if (!found) watch.broken.push(`${sent.by} sends a unit that the database does not have`);
  else {
    const label = labelOf(ground, found.delivery);
    if (found.unitState !== "sending")
      watch.broken.push(
        `${sent.by} sends ${label} while the database says that its unit is ${found.unitState} (${found.state})`,
      );
    // Some platforms make the post's name of the instant: it stays until psn knows that nothing was sent.
    const before = watch.sent.findLast((one) => one !== sent && one.key === sent.key);
    const unsent = ({ at, to }: Step) =>
      before && at >= before.startedAt && to.id === found.delivery && to.units.split(" ")[found.position] === "waiting";
    if (before && before.instant !== sent.instant && !watch.steps.some(unsent))
      watch.broken.push(`another request: ${label} is sent again with another instant`);
    const cancelled = watch.cancelled.get(found.delivery);
    if (cancelled !== undefined && found.state === "cancelled")
      watch.broken.push(`${sent.by} sends ${label}, which is cancelled`);
  }
  return found;
}
