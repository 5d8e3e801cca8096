import type { EventEmitter } from "node:events";
import { once } from "node:events";
import { createServer } from "node:http";
import { gunzipSync } from "node:zlib";
import { z } from "zod";
import { cliModule, ROOT, type TriggerBuild } from "./trigger-build.ts";

/*
 * One attempt of a task as Trigger.dev makes it: in a process of its own under the tasks' runtime, by the same class
 * that forks it in development and in the cloud, on a bundle built for `dev`. What the process tells of itself, in
 * traces, logs and metrics, goes to a sink that keeps it.
 */

const TaskError = z.looseObject({
  type: z.string(),
  name: z.string().optional(),
  message: z.string().optional(),
  raw: z.string().optional(),
  code: z.string().optional(),
});
const Result = z.looseObject({
  ok: z.boolean(),
  /** JSON, when the task returned something. */
  output: z.string().optional(),
  error: TaskError.optional(),
  /** When Trigger.dev would try again; absent when it would not. */
  retry: z.looseObject({ timestamp: z.number(), delay: z.number() }).optional(),
  skippedRetrying: z.boolean().optional(),
});

export interface Attempt extends z.output<typeof Result> {
  /** What the process wrote to stdout and stderr. */
  readonly said: string;
}

export interface AttemptOptions {
  /** All of the environment that the task has, beside what Trigger.dev itself puts there. */
  readonly env: Readonly<Record<string, string>>;
  /** Counts from 1. */
  readonly attempt?: number;
  readonly runId?: string;
}

export interface TriggerWorker {
  run(taskId: string, payload: unknown, options: AttemptOptions): Promise<Attempt>;
  /** Everything the processes sent to where traces, logs and metrics go. */
  readonly telemetry: readonly string[];
  stop(): Promise<void>;
}

interface Process {
  initialize(): Process;
  execute(message: unknown): Promise<unknown>;
  cleanup(kill: boolean): Promise<void>;
  readonly _child?: { readonly stdout: EventEmitter | null; readonly stderr: EventEmitter | null };
}
type Constructor = new (options: object) => Process;

/** For a build with `target: "dev"`. */
export async function startTriggerWorker(build: TriggerBuild): Promise<TriggerWorker> {
  const { TaskRunProcess } = await cliModule<{ readonly TaskRunProcess: Constructor }>("executions/taskRunProcess.js");
  const telemetry: string[] = [];
  const sink = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = Buffer.concat(chunks);
      telemetry.push(
        `${request.url} ` +
          `${(request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString("latin1")}`,
      );
      response.setHeader("content-type", "application/json").end("{}");
    });
  });
  sink.listen(0, "127.0.0.1");
  await once(sink, "listening");
  const address = sink.address();
  if (address === null || typeof address === "string") throw new Error("the sink has no port");
  const otlp = `http://127.0.0.1:${address.port}/otel`;

  const run: TriggerWorker["run"] = async (
    taskId,
    payload,
    { env: own, attempt = 1, runId = `run_${Bun.randomUUIDv7()}` },
  ) => {
    const task = build.worker.tasks.find(({ id }) => id === taskId);
    if (!task) throw new Error(`there is no task ${taskId}`);
    const env = {
      HOME: build.folder,
      NODE_ENV: "production",
      TRIGGER_WORKER_MANIFEST_PATH: build.manifestPath,
      // Without somebody who answers there, an attempt waits for seconds.
      OTEL_EXPORTER_OTLP_ENDPOINT: otlp,
      TRIGGER_OTEL_EXPORTER_OTLP_ENDPOINT: otlp,
      // The process makes a client at its start, and never calls it for these tasks.
      TRIGGER_API_URL: otlp,
      TRIGGER_SECRET_KEY: "tr_prod_none",
      ...own,
    };
    const options = {
      workerManifest: build.worker,
      env,
      serverWorker: { id: "worker_1", version: "20261101.1", contentHash: build.contentHash, engine: "V2" },
      machineResources: { cpu: 0.5, memory: 0.5 },
      cwd: ROOT,
    };
    const child = new TaskRunProcess(options).initialize();
    let said = "";
    for (const stream of [child._child?.stdout, child._child?.stderr])
      stream?.on("data", (chunk: Buffer) => {
        said += chunk.toString();
      });
    try {
      const message = {
        messageId: runId,
        env: {},
        payload: { traceContext: {}, metrics: [], execution: executionOf(task, payload, attempt, runId) },
      };
      const result = Result.parse(await child.execute(message));
      return {
        ...result,
        get said() {
          return said;
        },
      };
    } finally {
      await child.cleanup(true);
    }
  };

  return {
    run,
    telemetry,
    stop: async () => {
      sink.closeAllConnections();
      sink.close();
    },
  };
}

/** What the server tells the process about the run (schemas of @trigger.dev/core 4.8.3, TaskRunExecution). */
function executionOf(
  { id, filePath, exportName, queue, maxDuration }: TriggerBuild["worker"]["tasks"][number],
  payload: unknown,
  number: number,
  runId: string,
) {
  const now = new Date();
  return {
    task: { id, filePath, exportName },
    attempt: {
      number,
      startedAt: now,
      id: `attempt_${number}`,
      status: "EXECUTING",
      backgroundWorkerId: "worker_1",
      backgroundWorkerTaskId: "task_1",
    },
    run: {
      id: runId,
      payload: JSON.stringify(payload),
      payloadType: "application/json",
      tags: [],
      isTest: false,
      createdAt: now,
      startedAt: now,
      durationMs: 0,
      costInCents: 0,
      baseCostInCents: 0,
      maxDuration,
    },
    queue: { id: "queue_1", name: queue?.name ?? `task/${id}` },
    environment: { id: "env_1", slug: "prod", type: "PRODUCTION" },
    organization: { id: "org_1", slug: "references", name: "References" },
    project: { id: "project_1", ref: "proj_psn", slug: "psn", name: "psn" },
    machine: { name: "small-1x", cpu: 0.5, memory: 0.5, centsPerMs: 0 },
  };
}
