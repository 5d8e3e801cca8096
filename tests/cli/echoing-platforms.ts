import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

/*
 * Platforms that work until there is a fault, and then repeat in their errors all that they were sent.
 */

/** What a platform does to the next requests. */
export type Fault = number | "html" | "half" | "nothing" | "late";
export const FAULTS: readonly Fault[] = [
  400,
  401,
  403,
  404,
  409,
  413,
  422,
  429,
  500,
  503,
  "html",
  "half",
  "nothing",
  "late",
];
/** What the tests turn, and what they are told. */
export const weather = {
  fault: undefined as Fault | undefined,
  /** What the platforms have said back, to be sure that it held the secrets. */
  echoed: "",
  /** Counted up to make the access tokens, and the refresh tokens, of before unknown to the server. */
  expired: 0,
  expiredRefresh: 0,
};

interface Platform {
  readonly origin: string;
  stop(): void;
}

/** A platform that works until there is a fault, and then repeats what it was sent. */
export async function platform(
  works: (request: IncomingMessage, body: string, response: ServerResponse) => Promise<void>,
): Promise<Platform> {
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(Buffer.from(chunk));
    const body = Buffer.concat(chunks).toString("utf8");
    if (weather.fault === undefined) return works(request, body, response);
    const said = `${request.method} ${request.url} ${Object.entries(request.headers).flat().join(" ")} ${body}`;
    weather.echoed += said;
    if (weather.fault === "nothing") return void request.socket.destroy();
    if (weather.fault === "late") await sleep(700);
    const status = typeof weather.fault === "number" ? weather.fault : 500;
    if (weather.fault === "html")
      return void response.writeHead(502, { "content-type": "text/html" }).end(`<html><body>${said}</body></html>`);
    const json = JSON.stringify({
      error: request.headers.authorization ?? body.slice(0, 180),
      message: said,
      detail: said,
    });
    response.writeHead(status, {
      "content-type": "application/json",
      location: `https://elsewhere.example/${encodeURIComponent(said).slice(0, 500)}`,
    });
    response.end(weather.fault === "half" ? json.slice(0, json.length / 2) : json);
  };
  const server = createServer(
    (request, response) => void serve(request, response).catch(() => request.socket.destroy()),
  );
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    origin: `http://127.0.0.1:${port}`,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const json = (response: ServerResponse, document: unknown, status = 200) =>
  void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(document));

/**
 * As much of a PDS as connecting and one post take (https://docs.bsky.app/docs/api/com-atproto-server-create-session,
 * 2026-11).
 */
export function bluesky(password: string, access: string, refresh: string) {
  const issued = { access: "", refresh: "", expired: 0, expiredRefresh: 0 };
  let session = 0;
  const tokens = () => {
    session += 1;
    Object.assign(issued, {
      access: `${access}.${session}`,
      refresh: `${refresh}.${session}`,
      expired: weather.expired,
      expiredRefresh: weather.expiredRefresh,
    });
    return { did: "did:plc:ada", handle: "ada.example", accessJwt: issued.access, refreshJwt: issued.refresh };
  };
  return async (request: IncomingMessage, body: string, response: ServerResponse): Promise<void> => {
    const method = new URL(request.url ?? "/", "http://pds").pathname.replace("/xrpc/", "");
    const bearer = (request.headers.authorization ?? "").replace("Bearer ", "");
    if (method === "com.atproto.server.createSession") {
      const { password: given } = JSON.parse(body) as { readonly password?: string };
      return given === password
        ? json(response, tokens())
        : json(response, { error: "AuthenticationRequired", message: `not ${given}` }, 401);
    }
    if (method === "com.atproto.server.refreshSession") {
      const good = bearer === issued.refresh && issued.expiredRefresh === weather.expiredRefresh;
      return good ? json(response, tokens()) : json(response, { error: "ExpiredToken", message: bearer }, 400);
    }
    if (bearer !== issued.access || issued.expired !== weather.expired)
      return json(response, { error: "ExpiredToken", message: `not ${bearer}` }, 400);
    if (method === "com.atproto.server.getSession")
      return json(response, { did: "did:plc:ada", handle: "ada.example" });
    if (method === "com.atproto.repo.putRecord") {
      const { rkey } = JSON.parse(body) as { readonly rkey: string };
      return json(response, { uri: `at://did:plc:ada/app.bsky.feed.post/${rkey}`, cid: "bafyreib" });
    }
    return json(response, { error: "RecordNotFound", message: `no ${method}` }, 400);
  };
}
