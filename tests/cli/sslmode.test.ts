import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Authority, makeAuthority } from "../support/certificates.ts";
import { binary, type Ran, scratch } from "../support/cli.ts";
import { type Postgres, startPostgres } from "../support/postgres.ts";

let authority: Authority;
let server: Postgres;
beforeAll(async () => {
  authority = await makeAuthority();
  server = await startPostgres({
    tls: await authority.issue(["DNS:localhost", "IP:127.0.0.1"]),
    hba: ["hostssl all all 127.0.0.1/32 scram-sha-256", "hostnossl postgres postgres 127.0.0.1/32 scram-sha-256"],
    auth: "scram-sha-256",
    // What doctor asks for.
    fast: false,
  });
});
afterAll(async () => {
  await server?.stop();
  await authority?.remove();
});

/*
 * pg-connection-string writes nine lines of a security warning to stderr, once a process, for `prefer`, `require` and
 * `verify-ca`.
 */
test("no command prints a library's warning, whatever the address's sslmode", async () => {
  const cwd = await scratch();
  const env = { XDG_STATE_HOME: cwd };
  const database = await server.createDatabase();
  const run = (argv: readonly string[], url?: string, stdin = "") =>
    binary(argv, { cwd, stdin, env: { ...env, ...(url === undefined ? {} : { DATABASE_URL: url }) } }).ended;
  const quiet = ({ code, stdout, stderr }: Ran) => {
    expect(code, `${stdout}${stderr}`).toBe(0);
    expect(`${stdout}${stderr}`).not.toMatch(/warning|libpq/i);
  };
  quiet(
    await run(
      ["init", "--database-url-stdin", "--tz", "UTC"],
      undefined,
      `${database}?sslmode=require&sslrootcert=${authority.ca}\n`,
    ),
  );
  const own =
    /^DATABASE_URL=(.*)$/m.exec(await readFile(join(cwd, "config", "hub.env"), "utf8"))?.[1]?.replaceAll(/["']/g, "") ??
    "";
  expect(own).toContain("sslmode=require");
  for (const mode of ["prefer", "require", "verify-ca", "verify-full"]) {
    const url = own.replace("sslmode=require", `sslmode=${mode}`);
    quiet(await run(["queue", "--json"], url));
    // The warning was all there was to see of it: each of them verifies the certificate.
    expect(await run(["queue"], url.replace(/&sslrootcert=[^&]*/, ""))).toMatchObject({
      code: 3,
      stderr: expect.stringMatching(/a CA that this machine does not trust[\s\S]*sslrootcert=/),
    });
  }
  for (const argv of [
    ["doctor", "--offline"],
    ["db", "status"],
  ])
    quiet(await run(argv));
});
