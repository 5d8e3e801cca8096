import type { Reply } from "./http.ts";
import type { Environment, Project, User, World } from "./world.ts";

/** One request, taken apart, and who may be asking. */
export interface Call {
  readonly world: World;
  readonly params: readonly string[];
  readonly query: URLSearchParams;
  /** An empty object when there was none. */
  readonly body: Readonly<Record<string, unknown>>;
  /** There was a body, and it was not JSON. */
  readonly isGarbled: boolean;
  readonly header: (name: string) => string | undefined;
  /** Neither a personal access token nor a secret key that the server knows. */
  isStranger(): boolean;
  /** Of a personal access token; 401 for anything else, secret keys too (measured). */
  user(): User;
  /** Of a secret key; 401 for anything else. */
  environment(): Environment;
  /** The project by its ref, seen by this token or this key. 404 when there is none that it may see. */
  project(ref: string): Project;
  /** An environment of it, by the name in the address. A secret key always gets its own (measured). */
  environmentOf(ref: string, name: string): Environment;
}

export type Route = readonly [method: string, path: RegExp, answer: (call: Call) => unknown];

/** An answer that is more than its body. */
export class Full {
  readonly reply: Reply;
  constructor(reply: Reply) {
    this.reply = reply;
  }
}
