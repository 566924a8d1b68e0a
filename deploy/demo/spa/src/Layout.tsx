import type { ReactNode } from "react";
import { Link, NavLink } from "react-router-dom";
import { useClock } from "./useClock.ts";
import { useJson } from "./useJson.ts";

type Session = { user?: string; email?: string | null };

export function Layout({ children }: { children: ReactNode }) {
  return (
    <>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="top">
        <div className="bar">
          <Link className="brand" to="/">
            <img src="/favicon.svg" alt="" width="28" height="28" />
            Fernway Parcels
          </Link>
          <nav aria-label="Main">
            <NavLink to="/" end>
              Overview
            </NavLink>
            <NavLink to="/reports">Reports</NavLink>
            <NavLink to="/admin">Admin</NavLink>
          </nav>
          <div className="person">
            <Person />
            <form method="post" action="/logout">
              <button>Sign out</button>
            </form>
          </div>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        {children}
      </main>
      <footer>
        <Clock />
        <p>A demo application. It has no sign-in code: the gateway in front of it does that.</p>
      </footer>
    </>
  );
}

/** Who is signed in, if whoever serves this application can say so. */
function Person() {
  const [session] = useJson<Session>("/oauth2/session");
  if (session.state !== "ready") return null;
  const name = session.value.email ?? session.value.user;
  return name === undefined ? null : <span title={name}>{name}</span>;
}

function Clock() {
  const time = useClock();
  return (
    <p>
      Server time{" "}
      {time === null ? "not known" : <time dateTime={time.toISOString()}>{time.toISOString().slice(11, 19)} UTC</time>}
    </p>
  );
}
