import { useState } from "react";
import { KEPT, type Live, useLive } from "../../useLive.ts";

const STATES: Record<Live["state"], string> = {
  connecting: "Connecting…",
  open: "Connected",
  waiting: "Connection lost; trying again",
};

export function LiveCard() {
  const { state, figures, echo, send } = useLive();
  const [text, setText] = useState("");
  return (
    <section className="card wide" aria-labelledby="live-title">
      <div className="spread">
        <h2 id="live-title">Live feed</h2>
        <p className={`state ${state}`} role="status">
          {STATES[state]}
        </p>
      </div>
      <p className="figure">
        <strong>{figures.at(-1) ?? "–"}</strong> parcels a minute
      </p>
      <Curve figures={figures} />
      <form
        className="row"
        onSubmit={(event) => {
          event.preventDefault();
          send(text);
        }}
      >
        <label htmlFor="echo-text">Say something to the server</label>
        <input id="echo-text" value={text} maxLength={100} required onChange={(event) => setText(event.target.value)} />
        <button disabled={state !== "open"}>Send</button>
      </form>
      <p className="quiet" aria-live="polite">
        {echo !== null && <>The server heard: {echo}</>}
      </p>
    </section>
  );
}

/** The last figures as a line that grows leftwards from now; 0 to 100 parcels a minute from bottom to top. */
function Curve({ figures }: { figures: readonly number[] }) {
  const left = KEPT - figures.length;
  const x = (index: number) => ((left + index) * 100) / (KEPT - 1);
  const points = figures.map((value, index) => `${x(index)},${100 - value}`).join(" ");
  return (
    <svg className="curve" viewBox="0 0 100 100" preserveAspectRatio="none" aria-hidden="true">
      {figures.length > 1 && <polygon points={`${x(0)},100 ${points} 100,100`} />}
      <polyline points={points} />
    </svg>
  );
}
