import { spawnSync } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/*
 * Certificates for servers of the tests, made by openssl for the moment: an authority nobody knows, and what it has
 * signed.
 */

export interface Certificate {
  /** Paths of PEM files. */
  readonly cert: string;
  readonly key: string;
}

export interface Authority {
  /** Path of its certificate, for whoever is to trust it. */
  readonly ca: string;
  /** A certificate for these names and addresses, such as `DNS:localhost` and `IP:127.0.0.1`. */
  issue(names: readonly string[], options?: { readonly expired?: boolean }): Promise<Certificate>;
  /** One that is its own authority. */
  selfSigned(names: readonly string[]): Promise<Certificate>;
  /** Removes all of them. */
  remove(): Promise<void>;
}

export async function makeAuthority(name = "psn test authority"): Promise<Authority> {
  const folder = await mkdtemp(join(tmpdir(), "psn-certificates-"));
  const openssl = (...args: string[]) => {
    const { status, stderr, error } = spawnSync("openssl", args, { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(`openssl ${args[0]} failed: ${error?.message ?? stderr}`);
  };
  const keyOf = (file: string) => {
    openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", `${file}.key`);
    return join(folder, `${file}.key`);
  };
  let made = 0;
  const file = (what: string) => `${what}${made++}`;
  keyOf("ca");
  openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", `/CN=${name}`, "-days", "2", "-out", "ca.crt");
  return {
    ca: join(folder, "ca.crt"),
    issue: async (names, { expired = false } = {}) => {
      const own = file("issued");
      const key = keyOf(own);
      await writeFile(join(folder, `${own}.ext`), `subjectAltName=${names.join(",")}\n`);
      openssl("req", "-new", "-key", `${own}.key`, "-subj", "/CN=psn test server", "-out", `${own}.csr`);
      const signed = [
        "-CA",
        "ca.crt",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        expired ? "-1" : "2",
        "-extfile",
        `${own}.ext`,
      ];
      openssl("x509", "-req", "-in", `${own}.csr`, ...signed, "-out", `${own}.crt`);
      return { key, cert: join(folder, `${own}.crt`) };
    },
    selfSigned: async (names) => {
      const own = file("self");
      const key = keyOf(own);
      const subject = ["-subj", "/CN=psn test server", "-addext", `subjectAltName=${names.join(",")}`];
      openssl("req", "-x509", "-new", "-key", `${own}.key`, ...subject, "-days", "2", "-out", `${own}.crt`);
      return { key, cert: join(folder, `${own}.crt`) };
    },
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
