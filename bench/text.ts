import type { TextRule } from "@psn/core/types/capabilities.ts";
import { measure, split } from "@psn/domain/text.ts";
import { type Figure, pairwise, perSecond } from "./report.ts";

const rule: TextRule = { max: 300, unit: "grapheme", urlCost: 23, maxBytes: 3_000 };
const sentence =
  "Écrire une fois, publier partout 👩‍💻: https://example.com/a/long/path?with=query and @ada@example.social says " +
  "hello. ";
const ROUND = 300;
/** Texts that are awkward to cut, by what they repeat: 100,000 characters each. */
const AWKWARD: readonly (readonly [name: string, unit: string])[] = [
  ["one word", "a"],
  ["text without spaces", "日本語"],
  ["links", "https://example.com/a(b "],
  ["links glued by brackets", "(https://a.b/("],
  ["mentions", "@ada@example.social "],
  ["at signs", "@a.-"],
];

/** Against Intl.Segmenter alone over the same text: the floor of anything that counts graphemes. */
export default async function textBench(): Promise<readonly Figure[]> {
  const post = sentence.repeat(2);
  const long = sentence.repeat(40);
  const segmenter = new Intl.Segmenter("und", { granularity: "grapheme" });
  const segment = (text: string) => {
    let n = 0;
    for (const _ of segmenter.segment(text)) n += 1;
    return n;
  };
  const repeat = (work: () => unknown, times: number) => () => {
    for (let i = 0; i < times; i += 1) work();
  };
  const measured = await pairwise(
    7,
    repeat(() => measure(post, rule), ROUND),
    repeat(() => segment(post), ROUND),
  );
  const cut = await pairwise(
    7,
    repeat(() => split(long, rule, { numbered: true }), 10),
    repeat(() => segment(long), 10),
  );
  const awkward: Figure[] = [];
  for (const [name, unit] of AWKWARD) {
    const text = (length: number) => unit.repeat(Math.ceil(length / unit.length));
    const [whole, tenth] = [text(100_000), text(10_000)];
    const of = await pairwise(
      3,
      () => split(whole, rule, { numbered: true }),
      repeat(() => split(tenth, rule, { numbered: true }), 10),
    );
    awkward.push({
      name: `split, 100,000 characters of ${name}`,
      value: perSecond(1, of.a),
      ratio: of.ratio,
      against: "ten tenths' time",
    });
  }
  return [
    {
      name: `measure, ${post.length} characters`,
      value: perSecond(ROUND, measured.a),
      ratio: measured.ratio,
      against: "Intl.Segmenter's time",
    },
    {
      name: `split, ${long.length} characters`,
      value: perSecond(10, cut.a),
      ratio: cut.ratio,
      against: "Intl.Segmenter's time",
    },
    ...awkward,
  ];
}
