/*
 * JSON as Neon's proxy reads it, which is as serde_json 1.0 does: its words and places for what is malformed, numbers
 * that stay what they are, keys in the order of the alphabet. Source: serde-rs/json, src/de.rs and src/read.rs; the
 * number format is the crate ryu's.
 */

export type SerdeValue = null | boolean | string | SerdeNumber | readonly SerdeValue[] | SerdeObject;

/** A number as serde_json prints it. */
export class SerdeNumber {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

/** The keys in the order of the text; a key may be there twice. */
export class SerdeObject {
  readonly entries: readonly (readonly [string, SerdeValue])[];
  constructor(entries: readonly (readonly [string, SerdeValue])[]) {
    this.entries = entries;
  }
}

/** As `to_string` of serde_json prints the value. */
export function serdeText(value: SerdeValue): string {
  if (value instanceof SerdeNumber) return value.text;
  if (value instanceof SerdeObject) {
    const pairs = [...new Map(value.entries)].sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${pairs.map(([key, inner]) => `${JSON.stringify(key)}:${serdeText(inner)}`).join(",")}}`;
  }
  return Array.isArray(value) ? `[${value.map(serdeText).join(",")}]` : JSON.stringify(value);
}

const U64 = 2n ** 64n;
const I64 = 2n ** 63n;

/** Undefined where the number is out of range. */
function numberText(text: string): string | undefined {
  if (/^-?\d+$/.test(text) && text !== "-0") {
    const whole = BigInt(text);
    if (whole < U64 && whole >= -I64) return text;
  }
  const value = Number(text);
  if (!Number.isFinite(value)) return undefined;
  const sign = Object.is(value, -0) || value < 0 ? "-" : "";
  if (value === 0) return `${sign}0.0`;
  const [mantissa = "", power = "0"] = Math.abs(value).toExponential().split("e");
  const digits = mantissa.replace(".", "");
  const point = Number(power) + 1;
  if (point > 16 || point <= -5) {
    const rest = digits.length > 1 ? `.${digits.slice(1)}` : "";
    return `${sign}${digits[0]}${rest}e${point - 1}`;
  }
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  if (digits.length <= point) return `${sign}${digits}${"0".repeat(point - digits.length)}.0`;
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  '"': '"',
  "\\": "\\",
  "/": "/",
};

/** Throws an Error with serde_json's words. */
export function parseSerde(bytes: Buffer): SerdeValue {
  const latin = bytes.toString("latin1");
  let index = 0;
  const fail = (what: string, at = index): never => {
    const lines = latin.slice(0, at).split("\n");
    throw new Error(`${what} at line ${lines.length} column ${lines.at(-1)?.length}`);
  };
  /** At the byte that was only looked at. */
  const failHere = (what: string): never => fail(what, Math.min(latin.length, index + 1));
  const peek = (): string | undefined => {
    while (" \n\t\r".includes(latin[index] ?? "x")) index += 1;
    return latin[index];
  };

  const word = <T>(rest: string, value: T): T => {
    index += 1;
    for (const letter of rest) {
      if (index === latin.length) fail("EOF while parsing a value");
      index += 1;
      if (latin[index - 1] !== letter) fail("expected ident");
    }
    return value;
  };

  const number = (): SerdeNumber => {
    const [found = ""] = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/.exec(latin.slice(index, index + 400)) ?? [];
    index += found.length;
    if (found === "" || /[\d.eE]/.test(latin[index] ?? "")) {
      index += 1;
      if (index >= latin.length) fail("EOF while parsing a value");
      failHere("invalid number");
    }
    return new SerdeNumber(numberText(found) ?? fail("number out of range"));
  };

  const hex = (): number => {
    if (latin.length - index < 4) fail("EOF while parsing a string", latin.length);
    const digits = latin.slice(index, index + 4);
    index += 4;
    return /^[\da-fA-F]{4}$/.test(digits) ? Number.parseInt(digits, 16) : fail("invalid escape");
  };

  const unicode = (): string => {
    const first = hex();
    if (first >= 0xdc00 && first <= 0xdfff) fail("lone leading surrogate in hex escape");
    if (first < 0xd800 || first > 0xdbff) return String.fromCharCode(first);
    for (const expected of "\\u") {
      if (index === latin.length) fail("EOF while parsing a string");
      index += 1;
      if (latin[index - 1] !== expected) fail("unexpected end of hex escape");
    }
    const second = hex();
    if (second < 0xdc00 || second > 0xdfff) fail("lone leading surrogate in hex escape");
    return String.fromCharCode(first, second);
  };

  const string = (): string => {
    index += 1;
    const parts: Buffer[] = [];
    for (;;) {
      const from = index;
      while (index < latin.length && latin[index] !== '"' && latin[index] !== "\\" && latin.charCodeAt(index) >= 0x20)
        index += 1;
      parts.push(bytes.subarray(from, index));
      const end = latin[index];
      if (end === undefined) fail("EOF while parsing a string");
      index += 1;
      if (end === '"') break;
      if (end !== "\\") fail("control character (\\u0000-\\u001F) found while parsing a string");
      const letter = latin[index] ?? fail("EOF while parsing a string");
      index += 1;
      parts.push(Buffer.from(letter === "u" ? unicode() : (ESCAPES[letter] ?? fail("invalid escape"))));
    }
    const whole = Buffer.concat(parts);
    const text = whole.toString();
    return text.includes("\ufffd") && !Buffer.from(text).equals(whole) ? fail("invalid unicode code point") : text;
  };

  /** What is between brackets, with commas; `one` reads one of them. */
  const several = (close: "]" | "}", name: "a list" | "an object", one: (found: string) => void): void => {
    index += 1;
    for (let first = true; ; first = false) {
      let found = peek() ?? failHere(`EOF while parsing ${name}`);
      if (found === close) break;
      if (!first) {
        if (found !== ",") failHere(`expected \`,\` or \`${close}\``);
        index += 1;
        found = peek() ?? failHere("EOF while parsing a value");
        if (found === close) failHere("trailing comma");
      }
      one(found);
    }
    index += 1;
  };

  const value = (): SerdeValue => {
    const found = peek() ?? failHere("EOF while parsing a value");
    if (found === "n") return word("ull", null);
    if (found === "t") return word("rue", true);
    if (found === "f") return word("alse", false);
    if (found === '"') return string();
    if (/[-\d]/.test(found)) return number();
    if (found === "[") {
      const list: SerdeValue[] = [];
      several("]", "a list", () => void list.push(value()));
      return list;
    }
    if (found !== "{") failHere("expected value");
    const entries: (readonly [string, SerdeValue])[] = [];
    several("}", "an object", (begin) => {
      if (begin !== '"') failHere("key must be a string");
      const key = string();
      const colon = peek() ?? failHere("EOF while parsing an object");
      if (colon !== ":") failHere("expected `:`");
      index += 1;
      entries.push([key, value()]);
    });
    return new SerdeObject(entries);
  };

  const whole = value();
  if (peek() !== undefined) failHere("trailing characters");
  return whole;
}
