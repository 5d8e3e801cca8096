import { PsnError } from "@psn/core/errors.ts";
import { knownZone } from "./zone.ts";

/** What stands behind a time and says where its clock is. */
export interface Place {
  /** The time alone. */
  readonly text: string;
  /** IANA name. */
  readonly zone?: string;
  /** `+01:00` or `Z`; a time with one is an instant, and is shown in the zone its writer is in. */
  readonly offset?: string;
  /** As it was written, to be put behind what a refusal offers. */
  readonly suffix: string;
}

/**
 * Letters that several zones use, or that stand for one of two offsets by the season. The names are the zones they may
 * mean.
 */
const LETTERS: Readonly<Record<string, readonly string[]>> = {
  ist: ["Asia/Kolkata", "Europe/Dublin", "Asia/Jerusalem"],
  cst: ["America/Chicago", "Asia/Shanghai", "America/Havana"],
  bst: ["Europe/London", "Asia/Dhaka"],
  est: ["America/New_York", "Australia/Sydney"],
  edt: ["America/New_York", "Australia/Sydney"],
  pst: ["America/Los_Angeles", "Asia/Manila"],
  mst: ["America/Denver", "Asia/Kuala_Lumpur"],
  ast: ["America/Halifax", "Asia/Riyadh"],
  gst: ["Asia/Dubai", "Atlantic/South_Georgia"],
  sst: ["Asia/Singapore", "Pacific/Pago_Pago"],
  amt: ["America/Manaus", "Asia/Yerevan"],
  ect: ["America/Guayaquil", "America/Martinique"],
  cdt: ["America/Chicago", "America/Havana"],
  wst: ["Australia/Perth", "Pacific/Apia"],
  et: ["America/New_York"],
  ct: ["America/Chicago"],
  mt: ["America/Denver"],
  pt: ["America/Los_Angeles"],
  mdt: ["America/Denver"],
  pdt: ["America/Los_Angeles"],
  akst: ["America/Anchorage"],
  akdt: ["America/Anchorage"],
  hst: ["Pacific/Honolulu"],
  adt: ["America/Halifax"],
  nst: ["America/St_Johns"],
  ndt: ["America/St_Johns"],
  brt: ["America/Sao_Paulo"],
  wet: ["Europe/Lisbon"],
  west: ["Europe/Lisbon"],
  cet: ["Europe/Paris"],
  cest: ["Europe/Paris"],
  met: ["Europe/Paris"],
  mez: ["Europe/Berlin"],
  mesz: ["Europe/Berlin"],
  eet: ["Europe/Athens"],
  eest: ["Europe/Athens"],
  msk: ["Europe/Moscow"],
  trt: ["Europe/Istanbul"],
  wat: ["Africa/Lagos"],
  cat: ["Africa/Maputo"],
  eat: ["Africa/Nairobi"],
  sast: ["Africa/Johannesburg"],
  pkt: ["Asia/Karachi"],
  npt: ["Asia/Kathmandu"],
  wib: ["Asia/Jakarta"],
  hkt: ["Asia/Hong_Kong"],
  jst: ["Asia/Tokyo"],
  kst: ["Asia/Seoul"],
  awst: ["Australia/Perth"],
  acst: ["Australia/Adelaide"],
  acdt: ["Australia/Adelaide"],
  aest: ["Australia/Sydney"],
  aedt: ["Australia/Sydney"],
  nzst: ["Pacific/Auckland"],
  nzdt: ["Pacific/Auckland"],
};

const LETTERS_BEHIND = new RegExp(`^(.*\\S) (${Object.keys(LETTERS).join("|")})( \\d{4})?$`, "i");
const BRACKET = /^(.*[^[\] ]) ?\[([\w./+-]+)\]$/;
const NAMED = /^(.*\S) ([A-Za-z]\w*(?:\/[\w+-]+)+)$/;
/** `UTC`, `z`, `GMT+0100`, as behind `09:00Z`; JavaScript puts the zone's long name behind that in brackets. */
const UTC = /^(.*\S?)(?: |(?<=\d))(?:utc|gmt|ut|zulu|z)(?: ?([+-]\d{1,2}(?::?\d{2})?))?(?: \([a-z ]+\))?$/i;
/** `date -u` puts the year behind the zone. */
const UTC_BEFORE_YEAR = /^(.*\d(?: [ap]m)?) (?:utc|gmt) (\d{4})$/i;
const OFFSET = /^(.*\d(?: ?[ap]\.?m\.?)?)( ?)([+-]\d{2}:?\d{2})(?: \([a-z ]+\))?$/i;
const HOURS_OFFSET = /^(\d{4}-\d{2}-\d{2}(?:t\d{2}:\d{2}|[t ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?))([+-]\d{2})$/i;
const LEAST = -12 * 60;
const MOST = 14 * 60;

/**
 * The time and the place behind it: a zone by its name, also in brackets, `UTC`, or an offset.
 *
 * @throws PsnError TIME_INVALID for letters such as CET, for an unknown zone, and for an offset at which no clock
 * is.
 */
export function splitPlace(whole: string): Place {
  const [, before, name] = BRACKET.exec(whole) ?? NAMED.exec(whole) ?? [];
  if (before !== undefined && name !== undefined) {
    const zone = knownZone(name);
    const inner = splitOffset(before);
    if (inner.zone !== undefined || inner.text.includes("[")) throw twoZones(whole);
    return { ...inner, zone, suffix: ` ${zone}` };
  }
  const place = splitOffset(whole);
  if (place.text.includes("[")) throw twoZones(whole);
  refuseLetters(place.text);
  return place;
}

function splitOffset(whole: string): Place {
  const [, begin, year] = UTC_BEFORE_YEAR.exec(whole) ?? [];
  if (begin !== undefined) return { text: `${begin} ${year}`, zone: "UTC", suffix: " UTC" };
  const [, utcText, utcOffset] = UTC.exec(whole) ?? [];
  if (utcText !== undefined && utcText !== "") {
    const isBare = / ?[a-z]+$/i.exec(whole)?.[0].trim().toLowerCase() === "z";
    if (utcOffset === undefined)
      return isBare ? { text: utcText, offset: "Z", suffix: "Z" } : { text: utcText, zone: "UTC", suffix: " UTC" };
    return fixed(utcText, utcOffset);
  }
  const [, text, blank, offset] = OFFSET.exec(whole) ?? [];
  if (text !== undefined && offset !== undefined && isOffset(whole, { text, blank: blank ?? "", offset }))
    return fixed(text, offset);
  const [, isoText, hours] = HOURS_OFFSET.exec(whole) ?? [];
  if (isoText !== undefined && hours !== undefined) return fixed(isoText, hours);
  return { text: whole, suffix: "" };
}

/** `9:00-10:00` is a span, `2026-12-01T09:00-10:00` has an offset, and `2026-12-01 09:00-10:00` may be either. */
function isOffset(
  whole: string,
  { text, blank, offset }: { readonly text: string; readonly blank: string; readonly offset: string },
): boolean {
  const isDated = /^\d{4}-\d{2}-\d{2}[t ]\d{2}:\d{2}/i.test(text);
  if (blank === "" && !isDated) return false;
  const [, end = ""] = /^-(\d{2}:\d{2})$/.exec(offset) ?? [];
  const [, begin = ""] = /(?:^|[^t\d:])(\d{1,2}:\d{2})$/i.exec(text) ?? [];
  if (end === "" || begin === "" || end <= begin.padStart(5, "0")) return true;
  throw new PsnError("TIME_INVALID", `"${whole}" can be read in two ways: a span of time, or an hour with an offset`, {
    hint: `give the one time, ${text}, or write the offset without a colon: ${text} ${offset.replace(":", "")}`,
  });
}

function fixed(text: string, written: string): Place {
  const [, sign = "+", hours = "0", minutes = "00"] = /^([+-])(\d{1,2}):?(\d{2})?$/.exec(written) ?? [];
  const total = (sign === "-" ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
  const offset = total === 0 ? "+00:00" : `${sign}${hours.padStart(2, "0")}:${minutes}`;
  if (total < LEAST || total > MOST || Number(minutes) > 59)
    throw new PsnError("TIME_INVALID", `no clock is at ${offset}`, { hint: "offsets go from -12:00 to +14:00" });
  return { text: text.trim(), offset, suffix: ` ${offset}` };
}

function refuseLetters(text: string): void {
  const [, before = "", letters, year = ""] = LETTERS_BEHIND.exec(text) ?? [];
  if (letters === undefined || !/\d|\b(?:noon|midnight)$/i.test(before)) return;
  const zones = LETTERS[letters.toLowerCase()] ?? [];
  const offered = zones.map((zone) => `${before}${year} ${zone}`);
  const why =
    zones.length > 1
      ? `the letters "${letters}" mean several zones`
      : `psn does not read letters such as "${letters}" as a zone`;
  throw new PsnError("TIME_INVALID", why, { hint: `write the name: ${offered.join(" or ")}` });
}

function twoZones(whole: string): PsnError {
  return new PsnError("TIME_INVALID", `"${whole}" names two time zones`, { hint: "leave one out" });
}
