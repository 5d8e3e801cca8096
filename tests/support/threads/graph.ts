/** A refusal in the shape of https://developers.facebook.com/docs/graph-api/guides/error-handling. */
export class GraphRefusal extends Error {
  readonly status: number;
  readonly body: object;
  constructor(status: number, body: object) {
    super(JSON.stringify(body));
    this.status = status;
    this.body = body;
  }
}

interface More {
  readonly status?: number;
  readonly subcode?: number;
  readonly type?: string;
  readonly title?: string;
  readonly words?: string;
  readonly transient?: boolean;
}

/** A 400, whatever it is for, unless something else is said. */
export function refusal(code: number, message: string, more: More = {}): GraphRefusal {
  const error = {
    message,
    type: more.type ?? "OAuthException",
    code,
    ...(more.subcode === undefined ? {} : { error_subcode: more.subcode }),
    is_transient: more.transient ?? false,
    ...(more.title === undefined ? {} : { error_user_title: more.title }),
    ...(more.words === undefined ? {} : { error_user_msg: more.words }),
    fbtrace_id: "A-ptA4ve9FlWkRMi935kaIS",
  };
  return new GraphRefusal(more.status ?? 400, { error });
}

/** As seen in answers of threads_publish (nopara73/LongevityWorldCup#466, trypostit/trypost#280). */
export function notFound(id: string): GraphRefusal {
  return refusal(24, "The requested resource does not exist", {
    subcode: 4279009,
    title: "Media Not Found",
    words: `The media with id ${id} cannot be found.`,
  });
}

export function invalid(message: string): GraphRefusal {
  return refusal(100, `Invalid parameter: ${message}`, { type: "THApiException" });
}

/** Of a form, and nothing in it that the page does not name. */
export async function formOf(request: Request, known: readonly string[]): Promise<Readonly<Record<string, string>>> {
  if (!/^application\/x-www-form-urlencoded\b/.test(request.headers.get("content-type") ?? ""))
    throw invalid("a form is wanted");
  return named(new URLSearchParams(await request.text()), known);
}

export function named(params: URLSearchParams, known: readonly string[]): Readonly<Record<string, string>> {
  for (const name of params.keys()) {
    if (!known.includes(name)) throw invalid(`there is no ${name}`);
    if (params.getAll(name).length > 1) throw invalid(`${name} comes twice`);
  }
  return Object.fromEntries(params);
}

/** Only fields there are: Graph refuses the whole request over one it does not have. */
export function fieldsOf(value: string | undefined, known: readonly string[]): readonly string[] {
  const fields = (value ?? "id").split(",");
  for (const field of fields)
    if (!known.includes(field))
      throw refusal(100, `Tried accessing nonexisting field (${field})`, { type: "THApiException" });
  return ["id", ...fields];
}

export function pick(all: Readonly<Record<string, unknown>>, fields: readonly string[]): object {
  return Object.fromEntries(fields.filter((name) => all[name] !== undefined).map((name) => [name, all[name]]));
}
