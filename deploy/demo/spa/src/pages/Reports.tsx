import { Link } from "react-router-dom";
import { Failure } from "../Failure.tsx";
import { Page } from "../Page.tsx";
import { useJson } from "../useJson.ts";

type Brief = { id: number; title: string; depot: string; period: string; status: string };

export default function Reports() {
  const [list, again] = useJson<{ reports: Brief[] }>("/api/reports");
  return (
    <Page title="Reports" lead="Weekly figures of each depot. Every report has an address of its own to share.">
      {list.state === "loading" && <p className="quiet">Loading…</p>}
      {list.state === "failed" && <Failure problem={list.problem} again={again} />}
      {list.state === "ready" && (
        <>
          <ul className="tiles">
            {list.value.reports.map((report) => (
              <li className="card" key={report.id}>
                <p className="spread quiet">
                  {report.period}
                  <span className={`badge ${report.status}`}>{report.status}</span>
                </p>
                <h2>
                  <Link to={`/reports/${report.id}`}>{report.title}</Link>
                </h2>
                <p className="quiet">{report.depot}</p>
              </li>
            ))}
          </ul>
          <p>
            <a href="/api/uncached">Printable list</a>{" "}
            <span className="quiet">(a page made by the server, without any caching headers)</span>
          </p>
        </>
      )}
    </Page>
  );
}
