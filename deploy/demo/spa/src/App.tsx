import { lazy, Suspense } from "react";
import { Route, Routes, useLocation } from "react-router-dom";
import { ChunkBoundary } from "./ChunkBoundary.tsx";
import { Layout } from "./Layout.tsx";
import { SignedOut } from "./SignedOut.tsx";
import { useSignedOut } from "./signedOut.ts";

const Dashboard = lazy(() => import("./pages/Dashboard.tsx"));
const Reports = lazy(() => import("./pages/Reports.tsx"));
const Report = lazy(() => import("./pages/Report.tsx"));
const Admin = lazy(() => import("./pages/Admin.tsx"));
const NotFound = lazy(() => import("./pages/NotFound.tsx"));

export function App() {
  const ended = useSignedOut();
  const { pathname } = useLocation();
  if (ended !== null) return <SignedOut code={ended} />;
  return (
    <Layout>
      <ChunkBoundary key={pathname}>
        <Suspense fallback={<p className="quiet">Loading…</p>}>
          <Routes>
            <Route path="/" element={<Dashboard />} />
            <Route path="/reports" element={<Reports />} />
            <Route path="/reports/:id" element={<Report />} />
            <Route path="/admin" element={<Admin />} />
            <Route path="*" element={<NotFound />} />
          </Routes>
        </Suspense>
      </ChunkBoundary>
    </Layout>
  );
}
