import { PsnError } from "@psn/core/errors.ts";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { thrown } from "../../../tests/support/thrown.ts";
import { parseEnvFile, setEnvValue, unsetEnvValue } from "./envfile.ts";

const FILE = "config/hub.env";
const values = (text: string) => Object.fromEntries(parseEnvFile(text, FILE).map(({ name, value }) => [name, value]));

describe("reading", () => {
  test.each([
    ["a plain value", "A=b", "b"],
    ["spaces around everything", "  A  =  b c  ", "b c"],
    ["tabs", "\tA\t=\tb\t", "b"],
    ["export before it", "export A=b", "b"],
    ["= in the value", "A=b=c==", "b=c=="],
    ["a URL", "A=postgres://u:p%23@h:5432/db?sslmode=require&x=1", "postgres://u:p%23@h:5432/db?sslmode=require&x=1"],
    ["nothing", "A=", ""],
    ["nothing but spaces", "A=   ", ""],
    ["nothing in quotes", 'A=""', ""],
    ["an inline comment", "A=b # c", "b"],
    ["an inline comment behind a tab", "A=b\t#c", "b"],
    ["an inline comment behind nothing", "A= # c", ""],
    ["# within a value", "A=b#c", "b#c"],
    ["# at the beginning of a value", "A=#c", "#c"],
    ["# in quotes", "A='b # c' # d", "b # c"],
    ["a comment right behind the quote", 'A="b"# c', "b"],
    ["spaces in quotes", 'A="  b  "', "  b  "],
    ["single quotes keep everything", "A='b\\n\\t$X \"`'", 'b\\n\\t$X "`'],
    ["backticks keep everything", "A=`b\\n'\"`", "b\\n'\""],
    ["escapes in double quotes", String.raw`A="a\nb\tc\rd\\e\"f\$g\`h"`, 'a\nb\tc\rd\\e"f$g`h'],
    ["an unknown escape stays", String.raw`A="a\qb"`, String.raw`a\qb`],
    ["an escaped backslash before the end", String.raw`A="a\\"`, "a\\"],
    ["backslashes without quotes stay", String.raw`A=C:\new`, String.raw`C:\new`],
    ["a quote within a value", "A=it's", "it's"],
    ["no expansion", "A=$HOME/$X", "$HOME/$X"],
    ["several lines", 'A="b\nc"', "b\nc"],
    ["several lines with Windows line breaks", "A='b\r\nc'\r\n", "b\nc"],
    ["a comment sign on a line within quotes", "A='b\n# c\n'", "b\n# c\n"],
    ["a byte order mark", "\uFEFFA=b", "b"],
    ["a Windows line break", "A=b\r\n", "b"],
    ["an old Mac line break", "A=b\rB=c", "b"],
    ["a name that begins like export", "exportA=b\nA=b", "b"],
  ])("%s", (_, text, value) => {
    expect(values(text)["A"]).toBe(value);
  });

  test("a variable called export", () => {
    expect(values("export=1")).toEqual({ export: "1" });
    expect(values("export = 1")).toEqual({ export: "1" });
  });

  test("entries keep their order and know their lines, also behind a value of several lines", () => {
    const text = "\uFEFF# hub\r\n\r\nA=1\r\nexport B='x\r\ny\r\n' # two\r\n  # C=3\r\nD=\"4\"\r\nA=5";
    expect(parseEnvFile(text, FILE)).toEqual([
      { name: "A", value: "1", file: FILE, line: 3 },
      { name: "B", value: "x\ny\n", file: FILE, line: 4 },
      { name: "D", value: "4", file: FILE, line: 8 },
      { name: "A", value: "5", file: FILE, line: 9 },
    ]);
  });

  test("a file of comments and empty lines holds nothing", () => {
    for (const text of ["", "\n\n", "\uFEFF", "# A=1", "   \t", "# a\r\n\t# b"])
      expect(parseEnvFile(text, FILE)).toEqual([]);
  });

  test.each([
    ["a word", "A=1\ncanary", 2, "NAME=value"],
    ["a colon", "canary: x", 1, "NAME=value"],
    ["export alone", "export canary", 1, "NAME=value"],
    ["a name that begins with a digit", "1A=canary", 1, "NAME=value"],
    ["a dash in a name", "A-B=canary", 1, "NAME=value"],
    ["no name", "=canary", 1, "NAME=value"],
    ["UTF-16 without a mark", "A\0=\0canary", 1, "NAME=value"],
    ["double quotes that never close", 'B=1\n\nA="canary\nC=2\n', 3, 'add a closing "'],
    ["an escaped closing quote", String.raw`A="canary\"`, 1, 'add a closing "'],
    ["single quotes that never close", "A='canary", 1, "add a closing '"],
    ["backticks that never close", "A=`canary", 1, "add a closing `"],
    ["something behind the quotes", "A='x'canary", 1, "one pair of quotes"],
    ["something behind quotes of several lines", "A='x\ny' canary", 1, "one pair of quotes"],
  ])("refuses %s by file and line, and never repeats it", (_, text, line, hint) => {
    const error = thrown(() => parseEnvFile(text, FILE));
    expect(error.code).toBe("CONFIG_INVALID");
    expect(error.message).toContain(`${FILE}:${line}`);
    expect(error.hint).toContain(hint);
    expect(JSON.stringify(error) + String(error.stack)).not.toContain("canary");
  });
});

describe("changing", () => {
  const text = "# my hub\n\nexport A = 'one' # first\nB=2\n\n# the end\n# C=example\n# D is for later\n";

  test("a value in its place, its comment and what surrounds it kept", () => {
    expect(setEnvValue(text, { name: "A", value: "two words" })).toBe(text.replace("'one'", "'two words'"));
    expect(setEnvValue(text, { name: "B", value: "" })).toBe(text.replace("B=2", "B="));
  });

  test("a new value goes below the line that offers it", () => {
    expect(setEnvValue(text, { name: "C", value: "3" })).toBe(text.replace("# C=example\n", "# C=example\nC=3\n"));
    expect(setEnvValue("# C=", { name: "C", value: "3" })).toBe("# C=\nC=3\n");
  });

  test("a new value goes to the end, in the line breaks of the file", () => {
    expect(setEnvValue(text, { name: "D", value: "4" })).toBe(`${text}D=4\n`);
    expect(setEnvValue("A=1", { name: "D", value: "4" })).toBe("A=1\nD=4\n");
    expect(setEnvValue("A=1\r\nB=2", { name: "D", value: "4" })).toBe("A=1\r\nB=2\r\nD=4\r\n");
    expect(setEnvValue("", { name: "D", value: "4" })).toBe("D=4\n");
    expect(setEnvValue("\uFEFF", { name: "D", value: "4" })).toBe("\uFEFFD=4\n");
  });

  test("a value of several lines goes as a whole", () => {
    expect(setEnvValue("A='x\n# y\n' # z\nB=1\n", { name: "A", value: "1" })).toBe("A=1 # z\nB=1\n");
    expect(unsetEnvValue("A='x\n# y\n' # z\nB=1\n", "A")).toBe("B=1\n");
  });

  test("a comment right behind a quote stays a comment", () => {
    expect(values(setEnvValue("A='x'# y", { name: "A", value: "1" }))).toEqual({ A: "1" });
    expect(values(setEnvValue("A= # y", { name: "A", value: "1" }))).toEqual({ A: "1" });
  });

  test("quotes only where they are needed, and such that a shell agrees", () => {
    expect(setEnvValue("", { name: "A", value: "plain-1.2_/x:y@z%20" })).toBe("A=plain-1.2_/x:y@z%20\n");
    expect(setEnvValue("", { name: "A", value: "a?b&c" })).toBe("A='a?b&c'\n");
    expect(setEnvValue("", { name: "A", value: "~" })).toBe("A='~'\n");
    expect(setEnvValue("", { name: "A", value: "$HOME `id`" })).toBe("A='$HOME `id`'\n");
    expect(setEnvValue("", { name: "A", value: "it's $5" })).toBe('A="it\'s \\$5"\n');
    expect(setEnvValue("", { name: "A", value: "a\nb\r\tc" })).toBe("A='a\nb\r\tc'\n");
    expect(setEnvValue("", { name: "A", value: "it's\n\\n" })).toBe('A="it\'s\n\\\\n"\n');
    expect(setEnvValue("B=1\r\n", { name: "A", value: "a\nb\r\tc" })).toBe('B=1\r\nA="a\\nb\\r\\tc"\r\n');
  });

  test("a name that stands there twice has one entry afterwards, where it took effect, or none", () => {
    expect(setEnvValue("A=1\nB=2\nA=3\nC=4\n", { name: "A", value: "5" })).toBe("B=2\nA=5\nC=4\n");
    expect(unsetEnvValue("A=1\nB=2\nA=3\nC=4\n", "A")).toBe("B=2\nC=4\n");
  });

  test("what is not there goes without a trace", () => {
    expect(unsetEnvValue(text, "C")).toBe(text);
  });

  test("refuses a name that cannot be read again, and a text that cannot be read", () => {
    for (const name of ["", "a b", "1A", "A=B", "A\nB", "#A"])
      expect(thrown(() => setEnvValue("", { name, value: "x" })).code).toBe("INPUT_INVALID");
    expect(thrown(() => setEnvValue("canary", { name: "A", value: "x" })).code).toBe("CONFIG_INVALID");
    expect(thrown(() => unsetEnvValue("canary", "A")).code).toBe("CONFIG_INVALID");
  });
});

describe("laws", () => {
  const name = fc.constantFrom("A", "B", "C", "_x1", "__proto__");
  // Every UTF-16 unit, half characters among them, and often what is special in the format.
  const value = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fc.integer({ min: 0, max: 0xffff })).map((units) => String.fromCharCode(...units)),
    fc
      .array(fc.constantFrom(..."\"'`#$\\=\n\r\t n ", "\r\n", "\uFEFF", "\u2028", "a"), { maxLength: 12 })
      .map((parts) => parts.join("")),
  );
  const line = fc.oneof(
    fc.constantFrom("", "   ", "# a comment", "\t# B=offered", "#C=", "# it's \"open"),
    fc.tuple(name, value).map(([key, content]) => setEnvValue("", { name: key, value: content }).trimEnd()),
    fc.constantFrom(
      "export A = 'x\n# not a comment\ny' # a comment",
      "B=`x`# y",
      "C= # empty",
      '_x1="a\r\nb"',
      "__proto__=1 #",
    ),
  );
  const file = fc
    .tuple(fc.constantFrom("", "\uFEFF"), fc.array(line, { maxLength: 8 }), fc.constantFrom("\n", "\r\n"), fc.boolean())
    .map(([mark, lines, lineBreak, ended]) => mark + lines.join(lineBreak) + (ended ? lineBreak : ""));
  const pairs = (text: string) => parseEnvFile(text, FILE).map((entry) => [entry.name, entry.value] as const);
  const others = (text: string, key: string) => pairs(text).filter(([other]) => other !== key);
  /** What is left when every value is gone. */
  const comments = (text: string) =>
    ["A", "B", "C", "_x1", "__proto__", "NEW"]
      .reduce((rest, key) => unsetEnvValue(rest, key), text)
      .split(/\r\n?|\n/)
      .filter((content) => content.trim() !== "");

  test("what was set is read again, everything else is as it was, and comments stay", () => {
    return fc.assert(
      fc.property(file, name, value, (text, key, content) => {
        const changed = setEnvValue(text, { name: key, value: content });
        expect(pairs(changed).filter(([other]) => other === key)).toEqual([[key, content]]);
        expect(others(changed, key)).toEqual(others(text, key));
        expect(comments(changed)).toEqual(comments(text));
        expect(setEnvValue(changed, { name: key, value: content })).toBe(changed);
      }),
      { numRuns: 2000 },
    );
  });

  test("what was unset is gone, and everything else is as it was", () => {
    return fc.assert(
      fc.property(file, name, (text, key) => {
        const changed = unsetEnvValue(text, key);
        expect(pairs(changed)).toEqual(others(text, key));
        expect(comments(changed)).toEqual(comments(text));
      }),
      { numRuns: 1000 },
    );
  });

  test("a new value set and unset leaves the text as it was, but for a last line break", () => {
    return fc.assert(
      fc.property(file, value, (text, content) => {
        const back = unsetEnvValue(setEnvValue(text, { name: "NEW", value: content }), "NEW");
        expect([text, `${text}\n`, `${text}\r\n`]).toContain(back);
      }),
    );
  });

  test("any text is read or refused as CONFIG_INVALID, in no time", () => {
    return fc.assert(
      fc.property(fc.oneof(value, file), (text) => {
        try {
          parseEnvFile(text, FILE);
        } catch (error) {
          expect(error instanceof PsnError && error.code).toBe("CONFIG_INVALID");
        }
      }),
      { numRuns: 1000 },
    );
  });
});
