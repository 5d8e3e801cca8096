import { neonConfig } from "@neondatabase/serverless";

/**
 * Sends the driver's statements to `/sql` and its sessions to `/v2` of a Neon proxy at this address, whatever host the
 * connection string names (CONFIG.md of @neondatabase/serverless: fetchEndpoint, wsProxy). The settings are the
 * process's own; without an address they stay as they are.
 */
export function goByProxy(address: string | undefined): void {
  if (address === undefined) return;
  const { origin, host, protocol } = new URL(address);
  neonConfig.fetchEndpoint = `${origin}/sql`;
  neonConfig.wsProxy = `${host}/v2`;
  neonConfig.useSecureWebSocket = protocol === "https:";
}
