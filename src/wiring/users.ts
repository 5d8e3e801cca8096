import { hubUsers } from "@psn/core/db/hub-users.ts";
import { PsnError } from "@psn/core/errors.ts";
import type { Environment } from "@psn/core/utils/env.ts";
import { openOwned } from "./database.ts";

/** Lists the users of a hub again and again, by one connection. */
export interface HubUsers {
  /** Ids. Throws DB_OWNER_REQUIRED where hub.env has no login that may know them, DB_…. */
  list(): Promise<readonly string[]>;
  close(): Promise<void>;
}

export async function openUsers(folder: string, environment?: Environment): Promise<HubUsers> {
  const database = await openOwned(folder, environment);
  return { list: () => hubUsers(database), close: () => database.close() };
}

/** Ids of all users of the hub. Throws as `HubUsers.list`. */
export async function usersOfHub(folder: string, environment?: Environment): Promise<readonly string[]> {
  const users = await openUsers(folder, environment);
  try {
    return await users.list();
  } finally {
    await users.close();
  }
}

/** The same, and where hub.env has no login that may know them, this user alone. */
export async function usersOf(folder: string, userId: string, environment?: Environment): Promise<readonly string[]> {
  return usersOfHub(folder, environment).catch((error: unknown) => {
    if (error instanceof PsnError && error.code === "DB_OWNER_REQUIRED") return [userId];
    throw error;
  });
}
