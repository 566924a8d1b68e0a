"""The measuring of pure work: that what it measures is what it says."""

from __future__ import annotations

import pytest

from gateway.config import load
from tests.bench.pure import CASES, Case, measure, settings_for


@pytest.mark.parametrize("key", CASES)
async def test_every_case_gets_its_answer(key: str) -> None:
    """Each kind of request is answered as it should be, else the measurement ends the program."""
    with settings_for(access=False) as path:
        assert await measure(CASES[key], load(path, {}), rounds=2, count=3) > 0


async def test_a_wrong_answer_is_not_measured() -> None:
    """A case that is answered otherwise ends the program and names itself."""
    with (
        settings_for(access=False) as path,
        pytest.raises(SystemExit, match="1 KB GET: answered HTTP"),
    ):
        await measure(Case("1 KB GET", 401), load(path, {}), rounds=1, count=1)
