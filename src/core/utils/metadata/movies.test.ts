import type { MediaType } from "@psn/core/types/post.ts";
import { describe, expect, test } from "vitest";
import { box, movie } from "../../../../tests/support/media-files.ts";
import { readVideo } from "../video.ts";
import { joined, latin1 } from "./bytes.ts";
import { withoutMetadata } from "./index.ts";

const ascii = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const numbers = (...values: readonly number[]) => {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [n, value] of values.entries()) bytes.writeUInt32BE(value, n * 4);
  return new Uint8Array(bytes);
};
const clean = (bytes: Uint8Array, mime: MediaType) => {
  const out = withoutMetadata(bytes, mime);
  if (!out) return expect.unreachable("it must be followed");
  return out;
};

interface Track {
  readonly id: number;
  readonly handler: string;
  readonly format: string;
  /** Where its only chunk of two samples lies. */
  readonly at: number;
  readonly sizes: Uint8Array;
  readonly more?: readonly Uint8Array[];
}

const track = ({ id, handler, format, at, sizes, more = [] }: Track) =>
  box(
    "trak",
    box("tkhd", numbers(0, 0, 0, id)),
    ...more,
    box(
      "mdia",
      box("hdlr", numbers(0, 0), ascii(handler), numbers(0, 0, 0), ascii(`made from /home/ada/${handler}.raw\0`)),
      box(
        "minf",
        box(
          "stbl",
          box("stsd", numbers(0, 1), box(format, numbers(0, 0))),
          box("stsc", numbers(0, 1, 1, 2, 1)),
          sizes,
          box("stco", numbers(0, 1, at)),
        ),
      ),
    ),
  );

const SPHERICAL = joined([
  new Uint8Array(Buffer.from("ffcc8263f8554a938814587a02521fdd", "hex")),
  ascii("<rdf equirectangular>"),
]);

/** A film, the trail of where it was made beside it, and all that tells of it. */
function film(): Uint8Array {
  const make = (at: number) =>
    joined([
      box("ftyp", ascii("isom\0\0\0\0isom")),
      box("free", ascii("left over by Ada")),
      box(
        "moov",
        box("mvhd", numbers(0, 0)),
        track({
          id: 1,
          handler: "vide",
          format: "avc1",
          at,
          sizes: box("stsz", numbers(0, 0, 2, 2, 3)),
          more: [
            box("tref", box("cdsc", numbers(2))),
            box("uuid", SPHERICAL),
            box("udta", box("name", ascii("Ada's"))),
          ],
        }),
        track({ id: 2, handler: "meta", format: "gpmd", at: at + 5, sizes: box("stsz", numbers(0, 0, 2, 4, 6)) }),
        track({
          id: 3,
          handler: "text",
          format: "text",
          at: at + 15,
          sizes: box("stz2", numbers(0, 8, 2), Uint8Array.of(1, 2)),
        }),
        box("udta", box("\xa9xyz", ascii("\0\x12\x15\xc7+52.5164+013.3777/")), box("auth", ascii("Ada"))),
        box("meta", ascii("com.apple.quicktime.location.ISO6709 serial")),
      ),
      box("mdat", ascii("PIXELtrailtrailABC")),
      box(
        "uuid",
        new Uint8Array(Buffer.from("be7acfcb97a942e89c71999491e3afac", "hex")),
        ascii("<x dc:description='hers'/>"),
      ),
      box("SSIX", ascii("of a program nobody knows")),
    ]);
  const at = latin1(make(0)).indexOf("PIXEL");
  return make(at);
}

describe("MP4 and QuickTime", () => {
  test("what tells of the film is nulls, the track that says where it was made too, and nothing moves", () => {
    const before = film();
    const { bytes, taken } = clean(before, "video/mp4");
    expect(taken).toEqual(["position", "camera serial number", "owner name", "comment", "other metadata"]);
    expect(bytes.length).toBe(before.length);
    const text = latin1(bytes);
    expect(text).not.toMatch(/Ada|ada|xyz|52\.5|trail|gpmd|quicktime|hers|nobody/);
    // The film and its captions, at their places.
    expect(text.indexOf("PIXEL")).toBe(latin1(before).indexOf("PIXEL"));
    expect(text).toContain(`PIXEL${"\0".repeat(10)}ABC`);
    expect(text).toContain("equirectangular");
    expect(text).not.toContain("cdsc");
    expect(clean(bytes, "video/mp4")).toEqual({ bytes, taken: [] });
  });

  test("in fragments, with sizes of their own and taken for granted", () => {
    const traf = (id: number, at: number, ...run: readonly Uint8Array[]) =>
      box(
        "traf",
        box("tfhd", numbers(0x020000, id)),
        box("trun", numbers(run.length > 0 ? 0x201 : 0x001, 2, at), ...run),
      );
    const make = (at: number) => {
      const head = [
        box("ftyp", ascii("iso5\0\0\0\0iso5")),
        box(
          "moov",
          track({ id: 1, handler: "vide", format: "avc1", at: 0, sizes: box("stsz", numbers(0, 0, 0)) }),
          track({ id: 2, handler: "camm", format: "camm", at: 0, sizes: box("stsz", numbers(0, 0, 0)) }),
          box("mvex", box("trex", numbers(0, 1, 1, 0, 3, 0)), box("trex", numbers(0, 2, 1, 0, 4, 0))),
        ),
      ];
      const moof = box(
        "moof",
        box("mfhd", numbers(0, 1)),
        traf(1, at),
        traf(2, at + 6),
        traf(2, at + 14, numbers(2, 3)),
      );
      return [joined(head), joined([moof, box("mdat", ascii("PIXELSposition+lat+"), ascii("more"))])] as const;
    };
    const [, body] = make(0);
    const before = joined(make(latin1(body).indexOf("PIXELS")));
    const { bytes, taken } = clean(before, "video/mp4");
    expect(taken).toEqual(["position", "other metadata"]);
    expect(latin1(bytes)).toContain(`PIXELS${"\0".repeat(13)}more`);
    expect(latin1(bytes)).not.toMatch(/camm/);
  });

  test.each(["mp4", "mp4 in fragments", "mov"] as const)("%s of another program plays as before", async (kind) => {
    const mime = kind === "mov" ? "video/quicktime" : "video/mp4";
    const before = await movie(kind, { artist: "Ada", comment: "by Ada", title: "Ada's" });
    const { bytes, taken } = clean(before, mime);
    expect(taken).toEqual(["owner name", "comment"]);
    expect(latin1(bytes)).not.toContain("Ada");
    expect(await readVideo(bytes)).toEqual(await readVideo(before));
    const bare = await movie(kind);
    expect(clean(bare, mime)).toEqual({ bytes: bare, taken: [] });
  });

  test("boxes, tables and samples that reach out of the file are not followed", () => {
    const out = (at: number) =>
      box(
        "moov",
        track({ id: 2, handler: "meta", format: "gpmd", at, sizes: box("stsz", numbers(0, 0, 2, 4, 0x7fffffff)) }),
      );
    expect(withoutMetadata(out(0), "video/mp4")).toBeUndefined();
    expect(withoutMetadata(out(0xffffffff), "video/mp4")).toBeUndefined();
    expect(withoutMetadata(box("moov", numbers(9_000, 0)), "video/mp4")).toBeUndefined();
  });
});

describe("WebM", () => {
  const size = (length: number) => Uint8Array.of(0x40 | (length >> 8), length & 255);
  const element = (id: readonly number[], ...content: readonly Uint8Array[]) => {
    const body = joined(content);
    return joined([Uint8Array.from(id), size(body.length), body]);
  };
  const [SEGMENT, INFO, TAGS, CLUSTER] = [
    [0x18, 0x53, 0x80, 0x67],
    [0x15, 0x49, 0xa9, 0x66],
    [0x12, 0x54, 0xc3, 0x67],
    [0x1f, 0x43, 0xb6, 0x75],
  ] as const;
  const seek = (id: readonly number[]) =>
    element([0x4d, 0xbb], element([0x53, 0xab], Uint8Array.from(id)), element([0x53, 0xac], numbers(9)));
  const crc = element([0xbf], numbers(12345));
  const parts = (cluster: Uint8Array) => [
    element([0x11, 0x4d, 0x9b, 0x74], seek(TAGS), seek(CLUSTER)),
    element(INFO, crc, element([0x2a, 0xd7, 0xb1], numbers(1_000_000)), element([0x7b, 0xa9], ascii("Ada's day"))),
    cluster,
    element(TAGS, ascii("LOCATION +52.5 "), ascii("ARTIST Ada ".repeat(20))),
    element([0x19, 0x41, 0xa4, 0x69], ascii("Ada.jpg")),
  ];

  test("tags, title, attachments and the ways to them are void, and clusters stay where they are", () => {
    const before = element(SEGMENT, ...parts(element(CLUSTER, ascii("PIXELS"))));
    const { bytes, taken } = clean(before, "video/webm");
    expect(taken).toEqual(["position", "owner name", "comment", "other metadata"]);
    const text = latin1(bytes);
    expect(text).not.toMatch(/Ada|LOCATION/);
    expect(text.indexOf("PIXELS")).toBe(latin1(before).indexOf("PIXELS"));
    // The sum over what was changed, and the way to the tags.
    expect(text).not.toContain(latin1(crc));
    expect(text).not.toContain(latin1(Uint8Array.from(TAGS)));
    expect(clean(bytes, "video/webm")).toEqual({ bytes, taken: [] });
  });

  test("of unknown length, as a browser records it", () => {
    const unknown = (id: readonly number[], ...content: readonly Uint8Array[]) =>
      joined([Uint8Array.from(id), Uint8Array.of(1, 255, 255, 255, 255, 255, 255, 255), ...content]);
    const before = unknown(SEGMENT, ...parts(unknown(CLUSTER, element([0xa3], ascii("PIXELS")))));
    expect(latin1(clean(before, "video/webm").bytes)).not.toMatch(/Ada|LOCATION/);
  });

  test("of another program", async () => {
    const before = await movie("webm", { artist: "Ada", comment: "by Ada", title: "Ada's" });
    const { bytes, taken } = clean(before, "video/webm");
    expect(taken).toEqual(expect.arrayContaining(["owner name", "comment"]));
    expect(latin1(bytes)).not.toContain("Ada");
    expect(await readVideo(bytes)).toEqual(await readVideo(before));
    const bare = await movie("webm");
    expect(clean(bare, "video/webm")).toEqual({ bytes: bare, taken: [] });
  });
});
