import type { DoctorScope } from "@psn/app/examine-all.ts";
import type { TransferScope } from "@psn/app/transfer-hub.ts";
import type { z } from "zod";
import { accounts } from "./accounts.ts";
import { cancel, move, resolve, retry } from "./change.ts";
import { type ConnectScope, connect } from "./connect.ts";
import { deletion } from "./delete.ts";
import { disconnect } from "./disconnect.ts";
import { doctor } from "./doctor.ts";
import { edit, source } from "./edit.ts";
import { exporting } from "./export.ts";
import { type KeysScope, listKeys, pushKeys, removeKey, setKey } from "./keys.ts";
import { post, preview } from "./post.ts";
import { queue } from "./queue.ts";
import { type RecoverScope, recover } from "./recover.ts";
import { show } from "./show.ts";
import { today } from "./today.ts";
import type { Control, Verb } from "./verb.ts";

/** All that a verb may need: an open hub, by somebody who has its folder. */
export interface HubScope extends ConnectScope, KeysScope, RecoverScope, TransferScope, DoctorScope {}

/** A verb of any kind, as an edge sees it that calls all of them in one way. */
export type AnyVerb<Needs = HubScope> = Verb<z.ZodType, z.ZodType, unknown, Control, Needs>;

/**
 * What psn can do for a user of an open hub, by name. An edge walks this table, or loads the one verb that it needs.
 * `import` is not in it: after it the folder has another user.
 */
export const VERBS = {
  connect,
  accounts,
  disconnect,
  post,
  preview,
  queue,
  show,
  source,
  edit,
  move,
  cancel,
  delete: deletion,
  retry,
  resolve,
  today,
  recover,
  listKeys,
  setKey,
  removeKey,
  pushKeys,
  export: exporting,
  doctor,
} as const satisfies Readonly<Record<string, AnyVerb>>;
