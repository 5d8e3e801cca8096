import { repository } from "../../package.json";

/* Where psn's releases are. package.json names the repository, for the programs, the scripts and the docs. */

/** Whether a repository's address still has the word that stands for its owner. */
export const isPlaceholder = (address: string): boolean => address.includes("/OWNER/");

/** The address of the newest release's files; undefined in a build that was made before there was a repository. */
export const NEWEST_RELEASE = isPlaceholder(repository) ? undefined : `${repository}/releases/latest/download`;
