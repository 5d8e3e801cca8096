import { changeCommand } from "@psn/cli/change.ts";

export default changeCommand(
  "retry",
  { done: "will be tried now", would: "would be tried now" },
  {
    summary: "try what failed again",
    details: "Units of a thread that are out stay as they are; the thread goes on after them.",
    examples: [{ line: "psn retry 9f2c11aa", does: "a failed, held or cancelled delivery goes out now" }],
  },
);
