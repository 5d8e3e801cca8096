import { cancel } from "@psn/app/verbs/change.ts";
import { changeCommand } from "@psn/cli/change.ts";

export default changeCommand(
  cancel,
  { done: "cancelled", would: "would be cancelled" },
  {
    details:
      "Takes what is scheduled or held, and what a worker has begun to prepare. What a platform has already been " +
      "sent stays there; of a post that goes to several accounts it is left as it is, and named.",
    examples: [{ line: "psn cancel 9f2c11aa", does: "all deliveries of a post, or one" }],
  },
);
