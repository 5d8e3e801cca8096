/** A refusal in the shape of https://docs.x.com/x-api/fundamentals/response-codes-and-errors. */
export class Problem extends Error {
  readonly status: number;
  readonly body: object;
  constructor(status: number, body: object) {
    super(JSON.stringify(body));
    this.status = status;
    this.body = body;
  }
}

export const TITLES: Readonly<Record<number, string>> = {
  400: "Invalid Request",
  401: "Unauthorized",
  402: "CreditsDepleted",
  403: "Forbidden",
  404: "Not Found Error",
  415: "Unsupported Media Type",
  429: "Too Many Requests",
};

export function problem(status: number, detail = TITLES[status] ?? "", type = "about:blank"): Problem {
  return new Problem(status, { title: TITLES[status], detail, type, status });
}

export function invalid(message: string, parameters: object = {}): Problem {
  return new Problem(400, {
    errors: [{ parameters, message }],
    title: "Invalid Request",
    detail: "One or more parameters to your request was invalid.",
    type: "https://api.twitter.com/2/problems/invalid-request",
  });
}

export async function jsonOf(request: Request, known: readonly string[]): Promise<Readonly<Record<string, unknown>>> {
  if (!/^application\/json\b/.test(request.headers.get("content-type") ?? "")) throw problem(415);
  let body: unknown;
  try {
    body = await request.json();
  } catch {
    throw invalid("The request body is not JSON.");
  }
  return fieldsOf(body, known, "$");
}

/** Nothing else may be in it: X's schemas have `additionalProperties: false`. */
export function fieldsOf(value: unknown, known: readonly string[], where: string): Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw invalid(`${where} is not an object`);
  for (const name of Object.keys(value))
    if (!known.includes(name))
      throw invalid(
        `[${where}.${name}] is not defined in the schema and the schema does not allow additional properties`,
      );
  return { ...value };
}

export function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
