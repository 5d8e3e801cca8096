import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A certificate that has signed itself, for a host's name or address; `expired`: its time was over in 2021. */
export function certificate({ name, expired = false }: { readonly name: string; readonly expired?: boolean }): {
  readonly key: string;
  readonly cert: string;
} {
  const folder = mkdtempSync(join(tmpdir(), "psn-certificate-"));
  const alternative = /^[\d.]+$/.test(name) ? `IP:${name}` : `DNS:${name}`;
  try {
    const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: folder, stdio: "pipe" });
    // By `openssl ca`, since `openssl req` of OpenSSL 3.0 cannot date a certificate back.
    writeFileSync(join(folder, "index.txt"), "");
    writeFileSync(join(folder, "serial"), "01\n");
    writeFileSync(
      join(folder, "ca.cnf"),
      `[ca]
default_ca = own
[own]
database = index.txt
serial = serial
new_certs_dir = .
default_md = sha256
policy = any
x509_extensions = alternative
[any]
commonName = supplied
[alternative]
subjectAltName = ${alternative}
[req]
distinguished_name = none
[none]
`,
    );
    openssl(
      "req",
      "-new",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-keyout",
      "key.pem",
      "-out",
      "wish.csr",
      "-subj",
      "/CN=psn",
      "-config",
      "ca.cnf",
    );
    const dates = expired ? ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z"] : ["-days", "2"];
    openssl(
      "ca",
      "-batch",
      "-config",
      "ca.cnf",
      "-selfsign",
      "-keyfile",
      "key.pem",
      "-in",
      "wish.csr",
      "-out",
      "cert.pem",
      "-notext",
      ...dates,
    );
    return { key: readFileSync(join(folder, "key.pem"), "utf8"), cert: readFileSync(join(folder, "cert.pem"), "utf8") };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
