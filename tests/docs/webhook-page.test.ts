import { spawnSync } from "node:child_process";
import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { EVENTS } from "@psn/platforms/webhook/event.ts";
import { newKeyPair, publicKeyOf, signaturesOf } from "@psn/platforms/webhook/signing.ts";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { renderWebhookPage } from "../../scripts/webhook-docs.ts";

/*
 * docs/platforms/webhook.md is what a receiver's author goes by: its schemas are those of the code, and its programs
 * verify what psn signs.
 */

const page = readFileSync(fileURLToPath(new URL("../../docs/platforms/webhook.md", import.meta.url)), "utf8");
/** Every fenced block of a language, in order. */
const blocks = (language: string) =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\n([\\s\\S]*?)^\`\`\``, "gm"))].map(([, code = ""]) => code);

test("its schedule, its limits and its events are those of the code", () => {
  expect(renderWebhookPage(page)).toBe(page);
});

test("its examples hold for its schemas, and for the code's own", () => {
  const ajv = new Ajv2020({ strict: false });
  addFormats(ajv);
  ajv.addFormat("base64", /^[A-Za-z0-9+/]*={0,2}$/);
  const documents = blocks("json").map((text): unknown => JSON.parse(text));
  expect(documents).toHaveLength(2 * EVENTS.length);
  for (const [n, { schema, example }] of EVENTS.entries()) {
    const [shown, described] = documents.slice(2 * n, 2 * n + 2);
    expect(shown).toEqual(example);
    expect(schema.parse(shown)).toEqual(example);
    const holds = ajv.compile(described as object);
    expect(holds(shown), JSON.stringify(holds.errors)).toBe(true);
    expect(holds({ ...(shown as object), more: 1 })).toBe(false);
  }
});

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "psn-webhook-page-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/**
 * A program around the page's `verify`: prints true or false for secret, id, timestamp, signatures and the name of the
 * body's file.
 */
interface Language {
  readonly name: string;
  readonly block: readonly [language: string, index: number];
  /** What must be on this machine; the test says so where it is not. */
  readonly needs: string;
  readonly file: string;
  readonly before?: string;
  readonly main: string;
  readonly build?: readonly string[];
  readonly run: readonly string[];
  readonly asymmetric?: true;
}

const JS_MAIN = `
import { readFileSync } from "node:fs";
const [, , secret, id, timestamp, signatures, file] = process.argv;
console.log(verify(secret, { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures },
  readFileSync(file)));`;
const PYTHON_MAIN = `
import sys
secret, id, timestamp, signatures, file = sys.argv[1:]
headers = {"webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signatures}
print(str(verify(secret, headers, open(file, "rb").read())).lower())`;
const CRATES = "/usr/share/cargo/registry";

const LANGUAGES: readonly Language[] = [
  { name: "JavaScript", block: ["js", 0], needs: "node", file: "v1.mjs", main: JS_MAIN, run: ["node", "v1.mjs"] },
  {
    name: "JavaScript, ed25519",
    block: ["js", 1],
    needs: "node",
    file: "v1a.mjs",
    main: JS_MAIN,
    run: ["node", "v1a.mjs"],
    asymmetric: true,
  },
  {
    name: "Python",
    block: ["python", 0],
    needs: "python3",
    file: "v1.py",
    main: PYTHON_MAIN,
    run: ["python3", "v1.py"],
  },
  {
    name: "Python, ed25519",
    block: ["python", 1],
    needs: "python3 -c 'import cryptography'",
    file: "v1a.py",
    main: PYTHON_MAIN,
    run: ["python3", "v1a.py"],
    asymmetric: true,
  },
  {
    name: "Go",
    block: ["go", 0],
    needs: "go",
    file: "main.go",
    main: `
func main() {
	header := http.Header{}
	header.Set("webhook-id", os.Args[2])
	header.Set("webhook-timestamp", os.Args[3])
	header.Set("webhook-signature", os.Args[4])
	body, _ := os.ReadFile(os.Args[5])
	fmt.Println(verify(os.Args[1], header, body))
}`,
    build: ["go", "build", "-o", "verify-go", "main.go"],
    run: ["./verify-go"],
  },
  {
    name: "Rust",
    block: ["rust", 0],
    needs: `cargo --version && ls ${CRATES} | grep -q ^data-encoding && ls ${CRATES} | grep -q ^hmac`,
    file: "main.rs",
    main: `
fn main() {
    let args: Vec<String> = std::env::args().collect();
    println!("{}", verify(&args[1], &args[2], &args[3], &args[4], &std::fs::read(&args[5]).unwrap()));
}`,
    build: ["cargo", "build", "--quiet", "--offline"],
    run: ["target/debug/verify"],
  },
  {
    name: "PHP",
    block: ["php", 0],
    needs: "php",
    file: "v1.php",
    main: `
[, $secret, $id, $timestamp, $signatures, $file] = $argv;
$headers = ["webhook-id" => $id, "webhook-timestamp" => $timestamp, "webhook-signature" => $signatures];
echo verify($secret, $headers, file_get_contents($file)) ? "true" : "false";`,
    run: ["php", "v1.php"],
  },
  {
    name: "Ruby",
    block: ["ruby", 0],
    needs: "ruby",
    file: "v1.rb",
    main: `
secret, id, timestamp, signatures, file = ARGV
puts verify(secret, { "webhook-id" => id, "webhook-timestamp" => timestamp, "webhook-signature" => signatures },
  File.binread(file))`,
    run: ["ruby", "v1.rb"],
  },
  {
    name: "Java",
    block: ["java", 0],
    needs: "javac",
    file: "Main.java",
    main: `
class Main {
    public static void main(String[] args) throws Exception {
        Map<String, String> headers = Map.of("webhook-id", args[1], "webhook-timestamp", args[2], "webhook-signature",
          args[3]);
        System.out.println(Webhooks.verify(args[0], headers,
          java.nio.file.Files.readAllBytes(java.nio.file.Path.of(args[4]))));
    }
}`,
    build: ["javac", "Main.java"],
    run: ["java", "-cp", ".", "Main"],
  },
  {
    name: "Shell",
    block: ["sh", 1],
    needs: "openssl",
    file: "v1.sh",
    main: `verify "$@" && echo true || echo false`,
    run: ["sh", "v1.sh"],
  },
];

const CARGO = `[package]
name = "verify"
version = "0.0.0"
edition = "2021"
[[bin]]
name = "verify"
path = "main.rs"
[dependencies]
data-encoding = "2"
hmac = "0.12"
sha2 = "0.10"
`;

function ran(command: readonly string[], cwd: string): string {
  const [program = "", ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd, encoding: "utf8" });
  if (error || status !== 0) throw new Error(`${command.slice(0, 3).join(" ")}: ${error?.message ?? stderr}`);
  return stdout.trim();
}

const isHere = (needs: string) =>
  spawnSync("sh", ["-c", /\s/.test(needs) ? needs : `command -v ${needs}`], { encoding: "utf8" }).status === 0;

describe("the programs of the page take what psn signs, and nothing else", () => {
  for (const language of LANGUAGES) {
    const here = isHere(language.needs);
    test.skipIf(!here)(
      `${language.name}${here ? "" : `: ${language.needs} is not on this machine`}`,
      async () => {
        const { name, block, file, main, build, run, asymmetric } = language;
        const cwd = join(folder, name.replaceAll(/\W+/g, "-"));
        await mkdir(cwd);
        const code = blocks(block[0])[block[1]] ?? "";
        expect(code).toContain("verify");
        const imports = block[0] === "go" ? code.replace("import (", 'import (\n\t"fmt"\n\t"os"') : code;
        await writeFile(join(cwd, file), `${imports}\n${main}\n`);
        if (block[0] === "rust") {
          await writeFile(join(cwd, "Cargo.toml"), CARGO);
          await mkdir(join(cwd, ".cargo"));
          const source = `[source.crates-io]\nreplace-with = "debian"\n[source.debian]\ndirectory = "${CRATES}"\n`;
          await writeFile(join(cwd, ".cargo", "config.toml"), source);
        }
        if (build) ran(build, cwd);

        const [secret, other] = asymmetric
          ? [newKeyPair(), newKeyPair()]
          : [0, 0].map(() => `whsec_${randomBytes(33).toString("base64")}`);
        const known = (asymmetric ? publicKeyOf(secret ?? "") : secret) ?? "";
        const id = "0199e3b2-7c00-7000-8000-000000000001";
        const at = Math.floor(Date.now() / 1000);
        const body = Buffer.from('{"type":"post.published","data":{"text":"Olá 👋 \\u2028"}}\n');
        await writeFile(join(cwd, "body"), body);
        await writeFile(join(cwd, "other"), Buffer.concat([body, Buffer.from(" ")]));
        const says = (timestamp: number, signatures: string, sent = "body", called = id) =>
          ran([...run, known, called, String(timestamp), signatures, sent], cwd);
        const sign = (secrets: readonly (string | undefined)[], timestamp = at) =>
          signaturesOf(
            secrets.flatMap((one) => one ?? []),
            { id, timestamp, body: body.toString() },
          );

        expect(says(at, sign([secret]))).toBe("true");
        // Two sign while one is changed.
        expect(says(at, sign([other, secret]))).toBe("true");
        expect(says(at, sign([other]))).toBe("false");
        expect(says(at, sign([secret]), "other")).toBe("false");
        expect(says(at, sign([secret]), "body", "another-id")).toBe("false");
        expect(says(at - 1, sign([secret]))).toBe("false");
        expect(says(at - 900, sign([secret], at - 900))).toBe("false");
        expect(says(at + 900, sign([secret], at + 900))).toBe("false");
        expect(says(at, "v1,AAAA v2,x")).toBe("false");
      },
      240_000,
    );
  }
});

test("psn's own HMAC is the specification's formula", () => {
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const expected = createHmac("sha256", Buffer.from(secret.slice(6), "base64"))
    .update("id.7.body")
    .digest("base64");
  expect(signaturesOf([secret], { id: "id", timestamp: 7, body: "body" })).toBe(`v1,${expected}`);
});
