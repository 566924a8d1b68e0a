"""Fetching security events from a transmitter over real sockets that loses connections and repeats itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from gateway.core.errors import ProviderError
from gateway.idp.link import ProviderLink
from gateway.idp.poll import Poller
from gateway.idp.transport import Transport
from gateway.oidc.events.security_event import Refusal
from tests.fakes.door import eventually
from tests.fakes.patience import PATIENCE
from tests.fakes.transmitter import TOKEN, Transmitter, transmitting

NOT_YET = ProviderError("not_durable", retryable=True)


class Receiver:
    """Takes tokens; ``answers`` says how, for those that are not simply done."""

    def __init__(self) -> None:
        self.received: list[str] = []
        self.answers: dict[str, list[Refusal | Exception]] = {}

    async def receive(self, token: str) -> Refusal | None:
        self.received.append(token)
        answer = self.answers[token].pop(0) if self.answers.get(token) else None
        if isinstance(answer, Exception):
            raise answer
        return answer


class Turns:
    """Whose turn it is, to order."""

    def __init__(self) -> None:
        self.ours = True
        self.taken = False

    async def take(self) -> bool:
        self.taken = self.ours
        return self.taken

    async def give_back(self) -> None:
        self.taken = False


@pytest.fixture
async def transmitter() -> AsyncIterator[Transmitter]:
    async with transmitting() as running:
        yield running


@asynccontextmanager
async def streaming(
    transmitter: Transmitter, receive: Callable[[str], Awaitable[Refusal | None]], turns: Turns | None = None
) -> AsyncIterator[Poller]:
    """A stream that is being fetched; it waits as little as it can."""
    link = ProviderLink(Transport(timeout=PATIENCE))
    stream = Poller(
        link,
        transmitter.address,
        TOKEN,
        receive=receive,
        turn=turns or Turns(),
        jitter=lambda: 0.0,
        look_every=0.02,
    )
    stream.start()
    try:
        yield stream
    finally:
        await stream.close()
        await link.close()


async def test_what_was_done_is_acknowledged_at_once(transmitter: Transmitter) -> None:
    """And nothing before; then the transmitter may hold its answer back until there is more."""
    receiver = Receiver()
    transmitter.waiting = {"1": "one", "2": "two"}
    async with streaming(transmitter, receiver.receive) as stream:
        await eventually(lambda: transmitter.acknowledged == ["1", "2"])
        transmitter.waiting["3"] = "three"
        await eventually(lambda: transmitter.acknowledged == ["1", "2", "3"])
        assert stream.health() == "ok"
    assert receiver.received == ["one", "two", "three"]
    assert transmitter.asked[0] == {"maxEvents": 50, "returnImmediately": False, "ack": []}
    assert transmitter.asked[1] == {"maxEvents": 50, "returnImmediately": True, "ack": ["1", "2"]}


async def test_what_never_can_be_taken_is_said(transmitter: Transmitter) -> None:
    """Once, with the code; the others go their way."""
    receiver = Receiver()
    receiver.answers["bad"] = [Refusal("invalid_key", "signature: of a stranger")]
    transmitter.waiting = {"1": "bad", "2": "good"}
    async with streaming(transmitter, receiver.receive):
        await eventually(lambda: transmitter.acknowledged == ["2"])
    assert transmitter.refused == {"1": {"err": "invalid_key", "description": "signature: of a stranger"}}


async def test_what_has_to_come_again_is_not_acknowledged(transmitter: Transmitter) -> None:
    """The log did not take it: it is fetched a second time, and what came before it is acknowledged meanwhile."""
    receiver = Receiver()
    receiver.answers["two"] = [NOT_YET]
    transmitter.waiting = {"1": "one", "2": "two"}
    async with streaming(transmitter, receiver.receive) as stream:
        await eventually(lambda: receiver.received == ["one", "two"])
        await eventually(lambda: "not_durable" in stream.health())
        assert transmitter.acknowledged == []
        await eventually(lambda: transmitter.acknowledged == ["1", "2"])
        await eventually(lambda: stream.health() == "ok")
    assert receiver.received == ["one", "two", "two"]


@pytest.mark.parametrize("trouble", ["cut", "lose", 503, 429])
async def test_a_lost_connection_loses_nothing(transmitter: Transmitter, trouble: int | str) -> None:
    """Before or after the transmitter has noted what was acknowledged; repeated tokens are taken again."""
    receiver = Receiver()
    transmitter.waiting = {"1": "one"}
    transmitter.troubles = [trouble, "nothing", trouble]
    async with streaming(transmitter, receiver.receive) as stream:
        await eventually(lambda: stream.health() != "ok")
        await eventually(lambda: "1" in transmitter.acknowledged, seconds=PATIENCE)
        transmitter.waiting["2"] = "two"
        await eventually(lambda: "2" in transmitter.acknowledged, seconds=PATIENCE)
        await eventually(lambda: stream.health() == "ok")
    assert set(receiver.received) == {"one", "two"}


async def test_many_come_in_several_answers(transmitter: Transmitter) -> None:
    """One after the other, without a pause between."""
    receiver = Receiver()
    transmitter.most = 7
    transmitter.waiting = {str(n): f"token {n}" for n in range(30)}
    async with streaming(transmitter, receiver.receive):
        await eventually(lambda: len(transmitter.acknowledged) == 30)
    assert sorted(receiver.received) == sorted(f"token {n}" for n in range(30))


async def test_only_whose_turn_it_is_asks(transmitter: Transmitter) -> None:
    """The others look now and then."""
    receiver, turns = Receiver(), Turns()
    turns.ours = False
    transmitter.waiting = {"1": "one"}
    async with streaming(transmitter, receiver.receive, turns):
        await eventually(lambda: not turns.taken)
        assert transmitter.asked == []
        turns.ours = True
        await eventually(lambda: transmitter.acknowledged == ["1"])
    assert not turns.taken


async def test_a_new_token_is_used_from_the_next_question_on(transmitter: Transmitter) -> None:
    """The old one was refused, which is said in words."""
    receiver = Receiver()
    transmitter.token = "another"
    transmitter.waiting = {"1": "one"}
    async with streaming(transmitter, receiver.receive) as stream:
        await eventually(lambda: "401" in stream.health())
        stream.replace_token("another")
        await eventually(lambda: transmitter.acknowledged == ["1"], seconds=PATIENCE)


async def test_an_error_of_ours_does_not_end_the_stream(transmitter: Transmitter) -> None:
    """It is logged, and the token comes again."""
    receiver = Receiver()
    receiver.answers["one"] = [RuntimeError("a bug")]
    transmitter.waiting = {"1": "one"}
    async with streaming(transmitter, receiver.receive):
        await eventually(lambda: transmitter.acknowledged == ["1"])
    assert receiver.received == ["one", "one"]
