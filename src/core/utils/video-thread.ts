import { parentPort, workerData } from "node:worker_threads";
import { videoFacts } from "./video-facts.ts";

/* The thread in which `readVideo` reads one video. */

parentPort?.postMessage(await videoFacts(workerData));
