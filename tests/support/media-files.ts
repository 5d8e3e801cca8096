import {
  BufferTarget,
  EncodedPacket,
  EncodedVideoPacketSource,
  MovOutputFormat,
  Mp4OutputFormat,
  Output,
  WebMOutputFormat,
} from "mediabunny";

/*
 * Small files of every kind psn takes, without metadata: what they are told of is put in by the tests.
 */

const decode = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));

/** Two frames of one pixel that repeat for ever. */
export const GIF = decode(
  "R0lGODlhAQABAIAAAAAAAP///yH/C05FVFNDQVBFMi4wAwEAAAAh+QQECgAAACwAAAAAAQABAAACAkQBACH5BAQKAAAALAAAAAABAAEA" +
    "AAICRAEAOw==",
);

/** Two pixels square, by libavif. */
export const AVIF = decode(
  "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADybWV0YQAAAAAAAAAoaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAGxp" +
    "YmF2aWYAAAAADnBpdG0AAAAAAAEAAAAeaWxvYwAAAABEAAABAAEAAAABAAABGgAAAB0AAAAoaWluZgAAAAAAAQAAABppbmZlAgAAAAAB" +
    "AABhdjAxQ29sb3IAAAAAamlwcnAAAABLaXBjbwAAABRpc3BlAAAAAAAAAAIAAAACAAAAEHBpeGkAAAAAAwgICAAAAAxhdjFDgQ0MAAAA" +
    "ABNjb2xybmNseAACAAIAAYAAAAAXaXBtYQAAAAAAAAABAAEEAQKDBAAAACVtZGF0EgAKCBgANogQEAwgMg8f8D///8WfhwB8+ErK42A=",
);

/** A colour profile as small as one can be: a header, and a description (ICC.1:2022, 7). */
export function icc(): Uint8Array {
  const description = Buffer.from("desc\0\0\0\0\0\0\0\x05Test\0", "latin1");
  const profile = Buffer.alloc(148 + description.length);
  profile.writeUInt32BE(profile.length, 0);
  profile.write("\x02\x40\0\0mntrRGB XYZ ", 8, "latin1");
  profile.write("acsp", 36, "latin1");
  profile.writeUInt32BE(1, 128);
  profile.write("desc", 132, "latin1");
  profile.writeUInt32BE(148, 136);
  profile.writeUInt32BE(description.length, 140);
  profile.set(description, 148);
  return new Uint8Array(profile);
}

/** 30 pixels wide and 20 high. */
export function picture(kind: "jpeg" | "png" | "webp"): Promise<Uint8Array> {
  return new Bun.Image(GIF).resize(30, 20, { fit: "fill" })[kind]().bytes();
}

const FORMATS = {
  mp4: () => new Mp4OutputFormat({ fastStart: "in-memory" }),
  "mp4 in fragments": () => new Mp4OutputFormat({ fastStart: "fragmented" }),
  mov: () => new MovOutputFormat(),
  webm: () => new WebMOutputFormat(),
} as const;

/** Three seconds of nothing worth seeing, by another program's muxer; with `tags`, as that program writes them. */
export async function movie(
  kind: keyof typeof FORMATS,
  tags: Readonly<Record<string, string>> = {},
): Promise<Uint8Array> {
  const target = new BufferTarget();
  const output = new Output({ format: FORMATS[kind](), target });
  const source = new EncodedVideoPacketSource("vp9");
  output.addVideoTrack(source, { frameRate: 10 });
  if (Object.keys(tags).length > 0) output.setMetadataTags(tags);
  await output.start();
  const colorSpace = { primaries: "bt709", transfer: "bt709", matrix: "bt709", fullRange: false } as const;
  const decoderConfig = { codec: "vp09.00.10.08", codedWidth: 320, codedHeight: 180, colorSpace };
  for (let n = 0; n < 30; n += 1)
    await source.add(
      new EncodedPacket(new Uint8Array([128, 1, 2, 3, n]), n % 10 === 0 ? "key" : "delta", n / 10, 0.1),
      { decoderConfig },
    );
  await output.finalize();
  return new Uint8Array(target.buffer ?? new ArrayBuffer(0));
}

/** One empty page, its objects in a table; `information` is written as literal strings. */
export function pdf(
  information: Readonly<Record<string, string>> = {},
  more: readonly (readonly [string, Uint8Array])[] = [],
): Uint8Array {
  const info = Object.entries(information).map(([key, value]) => `/${key} (${value})`);
  const objects: readonly (readonly [string, Uint8Array?])[] = [
    ["<< /Type /Catalog /Pages 2 0 R >>"],
    ["<< /Type /Pages /Kids [3 0 R] /Count 1 >>"],
    ["<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] >>"],
    [`<< ${info.join(" ")} >>`],
    ...more,
  ];
  let file = Buffer.from("%PDF-1.5\n%\xe2\xe3\xcf\xd3\n", "latin1");
  const offsets: number[] = [];
  for (const [n, [head, stream]] of objects.entries()) {
    offsets.push(file.length);
    const body = stream ? [Buffer.from("\nstream\n"), stream, Buffer.from("\nendstream")] : [];
    file = Buffer.concat([file, Buffer.from(`${n + 1} 0 obj\n${head}`, "latin1"), ...body, Buffer.from("\nendobj\n")]);
  }
  const table = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  const named = info.length > 0 ? " /Info 4 0 R" : "";
  const count = objects.length + 1;
  const end =
    `xref\n0 ${count}\n0000000000 65535 f \n${table}trailer\n<< /Size ${count} /Root 1 0 R${named} ` +
    `>>\nstartxref\n${file.length}\n%%EOF\n`;
  return new Uint8Array(Buffer.concat([file, Buffer.from(end)]));
}

/** A box of MP4, QuickTime, AVIF. */
export function box(type: string, ...content: readonly Uint8Array[]): Uint8Array {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(content.reduce((sum, { length: more }) => sum + more, 8));
  return new Uint8Array(Buffer.concat([length, Buffer.from(type, "latin1"), ...content]));
}

/** EXIF of a telephone, in the order of Intel: where, by whom, with which camera, a preview, and Adobe RGB. */
export function gps({ orientation }: { readonly orientation: number }): Uint8Array {
  const directories: readonly (readonly (readonly [
    tag: number,
    type: number,
    count: number,
    value: number | string,
  ])[])[] = [
    [
      [0x0112, 3, 1, orientation],
      [0x013b, 2, 4, "Ada\0"],
      [0x8769, 4, 1, 1],
      [0x8825, 4, 1, 2],
    ],
    [
      [0xa001, 3, 1, 0xffff],
      [0xa005, 4, 1, 3],
      [0xa431, 2, 4, "SN7\0"],
    ],
    [
      [0x0000, 1, 4, "\x02\x03\0\0"],
      [0x0001, 2, 2, "N\0"],
      [0x0002, 5, 3, 0],
    ],
    [[0x0001, 2, 4, "R03\0"]],
    [[0x0103, 3, 1, 6]],
  ];
  const sizes = directories.map((entries) => 6 + entries.length * 12);
  const startOf = (n: number) => 8 + sizes.slice(0, n).reduce((sum, size) => sum + size, 0);
  const file = Buffer.alloc(startOf(directories.length));
  file.write("II*\0\x08\0\0\0", "latin1");
  for (const [n, entries] of directories.entries()) {
    let at = file.writeUInt16LE(entries.length, startOf(n));
    for (const [tag, type, count, value] of entries) {
      file.writeUInt16LE(tag, at);
      file.writeUInt16LE(type, at + 2);
      file.writeUInt32LE(count, at + 4);
      if (typeof value === "string") file.write(value, at + 8, "latin1");
      else file.writeUInt32LE(tag === 0x8769 || tag === 0x8825 || tag === 0xa005 ? startOf(value) : value, at + 8);
      at += 12;
    }
    // The last one, the preview, follows the first.
    if (n === 0) file.writeUInt32LE(startOf(directories.length - 1), at);
  }
  return new Uint8Array(file);
}
