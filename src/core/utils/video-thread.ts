import { parentPort, workerData } from "node:worker_threads";
import { BEGUN } from "./video.ts";
import { videoFacts } from "./video-facts.ts";

/* The thread in which `readVideo` reads one video. */

parentPort?.postMessage(BEGUN);
parentPort?.postMessage(await videoFacts(workerData));
