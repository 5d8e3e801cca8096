import { randomFillSync } from "node:crypto";
import { crc32, deflateSync } from "node:zlib";

/** A small PNG with a fade in it: https://www.w3.org/TR/png-3/ (2026-11). */
export function png(width: number, height: number): Buffer {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const at = y * (width * 3 + 1) + 1 + x * 3;
      rows[at] = Math.round((255 * x) / width);
      rows[at + 1] = 120;
      rows[at + 2] = Math.round(255 - (255 * y) / height);
    }
  }
  return framed(width, height, rows);
}

/** A PNG of noise, at least so large: nothing of it is made smaller, and all of it is seen. `bytes` up to 48 MB. */
export function noise(bytes: number): Buffer {
  const [width, height] = [4096, Math.ceil(bytes / (4096 * 3))];
  const row = width * 3 + 1;
  const rows = randomFillSync(Buffer.alloc(row * height));
  // No row is said by its neighbours.
  for (let y = 0; y < height; y += 1) rows[y * row] = 0;
  return framed(width, height, rows);
}

function framed(width: number, height: number, rows: Buffer): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Eight bits a channel, RGB.
  header.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  body.copy(framed, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
