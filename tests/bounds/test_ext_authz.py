"""What the listener for questions over gRPC remembers, filled with the largest that gets in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

from gateway.web.ext_authz.connection import CALLS, UNREAD, CallerConnection
from gateway.web.ext_authz.known_blocks import KNOWN, KnowingDecoder, KnowingEncoder
from gateway.web.ext_authz.known_blocks import LONGEST as LONGEST_BLOCK
from gateway.web.ext_authz.listener import CONNECTIONS, QuestionListener
from gateway.web.ext_authz.service import Service
from tests.bounds.listed import fills, stated
from tests.bounds.test_door import Wire
from tests.fakes.grpc_caller import GrpcCaller

Measured = Callable[[], int]
LONGEST = 96 * 1024


class _Lost(Wire):
    """What the caller sends is at hand for the listener."""

    def __init__(self) -> None:
        super().__init__(1)
        self.data = bytearray()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.data += data


def listening() -> QuestionListener:
    return QuestionListener(lambda _: None, cast("Any", None), longest=LONGEST, seconds=30.0, keep_alive=75.0)


def connected(listener: QuestionListener) -> tuple[CallerConnection, GrpcCaller, _Lost]:
    """A connection, and its caller without a socket between them."""
    connection, caller, sent, answers = CallerConnection(listener), GrpcCaller(), _Lost(), _Lost()
    connection.connection_made(answers)
    caller.connection_made(sent)
    caller.data_received(bytes(answers.data))
    connection.data_received(bytes(sent.data))
    sent.data.clear()
    return connection, caller, sent


@fills("web/ext_authz/listener.py connections")
async def test_connections_of_callers(measured: Measured) -> None:
    """Each with as much of messages that are not there to their end as its window has room for."""
    listener = listening()
    before = measured()
    for _ in range(3):
        connection, caller, sent = connected(listener)
        while (room := caller.h2.outbound_flow_control_window) > 10:
            stream = caller.begin()
            caller.send(
                stream, (b"\0" + LONGEST.to_bytes(4) + b"x" * LONGEST)[: min(room, LONGEST)], ends=False
            )
            connection.data_received(bytes(sent.data))
            sent.data.clear()
        assert sum(call.unread for call in connection.calls.values()) > UNREAD - 100
        del caller
    taken = measured() - before
    assert 3 * UNREAD < taken <= 3 * stated("web/ext_authz/listener.py connections")
    assert len(listener.connections) == 3 <= CONNECTIONS
    listener.clock.close()


@fills("web/ext_authz/connection.py calls")
async def test_calls_of_a_caller(measured: Measured) -> None:
    """As many as there may be, with the longest names that get in."""
    listener = listening()
    connection, caller, sent = connected(listener)
    streams = [caller.begin(f"/{at}{'a' * 14_000}") for at in range(CALLS)]
    frames = bytes(sent.data)
    sent.data.clear()
    before = measured()
    for at in range(0, len(frames), 16_384):
        connection.data_received(frames[at : at + 16_384])
    assert len(connection.calls) == CALLS == len(streams)
    assert CALLS * 14_000 < measured() - before <= CALLS * stated("web/ext_authz/connection.py calls")
    listener.clock.close()


@fills("web/ext_authz/known_blocks.py _known")
async def test_blocks_of_a_caller(measured: Measured) -> None:
    """As many as there may be each way, of as many fields as get in."""
    reads, writes = KnowingDecoder(65_536), KnowingEncoder()
    blocks = [bytes([0x82, 0x84] * (LONGEST_BLOCK // 2 - 4)) + bytes([0x83 + at]) for at in range(KNOWN)]
    before = measured()
    for block in blocks:
        writes.encode([(bytes(name), bytes(value)) for name, value in reads.decode(block, raw=True)])
    assert len(reads._known) == len(writes._known) == KNOWN
    assert 0 < measured() - before <= stated("web/ext_authz/known_blocks.py _known")


@fills("web/ext_authz/service.py _tasks")
async def test_questions_in_a_task(measured: Measured) -> None:
    """Each waits for the log, or for Redis."""
    service = Service(cast("Any", None), cast("Any", None), headers=0, serving=lambda: True)
    waiting = asyncio.Event()

    async def wait() -> None:
        await waiting.wait()

    before = measured()
    for _ in range(CALLS):
        service.keep(wait())
    assert len(service._tasks) == CALLS
    assert measured() - before <= CALLS * stated("web/ext_authz/service.py _tasks")
    waiting.set()
    await asyncio.gather(*service._tasks)
    assert not service._tasks
