"""The reader beside llhttp and h11: whatever it accepts, they read in the same way, and they see the same ends.

A request that two servers on its way read differently is how requests are smuggled, so nothing that could be is taken.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from itertools import takewhile

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError
from gateway.web.door.limits import DoorLimits
from gateway.web.door.stages import Stage
from gateway.web.messages import Answer, Request, Response
from tests.fakes.door import listener
from tests.fakes.nonsense import METHODS, streams
from tests.fakes.readers import Read, by_h11, llhttp, lowered


class Wire(asyncio.Transport):
    """A transport whose bytes go nowhere. ``answers``: how many there were."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 1)})
        self.answers = 0
        self.ended = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.answers += 1

    def write_eof(self) -> None:
        self.ended = True

    def can_write_eof(self) -> bool:
        return True

    def is_closing(self) -> bool:
        return self.ended

    def close(self) -> None:
        self.ended = True

    abort = close

    def pause_reading(self) -> None:
        """Nobody reads here."""

    resume_reading = pause_reading

    def get_write_buffer_size(self) -> int:
        return 0


async def _read(data: bytes, cuts: list[int]) -> tuple[list[Read], bool]:
    found: list[Read] = []
    at = 0

    async def answer(request: Request) -> Answer:
        body = b""
        try:
            while request.body is not None and (piece := await request.body.read()):
                body += piece
        except DownstreamError:
            return Response(400, close=True)
        found.append(
            Read(request.method, request.target, lowered(request.headers), body, at, request.keep_alive)
        )
        return Response()

    doors = listener(answer, DoorLimits(1_000, 0))
    wire, connection = Wire(), doors()
    connection.connection_made(wire)
    for start, at in zip([0, *cuts], [*cuts, len(data)], strict=True):
        connection.data_received(data[start:at])
        await asyncio.sleep(0)
        while (
            Stage.ASKED <= connection._stage <= Stage.TUNNEL and connection._reader.body is None
        ):  # else its body is waited for, or nothing
            await asyncio.sleep(0)
    over = wire.ended
    connection.connection_lost(None)
    doors.clock.close()
    await asyncio.sleep(0)
    return found, over


@pytest.fixture(scope="module")
def runner():
    with asyncio.Runner() as made:
        yield made


def ours(runner: asyncio.Runner, data: bytes, cuts: list[int] | None = None) -> tuple[list[Read], bool]:
    """The requests that our reader finds, and whether it has ended the connection; ``cuts``: after each byte."""
    return runner.run(_read(data, list(range(1, len(data))) if cuts is None else cuts))


def _origin_form(read: Read) -> Read:
    """What RFC 9112 §3.2.2 has a server make of a whole address: its host counts, and Host does not."""
    found = re.fullmatch(r"(?i:https?)://([A-Za-z0-9._~:\[\]-]+)([/?].*)?", read.target)
    if found is None:
        return read
    rest = found[2] or "/"
    headers = ((b"host", found[1].encode()), *(pair for pair in read.headers if pair[0] != b"host"))
    return replace(read, target=rest if rest.startswith("/") else f"/{rest}", headers=headers)


def _known_to_llhttp(read: Read) -> bool:
    """It has a closed list of methods, where here any token is read and the gate refuses what no policy can name; it has
    its own idea of a target that is neither a path nor a whole address, which the door refuses as it is; and it takes what
    follows a wish to upgrade for the new protocol's, body or not.
    """
    return (
        read.method in METHODS
        and (read.target.startswith("/") or read.target == "*")
        and not any(name == b"upgrade" for name, _ in read.headers)
    )


@given(streams)
@example(data=b"GET http//a/x HTTP/1.1\r\nHost: a\r\n\r\n")
def test_llhttp_reads_every_accepted_request_in_the_same_way(runner: asyncio.Runner, data: bytes) -> None:
    """Method, target, headers, body, where the next one begins, and whether there may be one."""
    found = list(takewhile(_known_to_llhttp, ours(runner, data)[0]))
    assert [_origin_form(read) for read in llhttp(data)[: len(found)]] == found


@given(streams)
def test_h11_reads_no_accepted_request_in_another_way(runner: asyncio.Runner, data: bytes) -> None:
    """As far as h11 reads: it takes no empty line before a request and keeps no connection of HTTP/1.0."""
    found, _ = ours(runner, data)
    theirs = [_origin_form(read) for read in by_h11(data)[: len(found)]]
    assert theirs == [replace(read, stays=h11.stays) for read, h11 in zip(found, theirs, strict=False)]


@given(streams, st.lists(st.integers(0, 400), max_size=5))
def test_cutting_the_bytes_changes_nothing(runner: asyncio.Runner, data: bytes, cuts: list[int]) -> None:
    """Requests, bodies, and the end of the connection are the same wherever the segments begin."""

    def plain(reads: list[Read]) -> list[tuple[object, ...]]:
        return [(each.method, each.target, each.headers, each.body) for each in reads]

    whole, ended = ours(runner, data, [])
    for where in (None, sorted(cut for cut in cuts if cut < len(data))):
        found, over = ours(runner, data, where)
        assert (plain(found), over) == (plain(whole), ended)
