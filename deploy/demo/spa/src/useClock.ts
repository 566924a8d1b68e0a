import { useEffect, useState } from "react";
import { pause } from "./backoff.ts";
import { request } from "./http.ts";
import { lines } from "./lines.ts";

/** The server's time, streamed while this tab is visible, or null. A hidden tab holds no connection open. */
export function useClock(): Date | null {
  const [time, setTime] = useState<Date | null>(null);
  useEffect(() => {
    let abort: AbortController | null = null;
    const follow = () => {
      abort?.abort();
      abort = null;
      if (document.visibilityState !== "visible") return;
      abort = new AbortController();
      void readClock(abort.signal, setTime);
    };
    document.addEventListener("visibilitychange", follow);
    follow();
    return () => {
      document.removeEventListener("visibilitychange", follow);
      abort?.abort();
    };
  }, []);
  return time;
}

async function readClock(signal: AbortSignal, tell: (time: Date | null) => void): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      const response = await request("/api/clock", { signal });
      if (response.body === null) return;
      for await (const line of lines(response.body)) {
        failures = 0;
        tell(new Date(line));
      }
    } catch {
      if (signal.aborted) return;
    }
    tell(null);
    failures += 1;
    await new Promise((resolve) => setTimeout(resolve, pause(failures)));
  }
}
