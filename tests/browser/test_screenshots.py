"""What draws the pages is told which of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser import screenshots
from tests.web.page_samples import SAMPLES


def test_a_page_that_is_none_is_answered_with_those_that_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is drawn then, not even the pages that there are."""
    directory = tmp_path / "pictures"
    known = next(iter(SAMPLES))
    assert screenshots.main([str(directory), known, "recipt", "cokie"]) == 2
    said = capsys.readouterr().err
    assert said == f"no such page: recipt, cokie; there are {', '.join(SAMPLES)}\n"
    assert not directory.exists()
