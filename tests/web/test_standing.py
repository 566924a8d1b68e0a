"""What is known before anything is decided; no gate is needed for it."""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.core.errors import StateError
from gateway.core.gate import SESSIONS_AWAY, Challenge
from gateway.proxy.live import REVOKED
from tests.fakes.deciding import FETCH, NAVIGATION, NOW, facts, session
from tests.fakes.gating import Away, Lab

GATEWAY = Path(__file__).parents[2] / "gateway"
ASKS_THE_GATE = {
    "forward_auth.py": "its verdict is the answer",
    "session/activity.py": "prolongs as a request does",
}
"""Endpoints that know of the gate, and what for."""


@pytest.fixture
def lab(at: Callable[[int], None]) -> Lab:
    return Lab()


async def test_our_own_endpoints_hear_of_an_entry_at_once(lab: Lab) -> None:
    """As gated requests do (rule R4)."""
    lab.log.behind = [lab.signed_out()]
    _, state, revocations = await lab.standing.read(facts(cookie=lab.cookie()), NOW)
    assert isinstance(state, Challenge)
    assert (state.reason, revocations.index is lab.log.index) == ("revoked", True)
    await lab.standing.read(facts(), NOW)
    assert lab.log.reads == 1, "a log that has not moved is not read again"


async def test_r04_our_own_endpoints_have_it_asked_too(lab: Lab) -> None:
    """What they find is decided by the log of then."""
    lab.log.end = 7
    _, state, revocations = await lab.standing.read(facts(cookie=lab.cookie(session(seen=8)), **FETCH), NOW)

    assert state == Challenge("log_lost")
    assert revocations.log_id == "another"
    assert lab.log.shown == [8]


async def test_a_session_that_cannot_be_looked_up_is_an_error_unless_nobody_needs_it(
    at: Callable[[int], None],
) -> None:
    """Whoever signs out need not know."""
    lab = Lab(Away)
    assert isinstance(lab.sessions, Away)
    lab.sessions.lost = True
    said = facts(cookie=lab.cookie(), **NAVIGATION)
    with pytest.raises(StateError) as away:
        await lab.standing.read(said, NOW)
    assert away.value.code == SESSIONS_AWAY
    carried, state, _ = await lab.standing.read(said, NOW, anyhow=True)
    assert carried.session is not None
    assert state == Challenge(SESSIONS_AWAY)


def test_what_ends_a_session_and_what_closes_its_connections(lab: Lab) -> None:
    """Nobody's connections are closed for being idle: they know nothing of what the browser does beside them."""
    idle, lost = session(idle_until=NOW), session(log_id="lost")
    assert lab.standing.lives(session())
    assert [lab.standing.lives(one) for one in (idle, lost)] == [False, False]
    assert [lab.standing.why_closed(one) for one in (session(), idle, lost)] == [None, None, "log_lost"]
    lab.log.index.apply(lab.signed_out().placed(1))
    assert (lab.standing.lives(session()), lab.standing.why_closed(session())) == (False, REVOKED)
    lab.standing.rules = replace(lab.standing.rules, accept_log_loss=True)
    assert lab.standing.why_closed(replace(lost, sid="other")) is None


def test_endpoints_know_of_no_gate() -> None:
    """But for those that want its verdict or its work."""
    endpoints = GATEWAY / "web" / "endpoints"
    known = {
        path.relative_to(endpoints).as_posix()
        for path in endpoints.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "gateway.web.gate"
    }
    assert known == ASKS_THE_GATE.keys()


def test_nobody_else_asks_whether_the_log_has_moved() -> None:
    """Whoever decides by the index has it brought in step (`in_step`), or waits for that (`Standing.waits`)."""
    asked = {
        path.relative_to(GATEWAY).as_posix()
        for path in GATEWAY.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr == "moved" and "log" in ast.unparse(node.value)
    }
    assert asked == {"state/contract/log.py", "web/standing.py"}
