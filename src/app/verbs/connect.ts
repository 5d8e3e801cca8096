import { type ConnectedAccount, connectAccount, type Meant } from "@psn/app/connect-account.ts";
import { ConnectDocument, type ConnectFacts, connectDocument, maskedForm } from "@psn/app/documents/account.ts";
import { filledForm, type Reaching, type Target, targetOf } from "@psn/app/prepare-connection.ts";
import type { Scope } from "@psn/app/scope.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { World } from "@psn/core/ports/world.ts";
import type { Auth, ExchangeRequest, OAuthAuth } from "@psn/core/types/account.ts";
import { defined } from "@psn/core/types/defined.ts";
import type { Platform } from "@psn/core/types/platform.ts";
import { z } from "zod";
import * as inputs from "./inputs.ts";
import { type Control, defineVerb, neverAborted } from "./verb.ts";

export interface ConnectScope extends Scope {
  /** The user who calls this owns the hub's folder, and may connect to this machine and its network. */
  readonly reach: (entered: readonly string[]) => Reaching;
}

/** What a person is asked to consent to. */
export interface Consent {
  readonly world: World;
  readonly platform: Platform;
  readonly way: OAuthAuth;
  readonly form: Readonly<Record<string, string>>;
}

export interface ConnectControl extends Control {
  /** What `platform` names, where the caller has found it already. */
  readonly target?: Target;
  /** Names of fields that a person would be asked for: a dry run does without them. */
  readonly unsaid?: readonly string[];
  /**
   * Leads a person through the platform's consent in a browser, and calls `work` with the answer; `noReturn` is called
   * right before the account is written. Absent where the caller has no browser.
   */
  readonly consent?: (
    asked: Consent,
    work: (answer: ExchangeRequest, noReturn: () => void) => Promise<ConnectedAccount>,
  ) => Promise<ConnectedAccount>;
}

export const connect = defineVerb({
  name: "connect",
  summary: "connect an account",
  effect: "admin",
  idempotent: false,
  input: z.strictObject({
    platform: z.string().describe("A platform by its id, or an account to reconnect, as `platform:handle`."),
    way: z
      .enum(["form", "oauth"])
      .optional()
      .describe("By values of a form, or by consent in a browser; else the first that the caller can take."),
    form: z
      .record(z.string(), z.string())
      .default({})
      .describe("What the platform asks for, by the names of its fields; what a reconnected account has stays."),
    another: z.boolean().default(false).describe("Add another account instead of reconnecting one of this platform."),
    dryRun: inputs.dryRun,
  }),
  output: ConnectDocument,
  run: async (scope: ConnectScope, input, control: ConnectControl = {}): Promise<ConnectFacts> => {
    const { user } = scope;
    const { another, dryRun } = input;
    const { signal = neverAborted(), noReturn, consent, unsaid = [] } = control;
    const target = control.target ?? (await targetOf(scope, input.platform));
    const { platform, account } = target;
    const whose = { userId: user.id, platformId: platform.id, signal };
    const way = wayTo(platform, input.way, consent !== undefined || dryRun);
    const form = await filledForm(scope, { target, way, form: input.form, another, unsaid });
    const meant: Meant = { another, ...defined({ account, noReturn }) };
    const { world, keep } = scope.reach(way.fields.flatMap(({ name, secret }) => (secret ? [] : (form[name] ?? []))));
    if (dryRun) {
      for (const { name, check } of way.fields) if (form[name] !== undefined) check?.(form[name]);
      const found =
        way.kind === "form" && unsaid.length === 0
          ? await connectAccount(world, { ...whose, consent: { form }, meant: { ...meant, dryRun } })
          : undefined;
      return { dryRun, platform: platform.id, way: way.kind, form: maskedForm(way, form), account, found };
    }
    const connected =
      way.kind === "form"
        ? await connectAccount(world, { ...whose, consent: { form }, meant })
        : await (consent ?? noBrowser(platform))({ world, platform, way, form }, (answer, before) => {
            const both = () => {
              before();
              noReturn?.();
            };
            return connectAccount(world, { ...whose, consent: { answer }, meant: { ...meant, noReturn: both } });
          });
    return { dryRun, connected, allowed: await keep(connected.profile.home) };
  },
  document: connectDocument,
});

/** Throws INPUT_INVALID where the platform has no such way, INPUT_REQUIRED where its only one needs a browser. */
function wayTo(platform: Platform, wanted: Auth["kind"] | undefined, hasBrowser: boolean): Auth {
  const { id, auth } = platform;
  const [first] = auth;
  if (wanted !== undefined) {
    const found = auth.find(({ kind }) => kind === wanted);
    if (found) return found;
    throw new PsnError("INPUT_INVALID", `${id} has no such way to connect, but ${auth.map(({ kind }) => kind).join()}`);
  }
  return hasBrowser ? first : (auth.find(({ kind }) => kind === "form") ?? noBrowser(platform)());
}

const noBrowser =
  ({ id }: Platform) =>
  (): never => {
    throw new PsnError("INPUT_REQUIRED", `${id} is connected by consent in a browser, and the caller has none`, {
      hint: { run: "connect", args: { platform: id } },
    });
  };
