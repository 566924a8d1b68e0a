"""Calls that are given up, and how many wait: neither costs another call, and both are counted right."""

from __future__ import annotations

import pytest

from gateway.web.ext_authz.connection import CALLS
from tests.fakes.door import eventually
from tests.fakes.grpc_caller import GrpcCaller, framed
from tests.web.ext_authz.conftest import Answering


async def test_calls_that_are_given_up_count_until_they_are_answered(answering: Answering) -> None:
    """Beginning calls and breaking them off at once fills nothing (CVE-2023-44487)."""
    answering.waits = True
    caller = await answering.caller()
    for _ in range(2 * CALLS):
        stream = caller.begin()
        caller.send(stream, framed(b"a"))
        caller.give_up(stream)
    last = caller.begin()
    caller.send(last, framed(b"b"))
    assert (await caller.answer(last)).reset == 7
    assert len(answering.calls) == CALLS
    for call in answering.calls:
        answering.answer(call)
    assert (await _answered(caller, answering)) == b"c"


async def test_a_call_that_is_given_up_in_the_read_it_came_in_costs_nobody_else(
    answering: Answering, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As browsers that leave make Envoy do it, in the midst of others: h2 has forgotten that call when we answer it."""
    crashes: list[Exception] = []
    monkeypatch.setattr(answering.listener, "crashed", crashes.append)
    caller = await answering.caller()
    with caller.at_once():
        before, left, after = caller.begin(), caller.begin(), caller.begin()
        caller.send(before, framed(b"before"))
        for _ in range(3):
            caller.send(left, framed(b"left"))
            caller.give_up(left)
            left = caller.begin()
        caller.send(after, framed(b"after"))
        caller.give_up(left)
    assert (await caller.answer(before)).message == b"before"
    assert (await caller.answer(after)).message == b"after"
    assert (await caller.call(b"next")).message == b"next"
    (connection,) = answering.listener.connections
    assert connection.idle
    assert crashes == []


async def test_calls_that_wait_for_their_answer_count_once(answering: Answering) -> None:
    """As many as are told, each begun when others wait already."""
    answering.waits = True
    caller = await answering.caller()
    streams = []
    for number in range(CALLS):
        streams.append(caller.begin())
        caller.send(streams[-1], framed(b"a"))
        await eventually(lambda number=number: len(answering.calls) == number + 1)
    for call in answering.calls:
        answering.answer(call)
    for stream in streams:
        assert (await caller.answer(stream)).message == b"a"
    (connection,) = answering.listener.connections
    assert connection.idle


async def _answered(caller: GrpcCaller, answering: Answering) -> bytes:
    answering.waits = False
    return (await caller.call(b"c")).message
