import { ShowDocument, showDocument } from "@psn/app/documents/detail.ts";
import { postDetail } from "@psn/app/queries/posts.ts";
import { z } from "zod";
import * as inputs from "./inputs.ts";
import { defineVerb } from "./verb.ts";

export const show = defineVerb({
  name: "show",
  summary: "show one post or delivery in detail",
  effect: "read",
  idempotent: true,
  input: z.strictObject({ id: inputs.id }),
  output: ShowDocument,
  run: postDetail,
  document: showDocument,
});
