export interface Mutant {
  readonly breaks: string;
  /** The adapter's file that is broken, below src/platforms/webhook; `index.ts` where none is named. */
  readonly file?: string;
  /** Must be in the file exactly once. */
  readonly from: string;
  readonly to: string;
}

const SEND = 'await send(session, { id: key, event, options: { effect: "publish" } });';
const CALL = "await call(session, session.profile.home,";
const JUDGED = "const judged = [...accept, ...WEATHER, 401, 410];";
const COMPOSE = "mergePost(post, limits, ABOUT)";

/** Ways to break the webhook adapter; the contract must notice every one of them. */
export const MUTANTS: readonly Mutant[] = [
  {
    breaks: "composing throws on some texts",
    from: COMPOSE,
    to: "(encodeURIComponent(post.parts[0].text), mergePost(post, limits, ABOUT))",
  },
  {
    breaks: "composing is not pure",
    from: COMPOSE,
    to: "mergePost({ ...post, title: String(performance.now()) }, limits, ABOUT)",
  },
  {
    breaks: "the account's own limit is ignored",
    from: COMPOSE,
    to: 'mergePost(post, { ...limits, text: { max: 100_000, unit: "grapheme" } }, ABOUT)',
  },
  {
    breaks: "the limit is one too high",
    from: COMPOSE,
    to: "mergePost(post, { ...limits, text: { ...limits.text, max: limits.text.max + 1 } }, ABOUT)",
  },
  {
    breaks: "a declared visibility is refused",
    from: COMPOSE,
    to: 'mergePost(post, limits, { ...ABOUT, capabilities: { ...CAPABILITIES, visibilities: ["public"] } })',
  },
  {
    breaks: "the content warning is dropped",
    from: COMPOSE,
    to: 'mergePost({ ...post, contentWarning: "" }, limits, ABOUT)',
  },
  {
    breaks: "only the first issue is told",
    from: COMPOSE,
    to: "((all) => (all.ok ? all : { ...all, issues: [all.issues[0]] }))(mergePost(post, limits, ABOUT))",
  },
  {
    breaks: "media are in another order",
    from: COMPOSE,
    to:
      "mergePost({ ...post, parts: post.parts.map((part) => ({ ...part, media: part.media.toReversed() })) }, " +
      "limits, ABOUT)",
  },
  {
    breaks: "the parts are in another order",
    from: "const whole = parts.map(",
    to: "const whole = parts.toReversed().map(",
  },
  {
    breaks: "alt texts are not sent",
    from: "return { ...about, ...file };",
    to: 'return { ...about, alt: "", ...file };',
  },
  { breaks: "a required field may be empty", from: "    keyOf(entered || paddedSecret(access));\n", to: "" },
  {
    breaks: "the profile holds the secret",
    from: "      profile: {\n        ...profile,\n",
    to: "      profile: {\n        ...profile,\n        url: `" + "$" + "{url.href}#" + "$" + "{access}`,\n",
  },
  {
    breaks: "connecting shows something",
    from: "async connect(form, net, known) {",
    to:
      'async connect(form, net, known) {\n    const shown = profileOf(receiverOf(form["url"] ?? ""));\n' +
      '    await send({ ...net, credentials: { access: form["secret"], scopes: [] }, profile: shown }, "ping", ' +
      '{ type: "post.published", data: { id: "ping" } }, { effect: "none" });',
  },
  {
    breaks: "the subject is the handle",
    file: "receiver.ts",
    from: "return { subject: subjectOf(url), handle:",
    to: "return { subject: handleOf(url), handle:",
  },
  {
    breaks: "identify names another account",
    from: "async identify({ profile }) {\n    return profile;",
    to: 'async identify({ profile }) {\n    return profileOf(new URL("/", profile.home));',
  },
  {
    breaks: "every attempt has an id of its own",
    from: SEND,
    to: SEND.replace("id: key", "id: crypto.randomUUID()"),
  },
  {
    breaks: "a later attempt sends another body",
    from: "timestamp: at.toISOString()",
    to: "timestamp: session.now().toISOString()",
  },
  { breaks: "the post is sent twice", from: SEND, to: `${SEND}\n    ${SEND}` },
  {
    breaks: "the adapter sends again by itself",
    from: SEND,
    to: SEND.replace(";", `.catch(() => ${SEND.slice("await ".length, -1)});`),
  },
  { breaks: "a failure is success", from: SEND, to: SEND.replace(";", ".catch(() => undefined);") },
  { breaks: "a lost answer is a transient failure", from: SEND, to: SEND.replace('"publish"', '"none"') },
  {
    breaks: "a lost answer is a refusal",
    from: SEND,
    to: SEND.replace(";", '.catch(() => { throw new PsnError("PLATFORM_REJECTED", "refused"); });'),
  },
  {
    breaks: "errors hold the post's text",
    from: SEND,
    to: SEND.replace(
      ";",
      ".catch((error) => { throw new PsnError(error.code, `" +
        "$" +
        "{error.message}: " +
        "$" +
        "{unit.text}`, error); });",
    ),
  },
  {
    breaks: "errors hold the secret",
    from: SEND,
    to: SEND.replace(
      ";",
      ".catch((error) => { throw new PsnError(error.code, error.message, { ...error, details: { secret: " +
        "session.credentials.access } }); });",
    ),
  },
  { breaks: "a 429 is something else", from: JUDGED, to: "const judged = [...accept, ...WEATHER, 401, 410, 429];" },
  {
    breaks: "a redirect is something else",
    from: JUDGED,
    to: "const judged = [...accept, ...WEATHER, 401, 410, 307];",
  },
  {
    breaks: "a wrong signature is a refusal of the post",
    from: 'new PsnError("AUTH_EXPIRED", ',
    to: 'new PsnError("PLATFORM_REJECTED", ',
  },
  {
    breaks: "a receiver that is being deployed refuses permanently",
    file: "schedule.ts",
    from: "[404, 408, 425] as const",
    to: "[408, 425] as const",
  },
  {
    breaks: "a file's bytes are sent before they are all read",
    file: "media.ts",
    from: 'data: content.toString("base64")',
    to: 'data: content.subarray(1).toString("base64")',
  },
  {
    breaks: "a file's hash is another's",
    file: "media.ts",
    from: 'createHash("sha256").update(content)',
    to: 'createHash("sha256").update(file.id)',
  },
  {
    breaks: "a redirect's new address is not told",
    file: "receiver.ts",
    from: "return `psn connect webhook ",
    to: "return `",
  },
  {
    breaks: "the account's secret is not what signs",
    file: "secrets.ts",
    from: "if (secret === undefined) return [access];",
    to: "if (secret === undefined) return [`whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=`];",
  },
  {
    breaks: "a refused repeat vouches for the attempt before",
    from: SEND,
    to: SEND.replace(";", ".catch((error) => Promise.reject(Object.assign(error, { neverTaken: true })));"),
  },
  {
    breaks: "a lost lease is a transient failure",
    from: SEND,
    to: SEND.replace(";", '.catch(() => Promise.reject(new PsnError("OUTCOME_UNKNOWN", "no answer")));'),
  },
  {
    breaks: "redirects are followed",
    from: CALL,
    to:
      "await call({ ...session, fetch: (input, init) => " +
      'session.fetch(input, { ...init, redirect: "follow" }) }, session.profile.home,',
  },
  {
    breaks: "the secret is in the url",
    from: CALL,
    to: "await call(session, `" + "$" + "{session.profile.home}&secret=" + "$" + "{session.credentials.access}`,",
  },
  { breaks: "posts go to another host", from: CALL, to: 'await call(session, "https://collector.example/",' },
  {
    breaks: "a stop does not stop",
    from: CALL,
    to: "await call({ ...session, signal: new AbortController().signal }, session.profile.home,",
  },
  {
    breaks: "the signature is for another body",
    file: "signing.ts",
    from: "$" + "{id}.$" + "{timestamp}.$" + "{body}",
    to: "$" + "{id}.$" + "{timestamp}.$" + "{body} ",
  },
  { breaks: "the ref is not the post's", from: "return { id: key, url:", to: "return { id: crypto.randomUUID(), url:" },
  {
    breaks: "the url of a ref is no url",
    from: "url: `" + "$" + "{shownOf(new URL(profile.home))}#",
    to: "url: `" + "$" + "{profile.handle}#",
  },
  {
    breaks: "removing does nothing",
    from: "await send(session, { id: `" + "$" + "{ref.id}-removed`",
    to: "await Promise.resolve({ id: `" + "$" + "{ref.id}-removed`",
  },
  {
    breaks: "a removal that fails is success",
    from: 'effect: "none", accept: [404, 410]',
    to: 'effect: "none", accept: [404, 410, 500]',
  },
];
