import { Problem, problemFrom } from "./problem.ts";
import { announceSignedOut } from "./signedOut.ts";

/** Fetch from our own origin; an error answer is thrown as a Problem. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  const response = await fetch(path, init);
  if (response.ok) return response;
  const problem = await problemFrom(response);
  if (problem.status === 401 && (problem.code === "login_required" || problem.code === "logout_in_progress")) {
    announceSignedOut(problem.code);
  }
  throw problem;
}

/** GET a JSON document. The shape is the caller's word: this demo trusts its own API. */
export async function getJson<T>(path: string, signal: AbortSignal | null = null): Promise<T> {
  const response = await request(path, { headers: { accept: "application/json" }, signal });
  return (await response.json()) as T;
}

/** POST a JSON document and read the JSON answer. */
export async function postJson<T>(path: string, body: unknown): Promise<T> {
  const headers = { accept: "application/json", "content-type": "application/json" };
  const response = await request(path, { method: "POST", headers, body: JSON.stringify(body) });
  return (await response.json()) as T;
}

/**
 * Ask the server once, for its answer's status alone: a failed WebSocket handshake or module import tells a script
 * nothing, an ordinary request does, and `request` draws the consequence.
 */
export function askWhy(): void {
  request("/api/me").catch(() => undefined);
}

/** What to tell a person about a failed request. */
export function asProblem(error: unknown): Problem {
  return error instanceof Problem ? error : new Problem(0, { title: "The server could not be reached" });
}
