"""Which tests run in the same process, one after the other, and which begin first, when several processes share a run.

Tests with the same ``xdist_group`` share what takes seconds to start: a browser, a cluster, a provider. All others go by
file, so that what a file's tests share is made once. Whatever takes longest begins first, so that no process is still
busy with it when the others have nothing to do any more.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from _pytest.nodeid import NodeId
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

FIRST = (
    "firefox",
    "chromium",
    "firefox-matrix",
    "chromium-matrix",
    "cluster",
    "tests/workers/test_parent.py",
    "tests/workers/test_restored.py",
    "tests/app/test_wiring.py",
    "pages",
    "npm",
    "tests/cli/test_sessions.py",
    "tests/app/test_server.py",
    "tests/bounds/test_sessions.py",
    "tests/app/test_tls.py",
    "tests/deploy/test_image.py",
    "tests/web/test_downloads.py",
    "tests/doctor/test_examination.py",
    "tests/core/policy/test_view.py",
)
"""Groups and files by how long they take (``tests/timings.py`` tells); what is not listed comes later, as it is found."""


def unit(nodeid: str) -> str:
    """The group of a test, or its file."""
    at = nodeid.rfind("@")
    return nodeid[at + 1 :] if at > nodeid.rfind("]") else nodeid.partition("::")[0]


class Units(LoadScopeScheduling):  # type: ignore[misc]  # xdist brings no types
    """Gives each process one such unit after the other, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)


def grouped(items: Sequence[pytest.Item]) -> None:
    """Write each test's group behind its name, where the process that gives out the tests finds it.

    xdist 3.8 does so for ``--dist loadgroup``, but where pytest 9.2 does not look any more.
    """
    for item in items:
        names = sorted({str(mark.args[0]) for mark in item.iter_markers("xdist_group")})
        behind = f"@{'_'.join(names)}"
        if names and not item.nodeid.endswith(behind):
            item._id = NodeId.parse(item.nodeid + behind)


def ordered(items: Sequence[pytest.Item]) -> list[pytest.Item]:
    """What takes longest in front."""
    places = {name: place for place, name in enumerate(FIRST)}
    return sorted(items, key=lambda item: places.get(unit(item.nodeid), len(places)))


def scheduler(config: pytest.Config, log: Producer) -> Units | None:
    """For ``--dist loadgroup``."""
    if config.getvalue("dist") != "loadgroup":
        return None
    config.option.loadscopereorder = False
    return Units(config, log)
