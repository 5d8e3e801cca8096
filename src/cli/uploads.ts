import { type Upload, watchUploads } from "@psn/wiring/uploads.ts";
import type { Output } from "./output.ts";
import { type Progress, progressOf } from "./progress.ts";

/** A file of fewer bytes is not worth a line where nothing can be drawn. */
const LARGE_BYTES = 5_000_000;
const MB = 1_000_000;

const megabytes = (bytes: number) => Math.ceil(bytes / MB);

/**
 * Shows what `work` uploads: on a terminal one bar for all files on their way, with what is left, and what a platform
 * still processes; elsewhere a line for each large file.
 */
export async function showingUploads<T>(output: Pick<Output, "draw" | "note">, work: () => Promise<T>): Promise<T> {
  const canDraw = output.draw(undefined);
  const sending = new Set<Upload>();
  const processing = new Map<string, string>();
  let bar: Progress | undefined;
  const draw = () => {
    const [all, sent] = [...sending].reduce(([all, sent], one) => [all + one.bytes, sent + one.sent], [0, 0]);
    // What a platform fetches for itself never leaves from here.
    if (sent > 0) {
      bar ??= progressOf(output, { what: "uploading", parts: "MB" });
      return bar.at(Math.floor(sent / MB), megabytes(all));
    }
    if (sending.size > 0) return undefined;
    bar = undefined;
    return void output.draw([...processing.values()].at(-1));
  };
  const watch = (upload: Upload) => {
    const { what, to, bytes, state } = upload;
    if (state === "sending" && !sending.has(upload) && !canDraw && bytes >= LARGE_BYTES)
      output.note(`uploading the ${what} to ${to}: ${megabytes(bytes)} MB`);
    if (state === "sending") sending.add(upload);
    else if (state === "processing") processing.set(`${what} ${to}`, `${to} is processing the ${what} …`);
    else processing.delete(`${what} ${to}`);
    // The bar stands until all that is on its way has arrived: one that is done counts.
    if ([...sending].every(({ state }) => state === "done")) sending.clear();
    if (canDraw) draw();
  };
  try {
    return await watchUploads(watch, work);
  } finally {
    output.draw(undefined);
  }
}
