import { Failure } from "../Failure.tsx";
import { Page } from "../Page.tsx";
import { useJson } from "../useJson.ts";

type User = { name: string; email: string; groups: string[] };

export default function Admin() {
  const [users, again] = useJson<{ users: User[] }>("/api/admin/users");
  return (
    <Page title="Admin" lead="Accounts. Neither this page nor its server asks for a role; the gateway's policy decides.">
      {users.state === "loading" && <p className="quiet">Loading…</p>}
      {users.state === "failed" && <Failure problem={users.problem} again={again} />}
      {users.state === "ready" && (
        <div className="card">
          <table>
            <thead>
              <tr>
                <th scope="col">Person</th>
                <th scope="col">Groups</th>
              </tr>
            </thead>
            <tbody>
              {users.value.users.map((user) => (
                <tr key={user.email}>
                  <th scope="row">
                    {user.name} <span className="quiet">{user.email}</span>
                  </th>
                  <td>{user.groups.join(", ")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Page>
  );
}
