"""Which sessions a process has seen."""

from __future__ import annotations

from gateway.web.seen import SeenSessions
from tests.fakes.door import session


def test_the_one_seen_last_comes_first() -> None:
    """Seen again counts anew, with its latest address and time."""
    seen = SeenSessions(0)
    seen.note(session("a"), "10.0.0.1", 1)
    seen.note(session("b"), "10.0.0.2", 2)
    seen.note(session("a"), "10.0.0.3", 3)
    assert [(each.session.sid, each.client, each.at) for each in seen] == [
        ("a", "10.0.0.3", 3),
        ("b", "10.0.0.2", 2),
    ]


def test_it_is_bounded() -> None:
    """The one not seen for longest is forgotten."""
    seen = SeenSessions(0, keep=2)
    for number, sid in enumerate("abc"):
        seen.note(session(sid), "", number)
    assert [each.session.sid for each in seen] == ["c", "b"]
    assert len(seen) == 2
