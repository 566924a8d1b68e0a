"""Who watches the health of gRPC's services hears how it is and when that changes (grpc.health.v1), within bounds.

grpclib shares only h2 with the gateway: its health client is another reading of the same protocol.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from grpclib.client import Channel, Stream
from grpclib.const import Status
from grpclib.exceptions import GRPCError
from grpclib.health.v1.health_grpc import HealthStub
from grpclib.health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from h2.settings import SettingCodes

from gateway.web.ext_authz.call import WATCHES
from gateway.web.ext_authz.service import AUTHORIZATION, Service
from tests.fakes.door import eventually
from tests.fakes.grpc_caller import HEALTH, WATCH, GrpcCaller, framed
from tests.fakes.hand import Hand
from tests.fakes.patience import PATIENCE
from tests.web.ext_authz.conftest import Answering
from tests.web.ext_authz.test_service import running

SERVING, NOT_SERVING, SERVICE_UNKNOWN = 1, 2, 3
Watch = Stream[HealthCheckRequest, HealthCheckResponse]


class Health:
    """A listener whose health a test decides."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.good = True
        service = Service(cast("Any", None), cast("Any", None), headers=0, serving=lambda: self.good)
        answering.listener._ask = service

    async def begun(self, caller: GrpcCaller, service: str = "") -> int:
        """Watch; its stream, when the first message has come."""
        stream = caller.begin(WATCH)
        caller.send(stream, framed(HealthCheckRequest(service=service).SerializeToString()))
        told = caller.told[stream]
        await eventually(lambda: bool(told.data) or told.over.is_set())
        return stream


@pytest.fixture
def health(answering: Answering) -> Health:
    return Health(answering)


def heard(caller: GrpcCaller, stream: int) -> list[int]:
    """The states that a call was told."""
    data = caller.told[stream].data
    states: list[int] = []
    while data:
        length = int.from_bytes(data[1:5])
        states.append(HealthCheckResponse.FromString(data[5 : 5 + length]).status)
        data = data[5 + length :]
    return states


@asynccontextmanager
async def watching(port: int, service: str = "") -> AsyncIterator[Watch]:
    """As a service mesh does, by grpclib."""
    channel = Channel("127.0.0.1", port)
    try:
        async with HealthStub(channel).Watch.open() as stream:
            await stream.send_message(HealthCheckRequest(service=service), end=True)
            yield stream
    finally:
        channel.close()


async def next_state(stream: Watch) -> int | None:
    """What is told next; None at the end."""
    told = await asyncio.wait_for(stream.recv_message(), PATIENCE)
    return None if told is None else int(told.status)


@pytest.mark.parametrize("service", ["", AUTHORIZATION])
async def test_a_mesh_hears_that_the_gateway_stops_and_then_its_watch_ends(
    tmp_path: Path, hand: Hand, service: str
) -> None:
    """SERVING at first; NOT_SERVING as soon as questions should go elsewhere, by which a stop begins; in the end
    UNAVAILABLE, after which clients ask again, and not UNIMPLEMENTED, after which they never do.
    """
    async with running(tmp_path) as lab:
        assert lab.gateway.questions is not None
        with pytest.raises(GRPCError) as ended:
            async with watching(lab.port, service) as stream:
                assert await next_state(stream) == SERVING
                lab.gateway.drain()
                async with hand.passing():
                    assert await next_state(stream) == NOT_SERVING
                await asyncio.wait_for(lab.gateway.questions.drain(PATIENCE), PATIENCE)
                assert await next_state(stream) is None
        assert ended.value.status is Status.UNAVAILABLE


async def test_a_mesh_hears_each_change(health: Health, hand: Hand) -> None:
    """There and back again; nothing while nothing changes."""
    async with watching(health.answering.port) as stream:
        assert await next_state(stream) == SERVING
        for good, state in ((False, NOT_SERVING), (True, SERVING), (False, NOT_SERVING)):
            hand.goes(2)
            health.good = good
            hand.goes(2)
            assert await next_state(stream) == state
        await stream.cancel()
    await eventually(lambda: not health.answering.listener.connections)


async def test_a_service_that_is_unknown_is_watched_as_such(health: Health, hand: Hand) -> None:
    """The call goes on, as the protocol wants it."""
    caller = await health.answering.caller()
    stream = await health.begun(caller, "other")
    health.good = False
    hand.goes(30)
    told = await caller.call(b"", HEALTH)
    assert HealthCheckResponse.FromString(told.message).status == NOT_SERVING
    assert heard(caller, stream) == [SERVICE_UNKNOWN]
    assert not caller.told[stream].over.is_set()


async def test_what_is_no_request_for_health_is_refused(health: Health) -> None:
    """INVALID_ARGUMENT, for one call as for a watch."""
    caller = await health.answering.caller()
    assert (await caller.call(b"\xff\xff", WATCH)).status == "3"
    assert not health.answering.listener.connections.copy().pop().calls


async def test_a_connection_has_so_many_watches_and_no_more(health: Health) -> None:
    """RESOURCE_EXHAUSTED; calls are answered beside them, and one that is given up makes room."""
    caller = await health.answering.caller()
    streams = [await health.begun(caller) for _ in range(WATCHES)]
    assert caller.told[await health.begun(caller)].status == "8"
    assert (await caller.call(b"", HEALTH)).status == "0"
    caller.give_up(streams[0])
    (connection,) = health.answering.listener.connections
    await eventually(lambda: connection.watching == WATCHES - 1)
    assert heard(caller, await health.begun(caller)) == [SERVING]
    assert connection.watching == len(connection.calls) == WATCHES
    assert connection._given_up == 0


async def test_who_watches_and_has_gone_is_found_out(health: Health, hand: Hand) -> None:
    """He takes nothing and says nothing, as behind a cable that was pulled; who answers stays for as long as he likes."""
    here, gone = await health.answering.caller(), await health.answering.caller()
    stream, _ = await health.begun(here), await health.begun(gone)
    gone.transport.pause_reading()
    mine = here.transport.get_extra_info("sockname")
    for _ in range(4):
        hand.goes(77)
        await eventually(
            lambda: all(
                not each._pinged
                for each in health.answering.listener.connections
                if each._transport.get_extra_info("peername") == mine
            )
        )
    gone.transport.resume_reading()
    await asyncio.wait_for(gone.ended.wait(), PATIENCE)
    health.good = False
    hand.goes(2)
    await eventually(lambda: heard(here, stream) == [SERVING, NOT_SERVING])


async def test_who_takes_nothing_is_told_the_latest_alone(health: Health, hand: Hand) -> None:
    """Nothing piles up; what is not taken in time ends the watch, and not the connection."""
    caller = await health.answering.caller()
    caller.h2.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 7})
    caller.ready.clear()
    caller.flush()
    await asyncio.wait_for(caller.ready.wait(), PATIENCE)
    caller.keeps_shut = True
    stream = await health.begun(caller)  # seven bytes: the first state, and no room for another
    (connection,) = health.answering.listener.connections
    (call,) = connection.calls.values()
    for good in (False, True, False, True):
        health.good = good
        hand.goes(2)
        assert len(call.unsent) <= 7
    assert heard(caller, stream) == [SERVING]
    hand.goes(40)
    assert (await caller.answer(stream)).reset == 8
    assert connection.watching == 0
    assert not caller.ended.is_set()


async def test_a_stop_ends_watches_at_once(health: Health) -> None:
    """With the last word on how it is, also where nobody has looked since."""
    caller = await health.answering.caller()
    stream = await health.begun(caller)
    health.good = False
    await asyncio.wait_for(health.answering.listener.drain(PATIENCE), PATIENCE)
    told = await caller.answer(stream)
    assert (heard(caller, stream), told.status) == ([SERVING, NOT_SERVING], "14")
    await asyncio.wait_for(caller.ended.wait(), PATIENCE)
