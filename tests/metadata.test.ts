import { execFileSync, spawnSync } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMedia } from "@psn/core/utils/media.ts";
import { latin1 } from "@psn/core/utils/metadata/bytes.ts";
import { segmentsOf } from "@psn/core/utils/metadata/jpeg.ts";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { AVIF, GIF, icc, movie, pdf, picture } from "./support/media-files.ts";

/*
 * What another program, exiftool (Debian: libimage-exiftool-perl), writes into files of every kind and finds in them
 * again, before and after.
 */

const hasExiftool = spawnSync("exiftool", ["-ver"]).status === 0;
if (!hasExiftool)
  console.info("skipped: tests/metadata.test.ts needs exiftool (apt-get install libimage-exiftool-perl)");

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "psn-metadata-"));
  await writeFile(join(folder, "profile.icc"), icc());
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Every field of a file as `Group:Name` with its value, but for those of the file system. */
function fieldsOf(path: string): Record<string, string> {
  const text = execFileSync("exiftool", ["-a", "-G1", "-s", "-ee", "-u", path], { encoding: "utf8" });
  const fields = [...text.matchAll(/^\[(.+?)\]\s+(\S+)\s*: (.*)$/gm)].map(([, group, name, value]) => [
    `${group}:${name}`,
    value ?? "",
  ]);
  return Object.fromEntries(
    fields.filter(([name]) => !/^(System|ExifTool|File:(Directory|FileName))/.test(name ?? "")),
  );
}

/** Each value is a word that stands nowhere else, so that it can be searched for in the bytes too. */
const CANARIES = ["Zanzibarplace", "SN8472919", "Adacanary", "Commentcanary", "Titlecanary"] as const;
const [PLACE, SERIAL, OWNER, COMMENT, TITLE] = CANARIES;
const GPS = ["-GPSLatitude=52.516", "-GPSLatitudeRef=N", "-GPSLongitude=13.377", "-GPSLongitudeRef=E"];
const EXIF = [
  ...GPS,
  "-EXIF:Orientation#=6",
  `-EXIF:SerialNumber=${SERIAL}`,
  `-EXIF:OwnerName=${OWNER}`,
  `-EXIF:Artist=${OWNER}`,
  `-EXIF:UserComment=${COMMENT}`,
  `-EXIF:ImageDescription=${TITLE}`,
  "-EXIF:ColorSpace#=65535",
];
const XMP = [
  `-XMP-dc:Creator=${OWNER}`,
  `-XMP-photoshop:City=${PLACE}`,
  `-XMP-aux:SerialNumber=${SERIAL}`,
  `-XMP-dc:Description=${COMMENT}`,
];
const ICC = ["-ICC_Profile<=profile.icc"];
const IPTC = [`-IPTC:City=${PLACE}`, `-IPTC:By-line=${OWNER}`, `-IPTC:Caption-Abstract=${COMMENT}`];

interface Kind {
  readonly name: string;
  readonly make: () => Promise<Uint8Array>;
  readonly write: readonly string[];
  readonly taken: readonly string[];
  /** What must not change: the compressed picture. */
  readonly pixels: (bytes: Uint8Array) => unknown;
}

const mediaData = (bytes: Uint8Array) => {
  const at = Buffer.from(bytes).indexOf("mdat");
  return [at, bytes.subarray(at, at + Buffer.from(bytes).readUInt32BE(at - 4) - 4)];
};
const chunks = (types: RegExp) => (bytes: Uint8Array) => {
  const all = Buffer.from(bytes);
  const little = all.toString("latin1", 0, 4) === "RIFF";
  const found: string[] = [];
  for (let at = little ? 12 : 8; at + 8 <= all.length; ) {
    const [size, type] = little
      ? [all.readUInt32LE(at + 4), latin1(all.subarray(at, at + 4))]
      : [all.readUInt32BE(at), latin1(all.subarray(at + 4, at + 8))];
    if (types.test(type)) found.push(type, all.toString("base64", at + 8, at + 8 + size));
    at += little ? 8 + size + (size % 2) : 12 + size;
  }
  return found;
};
const scans = (bytes: Uint8Array) =>
  (segmentsOf(bytes) ?? [])
    .filter(({ marker }) => marker < 0xe0)
    .map(({ start, end }) => Buffer.from(bytes.subarray(start, end)).toString("base64"));
const ALL = ["position", "camera serial number", "owner name", "comment"];

/** How long a frame is shown, and the frame; behind header, colours and the sign that it repeats. */
const FRAMES = [latin1(GIF.subarray(38, 46)), latin1(GIF.subarray(46, 61))];

const KINDS: readonly Kind[] = [
  {
    name: "photo.jpg",
    make: () => picture("jpeg"),
    write: [...EXIF, ...XMP, ...IPTC, ...ICC, `-Comment=${COMMENT}`],
    taken: ALL,
    pixels: scans,
  },
  {
    name: "photo.png",
    make: () => picture("png"),
    write: [...EXIF, ...XMP, ...ICC, `-PNG:Author=${OWNER}`, `-PNG:Comment=${COMMENT}`, `-PNG:Title=${TITLE}`],
    taken: ALL,
    pixels: chunks(/^(IHDR|PLTE|IDAT|iCCP|tRNS)$/),
  },
  {
    name: "photo.webp",
    make: () => picture("webp"),
    write: [...EXIF, ...XMP, ...ICC],
    taken: ALL,
    pixels: chunks(/^(VP8 |VP8L|ALPH|ICCP)$/),
  },
  {
    name: "photo.avif",
    make: async () => AVIF,
    write: [...EXIF, ...XMP],
    taken: ALL,
    pixels: (bytes) => pictureOf(bytes),
  },
  {
    name: "loop.gif",
    make: async () => GIF,
    write: [...XMP, `-Comment=${COMMENT}`],
    taken: ALL,
    pixels: (bytes) => ["NETSCAPE2.0", ...FRAMES].map((one) => latin1(bytes).split(one).length - 1),
  },
  {
    name: "film.mp4",
    make: () => movie("mp4"),
    write: [
      ...XMP,
      "-Keys:GPSCoordinates=52.516, 13.377",
      `-ItemList:Author=${OWNER}`,
      `-ItemList:Comment=${COMMENT}`,
      `-UserData:Title=${TITLE}`,
    ],
    taken: ALL,
    pixels: mediaData,
  },
  {
    name: "film.mov",
    make: () => movie("mov"),
    write: [
      ...XMP,
      "-UserData:GPSCoordinates=52.516, 13.377",
      `-Keys:Author=${OWNER}`,
      `-Keys:Comment=${COMMENT}`,
      `-Keys:Title=${TITLE}`,
    ],
    taken: ALL,
    pixels: mediaData,
  },
  {
    name: "slides.pdf",
    make: async () => pdf({ Title: TITLE, Author: OWNER }),
    write: [...XMP, `-PDF:Subject=${COMMENT}`, `-PDF:Keywords=${PLACE}`],
    taken: ALL,
    pixels: (bytes) => bytes.length,
  },
];

/** The first item's bytes: nothing but the picture lies in this file's `mdat` at first. */
const pictureOf = (bytes: Uint8Array) => Buffer.from(bytes).includes(Buffer.from(AVIF.subarray(-29)));

const WHO = new RegExp(
  [
    "GPS|Location|City|Serial|Owner|Artist|Author|Creator$|Comment|(?<!Handler)Description$",
    "By-line|Caption|Title|Subject|Keywords|Copyright",
  ].join("|"),
);
/** What a picture is shown by. */
const SHOWN = [
  "ICC|IFD0:Orientation|ExifIFD:ColorSpace",
  ".*:(ImageWidth|ImageHeight|ImageSize|Megapixels|Rotation)",
  ".*:(Duration|VideoFrameRate|AnimationIterations|FrameCount|PageCount|PDFVersion)",
].join("|");

describe.skipIf(!hasExiftool)("exiftool finds nothing of where, by whom and with which camera", () => {
  test.each(KINDS)("$name", async ({ name, make, write, taken, pixels }) => {
    const path = join(folder, name);
    await writeFile(path, await make());
    execFileSync("exiftool", ["-q", "-overwrite_original", "-api", "LargeFileSupport=1", ...write, path], {
      stdio: "pipe",
      cwd: folder,
    });
    const before = fieldsOf(path);
    const raw = new Uint8Array(await readFile(path));
    expect(Object.keys(before).filter((field) => WHO.test(field)).length, "what was written is there").toBeGreaterThan(
      3,
    );

    const read = await readMedia(path);
    expect(read.taken).toEqual(expect.arrayContaining([...taken]));
    const clean = join(folder, `clean-${name}`);
    await writeFile(clean, read.bytes);
    const after = fieldsOf(clean);
    expect(Object.keys(after).filter((field) => WHO.test(field) && !field.startsWith("ICC"))).toEqual([]);
    for (const canary of CANARIES) expect(latin1(read.bytes), canary).not.toContain(canary);

    const shown = (fields: Record<string, string>) =>
      Object.fromEntries(Object.entries(fields).filter(([field]) => new RegExp(`^(${SHOWN})`).test(field)));
    expect(shown(after)).toEqual(shown(before));
    expect(pixels(read.bytes)).toEqual(pixels(raw));
    expect(after["ExifTool:Warning"]).toBeUndefined();

    // Once more there is nothing to take, and nothing changes.
    await writeFile(clean, read.bytes);
    expect(await readMedia(clean)).toMatchObject({ taken: [], sha256: read.sha256 });
    // Who means it keeps it all.
    expect(await readMedia(path, { keepMetadata: true })).toMatchObject({ taken: [], bytes: raw });
  });
});
