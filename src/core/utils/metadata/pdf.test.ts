import { deflateSync, inflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { gps, pdf, picture } from "../../../../tests/support/media-files.ts";
import { joined, latin1 } from "./bytes.ts";
import { withoutMetadata } from "./index.ts";
import { dictionaryEnd } from "./pdf-objects.ts";

const ascii = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const clean = (bytes: Uint8Array) => {
  const out = withoutMetadata(bytes, "application/pdf");
  if (!out) return expect.unreachable("it must be followed");
  expect(out.bytes.length).toBe(bytes.length);
  expect(withoutMetadata(out.bytes, "application/pdf"), "once more").toEqual({ bytes: out.bytes, taken: [] });
  return out;
};

test("the information dictionary is blank, and every object is where it was", () => {
  const before = pdf({
    Author: "Ada (a \\) of) Lovelace",
    Title: "Secret",
    Subject: ">> endobj 4 0 obj",
    Producer: "psn",
  });
  const { bytes, taken } = clean(before);
  expect(taken).toEqual(["owner name", "comment"]);
  expect(latin1(bytes)).not.toMatch(/Ada|Secret|Author|Producer/);
  expect(latin1(bytes).indexOf("xref")).toBe(latin1(before).indexOf("xref"));
  expect(clean(pdf()).taken).toEqual([]);
});

test("texts that it points to, and those of an earlier revision", () => {
  const pointed = ascii(
    latin1(pdf({ Author: "x" })).replace("/Author (x)", "/Author 9 0 R") +
      "9 0 obj\n(Ada Lovelace)\nendobj\n4 0 obj\n<< /Author (Ada again) >>\nendobj\n%%EOF\n",
  );
  expect(latin1(clean(pointed).bytes)).not.toContain("Ada");
});

test.each([
  ["as it is", "", (bytes: Uint8Array) => bytes] as const,
  ["compressed", " /Filter /FlateDecode", deflateSync] as const,
])("XMP, %s", (_how, filter, pack) => {
  const xmp = pack(
    ascii(
      `<x:xmpmeta xmlns:x="adobe:ns:meta/"><dc:creator>Ada</dc:creator>${" ".repeat(200)}${Math.random()}</x:xmpmeta>`,
    ),
  );
  const before = pdf({}, [[`<< /Type /Metadata /Subtype /XML${filter} /Length ${xmp.length} >>`, xmp]]);
  const { bytes, taken } = clean(before);
  expect(taken).toEqual(["owner name"]);
  const at = latin1(before).indexOf("stream\n") + 7;
  const left = bytes.subarray(at, at + xmp.length);
  expect(latin1(filter === "" ? left : inflateSync(left)).trim()).toBe('<x:xmpmeta xmlns:x="adobe:ns:meta/"/>');
});

test("information within an object stream, as most programs write it today", () => {
  const info = "<< /Author (Ada Lovelace) /Keywords (a, b, c) /Creator (psn) >>";
  const packed = deflateSync(ascii(`9 0 4 7 << >>  ${info}`.replace("9 0 4 7 << >>  ", "9 0 4 6 << >> ")), {
    level: 1,
  });
  const make = (stream: Uint8Array, filter = "/Filter /FlateDecode") =>
    pdf({}, [
      [`<< /Type /ObjStm /N 2 /First 8 ${filter} /Length ${stream.length} >>`, stream],
      ["<< /Type /XRef /Size 9 /Info 4 0 R /Length 0 >>", new Uint8Array()],
    ]);
  // Object 4 of the file is another revision, and empty.
  const before = make(packed);
  const { bytes, taken } = clean(before);
  expect(taken).toEqual(["owner name", "comment"]);
  const at = latin1(before).indexOf("stream\n") + 7;
  expect(latin1(inflateSync(bytes.subarray(at, at + packed.length)))).toMatch(/^9 0 4 6 << >> << {2,}>>$/);
});

test("photographs in it are emptied too, and stay the same pictures", async () => {
  const jpeg = await picture("jpeg");
  const exif = gps({ orientation: 6 });
  const head = Uint8Array.of(0xff, 0xe1, 0, exif.length + 8, ...ascii("Exif\0\0"), ...exif);
  const photo = joined([jpeg.subarray(0, 2), head, jpeg.subarray(2), ascii("by Ada")]);
  const before = pdf({}, [
    [`<< /Type /XObject /Subtype /Image /Filter [ /DCTDecode ] /Length ${photo.length} >>`, photo],
  ]);
  const { bytes, taken } = clean(before);
  expect(taken).toEqual(["position", "camera serial number", "owner name", "preview picture", "data behind the end"]);
  expect(latin1(bytes)).not.toMatch(/Ada|SN7/);
  expect(latin1(bytes)).toContain(latin1(jpeg.subarray(2)));
});

test("an encrypted document is not followed, nor one whose information lies where psn cannot look", () => {
  const encrypted = ascii(latin1(pdf({ Author: "Ada" })).replace("/Root 1 0 R", "/Root 1 0 R /Encrypt 9 0 R"));
  expect(withoutMetadata(encrypted, "application/pdf")).toBeUndefined();
  const closed = pdf({}, [
    ["<< /Type /ObjStm /N 1 /First 4 /Filter /LZWDecode /Length 3 >>", ascii("abc")],
    ["<< /Type /XRef /Info 77 0 R /Length 0 >>", new Uint8Array()],
  ]);
  expect(withoutMetadata(closed, "application/pdf")).toBeUndefined();
});

test("a file of nothing but beginnings takes no longer than another", () => {
  for (const head of [
    "1 0 obj<<(",
    "1 0 obj<<>>stream\n",
    "1 0 obj<</A %",
    "1 0 obj ",
    "/Info 1 0 R ",
    "1 0 obj<</Info 1 0 R>>",
  ])
    withoutMetadata(ascii(`%PDF-1.4\n${head.repeat(30_000)}`), "application/pdf");
});

test("where a dictionary ends", () => {
  const whole = "<< /A (>> \\) ( )) % >>\n /B << /C <3e3e> >> >>";
  expect(dictionaryEnd(`${whole} rest`, 0)).toBe(whole.length);
  expect(dictionaryEnd("<< /A (", 0)).toBeUndefined();
  expect(dictionaryEnd("[ 1 ]", 0)).toBeUndefined();
});
