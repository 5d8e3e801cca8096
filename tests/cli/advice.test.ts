import { randomBytes } from "node:crypto";
import { DELIVERY_STATES, type DeliveryState } from "@psn/core/types/index.ts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { documentOf, type Ran, type TestHub, testHub } from "../support/cli.ts";
import { someOf } from "../support/how-much.ts";
import { atMost } from "../support/until.ts";

/*
 * What psn advises is accepted: every state of a delivery, with every health of its account, while a worker is at it,
 * while psn waits to ask again, and when nothing is planned. And what each verb does with a post of which only some
 * deliveries are in its states.
 */

let hub: TestHub;
let id: string;
beforeAll(async () => {
  hub = await testHub();
  const written = documentOf(await hub.psn(["post", "hello", "--in", "3d", "--json"]));
  [{ id }] = written["deliveries"] as [{ id: string }];
});
afterAll(() => hub.close());

type Health = "ok" | "needs-reconnect" | "disconnected";
/**
 * at work: a worker has it. settling: psn waits until it asks again. over: its worker is dead. idle: nobody has or had
 * it.
 */
type Hands = "at work" | "settling" | "over" | "idle";
interface Situation {
  readonly state: DeliveryState;
  readonly health: Health;
  readonly hands: Hands;
  readonly code: string | null;
}

const HANDS: Readonly<Record<Hands, readonly [worker: string | null, lease: string | null]>> = {
  "at work": ["w-1", "1 minute"],
  settling: [null, "90 seconds"],
  over: ["w-1", "-1 minute"],
  idle: [null, null],
};
const LEASED: readonly DeliveryState[] = ["claimed", "sending", "pending"];
const all = DELIVERY_STATES.flatMap((state) =>
  (["ok", "needs-reconnect", "disconnected"] as const).flatMap((health) =>
    (Object.keys(HANDS) as Hands[])
      // What is claimed is in somebody's hands; a disconnect leaves a worker its lease; nobody holds the rest.
      .filter((hands) =>
        state === "unconfirmed" ? hands !== "settling" : LEASED.includes(state) ? hands !== "idle" : hands === "idle",
      )
      .flatMap((hands) =>
        (state === "held" ? [null, "LATE", "AUTH_REVOKED"] : [null]).map((code) => ({ state, health, hands, code })),
      ),
  ),
);
/** In `check` every other one: each state, with each pair of hands and each code. */
const situations = someOf(all);

async function bring({ state, health, hands, code }: Situation): Promise<void> {
  const [worker, lease] = HANDS[hands];
  const sent = state === "sending" || state === "pending" || state === "unconfirmed";
  await hub.rows("UPDATE psn.accounts SET health = $1, health_reason = 'it was revoked'", [health]);
  await hub.rows(
    `UPDATE psn.deliveries SET state = $1, worker = $2, lease_until = now() + $3::interval, code = $4, message = NULL,
       wake_at = now() + interval '1 hour', published_at = CASE WHEN $1 = 'published'
         THEN now() END, fence = fence + 1 WHERE id = $5`,
    [state, worker, lease, code, id],
  );
  const unit = state === "published" || state === "pending" ? state : sent ? "sending" : "waiting";
  await hub.rows(
    "UPDATE psn.delivery_units SET state = $1, sent_at = CASE WHEN $2 THEN now() END, ref_id = NULL, ref_url = " +
      "NULL, handle = NULL WHERE delivery_id = $3",
    [unit, sent, id],
  );
}

/** The commands in a text, as argv. */
const commandsIn = (text: string) =>
  [...text.matchAll(/psn ((?:resolve|retry|cancel|connect|show|move|recover|queue)(?: (?!or\b)[^\s,;|()]+)*)/g)].map(
    ([, words = ""]) => words.replace("URL", "https://example.com/1").split(" "),
  );

async function accepted(commands: readonly (readonly string[])[], situation: Situation): Promise<void> {
  for (const argv of commands) {
    await bring(situation);
    const ran = await hub.psn(argv);
    expect(ran, `psn ${argv.join(" ")} in ${JSON.stringify(situation)}: ${ran.stderr}`).toMatchObject({ code: 0 });
  }
}

describe("what psn advises is accepted", () => {
  test.each(situations)("$state, account $health, $hands, $code", async (situation) => {
    await bring(situation);
    const shown = await hub.psn(["show", id]);
    const listed = await hub.psn(["queue", "--all"]);
    const today = await hub.psn([]);
    const { state, health, hands } = situation;
    const needsPerson =
      hands !== "at work" &&
      !["published", "cancelled", "removed"].includes(state) &&
      (health !== "ok" || ["held", "failed", "unconfirmed"].includes(state));
    if (needsPerson && !(state === "claimed")) expect(commandsIn(shown.stderr), shown.stderr).not.toEqual([]);
    await accepted(
      [shown, listed, today].flatMap(({ stdout, stderr }) =>
        commandsIn(`${stdout}\n${stderr}`).filter((argv) => !argv.includes("ID") && !argv.includes("./public")),
      ),
      situation,
    );
    for (const verb of [
      ["cancel", id],
      ["retry", id],
      ["move", id, "--in", "2d"],
      ["resolve", id, "--not-live"],
    ]) {
      await bring(situation);
      const ran = await hub.psn(verb);
      if (ran.code !== 0) {
        expect(ran, verb.join(" ")).toMatchObject({ code: 1, stderr: expect.stringContaining("STATE_CONFLICT") });
        const hint = commandsIn(ran.stderr.split("→")[1] ?? "");
        expect(hint, ran.stderr).not.toEqual([]);
        await accepted(hint, situation);
      }
    }
  });

  test("doctor's too", async () => {
    await bring({ state: "scheduled", health: "needs-reconnect", hands: "idle", code: null });
    const { checks } = documentOf(await hub.psn(["doctor", "--json"])) as {
      checks: { name: string; fix: string | null }[];
    };
    const fixes = checks.flatMap(({ name, fix }) =>
      name.startsWith("account") && fix !== null ? commandsIn(fix) : [],
    );
    expect(fixes).toEqual([["connect", "feed:notes"]]);
    await accepted(fixes, { state: "scheduled", health: "needs-reconnect", hands: "idle", code: null });
  });
});

describe("next is when somebody looks again", () => {
  const next = async () => {
    const { deliveries } = documentOf(await hub.psn(["show", id, "--json"])) as {
      deliveries: [{ next: string | null }];
    };
    return deliveries[0].next;
  };
  test.each([
    ["scheduled", "idle", 60 * 60],
    ["sending", "settling", 90],
    ["pending", "settling", 60 * 60],
    ["claimed", "over", -60],
    ["sending", "over", -60],
    ["sending", "at work", null],
    ["unconfirmed", "idle", null],
    ["published", "idle", null],
  ] as const)("%s, %s", async (state, hands, seconds) => {
    await bring({ state, health: "ok", hands, code: null });
    const said = await next();
    if (seconds === null) expect(said).toBeNull();
    else expect(Math.abs(new Date(said ?? "").getTime() - Date.now() - seconds * 1000)).toBeLessThan(atMost(5_000));
  });

  test("and show says so, in the user's zone", async () => {
    await bring({ state: "sending", health: "ok", hands: "settling", code: "OUTCOME_UNKNOWN" });
    const { stdout, stderr } = await hub.psn(["show", id]);
    expect(stdout).toMatch(/psn asks the platform again at .*Europe\/Berlin/);
    expect(stderr).toBe("");
  });
});

describe("of a post, only what is in the verb's states", () => {
  let both: string;
  const states = async () =>
    Object.fromEntries(
      (
        await hub.rows(
          `SELECT a.platform, d.state, (d.due_at > now() + interval '1 day') AS later,
             d.wake_at > now() + interval '1 hour' AS waits
           FROM psn.deliveries d JOIN psn.accounts a ON a.id = d.account_id WHERE d.post_id = $1`,
          [both],
        )
      ).map(({ platform, state, waits }) => [String(platform), `${String(state)}${waits ? ", later" : ""}`]),
    );
  const leftOf = (ran: Ran) =>
    (documentOf(ran)["left"] as readonly { account: { platform: string }; state: string }[]).map(
      (one) => `${one.account.platform} ${one.state}`,
    );
  beforeAll(async () => {
    await bring({ state: "cancelled", health: "ok", hands: "idle", code: null });
    await hub.rows("UPDATE psn.accounts SET health = 'ok'");
    const secret = `whsec_${randomBytes(32).toString("base64")}`;
    expect(
      await hub.psn(["connect", "webhook", "http://127.0.0.1:1/", "--secret-stdin"], { stdin: secret }),
    ).toMatchObject({ code: 0 });
  });
  beforeEach(async () => {
    both = String(documentOf(await hub.psn(["post", "for both", "--to", "all", "--in", "3d", "--json"]))["post"]);
  });
  const set = (platform: string, state: DeliveryState) =>
    hub.rows(
      "UPDATE psn.deliveries d SET state = $1 FROM psn.accounts a WHERE a.id = d.account_id AND a.platform = $2 " +
        "AND d.post_id = $3",
      [state, platform, both],
    );

  test.each(["failed", "held", "cancelled"] as const)(
    "retry takes what is %s, and what is scheduled keeps its time",
    async (state) => {
      await set("feed", state);
      expect(leftOf(await hub.psn(["retry", both, "--dry-run", "--json"]))).toEqual(["webhook scheduled"]);
      const ran = await hub.psn(["retry", both]);
      expect(ran).toMatchObject({
        code: 0,
        stderr: expect.stringMatching(/^not changed: webhook:127\.0\.0\.1:1, scheduled\n/),
      });
      expect(ran.stdout).not.toContain("webhook");
      expect(await states()).toEqual({ feed: "scheduled", webhook: "scheduled, later" });
    },
  );

  test("retry of what is only scheduled is refused, and says how to send it sooner", async () => {
    const ran = await hub.psn(["retry", both]);
    expect(ran).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/nothing to retry: feed:notes is scheduled.*\n.*psn move [0-9a-f]{8} --in 1s/),
    });
    expect(await states()).toEqual({ feed: "scheduled, later", webhook: "scheduled, later" });
  });

  test.each([
    ["cancel", [], ["failed", "published", "unconfirmed", "sending"]],
    ["move", ["--in", "2d"], ["failed", "published", "unconfirmed", "sending", "cancelled"]],
  ] as const)("%s leaves alone what it cannot take, and names it", async (verb, flags, states_) => {
    for (const state of states_) {
      await set("webhook", state);
      await set("feed", "scheduled");
      const ran = await hub.psn([verb, both, ...flags, "--json"]);
      expect(ran.code, ran.stdout).toBe(0);
      expect(leftOf(ran)).toEqual([`webhook ${state}`]);
      expect((await states())["webhook"]).toMatch(new RegExp(`^${state}`));
    }
  });

  test("resolve takes what is unconfirmed alone", async () => {
    await set("webhook", "unconfirmed");
    const ran = await hub.psn(["resolve", both, "--live", "https://example.com/1", "--json"]);
    expect(leftOf(ran)).toEqual(["feed scheduled"]);
    expect(await states()).toEqual({ feed: "scheduled, later", webhook: "published" });
  });
});
