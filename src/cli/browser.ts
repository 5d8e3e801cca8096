import { spawn } from "node:child_process";
import { PsnError } from "@psn/core/errors.ts";

const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  darwin: ["open"],
  win32: ["rundll32", "url.dll,FileProtocolHandler"],
};

/**
 * Opens an address in the user's browser, if there is one; says nothing when there is none: the address is shown as
 * well.
 *
 * @param url public, or a start page's (start-page.ts): every user of this machine can read it in the process list.
 */
export async function openBrowser(url: string): Promise<void> {
  if (new URL(url).search !== "") throw new PsnError("BUG", "an address with a query is given to a browser");
  const { childEnvironment } = await import("@psn/core/utils/env.ts");
  const [command = "xdg-open", ...args] = OPENERS[process.platform] ?? ["xdg-open"];
  const child = spawn(command, [...args, url], { stdio: "ignore", detached: true, env: childEnvironment() });
  child.on("error", () => undefined);
  child.unref();
}
