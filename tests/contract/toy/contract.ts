import { testPlatform, type World } from "../platform.ts";
import { toy } from "./index.ts";

const TOKEN = "a-token-of-the-toy-network";

/** The network's side, in memory. */
function network() {
  const posts = new Map<string, string>();
  let files = 0;
  const take = async (request: Request): Promise<Response> => {
    const { pathname } = new URL(request.url);
    if (request.headers.get("authorization") !== `Bearer ${TOKEN}`) return Response.json({}, { status: 401 });
    if (pathname === "/me") return Response.json({ id: "u-1", name: "ada" });
    if (pathname === "/files" && request.method === "POST") return Response.json({ id: `f-${++files}` });
    const [, id = ""] = /^\/posts\/([\w-]+)$/.exec(pathname) ?? [];
    if (id !== "" && request.method === "POST") {
      posts.set(id, posts.get(id) ?? (await request.text()));
      return Response.json({ id });
    }
    if (!posts.has(id)) return Response.json({ error: "no such post" }, { status: 404 });
    if (request.method === "DELETE") posts.delete(id);
    return Response.json({ id });
  };
  return { take, posts };
}

testPlatform({
  platform: toy,
  world: (): World => {
    const { take, posts } = network();
    return { form: { token: TOKEN }, fetch: (input, init) => take(new Request(input, init)), live: () => posts.size };
  },
});
