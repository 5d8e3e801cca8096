import { randomBytes } from "node:crypto";
import { PassThrough } from "node:stream";
import type { Context } from "@psn/cli/command.ts";
import { fillForm } from "@psn/cli/form.ts";
import { createOutput } from "@psn/cli/output.ts";
import { createPrompt } from "@psn/cli/prompt.ts";
import webhook from "@psn/platforms/webhook/index.ts";
import { beforeAll, describe, expect, test } from "vitest";
import { documentOf, type TestHub, testHub } from "../support/cli.ts";

/*
 * An account that is connected again is not asked for what psn knows of it; what was mistyped is asked for again, and
 * nothing else. Two accounts that would have one name have two.
 */

const newSecret = () => `whsec_${randomBytes(32).toString("base64")}`;
let hub: TestHub;
beforeAll(async () => {
  hub = await testHub();
});

const connect = (argv: readonly string[], stdin = newSecret()) =>
  hub.psn(["connect", ...argv, "--secret-stdin"], { stdin });
const accounts = async () =>
  documentOf(await hub.psn(["accounts", "--json"]))["accounts"] as readonly {
    readonly id: string;
    readonly name: string;
    readonly url: string;
  }[];
const webhooks = async () =>
  (await accounts()).filter(({ name }) => name.startsWith("webhook:")).map(({ name, url }) => ({ name, url }));

test("by its name, or by its platform where it alone waits to be reconnected, the address stays", async () => {
  const address = "http://127.0.0.1:1/hook?key=1";
  expect(await connect(["webhook", address])).toMatchObject({ code: 0 });
  expect(await connect(["webhook:127.0.0.1:1/hook"])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^reconnected/),
  });
  expect(await hub.psn(["connect", "webhook", "--secret-stdin"], { stdin: newSecret() })).toMatchObject({ code: 2 });
  await hub.rows("UPDATE psn.accounts SET health = 'needs-reconnect' WHERE platform = 'webhook'");
  expect(await connect(["webhook"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/^reconnected/) });
  expect(await hub.rows("SELECT home, health FROM psn.accounts WHERE platform = 'webhook'")).toEqual([
    { home: address, health: "ok" },
  ]);
  expect(await hub.psn(["connect", "feed:notes"])).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^reconnected/),
  });
});

describe("two webhooks of one host and path", () => {
  test("have two names, in lists, in --to and in disconnect", async () => {
    expect(await connect(["webhook", "http://127.0.0.1:1/hook?key=2"])).toMatchObject({ code: 0 });
    const [first, second] = await webhooks();
    expect([first?.name, second?.name].toSorted()).toEqual([
      "webhook:127.0.0.1:1/hook",
      expect.stringMatching(/^webhook:127\.0\.0\.1:1\/hook#[0-9a-f]{4}$/),
    ]);
    const tagged = (await webhooks()).find(({ name }) => name.includes("#"));
    for (const name of ["webhook:127.0.0.1:1/hook", tagged?.name ?? ""]) {
      const ran = documentOf(await hub.psn(["post", "one of two", "--to", name, "--in", "1d", "--json"]));
      expect(ran).toMatchObject({
        deliveries: [{ account: { platform: "webhook", handle: name.replace("webhook:", "") } }],
      });
    }
    expect(await hub.psn(["post", "which", "--to", "webhook", "--in", "1d"])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining(tagged?.name ?? "?"),
    });
  });

  test("and the same two after each was connected again; what is gone frees the name", async () => {
    const before = await webhooks();
    for (const { name } of before) expect(await connect([name])).toMatchObject({ code: 0 });
    expect((await webhooks()).map(({ name }) => name).toSorted()).toEqual(before.map(({ name }) => name).toSorted());
    const tagged = before.find(({ name }) => name.includes("#"));
    expect(await hub.psn(["disconnect", tagged?.name ?? "", "--yes"])).toMatchObject({ code: 0 });
    expect((await webhooks()).map(({ name }) => name)).toEqual(["webhook:127.0.0.1:1/hook"]);
  });
});

test("a mistyped secret is asked for again, and the address is not", async () => {
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode: () => input });
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  let said = "";
  const answers = ["ftp://nowhere", "https://example.com/hook", "not a secret", "whsec_c2hvcnQ=", newSecret()];
  const heard = (text: string) => {
    said += text;
  };
  output.on("data", (chunk: Buffer) => {
    heard(chunk.toString());
    if (/(?:: |\(not shown\) )$/.test(chunk.toString())) setTimeout(() => input.write(`${answers.shift()}\r`), 5);
  });
  const sink = { isTTY: true, write: heard };
  const context = {
    output: createOutput({ json: false, stdout: sink, stderr: sink, color: false }),
    prompt: createPrompt({
      interactive: true,
      yes: false,
      input: input as unknown as NodeJS.ReadStream,
      output: output as unknown as NodeJS.WriteStream,
    }),
  } as unknown as Context;
  const form = await fillForm(webhook, { way: webhook.auth[0], what: undefined, given: {}, context });
  expect(form).toEqual({
    url: "https://example.com/hook",
    secret: expect.stringMatching(/^whsec_/),
    "secret-overlap": "",
    media: "",
  });
  expect(answers).toEqual([]);
  expect(said).toContain("begins with https://");
  expect(said).toContain("a signing secret is whsec_");
  expect(said).not.toContain("not a secret");
});
