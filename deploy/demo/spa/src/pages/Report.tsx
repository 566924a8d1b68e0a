import { type ReactNode, useEffect } from "react";
import { Link, useLocation, useParams } from "react-router-dom";
import { Failure } from "../Failure.tsx";
import { Page } from "../Page.tsx";
import { useJson } from "../useJson.ts";

type Full = {
  title: string;
  depot: string;
  period: string;
  status: string;
  summary: string;
  figures: { label: string; value: number }[];
};

const SECTIONS = ["summary", "figures", "download"] as const;

export default function Report() {
  const { id = "" } = useParams();
  const [report, again] = useJson<Full>(`/api/reports/${encodeURIComponent(id)}`);
  const { pathname, hash } = useLocation();
  const ready = report.state === "ready";
  useEffect(() => {
    if (ready && hash !== "") document.getElementById(hash.slice(1))?.scrollIntoView({ block: "center" });
  }, [ready, hash]);
  const title = ready ? `${report.value.title}, ${report.value.depot}` : `Report ${id}`;
  return (
    <Page title={title} lead={ready ? `${report.value.period} · ${report.value.status}` : undefined}>
      <Place pathname={pathname} hash={hash} />
      {report.state === "loading" && <p className="quiet">Loading…</p>}
      {report.state === "failed" && <Failure problem={report.problem} again={again} />}
      {ready && <Sections report={report.value} hash={hash} />}
      <p>
        <Link to="/reports">All reports</Link>
      </p>
    </Page>
  );
}

/** Shows the address with its fragment, which a server never sees: after a sign-in it must still be there. */
function Place({ pathname, hash }: { pathname: string; hash: string }) {
  return (
    <nav className="place" aria-label="On this page">
      <p>
        You are at <code id="location">{pathname + hash}</code>
        {hash === "" && <span className="quiet"> (no fragment)</span>}
      </p>
      <ul>
        {SECTIONS.map((name) => (
          <li key={name}>
            <Link to={`#${name}`} aria-current={hash === `#${name}` ? "location" : undefined}>
              #{name}
            </Link>
          </li>
        ))}
      </ul>
    </nav>
  );
}

function Sections({ report, hash }: { report: Full; hash: string }) {
  return (
    <div className="grid">
      <Section name="summary" title="Summary" hash={hash}>
        <p>{report.summary}</p>
      </Section>
      <Section name="figures" title="Figures" hash={hash}>
        <dl className="facts">
          {report.figures.map(({ label, value }) => (
            <div className="pair" key={label}>
              <dt>{label}</dt>
              <dd>{value.toLocaleString("en")}</dd>
            </div>
          ))}
        </dl>
      </Section>
      <Section name="download" title="Download" hash={hash}>
        <p>A minute-long download, to see what happens to it when you sign out meanwhile.</p>
        <p>
          <a className="button" href="/api/slow" download="parcels.csv">
            Download parcels.csv
          </a>
        </p>
      </Section>
    </div>
  );
}

function Section(props: { name: string; title: string; hash: string; children: ReactNode }) {
  const chosen = props.hash === `#${props.name}`;
  return (
    <section id={props.name} className={chosen ? "card chosen" : "card"} aria-labelledby={`${props.name}-title`}>
      <h2 id={`${props.name}-title`}>{props.title}</h2>
      {props.children}
    </section>
  );
}
