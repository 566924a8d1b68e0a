"""The worker that removes itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

from deploy.demo.build import node_and_npm
from gateway.web.signout.farewell import last_worker
from tests.fakes.patience import PATIENCE


def test_it_may_take_the_place_of_any_worker() -> None:
    """A script, not stored, whose scope may be the whole origin whatever its path is."""
    page = last_worker()
    fields = dict(page.headers)
    assert (page.status, fields["Content-Type"]) == (200, "text/javascript; charset=utf-8")
    assert (fields["Cache-Control"], fields["Service-Worker-Allowed"]) == ("no-store", "/")


def test_it_is_sound(tmp_path: Path) -> None:
    """Node reads it."""
    file = tmp_path / "worker.js"
    file.write_bytes(last_worker().body)
    subprocess.run([node_and_npm()[0], "--check", file], check=True, timeout=PATIENCE)
