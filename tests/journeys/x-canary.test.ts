import { afterAll, beforeAll, expect, test } from "vitest";
import { canaries, found, plant } from "../support/canary.ts";
import { binary, type Ran, type TestHub, testHub } from "../support/cli.ts";
import { startX, type XFake } from "../support/x.ts";

/*
 * Every step of an account's life by OAuth, with a platform that fails in every way and repeats all it was sent: the
 * app's secret, the code, the verifier, every token. Nothing that psn prints, shows in the browser or keeps may hold
 * one of them.
 */

const PORT = 18_977;
const REDIRECT = `http://127.0.0.1:${PORT}/callback`;

/** What the platform does with the next requests of its token endpoint, or of everything else. */
type Fault = number | "html" | "redirect" | "reset" | "error in a 200";
const FAULTS: readonly Fault[] = [400, 401, 429, 500, "html", "redirect", "reset", "error in a 200"];
/** Where all of them go the same way through the request kit, which has canaries of its own. */
const SOME: readonly Fault[] = [403, 422, "html"];

let x: XFake;
let hub: TestHub;
let front: Bun.Server<undefined>;
let fault: { readonly is: Fault; readonly at: "tokens" | "the rest" } | undefined;
/** All that was sent and said back. */
let echoed = "";
const printed: { readonly line: string; readonly text: string }[] = [];

beforeAll(async () => {
  x = await startX({}, { redirects: [REDIRECT] });
  hub = await testHub({ feed: false });
  plant("app secret", x.app.secret ?? "");
  front = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: misbehave });
});
afterAll(async () => {
  await front.stop(true);
  await x.stop();
});

async function misbehave(request: Request): Promise<Response> {
  const url = new URL(request.url);
  const body = await request.text();
  const authorization = request.headers.get("authorization") ?? "";
  note(body, authorization);
  const said = `${authorization} ${body}`;
  if (fault && url.pathname.startsWith("/2/oauth2/") === (fault.at === "tokens")) {
    echoed += said;
    if (fault.is === "reset")
      return new Response(new ReadableStream({ start: (controller) => controller.error(new Error("gone")) }));
    if (fault.is === "html") return new Response(`<html>${said}</html>`, { status: 200 });
    if (fault.is === "redirect")
      return new Response(null, { status: 302, headers: { location: `${x.origin}/elsewhere?${body}` } });
    const answer = {
      error: "server_says",
      error_description: said,
      detail: said,
      title: said,
      errors: [{ message: said }],
    };
    return Response.json(answer, { status: fault.is === "error in a 200" ? 200 : fault.is });
  }
  const headers = new Headers(request.headers);
  for (const name of ["host", "connection", "accept-encoding", "content-length"]) headers.delete(name);
  const answer = await fetch(`${x.origin}${url.pathname}${url.search}`, {
    method: request.method,
    headers,
    redirect: "manual",
    ...(request.method === "GET" ? {} : { body }),
  });
  const text = await answer.text();
  for (const name of ["access_token", "refresh_token"])
    remember(name, new RegExp(`"${name}":"([^"]+)"`).exec(text)?.[1]);
  return new Response(text === "" ? null : text, {
    status: answer.status,
    headers: { "content-type": answer.headers.get("content-type") ?? "text/plain" },
  });
}

/** What is secret of a request, by its form and its header. */
function note(body: string, authorization: string): void {
  const form = new URLSearchParams(body);
  for (const name of ["code", "code_verifier", "refresh_token", "token"]) remember(name, form.get(name) ?? undefined);
  remember("basic", /^Basic (.+)$/.exec(authorization)?.[1]);
}
function remember(name: string, value: string | undefined): void {
  if (value && value.length > 8 && !canaries.some(({ bytes }) => bytes.toString() === value)) plant(name, value);
}

const env = () => ({ PSN_ORIGINS: `https://api.x.com=http://127.0.0.1:${front.port}`, HTTP_PROXY: "", NO_COLOR: "1" });
function keep(argv: readonly string[], { stdout, stderr }: Ran, more = ""): void {
  printed.push({ line: argv.join(" "), text: `${stdout}\n${stderr}\n${more}` });
}
async function psn(argv: readonly string[], stdin = ""): Promise<Ran> {
  const running = binary(argv, { cwd: hub.folder, env: env(), stdin });
  const timer = setTimeout(() => running.child.kill("SIGINT"), 4_000);
  const ran = await running.ended;
  clearTimeout(timer);
  keep(argv, ran);
  return ran;
}

async function connect(): Promise<number> {
  const argv = ["connect", "x", "--no-browser", "--port", String(PORT), "--json"];
  const running = binary(argv, { cwd: hub.folder, env: env() });
  let stderr = "";
  running.child.stderr?.on("data", (text: string) => {
    stderr += text;
  });
  await running.says("code_challenge_method=S256");
  const answer = await x.consent(/https:\/\/\S+/.exec(stderr)?.[0] ?? "");
  remember("code", answer["code"]);
  const back = new URL(REDIRECT);
  for (const [name, value] of Object.entries(answer)) back.searchParams.set(name, value);
  const response = await fetch(back);
  const page = `${response.url}\n${JSON.stringify([...response.headers])}\n${await response.text()}`;
  const ran = await running.ended;
  keep(argv, ran, page);
  return ran.code;
}

test("keys are set, wrongly and rightly", async () => {
  await psn(["keys", "set", "X_CLIENT_ID", "--stdin"], x.app.id);
  await psn(["keys", "set", "X_CLIENT_SECRET", x.app.secret ?? ""]);
  await psn(["keys", "set", "X_CLIENT_SECRET", "--stdin"], `${x.app.secret}\nand more`);
  expect((await psn(["keys", "set", "X_CLIENT_SECRET", "--stdin"], x.app.secret ?? "")).code).toBe(0);
  for (const argv of [
    ["keys", "list"],
    ["keys", "list", "--json"],
    ["keys", "push"],
    ["config", "list"],
  ])
    await psn(argv);
});

test("consent, where the token endpoint fails in every way, and where all else does", async () => {
  for (const at of ["tokens", "the rest"] as const)
    for (const is of at === "tokens" ? FAULTS : SOME) {
      fault = { is, at };
      expect(await connect(), `${at} ${is}`).not.toBe(0);
    }
  fault = undefined;
  expect(await connect()).toBe(0);
});

test("posting, renewing and taking back, the same", async () => {
  expect((await psn(["post", "hello", "--to", "x"])).code).toBe(0);
  for (const is of SOME) {
    fault = { is, at: "the rest" };
    await psn(["post", `post ${is}`, "--to", "x", "--json"]);
  }
  x.switches.clockAheadMs = 3 * 3_600_000;
  for (const is of FAULTS) {
    fault = { is, at: "tokens" };
    await hub.rows("UPDATE psn.oauth_tokens SET refresh_rest_until = NULL, refresh_lease_until = NULL");
    await hub.rows("UPDATE psn.accounts SET health = 'ok', health_reason = NULL, paused_until = NULL");
    await psn(["post", `renewing ${is}`, "--to", "x", "--json"]);
  }
  for (const argv of [["accounts"], ["accounts", "--json"], ["doctor"], ["queue", "--all"], ["vault", "status"]])
    await psn(argv);
  fault = { is: 500, at: "tokens" };
  await psn(["disconnect", "x", "--yes"]);
});

test("and nothing of it is told or kept", async () => {
  // The platform did say them back, and they are what they should be.
  const names = new Set(canaries.map(({ name }) => name));
  for (const name of ["app secret", "code", "code_verifier", "access_token", "refresh_token", "basic"])
    expect(names).toContain(name);
  expect(found(echoed)).toEqual(expect.arrayContaining(["code", "code_verifier", "refresh_token"]));
  for (const { line, text } of printed)
    expect([line.replace(x.app.secret ?? "?", "…"), found(text)]).toEqual([expect.any(String), []]);
  expect(found(await hub.state())).toEqual([]);
});
