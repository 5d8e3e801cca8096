import { PsnError } from "@psn/core/errors.ts";

/** Longest text that is read as a time, in UTF-16 units: patterns are tried at every place of it. */
const MOST = 200;
/** Characters that are not seen: joiners, marks of direction, soft hyphens, byte order marks, variation selectors. */
const UNSEEN = /\p{Cf}|\u034F|[\uFE00-\uFE0F]/gu;
/** Hyphens, dashes and the minus sign. */
const DASHES = /[\u2010-\u2015\u2212\uFE58\uFE63]/g;
const QUOTES = /[\u2018\u2019\u02BC\u2032]/g;
/** The full-width forms of ASCII, as East Asian keyboards write them. */
const FULL_WIDTH = /[\uFF01-\uFF5E]/g;
const FULL_WIDTH_SHIFT = 0xfee0;

/**
 * The text as a person sees it: in plain ASCII where there is a character that looks the same, each run of blanks as
 * one blank. Digits that look different, such as ² or ٩, stay as they are. A pair of quotes around the whole goes.
 *
 * @throws PsnError TIME_INVALID for more than 200 characters.
 */
export function clean(input: string): string {
  if (input.length > MOST)
    throw new PsnError("TIME_INVALID", `a time has at most ${MOST} characters, and this has ${input.length}`, {
      hint: "write it like tomorrow 9am or in 2h; psn help times",
    });
  return input
    .replaceAll(UNSEEN, "")
    .replaceAll(FULL_WIDTH, (character) => String.fromCharCode(character.charCodeAt(0) - FULL_WIDTH_SHIFT))
    .replaceAll(DASHES, "-")
    .replaceAll(QUOTES, "'")
    .replaceAll(/\s+/g, " ")
    .trim()
    .replace(/^(["'])(.*)\1$/, "$2");
}
