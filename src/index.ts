import type { Scope } from "@psn/app/scope.ts";
import { VERBS } from "@psn/app/verbs/index.ts";
import type { Verb } from "@psn/app/verbs/verb.ts";
import { copied, PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { hubFolder, openHub as openWiredHub } from "@psn/wiring/hub.ts";
import { mediaReader } from "@psn/wiring/media-reader.ts";
import type { z } from "zod";

/*
 * psn for another program: `openHub` gives the verbs of the command line, typed. docs/library.md has an example.
 */

export { type ErrorCode, PsnError } from "@psn/core/errors.ts";

type Verbs = typeof VERBS;

/** The verbs of an open hub. What each answers is in docs/json.md, by the name of its command. */
export type HubVerbs = {
  readonly [Name in keyof Verbs]: (
    input: z.input<Verbs[Name]["input"]>,
    options?: { readonly signal?: AbortSignal },
  ) => Promise<z.output<Verbs[Name]["output"]>>;
};

export interface OpenHub extends HubVerbs {
  /** The hub's folder. */
  readonly folder: string;
  /** Closes the database. No verb may be called afterwards. */
  close(): Promise<void>;
}

export interface HubOptions {
  /** The hub's folder, or one below it. */
  readonly folder: string;
  /** Settings that stand above hub.env; else the variables of this process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** What the program is called, for the hub's history. */
  readonly name?: string;
}

/**
 * Opens the hub of a folder. It is the caller who closes it. Throws PsnError: HUB_MISSING, CONFIG_…, DB_…, SCHEMA_…,
 * VAULT_LOCKED. Verbs throw INPUT_INVALID for an input that is not of its form, HUB_COPIED where the hub's database was
 * copied or restored and `psn recover` has not judged it, and what their commands report.
 */
export async function openHub({ folder, environment, name = "program" }: HubOptions): Promise<OpenHub> {
  const found = hubFolder(folder, undefined, environment);
  const hub = await openWiredHub({ folder: found, use: "once", ...defined({ environment }) });
  const { world, user, late } = hub;
  const scope: Scope = { world, user, late, actor: { kind: "program", name }, readMedia: mediaReader(found) };
  const verbs = Object.entries<Verb>(VERBS).map(([key, verb]) => [
    key,
    (input: unknown, { signal }: { readonly signal?: AbortSignal } = {}) => {
      if (hub.parted && verb.effect !== "read") throw copied();
      return call(verb, { scope, input, signal });
    },
  ]);
  return { ...(Object.fromEntries(verbs) as HubVerbs), folder: found, close: () => hub.close() };
}

async function call(
  verb: Verb,
  {
    scope,
    input,
    signal,
  }: { readonly scope: Scope; readonly input: unknown; readonly signal: AbortSignal | undefined },
): Promise<unknown> {
  const parsed = verb.input.safeParse(input);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const where = issue?.path.join(".") ?? "";
    throw new PsnError("INPUT_INVALID", `${verb.name}: ${where === "" ? "the input" : where}: ${issue?.message}`);
  }
  signal?.throwIfAborted();
  const control = signal ? { signal, noReturn: () => signal.throwIfAborted() } : {};
  return verb.document(await verb.run(scope, parsed.data, control));
}
