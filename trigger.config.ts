import { defineConfig } from "@trigger.dev/sdk";
import { watchdogCron } from "./src/trigger/cron.ts";

// The tasks live in src/trigger, one file each. Bun 1.4 is the image without Node; `bun` alone is refused from 2027 on
// (trigger.dev docs, guides/frameworks/bun, 2026-11).
export default defineConfig({
  project: process.env["TRIGGER_PROJECT_REF"] ?? "proj_psn",
  runtime: "bun-1.4",
  dirs: ["./src/trigger"],
  // Longer than the slowest delivery may take, in seconds.
  maxDuration: 300,
  build: {
    extensions: [
      {
        name: "psn",
        // A declared cron is fixed when the tasks are built, and the setting is here and not in the image.
        onBuildStart: (context) => {
          const cron = watchdogCron(Number(process.env["PSN_WATCHDOG_MINUTES"] ?? 30));
          // The tasks migrate nothing and open no embedded database, and esbuild imports no file as a text.
          context.registerPlugin({
            name: "psn-no-files",
            setup: (build) => {
              const contents = `export const MANIFEST = ""; export const MIGRATIONS = []; export const FILES = {};`;
              build.onLoad({ filter: /[\\/]src[\\/]core[\\/]own-files\.ts$/ }, () => ({ contents, loader: "js" }));
            },
          });
          context.registerPlugin({
            name: "psn-watchdog",
            setup: (build) => {
              build.initialOptions.define = { ...build.initialOptions.define, PSN_WATCHDOG_CRON: JSON.stringify(cron) };
            },
          });
        },
      },
    ],
  },
});
