/** How many migrations this psn knows. A task carries no migration files with it; a test holds this against them. */
export const SCHEMA_VERSION = 24;
