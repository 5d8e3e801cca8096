import { resolve } from "node:path";
import type { Scope } from "@psn/app/scope.ts";
import { defined } from "@psn/core/types/defined.ts";
import { outside } from "./parts.ts";

/** Reads media for a program, by names that count from `folder`. What tells where and by whom is taken out of them. */
export function mediaReader(folder: string): NonNullable<Scope["readMedia"]> {
  return async ({ file, alt }) => {
    const { readMedia } = await import("@psn/core/utils/media.ts");
    const { bytes, taken: _taken, ...info } = await readMedia(resolve(folder, file), { keepMetadata: false });
    return {
      id: outside.newId(),
      ...info,
      bytes: bytes.length,
      content: bytes,
      ...defined({ alt: alt === undefined || alt === "" ? undefined : alt }),
    };
  };
}
