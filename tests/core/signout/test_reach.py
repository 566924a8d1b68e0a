"""What ends beside the session that is signed out of (rule R30)."""

from __future__ import annotations

import pytest

from gateway.core.session.revocation_keys import email_key, isid_key, subject_key
from gateway.core.session.session import Principal, Session
from gateway.core.signout.reach import Reach

IDP = "https://idp.example.com"
USER, THERE = subject_key(IDP, "s-1"), isid_key(IDP, "session there")
SESSION = Session(
    "sid", "log", Principal(IDP, "s-1", "alice"), (USER, email_key("alice@example.com"), THERE), 1, 1, 2, 3
)


@pytest.mark.parametrize(
    ("reach", "keys"),
    [
        (Reach(), []),
        (Reach(every_session_of_user=True), [USER]),
        (Reach(one_sign_in=True), [THERE]),
        (Reach(every_session_of_user=True, one_sign_in=True), [THERE, USER]),
    ],
)
def test_r30_what_else_ends(reach: Reach, keys: list[str]) -> None:
    """Never by e-mail, which another person may have by then, and never with a barrier against other browsers."""
    entries = reach.others(SESSION, 1_000)
    assert [entry.key for entry in entries] == keys
    assert {(entry.expires, entry.barrier, entry.event_time) for entry in entries} <= {(1_000, None, None)}
    assert "logout" not in {entry.reason for entry in entries}
