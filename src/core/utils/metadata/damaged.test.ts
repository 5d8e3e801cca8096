import { MEDIA_TYPES } from "@psn/core/types/post.ts";
import fc from "fast-check";
import { beforeAll, expect, test } from "vitest";
import { AVIF, GIF, gps, movie, pdf, picture } from "../../../../tests/support/media-files.ts";
import { joined } from "./bytes.ts";
import { withoutMetadata } from "./index.ts";

/* Files that are cut off, changed, or made of parts that do not belong together: followed or not, and nothing else. */

const ascii = (text: string) => new Uint8Array(Buffer.from(text, "latin1"));
const files = new Map<string, Uint8Array>();

beforeAll(async () => {
  const exif = gps({ orientation: 6 });
  const jpeg = await picture("jpeg");
  const segment = Uint8Array.of(0xff, 0xe1, 0, exif.length + 8, ...ascii("Exif\0\0"), ...exif);
  files.set("image/jpeg", joined([jpeg.subarray(0, 2), segment, jpeg.subarray(2)]));
  files.set("image/png", await picture("png"));
  files.set("image/webp", await picture("webp"));
  files.set("image/gif", GIF);
  files.set("image/avif", AVIF);
  const tags = { artist: "Ada", comment: "by Ada" };
  files.set("video/mp4", await movie("mp4 in fragments", tags));
  files.set("video/quicktime", await movie("mov", tags));
  files.set("video/webm", await movie("webm", tags));
  files.set(
    "application/pdf",
    pdf({ Author: "Ada" }, [["<< /Type /Metadata /Length 30 >>", ascii("<x dc:creator='Ada'/>         ")]]),
  );
});

/** Bytes put over a file's own, and where it ends. */
const damage = fc.record({
  puts: fc.array(
    fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      bytes: fc.oneof(
        fc.uint8Array({ maxLength: 8 }),
        fc.constant(Uint8Array.of(255, 255, 255, 255)),
        fc.constant(new Uint8Array(8)),
      ),
    }),
    { maxLength: 6 },
  ),
  length: fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true })),
});

test.each(MEDIA_TYPES)("%s", (mime) => {
  const whole = files.get(mime) ?? new Uint8Array();
  fc.assert(
    fc.property(damage, ({ puts, length }) => {
      const bytes = whole.slice(0, Math.round(whole.length * length));
      for (const put of puts)
        bytes.set(
          put.bytes.subarray(0, bytes.length),
          Math.floor(put.at * Math.max(0, bytes.length - put.bytes.length)),
        );
      const before = bytes.slice();
      const out = withoutMetadata(bytes, mime);
      expect(bytes, "the file that was given").toEqual(before);
      // What was followed once is followed again, and has nothing left to tell.
      if (out) expect(withoutMetadata(out.bytes, mime)).toEqual({ bytes: out.bytes, taken: [] });
    }),
    { numRuns: 400 },
  );
});
