import { lifecycleHooks, resourceCatalog, runMetadata, type TaskRunExecution, taskContext } from "@trigger.dev/core/v3";
import { TestRunMetadataManager } from "@trigger.dev/core/v3/test";
import { TriggerTracer } from "@trigger.dev/core/v3/tracer";
import {
  ConsoleInterceptor,
  StandardLifecycleHooksManager,
  StandardResourceCatalog,
  TaskExecutor,
  TracingSDK,
} from "@trigger.dev/core/v3/workers";
import { z } from "zod";

/*
 * One attempt of a task in this process, by Trigger.dev's own executor: the payload as it is parsed, `run`, the hooks,
 * and what it decides about another attempt. A task registers itself while its file is imported, so the registry must
 * be there before.
 */

resourceCatalog.setGlobalResourceCatalog(new StandardResourceCatalog());
resourceCatalog.setCurrentFileContext("src/trigger/tasks.ts", "src/trigger/tasks");
lifecycleHooks.setGlobalLifecycleHooksManager(new StandardLifecycleHooksManager());

await Promise.all([
  import("@psn/trigger/publish-delivery.ts"),
  import("@psn/trigger/settle-unknown.ts"),
  import("@psn/trigger/publish-due.ts"),
  import("@psn/trigger/refresh-tokens.ts"),
  import("@psn/trigger/prune.ts"),
]);

const Decided = z.looseObject({
  ok: z.boolean(),
  /** JSON, when the task returned something. */
  output: z.string().optional(),
  error: z
    .looseObject({ name: z.string().optional(), message: z.string().optional(), code: z.string().optional() })
    .optional(),
  /** When another attempt is made, in epoch milliseconds; absent when none is. */
  retry: z.looseObject({ timestamp: z.number(), delay: z.number() }).nullish(),
  /** The run was aborted, as against used up. */
  skippedRetrying: z.boolean().optional(),
});
/** What Trigger.dev makes of an attempt. */
export type Decided = z.output<typeof Decided>;

// Nobody listens there: what an attempt traces is for nobody here.
const tracingSDK = new TracingSDK({ url: "http://127.0.0.1:9", forceFlushTimeoutMillis: 1 });
const tracer = new TriggerTracer({ tracer: tracingSDK.getTracer("test"), logger: tracingSDK.getLogger("test") });
const consoleInterceptor = new ConsoleInterceptor(tracingSDK.getLogger("test"), false, false);

/** How a scheduled task is called. */
export const CRON_PAYLOAD = {
  type: "DECLARATIVE",
  timestamp: new Date(0),
  timezone: "UTC",
  scheduleId: "sched_1",
  upcoming: [],
};

/** One attempt, its number counted from 1. */
export async function attempt(taskId: string, payload: unknown, number = 1): Promise<Decided> {
  const task = resourceCatalog.getTask(taskId);
  if (!task) throw new Error(`there is no task ${taskId}`);
  const executor = new TaskExecutor(task, { tracingSDK, tracer, consoleInterceptor, retries: { enabledInDev: true } });
  const now = new Date();
  const execution = {
    task: { id: taskId, filePath: "src/trigger/tasks.ts" },
    attempt: {
      number,
      startedAt: now,
      id: "attempt_1",
      status: "EXECUTING",
      backgroundWorkerId: "worker_1",
      backgroundWorkerTaskId: "task_1",
    },
    run: {
      id: "run_1",
      payload: JSON.stringify(payload),
      payloadType: "application/json",
      startedAt: now,
      createdAt: now,
      tags: [],
      isTest: false,
    },
    machine: { name: "small-1x", cpu: 0.5, memory: 0.5, centsPerMs: 0 },
    queue: { id: "queue_1", name: `task/${taskId}` },
    environment: { type: "PRODUCTION", id: "env_1", slug: "prod" },
    organization: { id: "org_1", name: "References", slug: "references" },
    project: { id: "project_1", name: "psn", slug: "psn", ref: "proj_psn" },
  } as unknown as TaskRunExecution;
  const context = {
    ctx: execution,
    worker: { id: "worker_1", version: "20261101.1", contentHash: "hash", engine: "V2" },
  };
  runMetadata.setGlobalManager(new TestRunMetadataManager());
  taskContext.setGlobalTaskContext(context as unknown as Parameters<typeof taskContext.setGlobalTaskContext>[0]);
  try {
    const { result } = await executor.execute(execution, context.ctx as never, new AbortController().signal);
    return Decided.parse(result);
  } finally {
    taskContext.disable();
  }
}
