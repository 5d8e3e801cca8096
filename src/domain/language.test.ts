import { isLanguage, languageMeant } from "@psn/domain/language.ts";
import { describe, expect, test } from "vitest";

describe("a language", () => {
  // RFC 5646, appendix A, and what the registry has besides.
  test.each(
    (
      "en de fr ja zh-Hant sr-Cyrl zh-cmn-Hans-CN cmn-Hans-CN zh-yue-HK sr-Latn-RS sl-rozaj sl-rozaj-biske " +
      "de-CH-1901 sl-IT-nedis hy-Latn-IT-arevela de-DE en-US es-419 de-CH-x-phonebk az-Arab-x-AZE-derbend " +
      "x-whatever qaa-Qaaa-QM-x-southern de-Qaaa sr-Qaaa-RS en-US-u-islamcal zh-CN-a-myext-x-private " +
      "en-a-myext-b-another i-enochian en-GB-oed art-lojban gsw und mul iw no nb PT-br"
    ).split(" "),
  )("%s", (tag) => {
    expect(isLanguage(tag)).toBe(true);
  });

  test.each([
    ["en_US", "en-US"],
    ["pt_BR.UTF-8", "pt-BR"],
    ["de_DE@euro", "de-DE"],
    ["zh_Hant_TW", "zh-Hant-TW"],
    ["english", "en"],
    ["German", "de"],
    ["Deutsch", "de"],
    ["français", "fr"],
    ["日本語", "ja"],
    ["jp", "ja"],
    ["dk", "da"],
    [" en ", "en"],
    ["not a tag", undefined],
    ["english please", undefined],
    ["de-419-DE", undefined],
    ["a-DE", undefined],
    ["ar-a-aaa-b-bbb-a-ccc", undefined],
    ["sl-rozaj-rozaj", undefined],
    ["en-", undefined],
    ["en--US", undefined],
    ["e", undefined],
    ["zz", undefined],
    ["C.UTF-8", undefined],
    ["en,de", undefined],
    ["", undefined],
    ["en-US\n", "en-US"],
  ])("%j is none; meant is %s", (text, meant) => {
    expect(isLanguage(text)).toBe(false);
    expect(languageMeant(text)).toBe(meant);
  });
});
