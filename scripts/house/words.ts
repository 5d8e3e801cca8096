/** Words and phrases that no text of psn has, each with what to write in its place. docs/style.md shows this list. */
export const REFUSED: readonly { readonly word: string; readonly instead: string }[] = [
  { word: "nobody knows", instead: "say what is unknown, or what psn could not confirm" },
  { word: "whoever", instead: "name who: a worker, a user, a caller" },
  { word: "for ever", instead: "forever, or the limit that is missing" },
  { word: "anew", instead: "again" },
  { word: "let go", instead: "release" },
  { word: "lets go", instead: "releases" },
  { word: "bad weather", instead: "a transient failure" },
  { word: "in the hands of", instead: "name who has it" },
  { word: "for good", instead: "permanently" },
  { word: "of late", instead: "recently" },
  { word: "of old", instead: "earlier" },
  { word: "all the same", instead: "anyway" },
  { word: "told no", instead: "declined" },
  { word: "exclude each other", instead: "use A or B, not both" },
  { word: "means nothing without", instead: "requires" },
  { word: "no length of time", instead: "cannot be read as a duration" },
  { word: "wants an app", instead: "requires your own developer app" },
  { word: "a shape psn does not know", instead: "a format that psn does not know" },
  { word: "wakes nobody", instead: "say what happens" },
  { word: "is there no", instead: "there is no" },
  { word: "mend", instead: "fix" },
  { word: "mends", instead: "fixes" },
  { word: "mended", instead: "fixed" },
  { word: "sick", instead: "name the state, such as needs-reconnect" },
  { word: "stranger", instead: "an outside login, another user" },
  { word: "riddle", instead: "say it directly" },
  { word: "thereby", instead: "so" },
  { word: "wherein", instead: "in which" },
  { word: "whence", instead: "from which" },
  { word: "henceforth", instead: "from now on" },
  { word: "lest", instead: "so that … not" },
  { word: "aught", instead: "anything" },
  { word: "ought", instead: "should" },
  { word: "nought", instead: "nothing" },
  { word: "beneath", instead: "below" },
  { word: "whilst", instead: "while" },
];

/** Between the words of a phrase: a space, or the end of a line and the mark of a comment. */
const GAP = "\\s+(?:\\*\\s+|//\\s+)?";
const ANY = new RegExp(`\\b(?:${REFUSED.map(({ word }) => word.replaceAll(" ", GAP)).join("|")})\\b`, "gi");

/** The refused words of a text, each with its line, counted from 1. A phrase may run over the end of a line. */
export const refusedIn = (text: string) =>
  [...text.matchAll(ANY)].map(({ 0: found, index }) => {
    const plain = found.replaceAll(new RegExp(GAP, "g"), " ").toLowerCase();
    const { word, instead } = REFUSED.find((one) => one.word === plain) ?? {
      word: plain,
      instead: "see docs/style.md",
    };
    return { line: text.slice(0, index).split("\n").length, word, instead };
  });
