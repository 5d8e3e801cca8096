import { version } from "../../../package.json";

/** How psn names itself to whomever it sends a request (RFC 9110, 10.1.5). */
export const USER_AGENT = `psn/${version}`;
