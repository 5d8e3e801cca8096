import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/*
 * Does the contract notice? Breaks a copy of the webhook adapter in one way at a time, holds every copy to the contract
 * and prints which promise noticed. Fails when one goes unnoticed. The sources themselves are never touched.
 *
 *   bun run scripts/mutate-contract.ts
 *
 * --check: only looks whether each text to break is in the adapter exactly once.
 */

interface Mutant {
  readonly breaks: string;
  /** Must be in the source exactly once. */
  readonly from: string;
  readonly to: string;
}

const SEND = 'await send(session, key, body, { effect: "publish" });';
const CALL = "await call(session, session.profile.home,";
const COMPOSE = "mergePost(post, limits, VISIBLE)";

const MUTANTS: readonly Mutant[] = [
  {
    breaks: "composing throws on some texts",
    from: COMPOSE,
    to: "(encodeURIComponent(post.parts[0].text), mergePost(post, limits, VISIBLE))",
  },
  {
    breaks: "composing is not pure",
    from: COMPOSE,
    to: "mergePost({ ...post, title: String(performance.now()) }, limits, VISIBLE)",
  },
  {
    breaks: "the account's own limit is ignored",
    from: COMPOSE,
    to: 'mergePost(post, { ...limits, text: { max: 100_000, unit: "grapheme" } }, VISIBLE)',
  },
  {
    breaks: "the limit is one too high",
    from: COMPOSE,
    to: "mergePost(post, { ...limits, text: { ...limits.text, max: limits.text.max + 1 } }, VISIBLE)",
  },
  { breaks: "a declared visibility is refused", from: COMPOSE, to: 'mergePost(post, limits, ["public"])' },
  {
    breaks: "the content warning is dropped",
    from: COMPOSE,
    to: 'mergePost({ ...post, contentWarning: "" }, limits, VISIBLE)',
  },
  {
    breaks: "only the first issue is told",
    from: COMPOSE,
    to: "((all) => (all.ok ? all : { ...all, issues: [all.issues[0]] }))(mergePost(post, limits, VISIBLE))",
  },
  {
    breaks: "media are in another order",
    from: COMPOSE,
    to:
      "mergePost({ ...post, parts: post.parts.map((part) => ({ ...part, media: part.media.toReversed() })) }, " +
      "limits, VISIBLE)",
  },
  {
    breaks: "the parts are in another order",
    from: "const whole = parts.map(",
    to: "const whole = parts.toReversed().map(",
  },
  {
    breaks: "alt texts are not sent",
    from: "({ ...about, ...files.get(id) })",
    to: '({ ...about, alt: "", ...files.get(id) })',
  },
  { breaks: "a required field may be empty", from: "    keyOf(access);\n", to: "" },
  {
    breaks: "the profile holds the secret",
    from: "profile: profileOf(url) };",
    to: "profile: { ...profileOf(url), url: `" + "$" + "{url.href}#" + "$" + "{access}` } };",
  },
  {
    breaks: "connecting shows something",
    from: "async connect(form, net) {",
    to: 'async connect(form, net) {\n    const profile = profileOf(receiverOf(form["url"] ?? ""));\n    await send({ ...net, credentials: { access: form["secret"], scopes: [] }, profile }, "ping", { type: "post.published", data: { id: "ping" } }, { effect: "none" });',
  },
  {
    breaks: "the subject is the handle",
    from: "return { subject, handle: url.host",
    to: "return { subject: url.host, handle: url.host",
  },
  {
    breaks: "identify names another account",
    from: "return profileOf(new URL(profile.home));",
    to: 'return profileOf(new URL("/", profile.home));',
  },
  {
    breaks: "every attempt has an id of its own",
    from: SEND,
    to: 'await send(session, crypto.randomUUID(), body, { effect: "publish" });',
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
    to:
      `await send(session, key, body, { effect: "publish" }).catch(() => send(session, key, body, { effect: ` +
      `"publish" }));`,
  },
  { breaks: "a failure is success", from: SEND, to: SEND.replace(";", ".catch(() => undefined);") },
  { breaks: "a lost answer is bad weather", from: SEND, to: SEND.replace('"publish"', '"none"') },
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
  { breaks: "a 429 is something else", from: "accept: [...accept, 410]", to: "accept: [...accept, 410, 429]" },
  { breaks: "a redirect is something else", from: "accept: [...accept, 410]", to: "accept: [...accept, 410, 307]" },
  {
    breaks: "a refused repeat vouches for the attempt before",
    from: SEND,
    to: SEND.replace(";", ".catch((error) => Promise.reject(Object.assign(error, { neverTaken: true })));"),
  },
  {
    breaks: "a lease that is lost is bad weather",
    from: SEND,
    to: SEND.replace(";", '.catch(() => Promise.reject(new PsnError("OUTCOME_UNKNOWN", "no answer")));'),
  },
  {
    breaks: "redirects are followed",
    from: CALL,
    to: 'await call({ ...session, fetch: (input, init) => session.fetch(input, { ...init, redirect: "follow" }) }, session.profile.home,',
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
    from: "await send(session, `" + "$" + "{ref.id}-removed`",
    to: "await Promise.resolve(`" + "$" + "{ref.id}-removed`",
  },
  {
    breaks: "a removal that fails is success",
    from: 'effect: "none", accept: [404, 410]',
    to: 'effect: "none", accept: [404, 410, 500]',
  },
];

const root = join(import.meta.dirname, "..");
/** Beside the contract; hidden, so that no other run of the tests and no type check finds it. */
const folder = join(root, "tests/contract/.mutants");
const report = join(folder, "report.json");

const adapter = readFileSync(join(root, "src/platforms/webhook/index.ts"), "utf8").replaceAll(
  'from "./',
  'from "@psn/platforms/webhook/',
);
const contract = readFileSync(join(root, "tests/contract/webhook.test.ts"), "utf8")
  .replace('from "@psn/platforms/webhook/index.ts"', 'from "./webhook.ts"')
  .replaceAll('from "./platform.ts"', 'from "../../platform.ts"');

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly title: string; readonly status: string }[];
  }[];
}

async function run(): Promise<Report> {
  writeFileSync(join(folder, "vitest.config.ts"), config());
  place("untouched", adapter);
  for (const [index, { from, to }] of MUTANTS.entries()) {
    place(
      String(index),
      adapter.replace(from, () => to),
    );
  }
  const command = [
    process.execPath,
    "--bun",
    join(root, "node_modules/.bin/vitest"),
    "run",
    "--config",
    join(folder, "vitest.config.ts"),
    "--reporter=json",
    `--outputFile=${report}`,
  ];
  const { PSN_GOLDEN: _, ...env } = process.env;
  const vitest = Bun.spawn(command, { cwd: root, env, stdout: "ignore", stderr: "ignore" });
  stopVitest = () => vitest.kill("SIGKILL");
  await vitest.exited;
  stopVitest = undefined;
  if (!existsSync(report)) throw new Error("vitest wrote no report");
  return JSON.parse(readFileSync(report, "utf8"));
}

function place(name: string, source: string): void {
  mkdirSync(join(folder, name));
  writeFileSync(join(folder, name, "webhook.ts"), source);
  writeFileSync(join(folder, name, "contract.ts"), contract);
}

function config(): string {
  const settings = {
    root,
    resolve: { alias: { "@psn": join(root, "src") } },
    test: { include: ["tests/contract/.mutants/*/contract.ts"], pool: "threads", maxWorkers: 2, testTimeout: 30_000 },
  };
  return `export default ${JSON.stringify(settings)};\n`;
}

/** Titles of the promises that were broken, and whether the file ran at all. */
function judged(result: Report, name: string): { readonly ran: boolean; readonly broken: readonly string[] } {
  const file = result.testResults.find((one) => one.name.endsWith(`/.mutants/${name}/contract.ts`));
  const tests = file?.assertionResults ?? [];
  return {
    ran: tests.length > 10,
    broken: tests.filter(({ status }) => status === "failed").map(({ title }) => title.split(":")[0] ?? title),
  };
}

function print(result: Report): boolean {
  const untouched = judged(result, "untouched");
  if (!untouched.ran || untouched.broken.length > 0)
    throw new Error(`the untouched adapter breaks the contract: ${untouched.broken.join(", ")}`);
  const width = Math.max(...MUTANTS.map(({ breaks }) => breaks.length));
  let survivors = 0;
  for (const [index, { breaks }] of MUTANTS.entries()) {
    const { ran, broken } = judged(result, String(index));
    const [first, ...others] = broken;
    if (!ran || first === undefined) survivors++;
    const verdict = ran ? (first ?? "SURVIVES") : "DID NOT RUN: not a mutant but a mistake in its text";
    console.log(
      `${breaks.padEnd(width)}  ${verdict}${others.length > 0 ? ` and ${others.length} more: ${others.join(", ")}` : ""}`,
    );
  }
  console.log(`\n${MUTANTS.length - survivors} of ${MUTANTS.length} mutants were noticed.`);
  return survivors === 0;
}

let stopVitest: (() => void) | undefined;
const clean = () => rmSync(folder, { recursive: true, force: true });
for (const [signal, code] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const) {
  process.on(signal, () => {
    stopVitest?.();
    clean();
    process.exit(code);
  });
}

for (const { breaks, from } of MUTANTS) {
  if (adapter.split(from).length === 2) continue;
  console.error(`"${breaks}": the text to break must be in the adapter exactly once`);
  process.exit(1);
}
if (process.argv.includes("--check")) process.exit(0);
// What a run that was killed outright left behind.
clean();
mkdirSync(folder);
// A commit made meanwhile must not take the mutants in.
writeFileSync(join(folder, ".gitignore"), "*\n");
try {
  process.exitCode = print(await run()) ? 0 : 1;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
} finally {
  clean();
}
