import { type Column, fitted, list } from "@psn/cli/list.ts";
import { createOutput } from "@psn/cli/output.ts";
import { COMMANDS } from "@psn/cli/program.ts";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { closedHub, documentOf, psn, type Ran, refusedBy, scratch, type TestHub, testHub } from "../support/cli.ts";

/*
 * Lists: what a terminal of any width shows, what a program reads, and how one pages through a queue.
 */

const outputOf = (columns: number | undefined, color = false) =>
  createOutput({
    json: false,
    color,
    stdout: { isTTY: columns !== undefined, columns, write: () => undefined },
    stderr: { isTTY: false, write: () => undefined },
  });

interface Row {
  readonly id: string;
  readonly text: string;
  readonly reason: string;
}

const COLUMNS: readonly Column<Row>[] = [
  { head: "ID", cell: ({ id }) => id },
  { head: "TEXT", cell: ({ text }) => text, least: 12, style: () => "green" },
  { head: "REASON", cell: ({ reason }) => reason, least: 14, rank: 2 },
  { head: "TWICE", cell: ({ text }) => text + text, rank: 1 },
];
const FIELDS = [
  { name: "id", value: ({ id }: Row) => id },
  { name: "text", value: ({ text }: Row) => text },
  { name: "reason", value: ({ reason }: Row) => reason },
];

describe("a list on a terminal", () => {
  const words = fc.array(fc.constantFrom("a", "bc", "日本", "👩‍👩‍👧", "\t", "\n", "\u001b[31m", " "), {
    maxLength: 60,
  });
  const row = fc.record({
    id: fc.stringMatching(/^[0-9a-f]{8}$/),
    text: words.map((all) => all.join("")),
    reason: words.map((all) => all.join("")),
  });

  test("no line is wider than the screen, and no id is cut", () => {
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 5 }), fc.integer({ min: 60, max: 200 }), (rows, columns) => {
        const output = outputOf(columns);
        const lines = [fitted(output, rows, COLUMNS)].flat(2) as string[];
        expect(lines).toHaveLength(rows.length + 1);
        for (const line of lines) expect(Bun.stringWidth(line), line).toBeLessThanOrEqual(columns);
        for (const [n, { id }] of rows.entries()) expect(lines[n + 1]).toContain(id);
      }),
    );
  });

  test("columns get shorter, then the least important is left out; an empty one has no place", () => {
    const rows = [{ id: "0011aabb", text: "x".repeat(30), reason: "y".repeat(30) }];
    const lines = (columns: number) =>
      ([fitted(outputOf(columns), rows, COLUMNS)].flat(2) as string[]).map((line) => Bun.stripANSI(line));
    expect(lines(140)[0]).toMatch(/^ID {8}TEXT {28}REASON {26}TWICE$/);
    expect(lines(140)[1]).not.toContain("…");
    expect(lines(60)).toEqual([
      "ID        TEXT                     REASON",
      `0011aabb  ${"x".repeat(22)}…  ${"y".repeat(24)}…`,
    ]);
    const plain = [{ id: "0011aabb", text: "x".repeat(30), reason: "" }];
    expect(Bun.stripANSI(String([fitted(outputOf(60), plain, COLUMNS)].flat()[0]))).toMatch(/^ID {8}TEXT$/);
  });

  test("where stdout is no terminal every row has all fields, in one line", () => {
    const rows = [{ id: "1", text: "a\tb\nc\u2028d", reason: "" }];
    expect(list(outputOf(undefined), rows, { columns: COLUMNS, fields: FIELDS })).toEqual(["1\ta b c d\t"]);
  });
});

describe("psn queue", () => {
  let hub: TestHub;
  beforeAll(async () => {
    hub = await testHub();
    const long = "A post with words enough for two lines of a narrow terminal, and for a third one too";
    for (const text of ["Picnic at noon", "Second", "Third", long])
      expect(await hub.psn(["post", text, "--in", "3d"])).toMatchObject({ code: 0 });
    expect(await hub.psn(["post", "Out at once"])).toMatchObject({ code: 0 });
    await hub.rows(
      `UPDATE psn.deliveries SET state = 'failed', code = 'PLATFORM_REJECTED', message = 'the feed says no, at length,
        and says why' WHERE id = (SELECT delivery_id FROM psn.delivery_units WHERE text LIKE 'A post%')`,
    );
  });
  const screen = (argv: readonly string[], columns: number) => hub.psn(argv, { tty: ["stdout"], columns });
  const linesOf = ({ stdout }: Ran) =>
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => Bun.stripANSI(line));

  test.each([60, 80, 132, 250])("fits %i columns, with the reason beside the text", async (columns) => {
    for (const argv of [
      ["queue", "--all"],
      ["queue"],
      ["accounts"],
      ["config", "list"],
      ["explain"],
      ["vault", "status"],
    ]) {
      const lines = linesOf(await screen(argv, columns));
      for (const line of lines) expect(Bun.stringWidth(line), line).toBeLessThanOrEqual(columns);
      expect(lines[0], argv.join(" ")).toMatch(/^[A-Z]+( +[A-Z ]+)*$/);
    }
    const lines = linesOf(await screen(["queue", "--all"], columns));
    const failed = lines.find((line) => line.includes("failed"));
    expect(failed).toMatch(columns === 60 ? /A post/ : /A post.*the feed/);
    expect(lines.find((line) => line.includes("published"))).toMatch(/ (now|\d+ min ago) .*Out at/);
  });

  test("is one line of fields between tabs for a program, as the help names them", async () => {
    const { stdout } = await hub.psn(["queue", "--all"]);
    const rows = stdout
      .trimEnd()
      .split("\n")
      .map((line) => line.split("\t"));
    const queue = (await COMMANDS["queue"]?.load())?.default;
    const fields = queue && "fields" in queue ? (queue.fields ?? []) : [];
    expect(rows).toHaveLength(5);
    for (const row of rows) expect(row).toHaveLength(fields.length);
    const { deliveries } = documentOf(await hub.psn(["queue", "--all", "--json"])) as {
      readonly deliveries: readonly Readonly<Record<string, string>>[];
    };
    for (const name of ["id", "post", "state", "due", "text"])
      expect(rows.map((row) => row[fields.indexOf(name)])).toEqual(deliveries.map((one) => one[name]));
    expect((await hub.psn(["queue", "--help"])).stdout).toContain(fields.join(", "));
  });

  test("says that there is more, by the command that shows it", async () => {
    const first = await hub.psn(["queue", "--limit", "2"]);
    expect(linesOf(first)).toHaveLength(2);
    const [, command = ""] = /^there are more: psn (queue --limit 2 --cursor \S+)$/m.exec(first.stderr) ?? [];
    const second = await hub.psn(command.split(" "));
    expect(linesOf(second)).toHaveLength(1);
    expect(second.stderr).toBe("");
    expect(linesOf(first)).not.toEqual(expect.arrayContaining(linesOf(second)));
    const page = documentOf(await hub.psn(["queue", "--limit", "2", "--json"]));
    expect(command).toContain(String(page["nextCursor"]));
    expect(documentOf(await hub.psn(["queue", "--json"]))).toMatchObject({ nextCursor: null });
  });

  test("is narrowed by a state, an account, a time and words", async () => {
    const texts = async (...flags: string[]) =>
      (documentOf(await hub.psn(["queue", "--json", ...flags]))["deliveries"] as { readonly text: string }[]).map(
        ({ text }) => text,
      );
    expect(await texts("--search", "PICNIC")).toEqual(["Picnic at noon"]);
    expect(await texts("--state", "published, failed")).toEqual(expect.arrayContaining(["Out at once"]));
    expect(await texts("--state", "failed")).toHaveLength(1);
    expect(await texts("--account", "feed")).toHaveLength(3);
    expect(await texts("--all", "--since", "tomorrow")).toHaveLength(4);
    expect(await texts("--all", "--since", "1h")).toHaveLength(5);
    const none = await hub.psn(["queue", "--search", "nothing has these words"]);
    expect(none).toMatchObject({ code: 0, stdout: "", stderr: "no delivery fits\n" });
  });

  test("names what is wrong with a flag", async () => {
    const due = "due/2026-11-27T09:00:00.000000Z/0192f0c0-0000-7000-8000-000000000000";
    await refusedBy(hub, ["queue", "--state", "faild"], "USAGE", /--state must be one or more of held, scheduled/);
    await refusedBy(hub, ["queue", "--account", "bluesky"], "AUTH_REQUIRED", /no bluesky account.*\n.*psn connect/);
    await refusedBy(hub, ["queue", "--account", "ada"], "NOT_FOUND", /no account is called "ada"/);
    await refusedBy(hub, ["queue", "--since", "soon"], "TIME_INVALID", /"soon"[\s\S]*2026-11-01/);
    await refusedBy(hub, ["queue", "--cursor", "x"], "INPUT_INVALID", /not a cursor/);
    await refusedBy(hub, ["queue", "--all", "--cursor", due], "INPUT_INVALID", /another order[\s\S]*--all/);
  });
});

describe("a hub with much in it, in many scripts", () => {
  const TEXTS = [
    "日本の朝ごはんは、ご飯とみそ汁と焼き魚です。毎日食べてもあきません。",
    "👩‍👩‍👧‍👦🏳️‍🌈👍🏽 a family, a flag and a thumb, and then more words than one line can hold",
    "שלום עולם, זה פוסט ארוך מאוד שלא נכנס בשורה אחת של מסוף צר",
    "مرحبا بالعالم، هذا منشور طويل لا يتسع له سطر واحد من الطرفية",
    "नमस्ते दुनिया, यह एक लंबी पोस्ट है जो एक पंक्ति में नहीं आती",
    "two\nlines\tand a tab, and then as many words as it takes to fill a line of a wide terminal, twice over",
  ];
  let hub: TestHub;
  beforeAll(async () => {
    hub = await testHub();
    for (const [n, text] of TEXTS.entries())
      expect(await hub.psn(["post", "--text", text, "--in", `${n + 2}d`])).toMatchObject({ code: 0 });
    await hub.rows(
      `UPDATE psn.deliveries SET due_at = due_at + interval '500 days', wake_at = wake_at + interval '500 days'
        WHERE id = (SELECT delivery_id FROM psn.delivery_units WHERE text LIKE 'two%')`,
    );
    for (let n = 0; n < 6; n += 1)
      expect(await hub.psn(["post", `filler ${n}`, "--in", "1d"])).toMatchObject({ code: 0 });
  });

  test.each([60, 80, 120])("fits %i columns, and names the account: psn queue, and psn alone", async (columns) => {
    const shown = async (argv: readonly string[]) => {
      const { code, stdout, stderr } = await hub.psn(argv, { tty: ["stdout"], columns });
      expect(code, stderr).toBe(0);
      return { lines: Bun.stripANSI(stdout).trimEnd().split("\n"), stderr };
    };
    const queue = await shown(["queue", "--search", "o"]);
    expect(queue.lines[0]).toMatch(/^ID +STATE +WHEN +ACCOUNT +TEXT/);
    const today = await shown([]);
    expect(today.stderr).toMatch(/^there are more: psn queue$/m);
    const all = await shown(["queue"]);
    expect(all.lines).toHaveLength(TEXTS.length + 6 + 1);
    for (const line of [...queue.lines, ...today.lines, ...all.lines])
      expect(Bun.stringWidth(line), line).toBeLessThanOrEqual(columns);
    for (const line of all.lines.slice(1)) expect(line).toMatch(/^[0-9a-f]{8} {2}scheduled +\S.* feed\S* /);
    // Columns begin in the same place, whatever the script.
    const begins = all.lines.map((line) => Bun.stringWidth(line.slice(0, line.search(/ACCOUNT|feed/))));
    expect(new Set(begins).size).toBe(1);
  });
});

test("a terminal that does not tell its width has 80 columns", async () => {
  const { stdout } = await psn(["explain"], { cwd: await scratch(), tty: ["stdout"] });
  const widths = stdout
    .trimEnd()
    .split("\n")
    .map((line) => Bun.stringWidth(Bun.stripANSI(line)));
  expect(Math.max(...widths)).toBe(80);
});

describe("what must not be cut", () => {
  const output = createOutput({
    json: false,
    stdout: { isTTY: true, columns: 60, write: () => undefined },
    stderr: { isTTY: true, write: () => undefined },
    color: false,
  });
  const rows = [
    { state: "ok", said: "short" },
    { state: "fail", said: `a long result that says in many words what is wrong with /${"folder/".repeat(12)}` },
  ];
  const columns = [
    { head: "STATE", cell: ({ state }: (typeof rows)[number]) => state },
    { head: "RESULT", cell: ({ said }: (typeof rows)[number]) => said, least: 20, folds: true },
  ] as const;

  test("goes on in the lines below, within its column", () => {
    const lines = [fitted(output, rows, columns)].flat(2) as string[];
    for (const line of lines) expect(Bun.stringWidth(line), line).toBeLessThanOrEqual(60);
    expect(lines.slice(1, 4)).toEqual([
      "ok     short",
      "fail   a long result that says in many words what is wrong",
      "       with",
    ]);
    const path = lines.slice(4);
    expect(path.every((line) => /^ {7}\S/.test(line))).toBe(true);
    expect(path.map((line) => line.trim()).join("")).toBe(`/${"folder/".repeat(12)}`);
  });

  test("psn doctor and psn help fit 60 columns, and keep every word", async () => {
    const cwd = await closedHub();
    const connect = ["connect", "feed", "./public", "--title", "Notes from a long way round"];
    expect(await psn(connect, { cwd })).toMatchObject({ code: 0 });
    const shown = async (...argv: string[]) => {
      const { stdout } = await psn(argv, { cwd, tty: ["stdout"], columns: 60 });
      return Bun.stripANSI(stdout).trimEnd().split("\n");
    };
    const doctor = await shown("doctor", "--offline");
    // No check's name is cut: an account's is in it.
    for (const line of doctor) expect(line).not.toContain("…");
    const { checks } = documentOf(await psn(["doctor", "--offline", "--json"], { cwd })) as {
      readonly checks: readonly { readonly name: string; readonly said: string }[];
    };
    const words = new Set(doctor.join(" ").split(/\s+/));
    for (const { said } of checks)
      for (const word of said.split(" ").filter((one) => /^[a-z]{1,12}$/.test(one))) expect(words).toContain(word);
    for (const all of [doctor, await shown("help", "exit-codes"), await shown("help", "errors")])
      for (const line of all) expect(Bun.stringWidth(line), line).toBeLessThanOrEqual(60);
  });
});
