import { retry } from "@psn/app/verbs/change.ts";
import { changeCommand } from "@psn/cli/change.ts";
import { RETRYABLE } from "@psn/core/types/index.ts";

export default changeCommand(
  retry,
  { done: "will be tried now", would: "would be tried now", takes: RETRYABLE },
  {
    details:
      "Sends deliveries again that failed, are on hold, or were cancelled. Other deliveries of the post do not " +
      "change; psn lists them, and a scheduled one keeps its time. Published parts of a thread stay published; " +
      "the thread continues after them.",
    examples: [{ line: "psn retry 9f2c11aa", does: "send failed, held and cancelled deliveries now" }],
  },
);
