import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { isPrivateAddress, isPrivateHost, leadsInside, publicFetch } from "./private.ts";

describe("which addresses are private", () => {
  it.each([
    ...(
      "0.1.2.3 127.0.0.1 127.255.0.9 10.1.1.1 100.64.0.1 100.127.9.9 169.254.169.254 172.16.0.1 172.31.9.9 " +
      "192.0.0.1 192.0.2.1"
    ).split(" "),
    ...(
      "192.88.99.1 192.168.0.1 198.18.0.1 198.19.9.9 198.51.100.1 203.0.113.9 224.0.0.1 239.1.1.1 240.0.0.1 " +
      "255.255.255.255"
    ).split(" "),
    ...(
      "::1 ::127.0.0.1 ::ffff:10.0.0.1 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b:1::8.8.8.8 2002:7f00:1:: " +
      "2002:808:808::1"
    ).split(" "),
    ...":: ::2 ::808:808 4000::1 5f00::1 8000::1 100:0:0:1::1 2001:20::1 64:ff9b:1:ffff::1".split(" "),
    ..."2001::1 fe80::1 fe80::1%eth0 fec0::1 fd00:ec2::254 fc00::1 ff02::1 2001:db8::1 3fff::1 100::1".split(" "),
  ])("%s", (address) => expect(isPrivateAddress(address)).toBe(true));

  it.each(["8.8.8.8", "100.63.0.1", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"])(
    "%s is public",
    (address) => expect(isPrivateAddress(address)).toBe(false),
  );

  it.each([
    "http://127.0.0.1:80",
    "http://127.1",
    "http://2130706433",
    "http://0x7f.0.0.1",
    "http://017700000001",
    "http://127.0.0.1./",
    "http://[::ffff:127.0.0.1]",
    "http://[64:ff9b::808:808]",
    "http://localhost",
    "http://localhost.:8080",
    "http://LOCALHOST..",
    "http://a.localhost",
    "http://printer",
    "http://printer.",
    "http://db.internal",
    "http://nas.local",
    "http://nas.home.arpa.",
    "http://①②⑦.0.0.1",
  ])("%s is written as one", (text) => expect(isPrivateHost(new URL(text))).toBe(true));

  it.each(["https://example.org", "https://example.org.", "https://8.8.8.8", "https://local.example.org"])(
    "%s is not",
    (text) => expect(isPrivateHost(new URL(text))).toBe(false),
  );

  it("by what a name resolves to", async () => {
    const resolve = async (host: string) => (host === "inside.example.org" ? ["8.8.8.8", "10.0.0.1"] : ["8.8.8.8"]);
    expect(await leadsInside(new URL("https://inside.example.org."), resolve)).toBe(true);
    expect(await leadsInside(new URL("https://outside.example.org"), resolve)).toBe(false);
    expect(await leadsInside(new URL("https://gone.example.org"), () => Promise.reject(new Error("ENOTFOUND")))).toBe(
      false,
    );
  });
});

describe("a fetch for public addresses", () => {
  let server: Server;
  let port: number;
  const seen: string[] = [];
  beforeAll(async () => {
    server = createServer((request, response) => {
      seen.push(`${request.method} ${request.headers.host} ${request.url}`);
      if (request.url === "/away") response.writeHead(302, { location: `http://127.0.0.1:${port}/inside` });
      response.end("inside");
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => server.close());

  const guarded = (isAllowed: (origin: string) => boolean, addresses: readonly string[] = []) => {
    const asked: string[] = [];
    const to: string[] = [];
    const fetched = publicFetch({
      isAllowed,
      resolve: async (host) => {
        asked.push(host);
        return addresses;
      },
      fetch: async (input, init) => {
        to.push(new URL(input).hostname);
        // What stands for the open net is this machine.
        const url = new URL(input);
        if (url.hostname === "8.8.4.4") throw Object.assign(new Error("refused"), { code: "ConnectionRefused" });
        if (url.hostname === "8.8.8.8") url.hostname = "127.0.0.1";
        return fetch(url, init);
      },
    });
    return { fetch: fetched, asked, to };
  };

  it("refuses this machine, and allows the origin that the owner has allowed and no other", async () => {
    const none = guarded(() => false);
    await expect(none.fetch(`http://127.0.0.1:${port}/`)).rejects.toMatchObject({
      code: "PRIVATE_ADDRESS",
      hint: "psn config set PSN_PRIVATE_ORIGINS",
    });
    await expect(none.fetch(`http://localhost.:${port}/`)).rejects.toMatchObject({ code: "PRIVATE_ADDRESS" });
    expect(none.to).toEqual([]);
    const one = guarded((origin) => origin === `http://127.0.0.1:${port}`);
    expect(await (await one.fetch(`http://127.0.0.1:${port}/`)).text()).toBe("inside");
    await expect(one.fetch(`http://localhost:${port}/`)).rejects.toMatchObject({ code: "PRIVATE_ADDRESS" });
    await expect(one.fetch(`https://127.0.0.1:${port}/`)).rejects.toMatchObject({ code: "PRIVATE_ADDRESS" });
  });

  it("refuses a name with one private address among its addresses, and asks for no second look", async () => {
    const { fetch: guard, asked, to } = guarded(() => false, ["8.8.8.8", "100.64.0.1"]);
    await expect(guard("http://rebound.example.org/")).rejects.toMatchObject({ code: "PLATFORM_UNREACHABLE" });
    expect([asked, to]).toEqual([["rebound.example.org"], []]);
  });

  it("connects to the address that was checked, with the name as host; to the next if nothing was sent", async () => {
    const { fetch: guard, asked, to } = guarded(() => false, ["8.8.4.4", "8.8.8.8"]);
    const answer = await guard(`http://hooks.example.org:${port}/path?q=1`, { method: "POST", body: "x" });
    expect([await answer.text(), answer.url]).toEqual(["inside", `http://hooks.example.org:${port}/path?q=1`]);
    expect(seen.at(-1)).toBe(`POST hooks.example.org:${port} /path?q=1`);
    expect([asked, to]).toEqual([["hooks.example.org"], ["8.8.4.4", "8.8.8.8"]]);
  });

  it("never follows a redirect by itself", async () => {
    const { fetch: guard } = guarded(() => false, ["8.8.8.8"]);
    expect((await guard(`http://hooks.example.org:${port}/away`, { redirect: "follow" })).status).toBe(302);
    expect(seen.at(-1)).toBe(`GET hooks.example.org:${port} /away`);
  });

  it("does not wait for a resolver longer than for the request", async () => {
    const guard = publicFetch({ fetch, isAllowed: () => false, resolve: () => new Promise(() => undefined) });
    const stop = new AbortController();
    const asked = guard("http://slow.example.org/", { signal: stop.signal });
    stop.abort(new Error("stopped"));
    await expect(asked).rejects.toThrow("stopped");
  });

  it("behind a proxy, leaves the connection to it and still refuses what is written or known as private", async () => {
    const to: string[] = [];
    const through = async (input: string | URL) => {
      to.push(String(input));
      return new Response("");
    };
    const resolve = async (host: string) =>
      host === "in.example.org" ? ["10.0.0.1"] : Promise.reject(new Error("ENOTFOUND"));
    const guard = publicFetch({ fetch: through, isAllowed: () => false, resolve, proxied: true });
    await guard("https://out.example.org/x");
    await expect(guard("https://in.example.org/x")).rejects.toMatchObject({ code: "PLATFORM_UNREACHABLE" });
    await expect(guard("https://10.0.0.1/x")).rejects.toMatchObject({ code: "PRIVATE_ADDRESS" });
    expect(to).toEqual(["https://out.example.org/x"]);
  });
});
