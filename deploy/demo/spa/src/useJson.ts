import { useCallback, useEffect, useState } from "react";
import { asProblem, getJson } from "./http.ts";
import type { Problem } from "./problem.ts";

export type Loaded<T> =
  | { state: "loading" }
  | { state: "ready"; value: T }
  | { state: "failed"; problem: Problem };

/** Load a JSON document while the component is shown; the second result loads it again. */
export function useJson<T>(path: string): [Loaded<T>, () => void] {
  const [loaded, setLoaded] = useState<Loaded<T>>({ state: "loading" });
  const [round, setRound] = useState(0);
  useEffect(() => {
    const abort = new AbortController();
    getJson<T>(path, abort.signal).then(
      (value) => setLoaded({ state: "ready", value }),
      (error: unknown) => {
        if (!abort.signal.aborted) setLoaded({ state: "failed", problem: asProblem(error) });
      },
    );
    return () => abort.abort();
  }, [path, round]);
  const again = useCallback(() => setRound((number) => number + 1), []);
  return [loaded, again];
}
