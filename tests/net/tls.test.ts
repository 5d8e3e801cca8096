import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import type { PsnError } from "@psn/core/errors.ts";
import { fetchAsPsn, USER_AGENT } from "@psn/core/net/fetch.ts";
import type { Fetch } from "@psn/core/types/platform.ts";
import { call } from "@psn/platforms/kit/http.ts";
import { afterEach, expect, test } from "vitest";
import { version } from "../../package.json";

/*
 * TLS as it fails: with real handshakes, and a man in the middle for what breaks afterwards. Only a handshake that was
 * never finished proves that nothing was sent.
 */

const fixture = (name: string) => readFileSync(new URL(`../fixtures/tls/${name}`, import.meta.url), "utf8");
const identity = (name: string) => ({ cert: fixture(`${name}.pem`), key: fixture(`${name}.key`) });
const CA = fixture("ca.pem");
/** As a hub sends, where NODE_EXTRA_CA_CERTS names this authority: it is read when a process begins. */
const trusting: Fetch = (input, init) => fetchAsPsn(input, { ...init, tls: { ca: CA } } as RequestInit);

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function listening(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  return (server.address() as AddressInfo).port;
}

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
/** Answers every request, and keeps what it was sent. */
async function secure(options: TlsOptions, onRequest?: (socket: Socket) => void) {
  const requests: string[] = [];
  const server = createTlsServer(options, (socket) => {
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      requests.push(String(bytes));
      if (onRequest) onRequest(socket);
      else socket.end(OK);
    });
  });
  server.on("tlsClientError", () => undefined);
  return { port: await listening(server), requests };
}

const publishTo = (port: number, options: { readonly fetch?: Fetch; readonly timeoutMs?: number } = {}) => {
  const { fetch = trusting, timeoutMs = 5_000 } = options;
  const session = { fetch, now: () => new Date(), signal: new AbortController().signal };
  return call(session, `https://127.0.0.1:${port}/`, { method: "POST", body: "{}", effect: "publish", timeoutMs });
};
const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable("it must throw"),
    (error: unknown) => error as PsnError,
  );
const SENT_NOTHING = { code: "PLATFORM_UNREACHABLE", retry: "backoff" };

test("a good certificate: the request arrives, over HTTP/1.1 and in psn's name", async () => {
  const { port, requests } = await secure(identity("good"));
  expect(await publishTo(port)).toMatchObject({ status: 200 });
  expect(requests).toHaveLength(1);
  expect(requests[0]?.toLowerCase()).toContain(`user-agent: ${USER_AGENT}\r\n`);
  expect(USER_AGENT).toBe(`psn/${version}`);
});

test.each([
  ["expired", "its certificate has expired", "renew"],
  ["future", "its certificate is not valid yet", "clock"],
  ["wrong", "its certificate is for another host name", "name"],
])("a certificate that is %s: nothing was sent, and why", async (name, says, hint) => {
  const { port, requests } = await secure(identity(name));
  const error = await failureOf(publishTo(port));
  expect(error).toMatchObject({ ...SENT_NOTHING, message: `could not connect to 127.0.0.1:${port}: ${says}` });
  expect(error.hint).toContain(hint);
  expect(requests).toEqual([]);
});

test("an authority that this machine does not know: nothing was sent, and how to make it known", async () => {
  const { port, requests } = await secure(identity("good"));
  const error = await failureOf(publishTo(port, { fetch: fetchAsPsn }));
  expect(error).toMatchObject({
    ...SENT_NOTHING,
    message: expect.stringContaining("its certificate is not trusted on this machine"),
  });
  expect(error.hint).toContain("NODE_EXTRA_CA_CERTS");
  expect(requests).toEqual([]);
});

const plain = (onData: (socket: Socket) => void) =>
  createServer((socket) => void socket.on("error", () => undefined).once("data", () => onData(socket)));

test.each<[string, () => Promise<number>]>([
  [
    "a server that speaks HTTP/2 alone",
    async () => (await secure({ ...identity("good"), ALPNProtocols: ["h2"] })).port,
  ],
  [
    "a server of an old TLS",
    async () => (await secure({ ...identity("good"), minVersion: "TLSv1", maxVersion: "TLSv1.1" })).port,
  ],
  ["a port that speaks plain HTTP", () => listening(plain((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n")))],
  ["a port that closes during the handshake", () => listening(plain((socket) => socket.end()))],
  ["a port that resets during the handshake", () => listening(plain((socket) => socket.resetAndDestroy()))],
  ["a plain port that waits for more", () => listening(plain(() => undefined))],
])("%s: the handshake is not finished, so nothing was sent", async (_, serve) => {
  const error = await failureOf(publishTo(await serve(), { timeoutMs: 1_000 }));
  expect(error).toMatchObject({ ...SENT_NOTHING, message: expect.stringContaining("the TLS handshake failed") });
});

/** Carries bytes to a TLS server until that has read a request, and then answers in its place. */
async function broken(maxVersion: "TLSv1.2" | "TLSv1.3", answer: (client: Socket) => void) {
  let inMiddle = false;
  const clients: Socket[] = [];
  const { port: behind, requests } = await secure({ ...identity("good"), maxVersion }, () => {
    inMiddle = true;
    for (const client of clients) answer(client);
  });
  const middle = createServer((client) => {
    clients.push(client);
    const server = connect(behind, "127.0.0.1");
    for (const socket of [client, server]) socket.on("error", () => undefined);
    client.on("data", (bytes) => server.write(bytes)).on("close", () => server.destroy());
    server.on("data", (bytes) => inMiddle || client.write(bytes));
  });
  return { port: await listening(middle), requests };
}

test.each<[string, (client: Socket) => void]>([
  ["garbage", (client) => client.write("this is no TLS at all, and it goes on for a while")],
  ["a forged alert", (client) => client.write(Buffer.from([21, 3, 3, 0, 2, 2, 40]))],
  [
    "a record that does not decrypt",
    (client) => client.write(Buffer.concat([Buffer.from([23, 3, 3, 0, 32]), Buffer.alloc(32, 7)])),
  ],
  ["its end", (client) => client.end()],
  ["a reset", (client) => client.resetAndDestroy()],
])("%s in place of the answer: the server has the request, so the outcome is unknown", async (_, answer) => {
  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    const { port, requests } = await broken(version, answer);
    expect(await failureOf(publishTo(port))).toMatchObject({ code: "OUTCOME_UNKNOWN" });
    expect(requests).toHaveLength(1);
  }
});
