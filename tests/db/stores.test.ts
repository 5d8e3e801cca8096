import type { Driver } from "@psn/core/db/connection.ts";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestDatabase, testDatabases } from "../support/databases.ts";
import { isShort } from "../support/how-much.ts";
import { setUp, type Test } from "./stage.ts";
import { accountTests } from "./suites/accounts.ts";
import { claimTests } from "./suites/claims.ts";
import { commandTests } from "./suites/commands.ts";
import { concurrencyTests } from "./suites/concurrency.ts";
import { editTests } from "./suites/edits.ts";
import { inspectionTests } from "./suites/inspection.ts";
import { pageTests } from "./suites/pages.ts";
import { postTests } from "./suites/posts.ts";
import { settleTests } from "./suites/settles.ts";
import { stepTests } from "./suites/steps.ts";

const SUITES = {
  accountTests,
  postTests,
  pageTests,
  claimTests,
  settleTests,
  commandTests,
  editTests,
  concurrencyTests,
  inspectionTests,
  stepTests,
};

/** What a session decides; the rest of what psn says over a WebSocket it says over HTTP and to Postgres itself too. */
const BY_SESSION = { accountTests, claimTests, concurrencyTests };
/** What is written and read in one request; the rest is the server's, which Postgres itself shows. */
const BY_HTTP = { postTests, pageTests, settleTests, editTests, stepTests };

function inShort(driver: Driver): Partial<typeof SUITES> {
  if (driver === "pg") return SUITES;
  return driver === "neon-http" ? BY_HTTP : BY_SESSION;
}

describe.each(testDatabases)("stores on $driver", ({ driver, open }) => {
  let db: TestDatabase;
  let declared = 0;
  let passed = 0;

  beforeAll(async () => {
    db = await open();
    expect(db.database.driver).toBe(driver);
  });
  afterAll(async () => {
    await db.close();
    process.stdout.write(`stores on ${driver}: ${passed} of ${declared} tests\n`);
  });

  const test: Test = (name, body) => {
    declared += 1;
    it(name, async () => {
      await body(await setUp(db));
      passed += 1;
    });
  };
  const suites = isShort ? inShort(driver) : SUITES;
  for (const suite of Object.values(suites)) suite(test);
});
