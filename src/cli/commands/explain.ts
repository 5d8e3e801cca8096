import { ExplainDocument } from "@psn/app/documents/help.ts";
import { defineCommand } from "@psn/cli/command.ts";
import { pairs } from "@psn/cli/fold.ts";
import { type Column, type Field, list } from "@psn/cli/list.ts";
import { becameOf, ERRORS, type ErrorCode, helpOf, PsnError } from "@psn/core/errors.ts";
import { closest, distance } from "fastest-levenshtein";
import { z } from "zod";

const RETRIES = {
  never: "no, you must change something first",
  backoff: "yes, automatically, later",
  refresh: "yes, after refreshing the token once",
  reconcile: "only after psn has asked the platform",
} as const;

const COLUMNS: readonly Column<ErrorCode>[] = [
  { head: "CODE", cell: (code) => code },
  { head: "EXIT", cell: (code) => String(ERRORS[code].exit), rank: 1 },
  { head: "MEANING", cell: (code) => ERRORS[code].meaning, least: 20 },
];

const FIELDS: readonly Field<ErrorCode>[] = [
  { name: "code", value: (code) => code },
  { name: "exit", value: (code) => ERRORS[code].exit },
  { name: "retry", value: (code) => ERRORS[code].retry },
  { name: "meaning", value: (code) => ERRORS[code].meaning },
];

export default defineCommand({
  name: "explain",
  summary: "explain an error code",
  examples: [{ line: "psn explain OUTCOME_UNKNOWN", does: "what happened, whether psn retries, what you can do" }],
  args: [
    {
      name: "[code]",
      help: "the code, as an error message shows it; without it, all codes",
      takes: Object.keys(ERRORS),
    },
  ],
  fields: FIELDS.map(({ name }) => name),
  document: ExplainDocument,
  schema: z.object({ code: z.string().optional() }),
  run: async ({ code }, { output }) => {
    const codes = Object.keys(ERRORS) as ErrorCode[];
    if (code === undefined) {
      output.result({ errors: codes.map(document) }, () => list(output, codes, { columns: COLUMNS, fields: FIELDS }));
      return undefined;
    }
    const wanted = code.toUpperCase();
    const known = codes.find((one) => one === wanted);
    if (!known) {
      const near = closest(wanted, codes);
      const isNear = distance(wanted, near) <= Math.floor(near.length / 3);
      throw new PsnError("NOT_FOUND", `there is no error ${code}${isNear ? `; did you mean ${near}?` : ""}`, {
        hint: "psn explain",
      });
    }
    const error = document(known);
    output.result(error, () => [
      output.style("bold", known),
      error.meaning,
      `exit code: ${error.exit}`,
      `tried again: ${RETRIES[error.retry]}`,
      ...(error.hint === null ? [] : [`what helps: ${error.hint}`]),
      ...became(error.became, output.screen),
    ]);
    return undefined;
  },
});

function document(code: ErrorCode) {
  const { exit, retry, meaning } = ERRORS[code];
  return { code, exit, retry, meaning, hint: helpOf(code) ?? null, became: [...becameOf(code)] };
}

/** For a script that was written when the code meant more than it does now. */
function became(codes: readonly ErrorCode[], screen: number | undefined): readonly string[] {
  if (codes.length === 0) return [];
  return [
    "",
    "in earlier versions of psn this code also meant what has a code of its own now:",
    ...pairs(
      codes.map((code) => [code, ERRORS[code].meaning]),
      screen,
    ),
  ];
}
