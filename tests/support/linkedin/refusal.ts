/** A refusal in the shape of https://learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/error-handling. */
export class Refusal extends Error {
  readonly status: number;
  readonly body: object;
  constructor(status: number, body: object) {
    super(JSON.stringify(body));
    this.status = status;
    this.body = body;
  }
}

export function refusal(status: number, code: string, message: string, more: object = {}): Refusal {
  return new Refusal(status, { status, code, message, ...more });
}

type Fields = Readonly<Record<string, unknown>>;

export async function jsonOf(request: Request): Promise<Fields> {
  if (!/^application\/json\b/.test(request.headers.get("content-type") ?? ""))
    throw refusal(415, "UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type");
  const body: unknown = await request.json().catch(() => undefined);
  if (typeof body !== "object" || body === null || Array.isArray(body))
    throw refusal(400, "ILLEGAL_ARGUMENT", "Request body could not be converted to data map");
  return { ...body };
}

/** What a schema has and no more, in the words LinkedIn finds (community.n8n.io/t/…/303875). */
export function checkFields(
  value: unknown,
  required: readonly string[],
  optional: readonly string[],
  where = "",
): Fields {
  const fields: Fields = typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : {};
  const wrong = [
    ...Object.keys(fields)
      .filter((name) => !required.includes(name) && !optional.includes(name))
      .map((name) => `ERROR :: ${where}/${name} :: unrecognized field found but not allowed`),
    ...required
      .filter((name) => fields[name] === undefined)
      .map((name) => `ERROR :: ${where}/${name} :: field is required but not found and has no default value`),
  ];
  if (wrong.length > 0) throw refusal(422, "UNPROCESSABLE_ENTITY", `${wrong.join("\n")}\n`);
  return fields;
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
