import { type Upload, watchUploads } from "@psn/wiring/uploads.ts";
import type { Output } from "./output.ts";
import { type Progress, progressOf } from "./progress.ts";

/** A file of fewer bytes is not worth a line where nothing can be drawn. */
const LARGE_BYTES = 5_000_000;
const MB = 1_000_000;
const REDRAW_MS = 250;

const megabytes = (bytes: number) => Math.ceil(bytes / MB);

/**
 * Shows what `work` uploads: on a terminal one bar for all files on their way, with what is left, and what a platform
 * still processes; elsewhere a line for each large file.
 *
 * @param storing so many bytes are stored in the hub first.
 */
export async function showingUploads<T>(
  output: Pick<Output, "draw" | "note">,
  work: () => Promise<T>,
  storing = 0,
): Promise<T> {
  const canDraw = output.draw(undefined);
  // A draft that is refused has stored nothing; what is drawn is taken away before that is said.
  if (canDraw && storing >= LARGE_BYTES) output.draw(`storing ${megabytes(storing)} MB in the hub …`);
  const noted = new Set<Upload>();
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
    if (state === "sending") sending.add(upload);
    else if (state === "processing") processing.set(`${what} ${to}`, `${to} is processing the ${what} …`);
    else processing.delete(`${what} ${to}`);
    // The bar stands until all that is on its way has arrived: one that is done counts.
    if ([...sending].every(({ state }) => state === "done")) sending.clear();
    if (canDraw) return draw();
    if (bytes < LARGE_BYTES || state !== "sending" || upload.sent === 0 || noted.has(upload)) return undefined;
    noted.add(upload);
    return output.note(`uploading the ${what} to ${to}: ${megabytes(bytes)} MB`);
  };
  // What is left of the time changes too while nothing leaves.
  const redraw = () => void (sending.size > 0 && draw());
  const redrawn = canDraw ? setInterval(redraw, REDRAW_MS) : undefined;
  try {
    return await watchUploads(watch, work);
  } finally {
    clearInterval(redrawn);
    output.draw(undefined);
  }
}
