import { readFileSync } from "node:fs";

/*
 * Who is at the other end of a connection on this machine. Every user of a machine can connect to its loopback address;
 * a page that is meant for psn's own user must not answer the others.
 */

const HERE = "0100007F";
const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, "0");

/** The user id that owns the client's end of this connection; undefined where that is not to be found out. */
export function peerUser(clientPort: number, serverPort: number): number | undefined {
  // Only Linux tells it (proc_net(5)): local address, remote address, …, uid, timeout, inode. A browser may hold an
  // IPv6 socket for it.
  const line = new RegExp(`(?:^|[ \\t0-9A-F])${HERE}:${hex(clientPort)} +[0-9A-F]*${HERE}:${hex(serverPort)} `);
  for (const path of ["/proc/self/net/tcp", "/proc/self/net/tcp6"]) {
    const found = linesOf(path).find((row) => line.test(row));
    const [, , , , , , , uid, , inode] = found?.trim().split(/\s+/) ?? [];
    // A socket that its owner has closed has no inode, and then the kernel gives no owner either.
    if (uid !== undefined && inode !== "0") return Number(uid);
  }
  return undefined;
}

/** True for a client of another user. Root may be a relay, as WSL has one, and can read psn's memory in any case. */
export function isForeign(clientPort: number, serverPort: number): boolean {
  const uid = peerUser(clientPort, serverPort);
  return uid !== undefined && uid !== 0 && uid !== process.getuid?.();
}

function linesOf(path: string): readonly string[] {
  try {
    return readFileSync(path, "utf8").split("\n");
  } catch {
    return [];
  }
}
