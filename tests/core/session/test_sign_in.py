"""What is remembered of a sign-in."""

from __future__ import annotations

from dataclasses import replace

from gateway.core.session.sign_in import LONGEST_AGENT, signed_in
from tests.core.session.test_session import session


def test_a_sign_in_keeps_no_secret_and_no_more_than_is_shown() -> None:
    """No token, no claim; the user agent is cut to size."""
    kept = signed_in(
        session(aliases=("sub:a|b", "isid:https://i|1", "email:a@b.example")),
        agent="x" * 9_999,
        client="192.0.2.1",
    )
    assert "secret" not in repr(kept)
    assert len(kept.agent) == LONGEST_AGENT
    assert kept.aliases == ("sub:a|b", "isid:https://i|1", "email:a@b.example")
    assert (kept.position, kept.log_id) == (7, "log")
    assert (kept.issuer, kept.subject) == ("https://idp.example.com", "s-1")
    assert (kept.seen_at, kept.login_at) == (session().login_at, session().login_at)


def test_whatever_a_provider_calls_somebody_can_be_stored() -> None:
    """Half a surrogate pair is text in JSON and nowhere else."""
    odd = replace(session().principal, user="a\ud800", email="\udc00@b.example")
    kept = signed_in(session(principal=odd), agent="", client="")
    assert kept.user.encode()
    assert (kept.email or "").encode()
