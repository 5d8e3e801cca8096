const NUMBERS: Readonly<Record<string, number>> = {
  a: 1,
  an: 1,
  one: 1,
  two: 2,
  three: 3,
  four: 4,
  five: 5,
  six: 6,
  seven: 7,
  eight: 8,
  nine: 9,
  ten: 10,
  eleven: 11,
  twelve: 12,
  fifteen: 15,
  twenty: 20,
  "twenty-five": 25,
  "twenty five": 25,
  thirty: 30,
  forty: 40,
  "forty-five": 45,
  "forty five": 45,
  fifty: 50,
  sixty: 60,
  ninety: 90,
};

const names = Object.keys(NUMBERS).toSorted((a, b) => b.length - a.length);

/** Source of a pattern: a count in words, `a` and `an` included. The longest names come first. */
export const NUMBER_WORD = `(?:${names.join("|")})\\b`;

/** Source of a pattern: an hour in words, `one` to `twelve`. */
export const HOUR_WORD = `(?:${names.filter((name) => name.length > 2 && (NUMBERS[name] ?? 13) <= 12).join("|")})\\b`;

/** The number that digits, with or without a fraction, or a word mean; NaN for anything else. */
export function numberOf(text: string): number {
  return NUMBERS[text] ?? Number(text);
}
