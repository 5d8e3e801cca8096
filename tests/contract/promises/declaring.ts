import { PsnError } from "@psn/core/errors.ts";
import { formFields } from "@psn/core/types/account.ts";
import { VISIBILITIES } from "@psn/core/types/index.ts";
import type { Session } from "@psn/core/types/platform.ts";
import { expect } from "vitest";
import type { Promised } from "../platform.ts";
import { postOf } from "../stage.ts";

/** What a platform says of itself, and how an account connects. */
export const declaring = {
  "declares.docs": {
    says: "id, name and the vendor's page are given",
    holds: ({ platform }) => {
      expect(platform.id).toMatch(/^[a-z][a-z0-9-]*$/);
      expect(platform.name).not.toBe("");
      expect(new URL(platform.docs).protocol).toBe("https:");
    },
  },
  "declares.form": {
    says: "every way to connect has its verbs, and every field a name for a flag and a help text",
    holds: ({ platform }) => {
      const fields = platform.auth.flatMap((way) => way.fields);
      for (const way of platform.auth) expect(new Set(way.fields.map(({ name }) => name)).size).toBe(way.fields.length);
      for (const { name, help } of fields) {
        expect(name).toMatch(/^[a-z][a-z0-9-]*$/);
        expect(help.trim()).not.toBe("");
      }
      expect("connect" in platform).toBe(platform.auth.some(({ kind }) => kind === "form"));
      const oauth = platform.auth.find((way) => way.kind === "oauth");
      for (const verb of ["authorize", "exchange"] as const) expect(verb in platform).toBe(oauth !== undefined);
      if (!oauth?.app) return;
      expect(new URL(oauth.app.page).protocol).toBe("https:");
      expect(oauth.app.steps.length).toBeLessThanOrEqual(5);
      expect(oauth.app.steps.join(" ")).toContain("{redirect}");
    },
  },
  "declares.has": {
    says: "what it declares, it has: verbs to settle a lost answer, sensible limits, no stubs",
    holds: ({ platform }) => {
      const { duplicates, visibilities, concurrency, text, images, videos, documents, altText } = platform.capabilities;
      if (duplicates === "idempotency-key" || duplicates === "lookup") expect(platform.lookup).toBeTypeOf("function");
      for (const verb of [platform.identify, platform.compose, platform.publish, platform.remove])
        expect(verb).toBeTypeOf("function");
      for (const name of [
        "connect",
        "authorize",
        "exchange",
        "prepare",
        "poll",
        "lookup",
        "refresh",
        "revoke",
      ] as const)
        if (name in platform) expect(platform[name]).toBeTypeOf("function");
      expect(visibilities.length).toBeGreaterThan(0);
      for (const visibility of visibilities) expect(VISIBILITIES).toContain(visibility);
      expect(concurrency).toBeGreaterThanOrEqual(1);
      expect(text.max).toBeGreaterThan(0);
      if (altText !== false) expect(altText).toBeGreaterThan(0);
      for (const rule of [images, videos, documents]) {
        if (!rule) continue;
        expect(rule.max).toBeGreaterThan(0);
        expect(rule.maxBytes).toBeGreaterThan(0);
        expect(rule.mimes.length).toBeGreaterThan(0);
      }
    },
  },
  "declares.scopes": {
    says:
      "a token that is known to lack a scope of a verb is AUTH_SCOPE before anything is sent (where there are " +
      "scopes)",
    holds: async ({ platform, open }) => {
      const { scopes = {} } = platform;
      if (Object.keys(scopes).length === 0) return;
      const stage = await open();
      const { request, ref } = await stage.publish(postOf("hello"));
      const verbs = {
        prepare: (session: Session) => platform.prepare?.(request, session),
        publish: (session: Session) => platform.publish(request, session),
        lookup: (session: Session) => platform.lookup?.(request, session, new Set()),
        remove: (session: Session) => platform.remove(ref, session),
      };
      for (const verb of ["prepare", "publish", "lookup", "remove"] as const) {
        const needed = scopes[verb] ?? [];
        if (needed.length === 0) continue;
        const credentials = { ...stage.session.credentials, scopes: ["a-scope-of-no-verb"] };
        stage.requests.length = 0;
        const asked = async () => verbs[verb]({ ...stage.session, credentials });
        await expect(asked(), verb).rejects.toMatchObject({ code: "AUTH_SCOPE" });
        expect(stage.requests, verb).toEqual([]);
      }
      // Nothing is refused where nobody knows what was granted.
      const credentials = { ...stage.session.credentials, scopes: [] };
      await platform.remove(ref, { ...stage.session, credentials });
      expect(await stage.live()).toBe(0);
    },
  },
  "connect.shows-nothing": {
    says: "connecting changes nothing the platform shows, and keeps no secret in the profile",
    holds: async ({ open }) => {
      const { live, connection, secrets } = await open();
      expect(await live()).toBe(0);
      expect(connection.profile.subject).not.toBe("");
      expect(connection.profile.handle).not.toBe("");
      expect(connection.profile.home).not.toBe("");
      expect(URL.canParse(connection.profile.url)).toBe(true);
      for (const secret of secrets) expect(JSON.stringify(connection.profile)).not.toContain(secret);
    },
  },
  "connect.missing": {
    says: "a required field left empty is one clear error, and nothing is sent",
    holds: async ({ platform, world }) => {
      for (const { name, fallback } of formFields(platform)) {
        if (fallback !== undefined) continue;
        const { form } = await world();
        let sent = 0;
        const fetch = async () => {
          sent++;
          return new Response("", { status: 500 });
        };
        const net = { fetch, now: () => new Date(0), signal: new AbortController().signal };
        const error: unknown = await platform
          .connect?.({ ...form, [name]: "" }, net)
          .catch((thrown: unknown) => thrown);
        expect(error, name).toBeInstanceOf(PsnError);
        expect(error, name).toMatchObject({ code: expect.stringMatching(/^INPUT_(REQUIRED|INVALID)$/) });
        expect(sent).toBe(0);
      }
    },
  },
  "identify.subject": {
    says: "identify names an immutable subject, the same as connect's, without changing anything",
    holds: async ({ platform, open }) => {
      const stage = await open();
      stage.requests.length = 0;
      const profile = await platform.identify(stage.session);
      expect(profile.subject).not.toBe("");
      expect(profile.subject).not.toBe(profile.handle);
      expect(profile).toEqual(stage.connection.profile);
      for (const { method } of stage.requests) expect(method).toBe("GET");
      await stage.publish(postOf("another post, the same account"));
      expect((await platform.identify(stage.session)).subject).toBe(profile.subject);
    },
  },
} as const satisfies Record<string, Promised>;
