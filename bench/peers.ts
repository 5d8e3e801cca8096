import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { png } from "../scripts/png.ts";
import { makeAuthority } from "../tests/support/certificates.ts";
import { type PdsAccount, startPds } from "../tests/support/pds.ts";
import { startPostgres } from "../tests/support/postgres.ts";
import { CROSSPOST, installCrosspost } from "./crosspost.ts";
import { buildInstalled, EMPTY, emptyBun, type Started, take } from "./installed.ts";
import { type Figure, inTurns, median, ratioOf } from "./report.ts";
import { startTlsFront } from "./tls-front.ts";

/*
 * One post of a text and an image on a real Bluesky server, from the start of a process to its end: by psn as it is
 * installed, from an embedded hub and from one on Postgres, and by crosspost, all in turns. crosspost speaks TLS alone,
 * and so all of them do.
 *
 *   bun run bench peers [--beside=PROGRAM]
 */

const ROUNDS = 11;
/** The aim of psn from an embedded hub, against crosspost. */
const AIM = 0.5;
const HANDLE = "ada.test";
const IMAGE = "image.png";
const ALT = "a square that fades from blue to orange";

/** Where all of them post to, and what they post. */
interface Place {
  readonly root: string;
  readonly open: AsyncDisposableStack;
  /** Of the server: `localhost:PORT`. */
  readonly host: string;
  readonly account: PdsAccount;
  /** With it a process trusts the server. */
  readonly env: NodeJS.ProcessEnv;
  /** A text that nobody has sent yet. */
  readonly text: () => string;
}

type Works = Map<string, () => Promise<number>>;

export default async function peers(args: readonly string[]): Promise<readonly Figure[]> {
  await using open = new AsyncDisposableStack();
  const root = await mkdtemp(join(tmpdir(), "psn-bench-"));
  open.defer(() => rm(root, { recursive: true, force: true }));
  const installed = await buildInstalled(root, args);
  const place = await startPlace(root, open);
  const works: Works = new Map([
    [EMPTY, emptyBun],
    [CROSSPOST, await crosspost(place)],
  ]);
  const server = await startPostgres({ fast: false });
  open.defer(() => server.stop());
  for (const [name, psn] of installed) {
    works.set(`embedded hub, ${name}`, await post(psn, place));
    works.set(`hub on Postgres, ${name}`, await post(psn, place, await server.createDatabase()));
  }
  const times = await inTurns(ROUNDS, works);
  return [...times].map(([name, each]) => figure(name, each, times.get(CROSSPOST) ?? []));
}

function figure(name: string, each: readonly number[], peer: readonly number[]): Figure {
  const value = `${median(each).toFixed(0)} ms`;
  if (name === EMPTY || name === CROSSPOST) return { name, value };
  const ratio = ratioOf(each, peer);
  const shown = { name: `psn post, ${name}`, value, ratio, against: CROSSPOST };
  return name.startsWith("embedded") ? { ...shown, aim: `≤ ${AIM}x`, met: ratio <= AIM } : shown;
}

async function startPlace(root: string, open: AsyncDisposableStack): Promise<Place> {
  await writeFile(join(root, IMAGE), png(1024, 768));
  const pds = await startPds();
  open.defer(pds.stop);
  const account = await pds.createAccount(HANDLE);
  const authority = await makeAuthority();
  open.defer(authority.remove);
  const { host, stop } = await startTlsFront(Number(new URL(pds.url).port), await authority.issue(["DNS:localhost"]));
  open.defer(stop);
  let texts = 0;
  const text = () => {
    texts += 1;
    return `Written once, and sent by somebody: ${texts}`;
  };
  return { root, open, host, account, text, env: { ...process.env, NODE_EXTRA_CA_CERTS: authority.ca } };
}

async function crosspost({ root, host, account, env, text }: Place): Promise<() => Promise<number>> {
  const program = await installCrosspost(join(root, "crosspost"));
  const login = { BLUESKY_HOST: host, BLUESKY_IDENTIFIER: HANDLE, BLUESKY_PASSWORD: account.password };
  const argv = ["--bluesky", "--image", join(root, IMAGE), "--image-alt", ALT];
  return async () => (await take([...program, ...argv, text()], { cwd: root, env: { ...env, ...login } })).ms;
}

/** A hub with the account, embedded if there is no Postgres. */
async function post(psn: Started, place: Place, postgres?: string): Promise<() => Promise<number>> {
  const { root, host, account, env, text } = place;
  const cwd = await mkdtemp(join(root, "hub-"));
  const init = ["init", "--tz", "UTC"];
  if (postgres === undefined) await take([...psn, ...init], { cwd, env });
  else await take([...psn, ...init, "--database-url-stdin"], { cwd, env, stdin: postgres });
  const connect = ["connect", "bluesky", HANDLE, "--server", `https://${host}`, "--password-stdin"];
  await take([...psn, ...connect], { cwd, env, stdin: account.password });
  const argv = ["post", "--to", "bluesky", "--media", join(root, IMAGE), "--alt", ALT, "--text"];
  return async () => (await take([...psn, ...argv, text()], { cwd, env })).ms;
}
