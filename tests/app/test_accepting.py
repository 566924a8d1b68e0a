"""Listening sockets of several workers: dealt out evenly, taken by nobody else, and never left alone (rule R12)."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import AsyncIterator

import pytest

from gateway.app.accepting import (
    let_everybody_in,
    let_nobody_in,
    listening_socket,
    listening_sockets,
    stand_in,
    take_queued,
)
from gateway.core.errors import ConfigurationError
from gateway.settings.addresses import ListenAddress
from gateway.web.door.listener import Listener
from gateway.web.messages import Response
from tests.fakes.door import Client, listener
from tests.fakes.patience import PATIENCE


@contextlib.asynccontextmanager
async def closing(client: Client) -> AsyncIterator[Client]:
    try:
        yield client
    finally:
        await client.close()


ANYWHERE = ListenAddress("127.0.0.1", 0)


def answering() -> Listener:
    return listener(lambda _: Response(body=b"here"))


def test_an_address_that_is_taken_is_named_with_its_key() -> None:
    """The error says which address and which key of the configuration."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError) as error:
            listening_socket(ListenAddress("127.0.0.1", port), "probes.listen")
    assert f"127.0.0.1:{port} (probes.listen): Address already in use" in error.value.detail
    assert error.value.fix


def test_the_sockets_of_several_workers_have_one_address() -> None:
    """A free port is chosen once; what is told of an address that is taken is the same."""
    with contextlib.ExitStack() as stack:
        ours = [stack.enter_context(sock) for sock in listening_sockets(ANYWHERE, "listen", 3)]
        assert len({sock.fileno() for sock in ours}) == 3
        (name,) = {sock.getsockname() for sock in ours}
        with pytest.raises(ConfigurationError, match="Address already in use"):
            listening_socket(ListenAddress(*name), "listen")


def test_another_gateway_of_the_same_user_gets_no_share() -> None:
    """The kernel would let it; half of the requests would go to somebody else's configuration."""
    with contextlib.ExitStack() as stack:
        ours = [stack.enter_context(sock) for sock in listening_sockets(ANYWHERE, "listen", 2)]
        with pytest.raises(ConfigurationError, match="Address already in use"):
            listening_sockets(ListenAddress(*ours[0].getsockname()), "listen", 2)


def test_connections_are_dealt_out_evenly() -> None:
    """Of 200 connections to two workers none gets fewer than 60: by chance once in a hundred million runs."""
    with contextlib.ExitStack() as stack:
        doors = [stack.enter_context(sock) for sock in listening_sockets(ANYWHERE, "listen", 2)]
        for _ in range(200):
            stack.enter_context(socket.create_connection(doors[0].getsockname()))
        counts = [0, 0]
        while sum(counts) < 200:  # the kernel may still be about to queue some
            queued, _, _ = select.select(doors, [], [], PATIENCE)
            assert queued, counts
            for door in queued:
                stack.enter_context(door.accept()[0])
                counts[doors.index(door)] += 1
    assert min(counts) >= 60, counts


async def test_whoever_runs_stands_in_for_a_worker_that_does_not() -> None:
    """Clients that were dealt to a worker that is dead or stuck are answered by another one."""
    doors = listening_sockets(ANYWHERE, "listen", 2)
    door = answering()
    server = await asyncio.get_running_loop().create_server(door, sock=doors[0])
    standing_in = asyncio.create_task(stand_in(doors[1:], door, None))
    clients = [Client(*await asyncio.open_connection(*doors[1].getsockname())) for _ in range(40)]
    try:
        answers = await asyncio.gather(*(client.get("/") for client in clients))
        assert [answer.body for answer in answers] == [b"here"] * 40
    finally:
        standing_in.cancel()
        for client in clients:
            await client.close()
        server.close()
        doors[1].close()
        await door.shutdown(0.1)


async def test_nobody_is_queued_between_the_last_look_and_the_close() -> None:
    """Who is connected is answered. Who comes later is refused where the kernel can pass over him, and else answered."""
    sock, door = listening_socket(ANYWHERE, "listen"), answering()
    name = sock.getsockname()
    async with closing(Client(*await asyncio.open_connection(*name))) as early:
        passed_over = let_nobody_in(sock)
        connecting = asyncio.create_task(asyncio.open_connection(*name))
        await asyncio.sleep(0)
        await take_queued(sock, door, None)
        assert (await early.get("/")).body == b"here"
        if passed_over:
            with pytest.raises(ConnectionRefusedError):
                await connecting
        else:
            async with closing(Client(*await connecting)) as late:
                assert (await late.get("/")).body == b"here"
    await door.shutdown(0.1)


async def test_a_door_that_was_shut_is_opened_for_the_next_worker() -> None:
    """A client that was passed over comes in with its second try."""
    sock, door = listening_socket(ANYWHERE, "listen"), answering()
    let_nobody_in(sock)
    connecting = asyncio.create_task(asyncio.open_connection(*sock.getsockname()))
    await asyncio.sleep(0)
    for _ in range(2):
        let_everybody_in(sock)
    server = await asyncio.get_running_loop().create_server(door, sock=sock)
    async with closing(Client(*await connecting)) as late:
        assert (await late.get("/")).body == b"here"
    server.close()
    await door.shutdown(0.1)
