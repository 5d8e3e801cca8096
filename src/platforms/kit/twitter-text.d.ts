/* twitter-text's patterns one by one: its index loads all of them, and costs several times as long. */
declare module "twitter-text/dist/regexp/validDomain.js" {
  const pattern: RegExp;
  export = pattern;
}
declare module "twitter-text/dist/regexp/validUrlPrecedingChars.js" {
  const pattern: RegExp;
  export = pattern;
}
