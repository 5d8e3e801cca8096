import { z } from "zod";
import { type Snac, snacProgram, startSnac } from "../support/snac.ts";
import type { Target } from "./ground.ts";
import type { Psn } from "./process.ts";

/*
 * snac2, a real server of Mastodon's API that ignores keys and deletes for no program.
 */

/** The server; or, where its program cannot be had here, why. */
export async function startSnacIfThere(): Promise<{ readonly server?: Snac; readonly missing?: string }> {
  const program = await snacProgram();
  return "missing" in program ? { missing: `snac2: ${program.missing}` } : { server: await startSnac(program.path) };
}

/** All hubs have the same account there, and each its own texts. */
export async function connectSnac(psn: Psn, { origin, token }: Snac): Promise<Target> {
  return {
    name: "snac2",
    platform: "mastodon",
    accountId: await psn.connect("mastodon", { form: { server: origin, token } }),
    duplicates: "idempotency-key",
    prepares: true,
    removes: false,
    threads: true,
    origin,
    path: "/api/v1/statuses",
    holds: () => heldBy(origin, token),
  };
}

const Account = z.object({ id: z.string() });
const Statuses = z.array(
  z.object({
    id: z.string(),
    text: z.string(),
    in_reply_to_id: z.string().nullable(),
    media_attachments: z.array(z.unknown()),
  }),
);

/** The newest 256 statuses, in one page, whatever limit is asked for (snac2 2.75): those of one run, and many more. */
async function heldBy(origin: string, token: string) {
  const ask = async (path: string): Promise<unknown> => {
    const answer = await fetch(`${origin}/api/v1/accounts/${path}`, {
      headers: { authorization: `Bearer ${token}` },
      keepalive: false,
    });
    return answer.json();
  };
  const { id } = Account.parse(await ask("verify_credentials"));
  return Statuses.parse(await ask(`${id}/statuses`)).map((status) => ({
    id: status.id,
    text: status.text,
    parent: status.in_reply_to_id,
    media: status.media_attachments.length,
  }));
}
