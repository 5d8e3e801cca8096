/*
 * What Postgres can keep: no half of a surrogate pair, which is no character in UTF-8, and no NUL, which ends a text
 * (https://www.postgresql.org/docs/18/datatype-character.html and datatype-json.html, 2026-11). Both become U+FFFD.
 * Without this each driver fails in its own way: `pg` writes U+FFFD, Neon's proxy refuses the request, and jsonb
 * refuses the write of whatever a platform has said.
 */

export function storableText(text: string): string {
  return text.toWellFormed().replaceAll("\0", "\ufffd");
}

/** JSON for a `jsonb` parameter. */
export function storableJson(value: unknown): string {
  return JSON.stringify(value, (_name, part: unknown) => {
    if (typeof part === "string") return storableText(part);
    if (typeof part !== "object" || part === null || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).map(([name, inner]) => [storableText(name), inner]));
  });
}

/** The parameters of a statement, for the one place in each driver where they leave. */
export function storable(values: readonly unknown[] | undefined): unknown[] | undefined {
  return values?.map((value) => (typeof value === "string" ? storableText(value) : value));
}
