/** Milliseconds to wait before try number `attempt` (from 1): 1, 2, 4 … at most 30 seconds. */
export function pause(attempt: number): number {
  return Math.min(30_000, 1000 * 2 ** (attempt - 1));
}
