import { Failure } from "../../Failure.tsx";
import { useJson } from "../../useJson.ts";

type Me = {
  user: string | null;
  email: string | null;
  groups: string[];
  headers: Record<string, string>;
  cookies: string[];
};

/** What arrived at the server with this browser's request: proof that identity comes from the gateway. */
export function IdentityCard() {
  const [me, again] = useJson<Me>("/api/me");
  if (me.state === "failed") return <Failure problem={me.problem} again={again} />;
  return (
    <section className="card" aria-labelledby="me-title">
      <h2 id="me-title">What the server was told</h2>
      {me.state === "loading" ? <p className="quiet">Loading…</p> : <Facts me={me.value} />}
    </section>
  );
}

function Facts({ me }: { me: Me }) {
  const headers = Object.entries(me.headers);
  return (
    <>
      <dl className="facts">
        <dt>User</dt>
        <dd>{me.user ?? "not told"}</dd>
        <dt>E-mail</dt>
        <dd>{me.email ?? "not told"}</dd>
        <dt>Groups</dt>
        <dd>{me.groups.length > 0 ? me.groups.join(", ") : "none"}</dd>
        <dt>Cookies</dt>
        <dd>{me.cookies.length > 0 ? me.cookies.join(", ") : "none arrived"}</dd>
      </dl>
      {headers.length > 0 && (
        <details>
          <summary>Headers that arrived ({headers.length})</summary>
          <dl className="facts stacked">
            {headers.map(([name, value]) => (
              <div key={name}>
                <dt>
                  <code>{name}</code>
                </dt>
                <dd>{value}</dd>
              </div>
            ))}
          </dl>
        </details>
      )}
    </>
  );
}
