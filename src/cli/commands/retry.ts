import { retry } from "@psn/app/verbs/change.ts";
import { changeCommand } from "@psn/cli/change.ts";

export default changeCommand(
  retry,
  { done: "will be tried now", would: "would be tried now" },
  {
    details:
      "Takes the deliveries that failed, are held, or were cancelled. Of a post that goes to several accounts " +
      "everything else is left as it is, and named: what is scheduled keeps its time. Units of a thread that are " +
      "out stay as they are; the thread goes on after them.",
    examples: [{ line: "psn retry 9f2c11aa", does: "what failed, is held or was cancelled goes out now" }],
  },
);
