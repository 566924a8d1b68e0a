"""The registry of connections that end with their session."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from gateway.core.session.revocation_keys import email_key, sid_key, token_key
from gateway.proxy.live import Endings, LiveConnections
from tests.fakes.door import session
from tests.fakes.patience import PATIENCE


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


def note(ended, sid, reason):
    ended.append((sid, reason))


def test_sweeping_asks_about_each_session_once():
    """An entry for a subject ends all connections of the sessions it names."""
    live = LiveConnections()
    ended: list[tuple[str, str]] = []
    asked: list[str] = []
    for sid in ("a", "a", "b"):
        live.add(sid, partial(note, ended, sid), session=session(sid))
    live.add("c", lambda _: pytest.fail("without a session nobody is asked about it"))

    def verdict(each):
        asked.append(each.sid)
        return "subject revoked" if each.sid == "a" else None

    assert live.sweep(verdict) == 2
    assert (sorted(asked), ended) == (["a", "b"], [("a", "subject revoked")] * 2)


def test_an_entry_of_one_session_costs_no_look_at_the_others():
    """Its connections end, and nobody asks about anybody."""
    live = LiveConnections()
    ended: list[tuple[str, str]] = []
    asked: list[str] = []
    for sid in ("a", "a", "b"):
        live.add(sid, partial(note, ended, sid), session=session(sid))
    endings = Endings(live, lambda each: asked.append(each.sid))

    endings.hear(sid_key("a"))
    assert ended == []
    assert endings.carry_out() == 2
    assert endings.carry_out() == 0
    assert (ended, asked) == ([("a", "revoked")] * 2, [])


def test_an_entry_that_may_name_several_is_held_against_every_session():
    """Also when entries of one session came with it."""
    live = LiveConnections()
    ended: list[tuple[str, str]] = []
    for sid in ("a", "b", "c"):
        live.add(sid, partial(note, ended, sid), session=session(sid))
    endings = Endings(live, lambda each: "revoked" if each.sid in {"a", "b"} else None)

    endings.hear(sid_key("a"))
    endings.hear(email_key("b@example.com"))
    assert endings.carry_out() == 2
    assert sorted(ended) == [("a", "revoked"), ("b", "revoked")]


def test_a_failure_keeps_nothing_from_being_ended():
    """What came after it is ended the next time."""
    ended: list[str] = []
    live = LiveConnections()
    live.add("a", lambda _: ended.remove("nothing yet"))
    live.add("b", ended.append)
    endings = Endings(live, lambda _: None)
    endings.hear(sid_key("a"))
    endings.hear(sid_key("b"))

    with pytest.raises(ValueError):
        endings.carry_out()
    assert endings.carry_out() == 1
    assert ended == ["revoked"]


def test_what_only_remembers_something_costs_no_look():
    """A token that was taken, or our own sign-out: nobody is asked whether a session is over."""
    live = LiveConnections()
    live.add("a", lambda reason: None, session=session("a"))
    endings = Endings(live, lambda session: pytest.fail("asked"))

    endings.hear(token_key("https://idp.example", "jti"))

    assert endings.carry_out() == 0


async def test_waiting_is_over_as_soon_as_an_entry_is_heard_of():
    """And after the time otherwise."""
    endings = Endings(LiveConnections(), lambda _: None)
    moment = 0.001
    await endings.wait(moment)
    waiting = asyncio.create_task(endings.wait(2 * PATIENCE))
    await asyncio.sleep(0)
    endings.hear(sid_key("a"))
    await asyncio.wait_for(waiting, PATIENCE)
