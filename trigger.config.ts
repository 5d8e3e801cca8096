import { defineConfig } from "@trigger.dev/sdk";

// The tasks live in src/trigger, one file each. Bun 1.4 is the image without Node; `bun` alone is refused from 2027 on
// (trigger.dev docs, guides/frameworks/bun, 2026-11).
export default defineConfig({
  project: process.env["TRIGGER_PROJECT_REF"] ?? "proj_psn",
  runtime: "bun-1.4",
  dirs: ["./src/trigger"],
  // Longer than the slowest delivery may take, in seconds.
  maxDuration: 300,
});
