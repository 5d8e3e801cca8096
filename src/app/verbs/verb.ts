import type { DocumentOf } from "@psn/app/documents/values.ts";
import type { Scope } from "@psn/app/scope.ts";
import type { z } from "zod";

/**
 * What somebody outside may see of a verb. An edge decides by it what it offers, and when it asks for consent. `draft`
 * writes what is not scheduled; `schedule` changes what is to come; `publish` may at once change what is public;
 * `admin` changes the hub itself, or takes it elsewhere: accounts, keys, archives.
 */
export type Effect = "read" | "draft" | "schedule" | "publish" | "admin";

/** How a caller stops a verb. */
export interface Control {
  /** Aborted: take nothing new. */
  readonly signal?: AbortSignal;
  /** Called right before the first change; what it throws leaves all as it was. */
  readonly noReturn?: () => void;
  /** Of long work: how many of all parts are done. */
  readonly onProgress?: (done: number, all: number) => void;
}

/** For a caller who stops nothing. */
export const neverAborted = (): AbortSignal => new AbortController().signal;

/**
 * Something a user would say, as data: the command line, a program, an agent and HTTP each add only what is theirs. It
 * parses no words such as "tomorrow 9am": that is the edge's, and so are reading files and asking.
 */
export interface Verb<
  Input extends z.ZodType = z.ZodType,
  Output extends z.ZodType = z.ZodType,
  Facts = unknown,
  Given extends Control = Control,
  Needs = Scope,
> {
  /** As the command is called. */
  readonly name: string;
  /** One plain line, without a subject and without a full stop. */
  readonly summary: string;
  readonly effect: Effect;
  /** The same input a second time changes nothing more. */
  readonly idempotent: boolean;
  readonly input: Input;
  readonly output: Output;
  /**
   * Does it. Answers all that it found out, which a person may be shown. A verb about the hub as a whole needs more
   * than a scope, which the wiring has. Throws PsnError.
   */
  run(scope: Needs, input: z.output<Input>, control?: Given): Promise<Facts>;
  /** What a program is told of it. */
  document(facts: Facts): DocumentOf<Output>;
}

/** Identity, for inference. */
export function defineVerb<
  Input extends z.ZodType,
  Output extends z.ZodType,
  Facts,
  Given extends Control = Control,
  Needs = Scope,
>(verb: Verb<Input, Output, Facts, Given, Needs>): Verb<Input, Output, Facts, Given, Needs> {
  return verb;
}
