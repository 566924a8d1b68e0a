import type { Problem } from "./problem.ts";

/** A failed request, told plainly; 403 is an answer and not worth another try. */
export function Failure({ problem, again }: { problem: Problem; again: () => void }) {
  return (
    <section className="card failure" role="alert">
      <h2>{problem.title}</h2>
      {problem.detail !== "" && <p>{problem.detail}</p>}
      <dl className="facts">
        <dt>Status</dt>
        <dd>{problem.status === 0 ? "no answer" : problem.status}</dd>
        {problem.code !== "" && (
          <>
            <dt>Code</dt>
            <dd>
              <code>{problem.code}</code>
            </dd>
          </>
        )}
      </dl>
      {problem.status === 403 ? (
        <p className="quiet">You are signed in, but your account may not do this. Nothing here is broken.</p>
      ) : (
        <button type="button" onClick={again}>
          Try again
        </button>
      )}
    </section>
  );
}
