import { randomBytes } from "node:crypto";

/*
 * Secrets that would be recognised anywhere, in any of the usual forms.
 */

export const mark = (name: string) => `canary-${name}-${randomBytes(12).toString("hex")}`;

export interface Canary {
  readonly name: string;
  readonly bytes: Buffer;
}
export const canaries: Canary[] = [];
export const plant = (name: string, value: string | Buffer) => canaries.push({ name, bytes: Buffer.from(value) });

/**
 * A secret in the forms in which it may turn up: as it is, hex, URL-encoded, and base64 at each of the three
 * alignments.
 */
export function formsOf({ bytes }: Canary): string[] {
  const text = bytes.toString("utf8");
  const base64 = [0, 1, 2].flatMap((shift) => {
    const from = (3 - shift) % 3;
    const whole = bytes.subarray(from, from + Math.floor((bytes.length - from) / 3) * 3).toString("base64");
    return [whole, whole.replaceAll("+", "-").replaceAll("/", "_")];
  });
  const readable =
    text.isWellFormed() && !text.includes("\ufffd")
      ? [text, encodeURIComponent(text), JSON.stringify(text).slice(1, -1)]
      : [];
  return [...new Set([...readable, bytes.toString("hex"), bytes.toString("hex").toUpperCase(), ...base64])];
}

export function found(text: string | Buffer, ...except: string[]): string[] {
  const haystack = Buffer.from(text);
  return canaries
    .filter(({ name }) => !except.includes(name))
    .flatMap((canary) => (formsOf(canary).some((form) => haystack.includes(form)) ? [canary.name] : []));
}
