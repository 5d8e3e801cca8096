import { parting } from "@psn/app/recover-hub.ts";
import { importing } from "@psn/app/verbs/import.ts";
import { type AnyVerb, type HubScope, VERBS } from "@psn/app/verbs/index.ts";
import { copied, PsnError } from "@psn/core/errors.ts";
import { defined } from "@psn/core/types/defined.ts";
import { doctorGround } from "@psn/wiring/doctor.ts";
import { hubFolder, openHub as openWiredHub } from "@psn/wiring/hub.ts";
import { mediaReader } from "@psn/wiring/media-reader.ts";
import type { z } from "zod";
import { version } from "../package.json";

/*
 * psn for another program: `openHub` gives the verbs of the command line, typed. docs/library.md has an example.
 */

export { type ErrorCode, PsnError } from "@psn/core/errors.ts";

type Verbs = typeof VERBS;

export interface CallOptions {
  /** Aborted: stops before the first change. */
  readonly signal?: AbortSignal;
}

/** The verbs of an open hub. What each answers is in docs/json.md, by the name of its command. */
export type HubVerbs = {
  readonly [Name in keyof Verbs]: (
    input: z.input<Verbs[Name]["input"]>,
    options?: CallOptions,
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
  let { parted } = hub;
  const scope: HubScope = {
    ...hub,
    actor: { kind: "program", name },
    readMedia: mediaReader(found),
    doctor: doctorGround(found, { open: async () => ({ ...hub, parted }), version, ...defined({ environment }) }),
  };
  const verbs = Object.entries<AnyVerb>(VERBS).map(([key, verb]) => [
    key,
    async (input: unknown, { signal }: CallOptions = {}) => {
      const isRecovery = verb === VERBS.recover;
      if (parted && !isRecovery && verb.effect !== "read") throw copied();
      const answer = await call(verb, { scope: { ...scope, parted }, input, signal });
      if (isRecovery) parted = await parting(hub.world);
      return answer;
    },
  ]);
  return { ...(Object.fromEntries(verbs) as HubVerbs), folder: found, close: () => hub.close() };
}

/** What `importHub` takes beside the input of the verb. */
export interface ImportOptions extends z.input<typeof importing.input>, CallOptions {
  /** The hub's folder, or the one in which it is to be made. */
  readonly folder: string;
  readonly environment?: HubOptions["environment"];
}

/**
 * Brings a hub from the file of an export into a folder, whose hub must be empty and is made where there is none; or,
 * without a file, starts what an import left held. Open the hub afterwards: a file brings its own user. Throws what
 * `openHub` throws, and INPUT_REQUIRED, INPUT_INVALID, STATE_CONFLICT, FILE_UNREADABLE.
 */
export async function importHub(options: ImportOptions): Promise<z.output<typeof importing.output>> {
  const { folder, environment, signal, ...input } = options;
  const { importScope } = await import("@psn/wiring/transfer.ts");
  const answer = await call(importing, { scope: importScope(folder, environment), input, signal });
  return answer as z.output<typeof importing.output>;
}

async function call<Needs>(
  verb: AnyVerb<Needs>,
  {
    scope,
    input,
    signal,
  }: { readonly scope: Needs; readonly input: unknown; readonly signal: AbortSignal | undefined },
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
