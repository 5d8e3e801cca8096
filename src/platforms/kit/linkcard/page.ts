import { type Head, type HeadReader, headReader } from "./head.ts";

/** How much of a page is read, in bytes after decompression: some put their scripts and styles before the title. */
const PAGE_BYTES = 4 * 1024 * 1024;
/** How much is read after the head, in bytes, for pages whose title or `<meta>` stands in the body. */
const BODY_BYTES = 512 * 1024;
/**
 * A page without a Content-Type is judged by so many bytes
 * (https://mimesniff.spec.whatwg.org/#reading-the-resource-header, 2026-11).
 */
const SNIFFED_BYTES = 1445;
/** Most of the processor's time that a page may take, in milliseconds. One of 4 MiB takes 200 to 600, and on a small or
 * busy machine a multiple of it. */
const PARSE_MS = 5000;
/** After so much of it others get a turn, in milliseconds. */
const TURN_MS = 20;
/** How much is parsed before psn looks at the time, in UTF-16 units. */
const PIECE = 4096;

/**
 * Reads what `response` says of itself, until that is complete, its limits are reached, or `signal` ends it: what came
 * until then counts. Undefined for what is no page.
 */
export async function readPage(response: Response, signal: AbortSignal): Promise<Head | undefined> {
  const type = response.headers.get("content-type")?.trim() ?? "";
  const kept: Uint8Array[] = [];
  let size = 0;
  let headBytes: number | undefined;
  let reading: Reading | undefined;
  for await (const chunk of chunksOf(response, PAGE_BYTES, signal)) {
    kept.push(chunk);
    size += chunk.length;
    if (reading) await reading.write(chunk);
    else if (size < SNIFFED_BYTES) continue;
    else reading = await begin(kept, type);
    if (!reading) break;
    if (reading.charset !== undefined) reading = await beginAs(reading.charset, { kept, isXml: reading.isXml });
    headBytes ??= reading.reader.isPast() ? size : undefined;
    if (
      reading.isLate() ||
      (headBytes !== undefined && (isComplete(reading.reader.head()) || size - headBytes > BODY_BYTES))
    )
      break;
  }
  reading ??= await begin(kept, type);
  if (!reading) return undefined;
  if (reading.charset !== undefined) reading = await beginAs(reading.charset, { kept, isXml: reading.isXml });
  const head = await reading.finish();
  // Nothing names the encoding, and it is not UTF-8: then it is what most old pages have.
  const isBroken = reading.isGuessed && `${head.title}${head.description}`.includes("\ufffd");
  if (isBroken) reading = await beginAs("windows-1252", { kept, isXml: reading.isXml });
  if (!reading.reader.isPage()) return undefined;
  return isBroken ? reading.finish() : head;
}

const isComplete = ({ title, description, images }: Head) => title !== "" && description !== "" && images.length > 0;

interface Reading {
  readonly reader: HeadReader;
  readonly isXml: boolean;
  /** Nothing but a `<meta>` could name another encoding. */
  readonly isGuessed: boolean;
  /** Another encoding than the one it is read in, named by the page itself. */
  readonly charset: string | undefined;
  readonly isLate: () => boolean;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly finish: () => Promise<Head>;
}

/** Undefined where the bytes are no page. */
async function begin(kept: readonly Uint8Array[], type: string): Promise<Reading | undefined> {
  const start = new Uint8Array(Buffer.concat(kept).subarray(0, SNIFFED_BYTES));
  const kind = kindOf(type, start);
  if (kind === undefined) return undefined;
  const isXml = kind === "xml";
  const named =
    byMark(start) ??
    labelled(/charset\s*=\s*["']?([^\s"';]+)/i.exec(type)?.[1]) ??
    (isXml ? declared(start) : undefined);
  return beginAs(named ?? "utf-8", { kept, isXml, isGuessed: named === undefined });
}

async function beginAs(
  encoding: string,
  {
    kept,
    isXml,
    isGuessed = false,
  }: { readonly kept: readonly Uint8Array[]; readonly isXml: boolean; readonly isGuessed?: boolean | undefined },
): Promise<Reading> {
  const reader = headReader(isXml);
  const decoder = new TextDecoder(encoding);
  let spentMs = 0;
  let turnMs = 0;
  const parse = async (text: string) => {
    for (let at = 0; at < text.length && spentMs < PARSE_MS; at += PIECE) {
      const began = process.threadCpuUsage();
      reader.write(text.slice(at, at + PIECE));
      const { user, system } = process.threadCpuUsage(began);
      spentMs += (user + system) / 1000;
      if (spentMs - turnMs < TURN_MS) continue;
      turnMs = spentMs;
      await new Promise<void>((turn) => setImmediate(turn));
    }
  };
  for (const chunk of kept) await parse(decoder.decode(chunk, { stream: true }));
  return {
    reader,
    isXml,
    isGuessed,
    get charset() {
      const named = isGuessed ? labelled(reader.charset()) : undefined;
      // What could be read to find this name is not UTF-16 (https://html.spec.whatwg.org/multipage/parsing.html,
      // 2026-11).
      const meant = named?.startsWith("utf-16") ? "utf-8" : named === "x-user-defined" ? "windows-1252" : named;
      return meant === encoding ? undefined : meant;
    },
    isLate: () => spentMs >= PARSE_MS,
    write: (bytes) => parse(decoder.decode(bytes, { stream: true })),
    finish: async () => {
      await parse(decoder.decode());
      reader.end();
      return reader.head();
    },
  };
}

/** Bytes as they come, `most` of them; ends without a word where the rest does not come. */
async function* chunksOf(response: Response, most: number, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  if (!reader) return;
  const stop = () => void reader.cancel().catch(() => undefined);
  signal.addEventListener("abort", stop, { once: true });
  try {
    for (let size = 0; size < most && !signal.aborted; ) {
      const next = await reader.read();
      if (next.done) return;
      const chunk = next.value.subarray(0, most - size);
      size += chunk.length;
      yield chunk;
    }
  } catch {
    // Cut off: what came is worth looking at.
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

/** By the header; without one by how the bytes begin. */
function kindOf(type: string, start: Uint8Array): "html" | "xml" | undefined {
  const [essence = ""] = type.toLowerCase().split(/[;,\s]/);
  if (essence === "text/html") return "html";
  if (essence === "application/xhtml+xml" || essence === "text/xml" || essence === "application/xml") return "xml";
  if (!["", "unknown/unknown", "application/unknown", "*/*"].includes(essence)) return undefined;
  const begins = new TextDecoder(byMark(start) ?? "latin1").decode(start).trimStart();
  if (/^<\?xml/.test(begins)) return "xml";
  return BEGINS.test(begins) ? "html" : undefined;
}

/**
 * https://mimesniff.spec.whatwg.org/#identifying-a-resource-with-an-unknown-mime-type (2026-11), and two tags that a
 * page may begin with.
 */
const BEGINS =
  /^(<!--|<(!doctype html|html|head|meta|link|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\s>])/i;

/** https://encoding.spec.whatwg.org/#bom-sniff (2026-11). */
function byMark([first, second, third]: Uint8Array): string | undefined {
  if (first === 0xef && second === 0xbb && third === 0xbf) return "utf-8";
  if (first === 0xfe && second === 0xff) return "utf-16be";
  return first === 0xff && second === 0xfe ? "utf-16le" : undefined;
}

/** By the XML declaration (https://www.w3.org/TR/xml/#sec-guessing, 2026-11). */
function declared(start: Uint8Array): string | undefined {
  if (start[0] === 0x3c && start[1] === 0) return "utf-16le";
  if (start[0] === 0 && start[1] === 0x3c) return "utf-16be";
  return (
    labelled(/^<\?xml[^>]*encoding\s*=\s*["']([^"']+)/.exec(new TextDecoder("latin1").decode(start))?.[1]) ?? "utf-8"
  );
}

/** The encoding of that name; undefined for a name that no browser knows. */
function labelled(name: string | undefined): string | undefined {
  try {
    return name === undefined ? undefined : new TextDecoder(name.trim()).encoding;
  } catch {
    return undefined;
  }
}
