import { PsnError } from "@psn/core/errors.ts";
import { type Farewell, isOurs, page, QUIET } from "./loopback-page.ts";

/*
 * Where the browser comes back to (RFC 8252, 7.3): a server on this machine's loopback address alone, for one answer.
 * The address with the code in it is left at once, so that it stays neither in the browser's address bar nor in its
 * history.
 */

/** Registered with an app of the user's own, so it is the same every time; no well-known program listens there. */
export const PORT = 8976;
export const CALLBACK = "/callback";
const DONE = "/done";

/** What the browser brought: the query of the address it came back to. */
export type Answer = Readonly<Record<string, string>>;

export interface Loopback {
  readonly redirectUri: string;
  /** The first answer that `isMine` accepts. */
  readonly answer: Promise<Answer>;
  /** Shows the person what became of it, and stops listening. */
  readonly close: (farewell: Farewell) => Promise<void>;
}

/** How long a browser may take to fetch the last page, in milliseconds. */
const GOODBYE_MS = 1_500;

/**
 * Listens on 127.0.0.1.
 *
 * @param port 0 for any that is free.
 * @param isMine false for an answer to somebody else's question, which is refused and not waited for.
 * @throws PsnError PORT_TAKEN when the port is taken.
 */
export function listen(port: number, isMine: (answer: Answer) => boolean): Loopback {
  const { promise: answer, resolve: answered } = Promise.withResolvers<Answer>();
  const { promise: farewell, resolve: leave } = Promise.withResolvers<Farewell>();
  const { promise: shown, resolve: seen } = Promise.withResolvers<void>();
  let came = false;
  const server = serve(port, async (request, self) => {
    if (!isOurs(request, self)) return page(403, REFUSED);
    const url = new URL(request.url);
    if (url.pathname === DONE) {
      const last = await farewell;
      queueMicrotask(seen);
      return page(last.ok ? 200 : 400, last);
    }
    if (url.pathname !== CALLBACK) return page(404, NOTHING);
    const brought = Object.fromEntries(url.searchParams);
    if (!isMine(brought)) return page(400, FOREIGN);
    came = true;
    answered(brought);
    return new Response(null, { status: 303, headers: { location: DONE, ...QUIET } });
  });
  return {
    redirectUri: `http://127.0.0.1:${server.port}${CALLBACK}`,
    answer,
    close: async (last) => {
      leave(last);
      if (came) await Promise.race([shown, Bun.sleep(GOODBYE_MS)]);
      await server.stop(false);
    },
  };
}

function serve(
  port: number,
  fetch: (request: Request, self: Bun.Server<undefined>) => Promise<Response>,
): Bun.Server<undefined> {
  try {
    return Bun.serve({
      hostname: "127.0.0.1",
      port,
      idleTimeout: 0,
      fetch,
      development: false,
      error: () => page(500, NOTHING),
    });
  } catch (cause) {
    throw new PsnError("PORT_TAKEN", `another program listens on port ${port} of this machine`, {
      cause,
      hint: "choose another with --port N, and register http://127.0.0.1:N/callback with your app",
    });
  }
}

const REFUSED: Farewell = {
  ok: false,
  title: "Wrong browser",
  text: "This address is only for the browser of the person who started psn, on this machine.",
};
const NOTHING: Farewell = {
  ok: false,
  title: "Nothing here",
  text: "psn expects the platform's answer at another address.",
};
const FOREIGN: Farewell = {
  ok: false,
  title: "Not the expected answer",
  text:
    "This answer belongs to another attempt, or it is forged. Nothing was changed. Return to the terminal and open " +
    "the address that it shows.",
};
