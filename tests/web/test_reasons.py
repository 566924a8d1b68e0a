"""Why somebody's sessions were ended, in words."""

from __future__ import annotations

import pytest

from gateway.web.pages.catalogue import message_for


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("operator", "The people who run this site"),
        ("logout", "You signed out."),
        ("signed_out_elsewhere", "from another browser"),
        ("refresh_refused", "did not extend"),
        ("signed_out_everywhere", "You signed out everywhere"),
        ("signed_out_with_user", "in another browser"),
        ("signed_out_with_provider", "signed out of the service"),
        ("universal_logout", "The service you sign in with signed you out"),
        ("user_session_clear", "The service you sign in with signed you out"),
    ],
)
def test_each_reason_is_a_sentence_for_the_person(reason: str, words: str) -> None:
    """Those of our own by name; whatever a provider calls it, it was the provider."""
    sentence = message_for("ended", reason, "by_provider")
    assert words in sentence
    assert sentence.endswith(".")
    assert "_" not in sentence
