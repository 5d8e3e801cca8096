import { afterAll } from "vitest";
import { cleanUp } from "./after-file.ts";

/* Vitest runs this before each test file. */

afterAll(cleanUp);
