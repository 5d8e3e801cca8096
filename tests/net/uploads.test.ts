import { createServer, type IncomingHttpHeaders } from "node:http";
import { neverSent } from "@psn/core/net/failures.ts";
import { fetchAsPsn } from "@psn/core/net/fetch.ts";
import { type Upload, uploading, watchUploads } from "@psn/core/net/uploads.ts";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";

/*
 * What leaves this machine is counted for whom watches; the server gets the same request, whether anybody does or not.
 */

interface Got {
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

const SIZE = 1_000_000;
const bytes = Buffer.alloc(SIZE, "0123456789");
const got: Got[] = [];
const server = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  got.push({ headers: request.headers, body: Buffer.concat(chunks) });
  response.writeHead(request.url === "/refused" ? 422 : 200).end();
});
let origin: string;
beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  origin = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
});
afterAll(() => server.close());

const told: Upload[] = [];
beforeEach(() => {
  got.length = 0;
  told.length = 0;
});

const file = { what: "video", to: "127.0.0.1", bytes: SIZE };
const watching = <T>(work: () => Promise<T>) =>
  watchUploads(
    (upload) => void told.push({ ...upload }),
    () => uploading(file, work),
  );
const form = () => {
  const body = new FormData();
  body.append("file", new File([bytes], "one.mp4", { type: "video/mp4" }));
  return body;
};
const send = (body: NonNullable<RequestInit["body"]>, path = "") =>
  fetchAsPsn(`${origin}/${path}`, { method: "POST", body });

describe("a body that somebody watches", () => {
  test.each<[string, () => NonNullable<RequestInit["body"]>]>([
    ["bytes", () => new Uint8Array(bytes)],
    ["a blob", () => new Blob([bytes], { type: "video/mp4" })],
    ["a form", form],
  ])("is the same request as one that nobody watches: %s", async (_name, body) => {
    await send(body());
    await watching(() => send(body()));
    const [plain, watched] = got;
    const boundary = /boundary=(.*)/;
    const of = (one: Got | undefined) => {
      const type = one?.headers["content-type"] ?? "";
      const text = one?.body.toString("latin1") ?? "";
      const mark = boundary.exec(type)?.[1];
      return {
        length: one?.headers["content-length"],
        encoding: one?.headers["transfer-encoding"],
        type: type.replace(boundary, ""),
        body: mark === undefined ? text : text.replaceAll(mark, ""),
      };
    };
    expect(of(watched)).toEqual(of(plain));
    expect(told.length).toBeGreaterThan(5);
    expect(told.at(-1)).toEqual({ ...file, sent: SIZE, state: "done" });
    const sent = told.map(({ sent }) => sent);
    expect(sent).toEqual(sent.toSorted((one, other) => one - other));
  });

  test("counts for nothing where it is refused, or never leaves", async () => {
    await watching(() => send(new Blob([bytes]), "refused"));
    expect(told.some(({ sent }) => sent > 0)).toBe(true);
    expect(told.at(-1)).toEqual({ ...file, sent: 0, state: "done" });
    const failure = await watching(() => fetchAsPsn("http://127.0.0.1:1/", { method: "POST", body: bytes })).catch(
      (error: unknown) => error,
    );
    expect(neverSent(failure)).toBe(true);
    expect(told.at(-1)).toEqual({ ...file, sent: 0, state: "done" });
  });
});

test("what is no upload is not counted", async () => {
  await watchUploads(
    (upload) => void told.push({ ...upload }),
    () => send(new Uint8Array(bytes)),
  );
  expect(told).toEqual([]);
});
