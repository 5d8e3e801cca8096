import type { ErrorCode } from "@psn/core/errors.ts";
import type { OAuthApp } from "@psn/core/types/account.ts";
import type { Fetch, Platform } from "@psn/core/types/platform.ts";
import type { Media } from "@psn/core/types/post.ts";
import { afterEach, describe, expect, test } from "vitest";
import { answering } from "./promises/answering.ts";
import { composing } from "./promises/composing.ts";
import { declaring } from "./promises/declaring.ts";
import { golden } from "./promises/golden.ts";
import { publishing } from "./promises/publishing.ts";
import { type Fault, openStage, type Stage } from "./stage.ts";

/*
 * One contract for every platform. A platform's test brings a world and calls `testPlatform({ platform, world })`.
 *
 * A world is a platform with one account that can be connected and nothing published yet. It is made anew for every
 * promise:
 *
 *   form    what a person enters to connect, secrets included. Every secret must be long enough to be searched for.
 *   consent where the account connects by OAuth: what the person does in the browser at this address, as the query with
 *           which the browser comes back. The account then connects by it and not by the form.
 *   app     the user's own app, where the platform wants one.
 *   fetch   the platform's side: a real server's `fetch`, or a stateful and strict fake. It need not know about faults,
 *           time limits or recording: the contract lays them around it (`stage.ts`).
 *   live    how many posts the platform shows of this account. It is how the contract counts what is public.
 *   now     only for a real server, whose clock cannot be set; otherwise it is always the same noon.
 *   link    only where the platform fetches media itself: a public address for a file, which this then serves.
 *   slow    only where the platform has `poll`: makes the next publish pending.
 *   close   takes away what the world started.
 *
 * What differs on purpose is said in data: `skip` (a promise and the reason why it cannot be made), `codes` (a refusal
 * that means something else on this platform), `answers` (a fault in the platform's own words; a 429 must ask for 37
 * seconds), `vouches` (a refused repeat proves that no attempt was taken), `perAttempt` (headers that name the attempt
 * and not the post), `scrub` (what a real server changes in golden requests).
 *
 * Golden requests live in `golden/<platform>.json`; `PSN_GOLDEN=write` makes them anew, and the diff is for a person to
 * read.
 */
export interface World {
  readonly fetch: Fetch;
  readonly form: Readonly<Record<string, string>>;
  readonly app?: OAuthApp;
  readonly consent?: (url: string) => Promise<Readonly<Record<string, string>>>;
  readonly live: () => number | Promise<number>;
  readonly now?: () => Date;
  readonly link?: (media: Media) => Promise<string>;
  readonly slow?: () => void;
  readonly close?: () => void | Promise<void>;
}

export interface PlatformContract {
  readonly platform: Platform;
  readonly world: () => World | Promise<World>;
  readonly skip?: Readonly<Partial<Record<PromiseId, string>>>;
  readonly codes?: Readonly<Partial<Record<Fault, ErrorCode>>>;
  readonly answers?: Readonly<Partial<Record<Fault, (now: Date) => Response>>>;
  /** Why a refused repeat proves here that no attempt was taken; without it no refusal may say so. */
  readonly vouches?: string;
  /** Lower case. */
  readonly perAttempt?: readonly string[];
  /** Hosts beside the account's home that may be told a secret: a login that is not where the account lives. */
  readonly loginHosts?: readonly string[];
  readonly scrub?: (text: string) => string;
}

/** What a promise is checked against. `open` connects an account in a world of its own. */
export interface Subject {
  readonly platform: Platform;
  readonly contract: PlatformContract;
  readonly world: () => Promise<World>;
  readonly open: () => Promise<Stage>;
}

export interface Promised {
  readonly says: string;
  readonly holds: (subject: Subject) => void | Promise<void>;
}

const PROMISES = { ...declaring, ...composing, ...publishing, ...answering, ...golden };
export type PromiseId =
  | keyof typeof declaring
  | keyof typeof composing
  | keyof typeof publishing
  | keyof typeof answering
  | keyof typeof golden;

/** What only a platform with a network can promise. */
export const NETWORK_PROMISES = [
  ...keysOf(answering),
  "publish.one-request",
  "publish.same-request",
  "publish.key-travels",
  "token.home",
  "golden",
] as const;

/** The same reason for several promises. */
export function skipAll(ids: readonly PromiseId[], reason: string): Partial<Record<PromiseId, string>> {
  return Object.fromEntries(ids.map((id) => [id, reason]));
}

/** Holds one platform to every promise in `core/types/platform.ts`. */
export function testPlatform(contract: PlatformContract): void {
  const { platform, skip = {} } = contract;
  const opened: World[] = [];
  const world = async () => {
    const made = await contract.world();
    opened.push(made);
    return made;
  };
  const subject: Subject = { platform, contract, world, open: async () => openStage(contract, await world()) };
  const skips = Object.entries(skip);

  describe(`platform ${platform.id}`, () => {
    afterEach(async () => {
      for (const made of opened.splice(0)) await made.close?.();
    });
    for (const id of keysOf(PROMISES)) {
      const { says, holds } = PROMISES[id];
      if (skip[id] === undefined) test(`${id}: ${says}`, () => holds(subject));
    }
    const reasons = Map.groupBy(skips, ([, reason]) => reason);
    const told = [...reasons].map(([reason, ids]) => `${ids.map(([id]) => id).join(", ")} (${reason})`);
    const line =
      `skips ${skips.length} of ${keysOf(PROMISES).length} ` +
      `promises${told.length > 0 ? `: ${told.join("; ")}` : ""}`;
    test(line, () => {
      process.stdout.write(`${platform.id} ${line}\n`);
      for (const [id, reason] of skips) {
        expect(PROMISES).toHaveProperty([id]);
        expect(reason, `a reason for skipping ${id}`).toMatch(/\w+ \w+/);
      }
    });
  });
}

function keysOf<T extends object>(record: T): (keyof T & string)[] {
  return Object.keys(record) as (keyof T & string)[];
}
