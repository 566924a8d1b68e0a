"""Messages by their ids; what the catalogue itself must be like is in `tests/guards/test_messages.py`."""

from __future__ import annotations

import pytest

from gateway.web.pages.catalogue import MESSAGES, message, message_for


def test_a_message_is_filled_in() -> None:
    """By name, and a value is never looked at for placeholders of its own."""
    assert message("receipt.at", outcome="{time}", time="noon") == "{time} at noon."


def test_what_is_missing_is_an_error() -> None:
    """Not an empty place on a page."""
    with pytest.raises(KeyError):
        message("receipt.at", outcome="Ended")
    with pytest.raises(KeyError):
        message("receipt.nothing_like_that")


def test_a_code_that_is_not_known_has_the_default() -> None:
    """As one that another version has written; nothing where there is no default."""
    assert message_for("ended", "operator", "by_provider") == MESSAGES["ended.operator"]
    assert message_for("ended", "of tomorrow {x}", "by_provider") == MESSAGES["ended.by_provider"]
    assert message_for("evidence", "", service="Okta") == ""
