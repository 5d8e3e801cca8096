// A PLC directory and a PDS in one process, for Node: a PDS does not run under Bun. Started by pds.ts.
const fs = require("node:fs");
const net = require("node:net");
const { createRequire } = require("node:module");
const path = require("node:path");
const crypto = require("node:crypto");

// Both servers listen on every interface and take no host; here they answer this machine only.
const listen = net.Server.prototype.listen;
net.Server.prototype.listen = function (...args) {
  if (typeof args[0] === "number") args.splice(1, typeof args[1] === "string" ? 1 : 0, "127.0.0.1");
  else if (args[0] && typeof args[0] === "object" && "port" in args[0]) args[0] = { ...args[0], host: "127.0.0.1" };
  return listen.apply(this, args);
};

const freePort = () =>
  new Promise((resolve, reject) => {
    const probe = net.createServer().once("error", reject);
    probe.listen(0, () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });

async function main() {
  const { modules, data, jwtSecret } = JSON.parse(process.argv[2]);
  const from = createRequire(path.join(modules, "package.json"));
  const { Database, PlcServer } = from("@did-plc/server");
  const { PDS, envToCfg, envToSecrets } = from("@atproto/pds");
  const plcPort = await freePort();
  const port = await freePort();
  const plc = PlcServer.create({ db: Database.mock(), port: plcPort });
  await plc.start();
  const env = {
    devMode: true,
    port,
    dataDirectory: data,
    blobstoreDiskLocation: path.join(data, "blobs"),
    adminPassword: crypto.randomBytes(16).toString("hex"),
    jwtSecret,
    serviceHandleDomains: [".test"],
    // Nothing listens there: what only the rest of the network knows is not known.
    bskyAppViewUrl: "http://127.0.0.1:1",
    bskyAppViewDid: "did:example:nobody",
    didPlcUrl: `http://127.0.0.1:${plcPort}`,
    plcRotationKeyK256PrivateKeyHex: crypto.randomBytes(32).toString("hex"),
    inviteRequired: false,
    enableDidDocWithSession: true,
    disableSsrfProtection: true,
  };
  const pds = await PDS.create(envToCfg(env), envToSecrets(env));
  await pds.start();
  process.stdout.write(`${JSON.stringify({ url: `http://localhost:${port}` })}\n`);
}

// The parent holds the other end: when it goes, however it goes, so does this.
process.stdin
  .on("end", () => {
    fs.rmSync(JSON.parse(process.argv[2]).data, { recursive: true, force: true });
    process.exit(0);
  })
  .resume();
main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
