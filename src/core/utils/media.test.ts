import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readMedia } from "@psn/core/utils/media.ts";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "psn-media-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const decode = (base64: string) => new Uint8Array(Buffer.from(base64, "base64"));
const GIF = decode("R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7");
/** Two pixels square, by libavif. */
const AVIF = decode(
  "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADybWV0YQAAAAAAAAAoaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAGxp" +
    "YmF2aWYAAAAADnBpdG0AAAAAAAEAAAAeaWxvYwAAAABEAAABAAEAAAABAAABGgAAAB0AAAAoaWluZgAAAAAAAQAAABppbmZlAgAAAAAB" +
    "AABhdjAxQ29sb3IAAAAAamlwcnAAAABLaXBjbwAAABRpc3BlAAAAAAAAAAIAAAACAAAAEHBpeGkAAAAAAwgICAAAAAxhdjFDgQ0MAAAA" +
    "ABNjb2xybmNseAACAAIAAYAAAAAXaXBtYQAAAAAAAAABAAEEAQKDBAAAACVtZGF0EgAKCBgANogQEAwgMg8f8D///8WfhwB8+ErK42A=",
);
const sized = () => new Bun.Image(GIF).resize(30, 20, { fit: "fill" });
const files = async (): Promise<Record<string, Uint8Array>> => ({
  "image/jpeg": await sized().jpeg().bytes(),
  "image/png": await sized().png().bytes(),
  "image/webp": await sized().webp().bytes(),
  "image/gif": GIF,
  "image/avif": AVIF,
});

async function kept(bytes: Uint8Array, name = "file.bin"): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

/** The same JPEG with an EXIF block that says how the camera was held. */
function turned(jpeg: Uint8Array, orientation: number): Uint8Array {
  const tiff = [0x4d, 0x4d, 0, 42, 0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, orientation, 0, 0, 0, 0, 0, 0];
  const body = [...Buffer.from("Exif\0\0"), ...tiff];
  return Uint8Array.of(0xff, 0xd8, 0xff, 0xe1, 0, body.length + 2, ...body, ...jpeg.subarray(2));
}

const refused = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message), hint: expect.stringMatching(/./) });

describe("what it is", () => {
  test.each(["image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"])(
    "%s, whatever its name says",
    async (mime) => {
      const bytes = (await files())[mime] ?? new Uint8Array();
      const [width, height] = { "image/gif": [1, 1], "image/avif": [2, 2] }[mime] ?? [30, 20];
      const sha256 = createHash("sha256").update(bytes).digest("hex");
      expect(await readMedia(await kept(bytes, "holiday.txt"))).toEqual({
        bytes,
        kind: "image",
        mime,
        width,
        height,
        sha256,
        taken: [],
      });
    },
  );

  test.each([1, 2, 3, 4, 5, 6, 7, 8])(
    "a photograph with EXIF orientation %i is as wide as it is shown",
    async (orientation) => {
      const { width, height } = await readMedia(await kept(turned(await sized().jpeg().bytes(), orientation)));
      expect([width, height]).toEqual(orientation < 5 ? [30, 20] : [20, 30]);
    },
  );

  test("what a camera writes behind the picture does not matter", async () => {
    const jpeg = await sized().jpeg().bytes();
    expect(await readMedia(await kept(Uint8Array.of(...jpeg, ...Buffer.from("depth map"))))).toMatchObject({
      width: 30,
    });
  });
});

describe("what it tells", () => {
  const photo = async () => {
    const jpeg = await sized().jpeg().bytes();
    return Uint8Array.of(...jpeg.subarray(0, 2), 0xff, 0xfe, 0, 5, ...Buffer.from("Ada"), ...jpeg.subarray(2));
  };

  test("is taken out, and the hash is of what is left", async () => {
    const { bytes, taken, sha256 } = await readMedia(await kept(await photo()));
    expect(taken).toEqual(["comment"]);
    expect(Buffer.from(bytes).includes("Ada")).toBe(false);
    expect(sha256).toBe(createHash("sha256").update(bytes).digest("hex"));
  });

  test("stays where its author means it", async () => {
    expect(await readMedia(await kept(await photo()), { keepMetadata: true })).toMatchObject({
      taken: [],
      bytes: await photo(),
    });
  });

  test("cannot be seen in a file built otherwise: it is refused without --keep-metadata", async () => {
    const jpeg = await sized().jpeg().bytes();
    // A byte between two segments, which decoders skip.
    const odd = Uint8Array.of(...jpeg.subarray(0, 2), 0xff, 0xfe, 0, 2, 0x41, ...jpeg.subarray(2));
    const path = await kept(odd);
    const read = readMedia(path, { keepMetadata: false }).catch((error: unknown) => error);
    expect(await read).toEqual(refused("MEDIA_INVALID", /incomplete or damaged|psn cannot search/));
    const locked = await kept(Buffer.from("%PDF-1.4\ntrailer<</Root 1 0 R/Encrypt 2 0 R>>\n%%EOF\n"));
    await expect(readMedia(locked)).rejects.toThrow(refused("MEDIA_INVALID", /psn cannot search .* for a position/));
    expect(await readMedia(locked, { keepMetadata: true })).toMatchObject({ kind: "document" });
  });
});

describe("what is refused", () => {
  test("no file, a folder, a path through a file, no permission", async () => {
    await expect(readMedia(join(folder, "none.png"))).rejects.toThrow(
      refused("FILE_UNREADABLE", /none\.png does not exist/),
    );
    await expect(readMedia(join(await kept(GIF, "a.gif"), "b.gif"))).rejects.toThrow(
      refused("FILE_UNREADABLE", /does not exist/),
    );
    await mkdir(join(folder, "album"));
    await expect(readMedia(join(folder, "album"))).rejects.toThrow(refused("FILE_UNREADABLE", /is a folder/));
    await expect(readMedia("/dev/null")).rejects.toThrow(refused("FILE_UNREADABLE", /is not a file/));
    const locked = await kept(GIF, "locked.gif");
    await chmod(locked, 0o000);
    // The superuser may read everything.
    if (process.getuid?.() !== 0)
      await expect(readMedia(locked)).rejects.toThrow(refused("FILE_UNREADABLE", /no permission to read/));
  });

  test("empty, too large, something else", async () => {
    await expect(readMedia(await kept(new Uint8Array()))).rejects.toThrow(refused("MEDIA_INVALID", /is empty/));
    const large = new Uint8Array(20 * 1024 * 1024 + 1);
    large.set(await sized().png().bytes());
    // Only the type, so that a failure does not print twenty megabytes.
    const read = readMedia(await kept(large)).then(({ mime }) => mime);
    await expect(read).rejects.toThrow(
      refused("MEDIA_INVALID", /has 20\.0 MB; psn accepts at most 20 MB for an image/),
    );
    for (const other of ["not an image", "<svg xmlns='http://www.w3.org/2000/svg'/>", "BM123456", "RIFF1234WAVE"]) {
      await expect(readMedia(await kept(Buffer.from(other, "latin1"), "photo.jpg"))).rejects.toThrow(
        refused("MEDIA_INVALID", /is not an image/),
      );
    }
  });

  test.each(["heic", "heix", "hevc", "hevx", "heim", "heis", "mif1", "msf1"])(
    "HEIC of the brand %s is named, with what to do",
    async (brand) => {
      const file = Buffer.from(`\0\0\0\x18ftyp${brand}\0\0\0\0mif1heic\0\0\0\x10mdat\0\0\0\0\0\0\0\0`, "latin1");
      const read = readMedia(await kept(file, "IMG_0001.JPG"));
      await expect(read).rejects.toThrow(
        expect.objectContaining({
          message: expect.stringMatching(/IMG_0001\.JPG is HEIC/),
          hint: expect.stringContaining("export it as JPEG"),
        }),
      );
    },
  );

  test.each(["image/jpeg", "image/png", "image/webp", "image/gif", "image/avif"])(
    "%s cut off anywhere",
    async (mime) => {
      const bytes = (await files())[mime] ?? new Uint8Array();
      const lengths = fc.sample(fc.integer({ min: 1, max: bytes.length - 1 }), 40);
      for (const length of bytes.length < 400
        ? Array.from({ length: bytes.length - 1 }, (_, i) => i + 1)
        : [3, 8, 12, 20, bytes.length - 1, ...lengths]) {
        await expect(
          readMedia(await kept(bytes.slice(0, length))),
          `${length} of ${bytes.length} bytes`,
        ).rejects.toThrow(refused("MEDIA_INVALID", /is not an image|incomplete or damaged/));
      }
    },
  );

  test("a PNG in which any bit was turned over", async () => {
    const png = await sized().png().bytes();
    for (const at of fc.sample(fc.nat(png.length - 1), 60)) {
      const damaged = png.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x10;
      await expect(readMedia(await kept(damaged)), `byte ${at}`).rejects.toThrow(
        refused("MEDIA_INVALID", /is not an image|incomplete or damaged/),
      );
    }
  });

  test("a GIF that was cut where its data look like the end", async () => {
    // A block of ten bytes, all of them the sign of the end.
    const gif = Uint8Array.of(...GIF.slice(0, -4), 10, ...new Uint8Array(10).fill(0x3b), 0, 0x3b);
    expect(await readMedia(await kept(gif))).toMatchObject({ mime: "image/gif", width: 1 });
    await expect(readMedia(await kept(gif.slice(0, -4)))).rejects.toThrow(
      refused("MEDIA_INVALID", /incomplete or damaged/),
    );
    // No picture between the header and the end.
    await expect(readMedia(await kept(Uint8Array.of(...GIF.slice(0, 19), 0x3b)))).rejects.toThrow(
      refused("MEDIA_INVALID", /incomplete or damaged/),
    );
  });

  test("an AVIF that was cut between its boxes", async () => {
    const end = Buffer.from(AVIF).indexOf("mdat") - 4;
    await expect(readMedia(await kept(AVIF.slice(0, end)))).rejects.toThrow(
      refused("MEDIA_INVALID", /incomplete or damaged/),
    );
    const empty = Uint8Array.of(...AVIF.slice(0, end), 0, 0, 0, 8, ...Buffer.from("mdat"));
    await expect(readMedia(await kept(empty))).rejects.toThrow(refused("MEDIA_INVALID", /incomplete or damaged/));
  });

  test("a pipe is not waited for, a link that leads nowhere or to itself", async () => {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    await expect(readMedia(join(folder, "pipe"))).rejects.toThrow(refused("FILE_UNREADABLE", /is not a file/));
    await symlink(join(folder, "gone.png"), join(folder, "link.png"));
    await expect(readMedia(join(folder, "link.png"))).rejects.toThrow(refused("FILE_UNREADABLE", /does not exist/));
    await symlink(join(folder, "loop.png"), join(folder, "loop.png"));
    await expect(readMedia(join(folder, "loop.png"))).rejects.toThrow(refused("FILE_UNREADABLE", /cannot be read/));
    await expect(readMedia("a\0b.png")).rejects.toThrow(refused("FILE_UNREADABLE", /cannot be read/));
  });

  test("a header without a size", async () => {
    const png = await sized().png().bytes();
    png.fill(0, 16, 24);
    await expect(readMedia(await kept(png))).rejects.toThrow(refused("MEDIA_INVALID", /incomplete or damaged/));
  });

  test("rubbish behind a true beginning is refused or read, and nothing else", async () => {
    const heads = Object.values(await files()).map((bytes) => bytes.slice(0, 16));
    const noise = fc.tuple(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 200 }));
    await fc.assert(
      fc.asyncProperty(noise, async ([head, rest]) => {
        const result = await readMedia(await kept(Uint8Array.of(...head, ...rest))).catch((error: unknown) => error);
        if (result instanceof Error) expect(result).toEqual(refused("MEDIA_INVALID", /./));
        else expect(result).toMatchObject({ width: expect.any(Number) });
      }),
    );
  });
});
