import { request } from "node:http";

/*
 * The person at a PDS's consent page, which is a script that asks the server: the same requests, from the same page,
 * with the same headers. They are sent by node:http, since fetch may not set what only a browser sets.
 */

interface Said {
  readonly status: number;
  readonly text: string;
  readonly location: string | undefined;
}

/** Cookies by name: a browser that has signed in before needs no password again. */
export type Jar = Map<string, string>;

/** Signs in and presses a button at `url`; resolves to the query with which the browser comes back. */
export async function consentAt(
  url: string,
  who: { readonly did: string; readonly handle: string; readonly password: string },
  pressed: "accept" | "reject",
  cookies: Jar,
): Promise<Readonly<Record<string, string>>> {
  const { origin } = new URL(url);
  const known = cookies.size > 0;
  const send = (method: "GET" | "POST", to: string, headers: Record<string, string>, body?: string) =>
    ask(
      method,
      to,
      { ...headers, cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join("; ") },
      body,
      cookies,
    );
  const page = await send("GET", url, {
    "sec-fetch-site": "none",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
  });
  if (page.status !== 200) throw new Error(`the consent page answers ${page.status} ${page.text.slice(0, 300)}`);
  const api = async (name: string, input: object): Promise<Record<string, unknown>> => {
    const headers = {
      "content-type": "application/json",
      "sec-fetch-site": "same-origin",
      "sec-fetch-mode": "same-origin",
      "sec-fetch-dest": "empty",
      "x-csrf-token": cookies.get("csrf-token") ?? "",
      referer: url,
      origin,
    };
    const { status, text } = await send(
      "POST",
      `${origin}/@atproto/oauth-provider/~api/${name}`,
      headers,
      JSON.stringify(input),
    );
    if (status !== 200) throw new Error(`${name} answers ${status} ${text.slice(0, 300)}`);
    return JSON.parse(text);
  };
  if (!known) await api("sign-in", { username: who.handle, password: who.password, locale: "en", remember: true });
  const { url: next } = await api(
    pressed === "accept" ? "consent" : "reject",
    pressed === "accept" ? { sub: who.did } : {},
  );
  const last = await send("GET", String(next), {
    "sec-fetch-site": "same-origin",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    referer: url,
  });
  if (last.location === undefined) throw new Error(`nobody is sent back: ${last.status} ${last.text.slice(0, 300)}`);
  return Object.fromEntries(new URL(last.location).searchParams);
}

function ask(
  method: string,
  url: string,
  headers: Record<string, string>,
  body: string | undefined,
  cookies: Jar,
): Promise<Said> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers, agent: false }, (response) => {
      for (const line of response.headers["set-cookie"] ?? []) {
        const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
        if (name !== undefined && value !== undefined) cookies.set(name, value);
      }
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("end", () =>
        resolve({
          status: response.statusCode ?? 0,
          text: Buffer.concat(chunks).toString(),
          location: response.headers.location,
        }),
      );
      response.on("error", reject);
    });
    sent.on("error", reject);
    sent.end(body);
  });
}
