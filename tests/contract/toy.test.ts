import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { refusals } from "../../scripts/house/check.ts";

/*
 * What a new platform touches: its folder, and one line in src/platforms/index.ts. A platform that does not exist
 * (tests/contract/toy) is added to a copy of the tree, and the whole contract is run on it there.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));
const copy = mkdtempSync(join(tmpdir(), "psn-toy-"));
afterAll(() => rmSync(copy, { recursive: true, force: true }));

const LINE = '  toy: remote(3, async () => (await import("./toy/index.ts")).default),\n';
const adapter = readFileSync(join(root, "tests/contract/toy/index.ts"), "utf8").replace(
  "export const toy =",
  "export default",
);

interface Report {
  readonly numFailedTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly title: string }[];
  }[];
}

function build(): void {
  for (const path of ["src", "tests/contract", "package.json", "tsconfig.json", "vitest.config.ts"])
    cpSync(join(root, path), join(copy, path), { recursive: true });
  symlinkSync(join(root, "tests/support"), join(copy, "tests/support"));
  // Its packages, but a cache of its own: Vitest empties the one it finds, which other tests are read from.
  mkdirSync(join(copy, "node_modules"));
  for (const name of readdirSync(join(root, "node_modules")))
    if (name !== ".vitest-cache") symlinkSync(join(root, "node_modules", name), join(copy, "node_modules", name));
  mkdirSync(join(copy, "src/platforms/toy"));
  writeFileSync(join(copy, "src/platforms/toy/index.ts"), adapter);
  const contract = readFileSync(join(root, "tests/contract/toy/contract.ts"), "utf8")
    .replace('{ toy } from "./index.ts"', 'toy from "@psn/platforms/toy/index.ts"')
    .replace('"../platform.ts"', '"./platform.ts"');
  writeFileSync(join(copy, "tests/contract/toy.test.ts"), contract);
  const index = join(copy, "src/platforms/index.ts");
  const before = readFileSync(index, "utf8");
  const end = "} as const satisfies Record<string, Loader>;";
  expect(before.split(end)).toHaveLength(2);
  writeFileSync(index, before.replace(end, `${LINE}${end}`));
}

test("an adapter of one folder and one line keeps the whole contract", async () => {
  expect(refusals("src/platforms/toy/index.ts", adapter)).toEqual([]);
  build();
  const report = join(copy, "report.json");
  const args = ["--bun", "node_modules/.bin/vitest", "run", "--reporter=json", `--outputFile=${report}`];
  const files = ["tests/contract/toy.test.ts", "tests/contract/registry.test.ts"];
  // Both files run, whichever ones this run is for. Golden requests are made here: nobody has committed them.
  const { TESTS: _, ...others } = process.env;
  const env = { ...others, PSN_GOLDEN: "write" };
  const child = spawn(process.execPath, [...args, ...files], { cwd: copy, env, stdio: "ignore" });
  await once(child, "exit");
  const { testResults, numFailedTests }: Report = JSON.parse(readFileSync(report, "utf8"));
  const failed = testResults.flatMap(({ assertionResults, message }) => [
    ...assertionResults.filter(({ status }) => status === "failed").map(({ title }) => title),
    ...(message === "" ? [] : [message]),
  ]);
  expect([numFailedTests, failed]).toEqual([0, []]);
  const contract = testResults.find(({ name }) => name.endsWith("toy.test.ts"))?.assertionResults ?? [];
  expect(contract.length).toBeGreaterThan(40);
  expect(testResults).toHaveLength(2);
});
