import { useEffect, useRef } from "react";
import { useLocation } from "react-router-dom";
import type { EndCode } from "./signedOut.ts";

const WORDS: Record<EndCode, { title: string; text: string }> = {
  login_required: {
    title: "You are signed out",
    text: "Your session has ended, here or in another tab. What was on this page has been put away.",
  },
  logout_in_progress: {
    title: "You are being signed out",
    text: "The sign-out you started is still on its way. What was on this page has been put away.",
  },
};

/** All that is left of the application once the server answers 401: no data, no navigation, one way on. */
export function SignedOut({ code }: { code: EndCode }) {
  const { pathname, search } = useLocation();
  const heading = useRef<HTMLHeadingElement>(null);
  const { title, text } = WORDS[code];
  useEffect(() => {
    document.title = `${title} · Fernway Parcels`;
    heading.current?.focus();
  }, [title]);
  return (
    <main className="alone">
      <section className="card" role="alert">
        <h1 tabIndex={-1} ref={heading}>
          {title}
        </h1>
        <p>{text}</p>
        <p>
          <a
            className="button"
            href={pathname + search}
            onClick={(event) => {
              event.preventDefault();
              window.location.reload();
            }}
          >
            Reload to go on
          </a>
        </p>
      </section>
    </main>
  );
}
