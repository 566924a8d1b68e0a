/** An error answer of a server, read as problem details (RFC 9457) as far as it has them. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly detail: string;

  constructor(status: number, fields: Record<string, unknown> = {}) {
    const title = text(fields.title) || `The server answered ${status}`;
    super(title);
    this.name = "Problem";
    this.status = status;
    this.code = text(fields.code);
    this.title = title;
    this.detail = text(fields.detail);
  }
}

/** Read an error answer; a body that is no problem+json still gives a Problem with the status. */
export async function problemFrom(response: Response): Promise<Problem> {
  const type = response.headers.get("content-type") ?? "";
  if (!type.startsWith("application/problem+json")) return new Problem(response.status);
  const body: unknown = await response.json().catch(() => null);
  return new Problem(response.status, isRecord(body) ? body : {});
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}
