/** A server in front of another one: it passes everything on, and can keep an answer or change one. */
export interface Gate {
  readonly origin: string;
  /** `METHOD path` of every request. */
  readonly seen: string[];
  /**
   * Keeps an answer to a path that ends so, for ever, after letting `passing` of them pass; resolves when the server
   * behind has given it.
   */
  keepAnswer(path: string, passing?: number): Promise<void>;
  /** Changes the answers to a path that ends so. */
  change(path: string, change: (body: string) => string): void;
  stop(): Promise<void>;
}

export function startGate(target: string): Gate {
  const seen: string[] = [];
  const kept: { readonly path: string; passing: number; readonly reached: () => void }[] = [];
  let origin = "";
  const changes = new Map<string, (body: string) => string>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    fetch: async (request): Promise<Response> => {
      const url = new URL(request.url);
      seen.push(`${request.method} ${url.pathname}`);
      const headers = new Headers(request.headers);
      for (const name of ["host", "connection", "accept-encoding"]) headers.delete(name);
      const body = request.method === "GET" ? {} : { body: await request.arrayBuffer() };
      const answer = await fetch(`${target}${url.pathname}${url.search}`, { method: request.method, headers, ...body });
      // Whoever asks who they are is told to come by this way.
      let text = (await answer.text()).replaceAll(target, origin);
      for (const [path, change] of changes) if (url.pathname.endsWith(path)) text = change(text);
      const keeping = kept.find(({ path }) => url.pathname.endsWith(path));
      if (keeping && keeping.passing > 0) keeping.passing -= 1;
      else if (keeping) {
        kept.splice(kept.indexOf(keeping), 1);
        keeping.reached();
        await new Promise(() => undefined);
      }
      const type = answer.headers.get("content-type");
      return new Response(text === "" ? null : text, {
        status: answer.status,
        headers: type === null ? {} : { "content-type": type },
      });
    },
  });
  origin = `http://127.0.0.1:${server.port}`;
  return {
    origin,
    seen,
    keepAnswer: (path, passing = 0) => new Promise((resolve) => kept.push({ path, passing, reached: resolve })),
    change: (path, change) => void changes.set(path, change),
    stop: () => server.stop(true),
  };
}
