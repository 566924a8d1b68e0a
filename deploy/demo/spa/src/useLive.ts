import { useCallback, useEffect, useRef, useState } from "react";
import { pause } from "./backoff.ts";
import { askWhy } from "./http.ts";
import { announceSignedOut } from "./signedOut.ts";

/** How many figures are kept to be drawn. */
export const KEPT = 40;
/** The close code with which a server ends a WebSocket whose session has ended. */
const SESSION_ENDED = 4401;

type Message = { kind: "tick"; number: number; parcels: number } | { kind: "echo"; text: string };

export type Live = {
  state: "connecting" | "open" | "waiting";
  figures: readonly number[];
  echo: string | null;
  send: (text: string) => void;
};

/** The live feed: one WebSocket, reconnected with growing pauses. */
export function useLive(): Live {
  const [state, setState] = useState<Live["state"]>("connecting");
  const [figures, setFigures] = useState<readonly number[]>([]);
  const [echo, setEcho] = useState<string | null>(null);
  const socket = useRef<WebSocket | null>(null);

  useEffect(() => {
    let timer: number | undefined;
    let failures = 0;
    const connect = () => {
      const opened = new WebSocket("/api/live");
      socket.current = opened;
      opened.onopen = () => {
        failures = 0;
        setState("open");
      };
      opened.onmessage = (event: MessageEvent<string>) => {
        const message = JSON.parse(event.data) as Message;
        if (message.kind === "echo") setEcho(message.text);
        else setFigures((kept) => [...kept, message.parcels].slice(-KEPT));
      };
      opened.onclose = (event) => {
        if (socket.current !== opened) return;
        if (event.code === SESSION_ENDED) return announceSignedOut("login_required");
        askWhy();
        failures += 1;
        setState("waiting");
        timer = window.setTimeout(connect, pause(failures));
      };
    };
    connect();
    return () => {
      window.clearTimeout(timer);
      const opened = socket.current;
      socket.current = null;
      opened?.close();
    };
  }, []);

  const send = useCallback((text: string) => socket.current?.send(text), []);
  return { state, figures, echo, send };
}
