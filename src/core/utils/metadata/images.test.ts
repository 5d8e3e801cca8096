import { crc32 } from "node:zlib";
import type { MediaType } from "@psn/core/types/post.ts";
import { describe, expect, test } from "vitest";
import { AVIF, box, GIF, gps, icc, picture } from "../../../../tests/support/media-files.ts";
import { joined, latin1 } from "./bytes.ts";
import { exifOf, readExif } from "./exif.ts";
import { withoutMetadata } from "./index.ts";

const ascii = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const clean = (bytes: Uint8Array, mime: MediaType) => {
  const out = withoutMetadata(bytes, mime);
  if (!out) return expect.unreachable("it must be followed");
  return out;
};

/**
 * A PHOTOGRAPH of a telephone: turned to the right, in Adobe RGB, with position, serial number, owner and a preview.
 */
const EXIF = gps({ orientation: 6 });

describe("EXIF", () => {
  test("what says how a picture is shown is told apart from what tells of it", () => {
    const { shown, taken } = readExif(EXIF);
    expect(shown).toEqual({ orientation: 6, colorSpace: 0xffff, interoperability: "R03" });
    expect([...taken].sort()).toEqual(["camera serial number", "owner name", "position", "preview picture"]);
  });

  test("what is kept reads as it was, in every combination", () => {
    for (const shown of [
      { orientation: 8 },
      { colorSpace: 1 },
      { interoperability: "R98" },
      { orientation: 3, colorSpace: 0xffff, interoperability: "R03" },
    ]) {
      expect(readExif(exifOf(shown) ?? new Uint8Array())).toEqual({ shown, taken: new Set() });
    }
    expect(exifOf({})).toBeUndefined();
  });

  test("directories that lead to themselves, out of the block, or nowhere end", () => {
    const loop = Uint8Array.of(
      0x4d,
      0x4d,
      0,
      42,
      0,
      0,
      0,
      8,
      0,
      1,
      0x87,
      0x69,
      0,
      4,
      0,
      0,
      0,
      1,
      0,
      0,
      0,
      8,
      0,
      0,
      0,
      8,
    );
    expect(readExif(loop)).toEqual({ shown: {}, taken: new Set() });
    for (let length = 0; length < EXIF.length; length += 1) readExif(EXIF.slice(0, length));
  });
});

describe("JPEG", () => {
  const segment = (marker: number, body: Uint8Array) =>
    Uint8Array.of(0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255, ...body);
  const exif = segment(0xe1, joined([ascii("Exif\0\0"), EXIF]));
  const profile = segment(0xe2, joined([ascii("ICC_PROFILE\0\x01\x01"), icc()]));
  const adobe = segment(0xee, ascii("Adobe\0\x64\0\0\0\0\x01"));

  test("segments of applications and comments go; orientation, profile and picture stay", async () => {
    const jpeg = await picture("jpeg");
    const told = [
      exif,
      profile,
      adobe,
      segment(0xe1, ascii("http://ns.adobe.com/xap/1.0/\0<x photoshop:City='Anytown'/>")),
      segment(0xed, ascii("Photoshop 3.0\x008BIM\x04\x04\0\0\0\0\0\x08\x1c\x02\x50\0\x03Ada")),
      segment(0xe2, ascii("MPF\0MM\0*")),
      segment(0xeb, ascii("JP\0\x01 who signed it")),
      segment(0xe5, ascii("of a program nobody knows")),
      segment(0xfe, ascii("a comment")),
    ];
    const rest = jpeg.subarray(2);
    const { bytes, taken } = clean(joined([jpeg.subarray(0, 2), ...told, rest, ascii("depth map")]), "image/jpeg");
    expect(taken).toEqual([
      "position",
      "camera serial number",
      "owner name",
      "comment",
      "preview picture",
      "other metadata",
      "data behind the end",
    ]);
    const kept = segment(
      0xe1,
      joined([
        ascii("Exif\0\0"),
        exifOf({ orientation: 6, colorSpace: 0xffff, interoperability: "R03" }) ?? new Uint8Array(),
      ]),
    );
    expect(bytes).toEqual(joined([jpeg.subarray(0, 2), kept, profile, adobe, rest]));
  });

  test("a segment between two scans goes too, and a fill byte before a marker is the scan's", () => {
    const scan = Uint8Array.of(0xff, 0xda, 0, 4, 1, 2, 9, 0xff, 0, 9, 0xff, 0xd0, 9);
    const comment = segment(0xfe, ascii("between"));
    const out = clean(
      joined([Uint8Array.of(0xff, 0xd8), scan, Uint8Array.of(0xff), comment, scan, Uint8Array.of(0xff, 0xd9)]),
      "image/jpeg",
    );
    expect(out).toEqual({
      bytes: joined([Uint8Array.of(0xff, 0xd8), scan, Uint8Array.of(0xff), scan, Uint8Array.of(0xff, 0xd9)]),
      taken: ["comment"],
    });
  });

  test("the small picture in JFIF goes", () => {
    const jfif = segment(0xe0, ascii("JFIF\0\x01\x02\0\0\x01\0\x01\x01\x01rgb"));
    const rest = Uint8Array.of(0xff, 0xda, 0, 2, 7, 0xff, 0xd9);
    const out = clean(joined([Uint8Array.of(0xff, 0xd8), jfif, rest]), "image/jpeg");
    expect(out.taken).toEqual(["preview picture"]);
    expect(out.bytes).toEqual(
      joined([Uint8Array.of(0xff, 0xd8), segment(0xe0, ascii("JFIF\0\x01\x02\0\0\x01\0\x01\0\0")), rest]),
    );
  });

  test("of one that tells nothing not a byte is changed", async () => {
    const jpeg = await picture("jpeg");
    expect(clean(jpeg, "image/jpeg")).toEqual({ bytes: jpeg, taken: [] });
  });
});

describe("PNG", () => {
  const chunk = (type: string, body: Uint8Array) => {
    const named = joined([ascii(type), body]);
    const numbers = Buffer.alloc(8);
    numbers.writeUInt32BE(body.length, 0);
    numbers.writeUInt32BE(crc32(named), 4);
    return joined([numbers.subarray(0, 4), named, numbers.subarray(4)]);
  };

  test("texts, times and unknown chunks go; colours and orientation stay", async () => {
    const png = await picture("png");
    const [head, rest] = [png.subarray(0, 33), png.subarray(33)];
    const shown = [
      chunk("gAMA", Uint8Array.of(0, 1, 134, 160)),
      chunk("sRGB", Uint8Array.of(0)),
      chunk("cICP", Uint8Array.of(1, 13, 0, 1)),
    ];
    const told = [
      chunk("eXIf", EXIF),
      chunk("tEXt", ascii("Author\0Ada")),
      chunk("zTXt", ascii("Raw profile type exif\0\0packed")),
      chunk("iTXt", ascii("XML:com.adobe.xmp\0\0\0\0\0<x exif:GPSLatitude='1'/>")),
      chunk("tEXt", ascii("Software\0gimp")),
      chunk("tIME", new Uint8Array(7)),
      chunk("caBX", ascii("who signed it")),
    ];
    const out = clean(joined([head, ...shown, ...told, rest, ascii("behind")]), "image/png");
    const exif = exifOf({ orientation: 6, colorSpace: 0xffff, interoperability: "R03" }) ?? new Uint8Array();
    expect(out.bytes).toEqual(joined([head, ...shown, chunk("eXIf", exif), rest]));
    expect(out.taken).toEqual([
      "position",
      "camera serial number",
      "owner name",
      "comment",
      "preview picture",
      "camera data",
      "other metadata",
      "data behind the end",
    ]);
    expect(clean(png, "image/png")).toEqual({ bytes: png, taken: [] });
  });
});

describe("WebP", () => {
  const chunk = (type: string, body: Uint8Array) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(body.length);
    return joined([ascii(type), size, body, new Uint8Array(body.length % 2)]);
  };
  const webp = (...chunks: readonly Uint8Array[]) =>
    joined([ascii("RIFF"), chunk("", joined([ascii("WEBP"), ...chunks]))]);

  test("EXIF and XMP go, also from a frame; flags, profile and animation are right", () => {
    const head = (flags: number) => chunk("VP8X", Uint8Array.of(flags, 0, 0, 0, 1, 0, 0, 1, 0, 0));
    const frame = (...inner: readonly Uint8Array[]) => chunk("ANMF", joined([new Uint8Array(16), ...inner]));
    const shown = [chunk("ICCP", icc()), chunk("ANIM", new Uint8Array(6))];
    const out = clean(
      webp(
        head(0b101110),
        ...shown,
        frame(chunk("VP8L", ascii("odd")), chunk("ABCD", ascii("of Ada"))),
        chunk("EXIF", EXIF),
        chunk("XMP ", ascii("<x dc:creator='Ada'/>")),
      ),
      "image/webp",
    );
    const exif = exifOf({ orientation: 6, colorSpace: 0xffff, interoperability: "R03" }) ?? new Uint8Array();
    expect(out.bytes).toEqual(webp(head(0b101010), ...shown, frame(chunk("VP8L", ascii("odd"))), chunk("EXIF", exif)));
    expect(out.taken).toEqual(["position", "camera serial number", "owner name", "preview picture", "other metadata"]);
    expect(clean(webp(head(0b001100), chunk("VP8L", ascii("odd"))), "image/webp")).toEqual({
      bytes: webp(head(0), chunk("VP8L", ascii("odd"))),
      taken: [],
    });
  });
});

describe("GIF", () => {
  test("comments, texts and XMP go; it is as long, and repeats as often", () => {
    const [head, frames] = [GIF.subarray(0, 38), GIF.subarray(38)];
    const sub = (text: string) => [text.length, ...ascii(text)];
    const comment = Uint8Array.of(0x21, 0xfe, ...sub("by Ada"), 0);
    const xmp = Uint8Array.of(0x21, 0xff, ...sub("XMP DataXMP"), ...sub("<x exif:GPSLatitude='1'/>"), 0);
    const text = Uint8Array.of(0x21, 0xf9, 4, 0, 1, 0, 0, 0, 0x21, 0x01, ...sub("x".repeat(12)), ...sub("hidden"), 0);
    const out = clean(joined([head, comment, xmp, text, frames, ascii("behind")]), "image/gif");
    expect(out).toEqual({ bytes: GIF, taken: ["position", "comment", "data behind the end"] });
  });
});

describe("AVIF", () => {
  /** `meta` as its specification lists it, with a picture, EXIF, and XMP that lies in `idat`. */
  const file = (exif: Uint8Array, xmp: Uint8Array) => {
    const number = (value: number, size = 4) =>
      Uint8Array.from({ length: size }, (_, n) => value >> (8 * (size - 1 - n)));
    const infe = (id: number, type: string) =>
      box("infe", Uint8Array.of(2, 0, 0, 0), number(id, 2), number(0, 2), ascii(`${type}\0`));
    const types = box("iinf", new Uint8Array(4), number(3, 2), infe(1, "av01"), infe(2, "Exif"), infe(3, "mime"));
    const make = (at: number) => {
      const one = (id: number, method: number, start: number, length: number) =>
        joined([number(id, 2), number(method, 2), number(0, 2), number(1, 2), number(start), number(length)]);
      const places = box(
        "iloc",
        Uint8Array.of(1, 0, 0, 0, 0x44, 0),
        number(3, 2),
        one(1, 0, at, 5),
        one(2, 0, at + 5, exif.length),
        one(3, 1, 0, xmp.length),
      );
      const texts = box(
        "iprp",
        box("ipco", box("irot", Uint8Array.of(1)), box("udes", ascii("\0\0\0\0en\0Ada's garden\0\0"))),
      );
      return joined([
        box("ftyp", ascii("avif\0\0\0\0avif")),
        box(
          "meta",
          new Uint8Array(4),
          box("hdlr", new Uint8Array(25)),
          types,
          places,
          texts,
          box("idat", xmp),
          box("uuid", ascii("signed by Ada now")),
        ),
        box("mdat", ascii("pixel"), exif),
      ]);
    };
    return make(make(0).length - exif.length - 5);
  };

  test("EXIF keeps the orientation, XMP and descriptions are blank, and nothing moves", () => {
    const exif = joined([new Uint8Array(4), EXIF]);
    const before = file(exif, ascii("<x dc:creator='Ada'/>"));
    const { bytes, taken } = clean(before, "image/avif");
    expect(taken).toEqual([
      "position",
      "camera serial number",
      "owner name",
      "comment",
      "preview picture",
      "other metadata",
    ]);
    expect(bytes.length).toBe(before.length);
    expect(latin1(bytes)).not.toMatch(/Ada|SERIAL/);
    const after = bytes.subarray(bytes.length - exif.length);
    expect(readExif(after.subarray(4))).toEqual({ shown: readExif(EXIF).shown, taken: new Set() });
    expect(latin1(bytes.subarray(0, bytes.length - exif.length))).toMatch(/irot[\s\S]*pixel$/);
    expect(clean(bytes, "image/avif")).toEqual({ bytes, taken: [] });
    expect(clean(AVIF, "image/avif")).toEqual({ bytes: AVIF, taken: [] });
  });
});

test("a file that cannot be followed gives nothing, and none is looked at for ever", () => {
  expect(withoutMetadata(ascii("\xff\xd8\xff\xe1\xff\xffExif"), "image/jpeg")).toBeUndefined();
  expect(withoutMetadata(ascii("\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR1234"), "image/png")).toBeUndefined();
  expect(withoutMetadata(ascii("RIFF\xff\xff\xff\x7fWEBPVP8 1234"), "image/webp")).toBeUndefined();
  // No WebP at all: eight bytes of zero, and another kind of RIFF.
  expect(withoutMetadata(new Uint8Array(15), "image/webp")).toBeUndefined();
  expect(withoutMetadata(ascii("RIFF\x04\0\0\0WAVE"), "image/webp")).toBeUndefined();
  expect(withoutMetadata(GIF.slice(0, -1), "image/gif")).toBeUndefined();
  expect(withoutMetadata(box("meta", ascii("\0\0\0\0\0\0\0\x02iloc")), "image/avif")).toBeUndefined();
});
