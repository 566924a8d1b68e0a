import { Link } from "react-router-dom";
import { Page } from "../Page.tsx";

export default function NotFound() {
  return (
    <Page title="There is no such page" lead="The address may be mistyped, or the page may have moved.">
      <p>
        <Link to="/">Go to the overview</Link>
      </p>
    </Page>
  );
}
