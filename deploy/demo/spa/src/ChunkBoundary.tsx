import { Component, type ReactNode } from "react";
import { askWhy } from "./http.ts";

/** Shows a fix instead of a blank page when a lazy part cannot be loaded. */
export class ChunkBoundary extends Component<{ children: ReactNode }, { failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override componentDidCatch() {
    askWhy();
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <section className="card" role="alert">
        <h1>This part could not be loaded</h1>
        <p>The connection may be down, or a newer version may have been installed.</p>
        <p>
          <button type="button" onClick={() => window.location.reload()}>
            Reload the page
          </button>
        </p>
      </section>
    );
  }
}
