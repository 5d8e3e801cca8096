import { ERRORS, type ErrorCode, PsnError } from "@psn/core/errors.ts";
import { expect } from "vitest";
import type { Promised, Subject } from "../platform.ts";
import {
  BREAKDOWNS,
  type Fault,
  keyOf,
  LOST,
  OTHER_REFUSALS,
  PAUSE_MS,
  picture,
  postOf,
  REFUSALS,
  settled,
  UNSENT,
} from "../stage.ts";

const TEXT = "zanzibar wombats waltz";
const withPicture = () => postOf(TEXT, { parts: [{ text: TEXT, media: [picture("image-1")] }] });
const EVERY_FAULT: readonly Fault[] = [...REFUSALS, ...BREAKDOWNS, ...LOST, ...UNSENT];
/** The engine settles these with the platform; it never sends blindly again. */
const UNKNOWN = ["OUTCOME_UNKNOWN", "PLATFORM_CHANGED"] as const satisfies readonly ErrorCode[];

/** Publishing, finding again and taking back, when the platform refuses, breaks down or falls silent. */
export const answering = {
  ...refusals({
    "401": "AUTH_EXPIRED",
    "403": "AUTH_SCOPE",
    "404": "PLATFORM_REJECTED",
    "409": "PLATFORM_REJECTED",
    "413": "PLATFORM_REJECTED",
    "422": "PLATFORM_REJECTED",
  }),
  "answer.429": {
    says: "429 is RATE_LIMITED with the platform's own pause, and nothing was published",
    holds: async (subject) => {
      const { error, live } = await publishUnder(subject, "429");
      expect(error.code).toBe("RATE_LIMITED");
      expect(Math.abs((error.retryAfterMs ?? 0) - PAUSE_MS)).toBeLessThanOrEqual(PAUSE_MS / 4);
      expect(live).toBe(0);
    },
  },
  ...unknowns({
    "500": "an inner error",
    "502": "a broken gateway",
    html: "a page of HTML with status 200",
    half: "half a JSON document",
    empty: "an empty answer with status 200",
    timeout: "no answer in time",
    reset: "a connection cut after the request arrived",
  }),
  "answer.redirect": {
    says:
      "a redirect is not followed: PLATFORM_REJECTED, it names the new address, nothing was carried out, and a " +
      "repeat learns nothing by it",
    holds: async (subject) => {
      for (const again of [false, true]) {
        const { error, sent, live } = await publishUnder(subject, "redirect", again);
        expect(error).toMatchObject({ code: "PLATFORM_REJECTED", neverTaken: false });
        expect(error.message).toContain("https://elsewhere.example/new");
        expect(error.message).not.toMatch(/s3cret|who/);
        expect(error.hint).toMatch(/^(psn connect \w+|update psn)/);
        expect(sent).toBe(1);
        expect(live).toBe(0);
      }
    },
  },
  "answer.redirect-elsewhere": {
    says: "a redirect of a look-up or an upload is PLATFORM_REJECTED too: nobody tries for hours",
    holds: async ({ open, platform }) => {
      const stage = await open();
      const { request } = await stage.publish(postOf(TEXT));
      const [unit] = stage.units(platform.capabilities.images ? withPicture() : postOf(TEXT));
      stage.requests.length = 0;
      stage.fault("redirect", "all");
      const reads = [
        async () => platform.identify(stage.session),
        async () => platform.lookup?.(request, stage.session, new Set()),
        ...(unit.prepare ? [async () => stage.ready(unit, keyOf(2))] : []),
      ];
      for (const read of reads) {
        const before = stage.requests.length;
        const error: unknown = await read().catch((thrown: unknown) => thrown);
        if (stage.requests.length > before) expect(error).toMatchObject({ code: "PLATFORM_REJECTED" });
      }
    },
  },
  "answer.again": {
    says: "a refused repeat says that no attempt was taken only where the platform shows it, and never where one was",
    holds: async ({ open, platform, contract }) => {
      const stage = await open();
      for (const [index, fault] of [...REFUSALS, ...OTHER_REFUSALS].entries()) {
        const [never] = stage.units(postOf(`never taken, ${fault}`));
        const request = await stage.ready(never, keyOf(2 * index));
        const taken = await stage.publish(postOf(`taken, ${fault}`), keyOf(2 * index + 1));
        stage.fault(fault);
        const error: unknown = await platform
          .publish({ ...request, again: true }, stage.session)
          .catch((thrown: unknown) => thrown);
        if (!(error instanceof PsnError)) throw error;
        expect([fault, error.neverTaken]).toEqual([
          fault,
          contract.vouches !== undefined && error.code === "PLATFORM_REJECTED",
        ]);
        await platform.publish({ ...taken.request, again: true }, stage.session).then(
          (outcome) => expect(outcome).toMatchObject({ status: "published", ref: taken.ref }),
          (thrown: unknown) => expect(thrown, fault).toMatchObject({ neverTaken: false }),
        );
        stage.fault(undefined);
        expect(await stage.live()).toBe(index + 1);
      }
    },
  },
  "answer.refused": {
    says: "a refused connection or an unknown name is PLATFORM_UNREACHABLE: nothing was sent",
    holds: async (subject) => {
      for (const fault of UNSENT) {
        const { error } = await publishUnder(subject, fault);
        expect(error.code).toBe("PLATFORM_UNREACHABLE");
        expect(error.retry).toBe("backoff");
      }
    },
  },
  "answer.settled": {
    says:
      "after a lost answer, looking and sending again with the same key leaves exactly one post (where the key " +
      "settles it)",
    holds: async ({ open, platform }) => {
      const { duplicates } = platform.capabilities;
      if (duplicates !== "client-id" && duplicates !== "idempotency-key") return;
      for (const fault of ["reset", "500"] as const) {
        const stage = await open();
        const request = await stage.ready(stage.units(postOf(TEXT))[0]);
        stage.fault(fault);
        await expect(platform.publish(request, stage.session)).rejects.toBeInstanceOf(PsnError);
        stage.fault(undefined);
        const later = stage.sessionWith({ laterMs: 30_000 });
        const found = await platform.lookup?.(request, later, new Set());
        if (platform.lookup) expect(found !== undefined).toBe((await stage.live()) === 1);
        const ref = found ?? (await settled(platform, request, later));
        expect(await stage.live()).toBe(1);
        expect((await platform.lookup?.(request, later, new Set())) ?? ref).toEqual(ref);
      }
    },
  },
  "answer.reading": {
    says: "a read that fails is only PLATFORM_DOWN, whatever befell it",
    holds: async ({ open, platform }) => {
      const stage = await open();
      const { request } = await stage.publish(postOf(TEXT));
      const reads = [
        () => platform.identify(stage.session),
        ...(platform.lookup ? [() => platform.lookup?.(request, stage.session, new Set())] : []),
      ];
      for (const read of reads) {
        for (const fault of ["500", "502", "timeout", "reset"] as const) {
          stage.fault(fault, "all");
          await expect((async () => read())(), fault).rejects.toMatchObject({ code: "PLATFORM_DOWN" });
        }
        for (const fault of ["html", "half", "empty"] as const) {
          stage.fault(fault, "all");
          await expect((async () => read())(), fault).rejects.toMatchObject({
            code: expect.stringMatching(/^PLATFORM_(DOWN|CHANGED)$/),
          });
        }
        stage.fault("refused", "all");
        await expect((async () => read())()).rejects.toMatchObject({ code: "PLATFORM_UNREACHABLE" });
      }
    },
  },
  "answer.preparing": {
    says: "preparing that fails has shown nothing: it is never an unknown outcome",
    holds: async ({ open, platform }) => {
      if (!platform.prepare || !platform.capabilities.images) return;
      for (const fault of ["500", "reset", "half", "timeout"] as const) {
        const stage = await open();
        const [unit] = stage.units(withPicture());
        stage.fault(fault, "all");
        const error: unknown = await stage.ready(unit).catch((thrown: unknown) => thrown);
        expect(error, fault).toMatchObject({ code: expect.stringMatching(/^PLATFORM_(DOWN|CHANGED)$/) });
        expect(await stage.live()).toBe(0);
      }
    },
  },
  "answer.removing": {
    says: "removing that meets bad weather is a PsnError to try again, never an unknown outcome",
    holds: async ({ open, platform }) => {
      const stage = await open();
      const { ref } = await stage.publish(postOf(TEXT));
      for (const fault of ["500", "timeout", "refused"] as const) {
        stage.fault(fault, "all");
        const error: unknown = await platform.remove(ref, stage.session).catch((thrown: unknown) => thrown);
        expect(error, fault).toMatchObject({ code: expect.stringMatching(/^PLATFORM_(DOWN|UNREACHABLE)$/) });
      }
      stage.fault(undefined);
      await platform.remove(ref, stage.session);
      expect(await stage.live()).toBe(0);
    },
  },
  "answer.removed": {
    says: "a removal whose answer is lost is settled by asking again, and takes nothing else",
    holds: async ({ open, platform }) => {
      for (const fault of LOST) {
        const stage = await open();
        await stage.publish(postOf("this one stays"), keyOf(7));
        const { ref } = await stage.publish(postOf(TEXT));
        stage.fault(fault);
        await platform.remove(ref, stage.session).catch((thrown: unknown) => {
          if (!(thrown instanceof PsnError)) throw thrown;
        });
        stage.fault(undefined);
        await platform.remove(ref, stage.session);
        expect(await stage.live(), String(fault)).toBe(1);
      }
    },
  },
  "answer.removing-elsewhere": {
    says: "a page that answers everything with status 200 is no yes: what it was asked to remove is not called gone",
    holds: async ({ open, platform }) => {
      const stage = await open();
      const { ref } = await stage.publish(postOf(TEXT));
      for (const page of ["<html>Welcome to this network</html>", ""]) {
        const portal = async () => new Response(page, { headers: { "content-type": "text/html" } });
        const error: unknown = await platform
          .remove(ref, { ...stage.session, fetch: portal })
          .catch((thrown: unknown) => thrown);
        expect(error, page).toMatchObject({
          code: expect.stringMatching(/^PLATFORM_(DOWN|CHANGED)$/),
          neverTaken: false,
        });
      }
    },
  },
  "answer.refreshing": {
    says: "new credentials work; a refused exchange is AUTH_REVOKED, bad weather is not (where there is refresh)",
    holds: async ({ open, platform }) => {
      if (!platform.refresh) return;
      const stage = await open();
      for (const fault of ["500", "timeout", "refused", "redirect"] as const) {
        stage.fault(fault, "all");
        const error: unknown = await platform.refresh(stage.session).catch((thrown: unknown) => thrown);
        expect(error, fault).toMatchObject({ code: expect.stringMatching(/^PLATFORM_(DOWN|UNREACHABLE)$/) });
      }
      stage.fault("401", "all");
      await expect(platform.refresh(stage.session)).rejects.toMatchObject({ code: "AUTH_REVOKED" });
      stage.fault(undefined);
      const session = { ...stage.session, credentials: await platform.refresh(stage.session) };
      expect(await platform.identify(session)).toEqual(stage.connection.profile);
      await settled(platform, await stage.ready(stage.units(postOf(TEXT))[0]), session);
      expect(await stage.live()).toBe(1);
    },
  },
  "answer.secrets": {
    says: "no error carries a secret or the post's text, in its message, hint, details or JSON",
    holds: async (subject) => {
      for (const fault of EVERY_FAULT) {
        const { error, secrets, accepted } = await publishUnder(subject, fault);
        if (accepted) continue;
        const shown =
          `${error.message} ${error.hint} ${JSON.stringify(error)} ${String(error)} ` +
          `${JSON.stringify(error.details)}`;
        for (const secret of [...secrets, TEXT]) expect(shown, fault).not.toContain(secret);
      }
    },
  },
} as const satisfies Record<string, Promised>;

type Refusal = Exclude<(typeof REFUSALS)[number], "429">;
type Unknown = Exclude<(typeof BREAKDOWNS)[number], "redirect"> | (typeof LOST)[number];

/** What a clear no becomes. A platform that means something else by it says so in `codes`. */
function refusals(codes: Record<Refusal, ErrorCode>) {
  const promised = Object.entries(codes).map(([fault, code]): [string, Promised] => [
    `answer.${fault}`,
    {
      says: `${fault} is ${code}, and nothing was published`,
      holds: async (subject) => {
        const { error, live } = await publishUnder(subject, fault as Refusal);
        expect(error.code).toBe(subject.contract.codes?.[fault as Refusal] ?? code);
        expect(error.retry).not.toBe("reconcile");
        expect(live).toBe(0);
      },
    },
  ]);
  return Object.fromEntries(promised) as Record<`answer.${Refusal}`, Promised>;
}

/** What leaves open whether the post is public. */
function unknowns(words: Record<Unknown, string>) {
  const promised = Object.entries(words).map(([fault, what]): [string, Promised] => [
    `answer.${fault}`,
    {
      says: `${what} leaves the outcome unknown`,
      holds: async (subject) => {
        const { error, sent } = await publishUnder(subject, fault as Unknown);
        expect(UNKNOWN).toContain(error.code);
        expect(ERRORS[error.code].retry).toBe("reconcile");
        expect(sent, "never sent again by the adapter itself").toBe(1);
      },
    },
  ]);
  return Object.fromEntries(promised) as Record<`answer.${Unknown}`, Promised>;
}

/** Publishes one unit while a fault befalls every request that can create something. */
async function publishUnder({ open, platform }: Subject, fault: Fault, again = false) {
  const stage = await open();
  const request = await stage.ready(stage.units(postOf(TEXT))[0], keyOf(1));
  stage.requests.length = 0;
  stage.fault(fault);
  const thrown: unknown = await platform.publish({ ...request, ...(again ? { again } : {}) }, stage.session).then(
    () => undefined,
    (error: unknown) => error,
  );
  const accepted = thrown === undefined;
  const error = accepted ? new PsnError("BUG", "the adapter took this for a success") : thrown;
  if (!(error instanceof PsnError)) throw error;
  stage.fault(undefined);
  const sent = stage.requests.filter(({ method }) => method !== "GET").length;
  return { error, accepted, sent, live: await stage.live(), secrets: stage.secrets };
}
