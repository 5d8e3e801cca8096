import { accounts } from "./accounts.ts";
import { cancel, move, resolve, retry } from "./change.ts";
import { deletion } from "./delete.ts";
import { edit, source } from "./edit.ts";
import { post, preview } from "./post.ts";
import { queue } from "./queue.ts";
import { show } from "./show.ts";
import { today } from "./today.ts";
import type { Verb } from "./verb.ts";

/** What psn can do for a user, by name. An edge walks this table, or loads the one verb that it needs. */
export const VERBS = {
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
  accounts,
  today,
} as const satisfies Readonly<Record<string, Verb>>;
