"""How the provider comes to be there."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.certified import provider


def test_it_is_installed_once_by_whoever_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All processes that run tests want it when they begin; the others wait, and take what is there."""
    node = tmp_path / "node"
    node.write_text(
        f"#!/bin/sh\necho begun >> {tmp_path}/log; sleep 0.3; mkdir node_modules\necho done >> {tmp_path}/log\n"
    )
    node.chmod(0o755)
    monkeypatch.setattr(provider, "node_and_npm", lambda: (node, Path("npm")))
    monkeypatch.setattr(provider, "INTO", tmp_path / "into")
    with ThreadPoolExecutor(4) as several:
        places = {place.result() for place in [several.submit(provider.installed) for _ in range(4)]}
    assert (tmp_path / "log").read_text().split() == ["begun", "done"]
    (place,) = places
    assert sorted(path.name for path in place.iterdir()) == sorted(
        [*provider.PINNED, "node_modules", "server.mjs"]
    )
