import { readFileSync } from "node:fs";
import { AVIF, GIF, icc, picture } from "../../../../tests/support/media-files.ts";
import { describe, expect, test } from "vitest";
import { joined, latin1 } from "./bytes.ts";
import { exifOf, readExif } from "./exif.ts";
import { withoutMetadata } from "./index.ts";
