import { once } from "node:events";
import { createServer } from "node:http";
import { buildTasks } from "../tests/support/trigger-build.ts";
import { startTriggerWorker } from "../tests/support/trigger-worker.ts";
import { burst } from "./burst.ts";
import { type Figure, median, pairwise } from "./report.ts";

/** The image is pulled before a cold start; in bytes. */
const BUNDLE_MOST = 10 * 1024 * 1024;
/** How much a claim may take on top of an attempt that does nothing. */
const CLAIM_MOST = 1.5;
const ROUNDS = 7;

/** What a deployment weighs, and how long it is from Trigger.dev's starting a task to the claim's reaching Neon. */
export default async function tasks(): Promise<readonly Figure[]> {
  const deployed = await buildTasks({ target: "deploy" });
  const scripts = [...deployed.files]
    .filter(([path]) => path.endsWith(".mjs"))
    .reduce((sum, [, size]) => sum + size, 0);
  await deployed.remove();

  const build = await buildTasks({ target: "dev" });
  const worker = await startTriggerWorker(build);
  let claimed: (() => void) | undefined;
  // A Neon that takes the claim and says that the schema is another's: the attempt ends there.
  const neon = createServer((request, response) => {
    claimed?.();
    request
      .resume()
      .on("end", () =>
        response.writeHead(400, { "content-type": "application/json" }).end('{"message":"older","code":"PSN01"}'),
      );
  });
  neon.listen(0, "127.0.0.1");
  await once(neon, "listening");
  const address = neon.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const env = {
    DATABASE_URL: "postgres://psn:psn@neon.example/psn",
    NEON_PROXY: `http://127.0.0.1:${port}`,
    HUB_ENCRYPTION_KEY: "0".repeat(64),
    TRIGGER_SECRET_KEY: "tr_prod_bench",
    TRIGGER_API_URL: "http://127.0.0.1:9",
  };
  const ids = { deliveryId: Bun.randomUUIDv7(), userId: Bun.randomUUIDv7() };
  const toClaim: number[] = [];
  try {
    const { a, b, ratio } = await pairwise(
      ROUNDS,
      async () => {
        const start = performance.now();
        claimed = () => toClaim.push(performance.now() - start);
        await worker.run("publish-delivery", ids, { env });
      },
      () => worker.run("publish-delivery", "no payload", { env }),
    );
    const ms = median(toClaim);
    return [
      {
        name: "deploy bundle, scripts",
        value: `${(scripts / 1024 / 1024).toFixed(1)} MB`,
        aim: `≤ ${BUNDLE_MOST / 1024 / 1024} MB`,
        met: scripts <= BUNDLE_MOST,
      },
      {
        name: "task start to claim",
        value: `${ms.toFixed(0)} ms`,
        ratio: ms / b,
        against: "a whole attempt that does nothing",
        aim: `≤ ${CLAIM_MOST}x`,
        met: ms / b <= CLAIM_MOST,
      },
      {
        name: "attempt that claims, start to end",
        value: `${a.toFixed(0)} ms`,
        ratio,
        against: "a whole attempt that does nothing",
      },
      ...(await burst(worker)),
    ];
  } finally {
    await worker.stop();
    await build.remove();
    neon.closeAllConnections();
    neon.close();
  }
}
