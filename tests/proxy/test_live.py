"""The registry of connections that end with their session."""

from __future__ import annotations

from gateway.proxy.live import LiveConnections
from tests.fakes.door import session


def test_ending_a_session_ends_its_connections_only():
    """Each once, with the reason, and none of another session's."""
    live, ended = LiveConnections(), []
    live.add("a", lambda reason: ended.append(("a1", reason)))
    live.add("a", lambda reason: ended.append(("a2", reason)))
    live.add("b", lambda reason: ended.append(("b", reason)))

    assert live.end("a", "signed out") == 2
    assert live.end("a", "signed out") == 0
    assert sorted(ended) == [("a1", "signed out"), ("a2", "signed out")]
    assert len(live) == 1


def test_what_is_over_is_discarded():
    """Twice is no error, also from within its own end."""
    live = LiveConnections()
    token = live.add("a", lambda reason: live.discard(token))

    live.end("a", "x")
    live.discard(token)

    assert len(live) == 0


def test_sweeping_asks_about_each_session_once():
    """An entry for a subject ends all connections of the sessions it names."""
    live, ended, asked = LiveConnections(), [], []
    for sid in ("a", "a", "b"):
        live.add(sid, lambda reason, sid=sid: ended.append((sid, reason)), session=session(sid))
    live.add("c", ended.append)

    def verdict(each):
        asked.append(each.sid)
        return "subject revoked" if each.sid == "a" else None

    assert live.sweep(verdict) == 2
    assert (sorted(asked), ended) == (["a", "b"], [("a", "subject revoked")] * 2)
