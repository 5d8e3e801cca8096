import { cancel } from "@psn/app/verbs/change.ts";
import { changeCommand } from "@psn/cli/change.ts";
import { TO_COME } from "@psn/core/types/index.ts";

export default changeCommand(
  cancel,
  { done: "cancelled", would: "would be cancelled", takes: TO_COME },
  {
    details:
      "Cancels deliveries that are scheduled or held, or that a worker has begun to prepare. A delivery that was " +
      "already sent to its platform is not changed; psn lists it.",
    examples: [{ line: "psn cancel 9f2c11aa", does: "all deliveries of a post, or a single one" }],
  },
);
