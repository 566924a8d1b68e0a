"""Activity is gathered and written together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import pytest

from gateway.core.session.sign_in import Sighting
from gateway.state.contract.sign_ins import SignIns
from gateway.web.session import sightings
from gateway.web.session.sightings import Sightings


class Store:
    """Takes what is noted, while it is well."""

    def __init__(self) -> None:
        self.well = True
        self.noted: list[Mapping[str, Sighting]] = []

    async def note(self, seen: Mapping[str, Sighting]) -> bool:
        if self.well:
            self.noted.append(seen)
        return self.well


async def test_what_was_seen_last_is_written_once() -> None:
    """One writing for all sessions; nothing is written when nothing was seen."""
    gathered, store = Sightings(), Store()
    gathered.note("a", "10.0.0.1", 1)
    gathered.note("b", "10.0.0.2", 2)
    gathered.note("a", "10.0.0.3", 3)
    for _ in range(2):
        await gathered.write(cast("SignIns", store))
    assert store.noted == [{"a": Sighting(3, "10.0.0.3"), "b": Sighting(2, "10.0.0.2")}]


async def test_what_could_not_be_written_waits() -> None:
    """And gives way to what was seen meanwhile."""
    gathered, store = Sightings(), Store()
    store.well = False
    gathered.note("a", "10.0.0.1", 1)
    gathered.note("b", "10.0.0.1", 1)
    await gathered.write(cast("SignIns", store))
    store.well = True
    gathered.note("a", "10.0.0.2", 2)
    await gathered.write(cast("SignIns", store))
    assert store.noted == [{"a": Sighting(2, "10.0.0.2"), "b": Sighting(1, "10.0.0.1")}]


async def test_a_storage_in_trouble_fills_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond a number of sessions no further one is gathered; those that are go on."""
    monkeypatch.setattr(sightings, "GATHERED", 2)
    gathered, store = Sightings(), Store()
    for number, sid in enumerate(("a", "b", "c", "a")):
        gathered.note(sid, "10.0.0.1", number)
    await gathered.write(cast("SignIns", store))
    assert {sid: seen.at for sid, seen in store.noted[0].items()} == {"a": 3, "b": 1}
