import { changeCommand } from "@psn/cli/change.ts";

export default changeCommand(
  "cancel",
  { done: "cancelled", would: "would be cancelled" },
  {
    summary: "take back what has not gone out",
    details: "What a platform has already been sent stays there.",
    examples: [{ line: "psn cancel 9f2c11aa", does: "all deliveries of a post, or one" }],
  },
);
