import { expect, test } from "vitest";
import { startRemote } from "./recorder.ts";

const ORIGIN = "https://chosen.example";
const HEADERS = { authorization: "Bearer someone/0" };

function server() {
  const { fetch, fault } = startRemote();
  const ask = async (method: string, path: string, body?: unknown) => {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    return (await fetch(new URL(path, ORIGIN), { method, headers: HEADERS, ...sent })).json();
  };
  const post = (key: string) =>
    ask("POST", "/posts", { key, text: key, at: "2026-11-27", root: null, parent: null, media: null });
  return { ask, post, fault };
}

test("a removed post's id is not given to another post", async () => {
  const { ask, post } = server();
  const [first, second] = [await post("first"), await post("second")];
  await ask("DELETE", `/posts/${first.id}`);
  expect((await post("third")).id).not.toBe(second.id);
});

test("a post that is not public yet keeps its id to itself", async () => {
  const { ask, post, fault } = server();
  fault("pending");
  const { job } = await post("first");
  const second = await post("second");
  expect((await ask("GET", `/jobs/${job}`)).id).not.toBe(second.id);
});
