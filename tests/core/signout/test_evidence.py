"""The codes for what is known of a hop: their spelling is in cookies, receipts and logs, so it never changes."""

from __future__ import annotations

from gateway.core.signout.evidence import ENDED, Asked, Evidence


def test_codes_are_written_as_they_always_were() -> None:
    """Whoever verifies a receipt years later reads the same words; a new code is a new line here."""
    assert [str(each) for each in Evidence] == [
        "session_ended",
        "ended_address_reached",
        "came_back",
        "address_reached",
        "no_endpoint",
        "endpoint_unknown",
        "no_hint",
        "hint_too_long",
        "hint_withdrawn",
        "not_needed",
        "no_return",
        "not_configured",
    ]
    assert [str(each) for each in Asked] == [
        "",
        "hint",
        "no_hint",
        "hint_too_long",
        "hint_withdrawn",
        "again",
    ]


def test_only_two_codes_say_that_a_session_is_over() -> None:
    """They are compared with what was sealed as text."""
    assert {"session_ended", "ended_address_reached"} == ENDED
    assert "came_back" not in ENDED
