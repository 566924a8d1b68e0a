import { useSyncExternalStore } from "react";

/** The two 401 codes after which nothing on this page can be refreshed any more. */
export type EndCode = "login_required" | "logout_in_progress";

let ended: EndCode | null = null;
const listeners = new Set<() => void>();

/** Say that the server no longer knows this browser; the application then shows that and nothing else. */
export function announceSignedOut(code: EndCode): void {
  ended = code;
  for (const listener of listeners) listener();
}

/** The code that ended the session, or null while all is well. */
export function useSignedOut(): EndCode | null {
  return useSyncExternalStore(subscribe, () => ended);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
