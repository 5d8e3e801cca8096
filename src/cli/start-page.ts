import { randomBytes } from "node:crypto";
import { PsnError } from "@psn/core/errors.ts";
import { isOurs, page, QUIET } from "./loopback-page.ts";

/*
 * What a browser is started with stands in the process list, where every user of the machine can read it
 * (proc_pid_cmdline(5)). So psn gives the browser an address of its own on this machine, and that leads once to where
 * the person is to go: the state, the challenge, client ids and request URIs of an authorisation are in nobody's
 * process list.
 *
 * The path of that address is in the process list too, and a secret in it would be none. What somebody else can do with
 * it:
 * - On Linux psn sees whose connection it is and refuses every other user's, here and where the browser comes back
 *   (peer.ts).
 * - Elsewhere another user may fetch the address first, read where it leads to and consent there with an account of
 *   their own. Then the person's own browser comes second, and psn ends the attempt: it can no longer tell whose answer
 *   will come. The account is written only while the address was fetched once (`assertAlone`), so what remains is
 *   another user who fetches it, consents and brings the answer before the person's browser has started; psn then names
 *   the account it connected. A visitor who is refused does not use the address up, so that on Linux nobody else can
 *   stop a person from connecting.
 */

export interface StartPage {
  /** What the browser is given. */
  readonly address: string;
  /** Rejects with CONSENT_SHARED when the address was opened a second time. */
  readonly shared: Promise<never>;
  /** Throws CONSENT_SHARED when it was. */
  readonly assertAlone: () => void;
  readonly close: () => Promise<void>;
}

/**
 * Leads a browser on this machine to `url`, once.
 *
 * @param again the command that begins another attempt.
 */
export function startPage(url: string, again: string): StartPage {
  const path = `/start/${randomBytes(16).toString("base64url")}`;
  const { promise: shared, reject } = Promise.withResolvers<never>();
  shared.catch(() => undefined);
  let visits = 0;
  const tooMany = () =>
    new PsnError(
      "CONSENT_SHARED",
      "the address that psn gave your browser was opened twice, perhaps by another program",
      { hint: again },
    );
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    development: false,
    fetch: (request, self) => {
      if (!isOurs(request, self)) return page(403, REFUSED);
      if (new URL(request.url).pathname !== path) return page(404, NOTHING);
      visits += 1;
      if (visits === 1) return new Response(null, { status: 303, headers: { location: url, ...QUIET } });
      reject(tooMany());
      return page(409, SHARED);
    },
    error: () => page(500, NOTHING),
  });
  return {
    address: `http://127.0.0.1:${server.port}${path}`,
    shared,
    assertAlone: () => {
      if (visits > 1) throw tooMany();
    },
    close: () => server.stop(false),
  };
}

const REFUSED = {
  ok: false,
  title: "Wrong browser",
  text: "This address is only for the browser of the person who started psn.",
};
const NOTHING = { ok: false, title: "Nothing here", text: "psn gave your browser another address." };
const SHARED = {
  ok: false,
  title: "Opened twice",
  text:
    "Another program opened this address first, and could answer instead of you. psn has ended this attempt; " +
    "nothing was connected.",
};
