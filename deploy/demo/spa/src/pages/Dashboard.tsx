import { IdentityCard } from "./dashboard/IdentityCard.tsx";
import { LiveCard } from "./dashboard/LiveCard.tsx";
import { NotesCard } from "./dashboard/NotesCard.tsx";
import { Page } from "../Page.tsx";

export default function Dashboard() {
  return (
    <Page title="Overview" lead="What moves through the depots right now, and what the server knows about you.">
      <div className="grid two">
        <LiveCard />
        <IdentityCard />
        <NotesCard />
      </div>
    </Page>
  );
}
