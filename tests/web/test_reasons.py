"""Why somebody's sessions were ended, in words."""

from __future__ import annotations

import pytest

from gateway.web.reasons import ended_because


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("operator", "The people who run this site"),
        ("logout", "You have signed out"),
        ("signed_out_elsewhere", "from another browser"),
        ("refresh_refused", "not prolonged"),
        ("signed_out_everywhere", "You have signed out everywhere"),
        ("signed_out_with_user", "in another browser"),
        ("signed_out_with_provider", "signed out of the service"),
        ("universal_logout", "The service that you sign in with"),
        ("user_session_clear", "The service that you sign in with"),
    ],
)
def test_each_reason_is_a_sentence_for_the_person(reason: str, words: str) -> None:
    """Those of our own by name; whatever a provider calls it, it was the provider."""
    sentence = ended_because(reason)
    assert words in sentence
    assert sentence.endswith(".")
    assert "_" not in sentence
