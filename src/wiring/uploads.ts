/* What leaves this machine is counted where it leaves it; who shows it to a person asks here. */
export { type Upload, watchUploads } from "@psn/core/net/uploads.ts";
