"""The link finds the primary, comes in, keeps its times, and never reads an answer that is not its own."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import ConfigurationError
from gateway.state.redis.faults import CommandRefusedError, GarbledError, LostError, fault_of
from gateway.state.redis.link import Link, Reply
from gateway.state.redis.place import RedisPlace
from tests.fakes.certificates import Authority
from tests.fakes.patience import PATIENCE
from tests.fakes.ports import free_port
from tests.fakes.redis import RedisServer, follow

PING = ("PING",)


@asynccontextmanager
async def linked(place: RedisPlace) -> AsyncIterator[Link]:
    link = Link(place)
    try:
        yield link
    finally:
        await link.close()


async def answer(place: RedisPlace, *command: str | int) -> Any:
    """One question over a link of its own."""
    async with linked(place) as link:
        return (await link.ask(command or PING, within=PATIENCE))[0]


async def under_way(link: Link) -> asyncio.Future[list[Reply]]:
    """A question that nobody answers, and that is asked by now."""
    await link.ask(PING, within=PATIENCE)
    asking = asyncio.ensure_future(link.ask(("XREAD", "BLOCK", 0, "STREAMS", "none", "$"), within=PATIENCE))
    for _ in range(10):
        await asyncio.sleep(0)
    return asking


async def test_questions_sent_together_are_answered_in_order(place: RedisPlace) -> None:
    """One way there and back for all of them."""
    async with linked(place) as link:
        assert await link.ask(("ECHO", "a"), ("ECHO", "b"), ("XLEN", "none"), within=PATIENCE) == [
            b"a",
            b"b",
            0,
        ]


async def test_a_refusal_among_them_is_raised_and_the_connection_goes_on(place: RedisPlace) -> None:
    """All replies are read, so the next question gets its own."""
    async with linked(place) as link:
        with pytest.raises(CommandRefusedError) as caught:
            await link.ask(("ECHO", "a"), ("XLEN",), ("ECHO", "b"), within=PATIENCE)
        address = link.address

        assert caught.value.code == "ERR"
        assert await link.ask(("ECHO", "c"), within=PATIENCE) == [b"c"]
        assert link.address is address


async def test_a_paused_server_costs_the_time_that_was_given(redis: RedisServer) -> None:
    """And a late answer is never taken for the answer to the next question."""
    async with linked(redis.place()) as link:
        await link.ask(PING, within=PATIENCE)
        redis.pause()
        with pytest.raises((TimeoutError, LostError)):  # or this process stood still meanwhile
            await link.ask(("ECHO", "late"), within=0.1)
        assert link.address is None
        redis.resume()

        assert await link.ask(("ECHO", "prompt"), within=PATIENCE) == [b"prompt"]


async def test_a_question_given_up_takes_its_connection_along(place: RedisPlace) -> None:
    """Cancelling is giving up: the answer would be read by whoever asks next."""
    async with linked(place) as link:
        asking = await under_way(link)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

        assert await link.ask(("ECHO", "own"), within=PATIENCE) == [b"own"]


async def test_dropping_ends_a_question_under_way(place: RedisPlace) -> None:
    """That is how a listener leaves a server that is not the primary any more."""
    async with linked(place) as link:
        asking = await under_way(link)
        await link.drop()

        with pytest.raises(LostError):
            await asking


async def test_a_server_that_is_gone_is_an_oserror(redis: RedisServer) -> None:
    """Refused, and lost in mid-connection."""
    async with linked(redis.place()) as link:
        await link.ask(PING, within=PATIENCE)
        redis.stop()
        with pytest.raises(LostError):
            await link.ask(PING, within=PATIENCE)
        with pytest.raises(OSError, match=r"onnect") as caught:
            await link.ask(PING, within=PATIENCE)

    assert str(fault_of(caught.value)) == "no connection to Redis: Connection refused"


async def test_what_speaks_another_protocol_is_named(tmp_path: Path) -> None:
    """An HTTP server at the address."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(GarbledError):
        await answer(RedisPlace((("127.0.0.1", port),)))
    server.close()


async def test_a_connection_that_is_reset_is_lost() -> None:
    """As one that a firewall has forgotten: a new one may be tried at once."""

    async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        at_once = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.transport.abort()

    server = await asyncio.start_server(reset, "127.0.0.1", 0)
    with pytest.raises(LostError):
        await answer(RedisPlace((("127.0.0.1", server.sockets[0].getsockname()[1]),)))
    server.close()


async def test_user_password_and_database(redis: RedisServer) -> None:
    """An ACL user, the default user's password, and a numbered database."""
    redis.ask("ACL", "SETUSER", "gateway", "on", ">secret", "+@all", "~*")
    redis.ask("CONFIG", "SET", "requirepass", "other")

    assert await answer(redis.place(username="gateway", password="secret", db=3)) == b"PONG"
    assert await answer(redis.place(password="other")) == b"PONG"
    for place in (redis.place(), redis.place(password="x"), redis.place(password="other", db=999)):
        with pytest.raises(CommandRefusedError) as caught:
            await answer(place)
        assert fault_of(caught.value).code == "state_refused"


@pytest.mark.parametrize("ours_first", [False, True])
async def test_a_password_is_replaced_in_any_order(redis: RedisServer, ours_first: bool) -> None:
    """Connections that stand go on; new ones show the latest that the server knows, and nothing else gets in."""
    redis.ask("ACL", "SETUSER", "gateway", "on", ">old", "+@all", "~*")
    place = redis.place(username="gateway", password="old")
    async with linked(place) as link:
        await link.ask(PING, within=PATIENCE)
        (theirs, ours) = (
            lambda: redis.ask("ACL", "SETUSER", "gateway", "resetpass", ">new"),
            lambda: place.login.replace("new"),
        )
        for replace in (ours, theirs) if ours_first else (theirs, ours):
            assert await link.ask(PING, within=PATIENCE) == [b"PONG"]
            replace()
            if ours_first:
                assert await answer(place) == b"PONG"
        assert await link.ask(PING, within=PATIENCE) == [b"PONG"]
        redis.ask("CLIENT", "KILL", "USER", "gateway")
        with pytest.raises(LostError):
            await link.ask(PING, within=PATIENCE)
        assert await link.ask(PING, within=PATIENCE) == [b"PONG"]
    place.login.replace("newer")
    place.login.replace("newest")
    with pytest.raises(CommandRefusedError):
        await answer(place)


class TestTls:
    """A server that speaks TLS with the certificate of a private authority."""

    @pytest.fixture
    def secured(self, tmp_path: Path) -> Iterator[RedisServer]:
        with RedisServer(tmp_path / "redis", authority=Authority.make(tmp_path)) as server:
            yield server

    async def test_the_authority_is_trusted(self, secured: RedisServer) -> None:
        """And nothing else is asked for."""
        assert await answer(secured.place()) == b"PONG"

    async def test_another_authority_is_not(self, secured: RedisServer, tmp_path: Path) -> None:
        """Nor the system's, where none is configured; the fix names the key."""
        other = Authority.make(tmp_path, "other")
        for file in (other.file, None):
            with pytest.raises(OSError) as caught:
                await answer(secured.place(ca_file=file))
            assert "redis.ca_file" in str(fault_of(caught.value))

    async def test_another_name_is_not(self, secured: RedisServer) -> None:
        """The certificate is for localhost."""
        with pytest.raises(OSError) as caught:
            await answer(secured.place(hosts=(("127.0.0.1", secured.port),)))
        assert "certificate" in str(fault_of(caught.value))

    async def test_a_client_certificate_is_shown(self, secured: RedisServer) -> None:
        """To a server that asks for one."""
        assert secured.authority is not None
        secured.authority.server("gateway")
        shown = secured.authority.file.with_suffix(".gateway.pem")
        secured.ask("CONFIG", "SET", "tls-auth-clients", "yes")

        assert await answer(secured.place(cert_file=shown, key_file=shown)) == b"PONG"
        with pytest.raises((OSError, CommandRefusedError)):
            await answer(secured.place())


class TestSentinel:
    """Real Sentinels, one of which is not there."""

    @pytest.fixture
    def sentinel(self, redis: RedisServer, tmp_path: Path) -> Iterator[RedisServer]:
        watch = f"sentinel monitor mymaster 127.0.0.1 {redis.port} 1"
        with RedisServer(tmp_path / "sentinel", watch, sentinel=True) as server:
            yield server

    def at(self, sentinel: RedisServer, **changes: Any) -> RedisPlace:
        hosts = (("127.0.0.1", free_port()), ("127.0.0.1", sentinel.port))
        return RedisPlace(hosts, **{"kind": "sentinel", "master": "mymaster", **changes})

    async def test_they_know_the_primary(self, sentinel: RedisServer, redis: RedisServer) -> None:
        """The first that answers is believed."""
        async with linked(self.at(sentinel)) as link:
            await link.ask(PING, within=PATIENCE)
            assert link.address == ("127.0.0.1", redis.port)

    async def test_an_unknown_service_is_a_finding(self, sentinel: RedisServer) -> None:
        """Its name is in it."""
        with pytest.raises(ConfigurationError, match="'another'"):
            await answer(self.at(sentinel, master="another"))

    async def test_one_with_a_password_is_given_redis_s(self, redis: RedisServer, tmp_path: Path) -> None:
        """Which is how they are installed most often; one without a password is not bothered."""
        redis.ask("CONFIG", "SET", "requirepass", "secret")
        watch = f"sentinel monitor mymaster 127.0.0.1 {redis.port} 1"
        for name, password in {"open": "", "closed": "secret"}.items():
            guard = [f"requirepass {password}"] if password else []
            with RedisServer(tmp_path / name, watch, *guard, sentinel=True, password=password) as sentinel:
                assert await answer(self.at(sentinel, password="secret")) == b"PONG"
                with pytest.raises(CommandRefusedError):
                    await answer(self.at(sentinel, password="wrong"))
                renewed = self.at(sentinel, password="secret")
                renewed.login.replace("not there yet")
                assert await answer(renewed) == b"PONG"


class TestCluster:
    """A cluster of one node, which has all slots, and of a second that has none."""

    @pytest.fixture
    def node(self, tmp_path: Path) -> Iterator[RedisServer]:
        with RedisServer(tmp_path / "node", "cluster-enabled yes") as server:
            server.ask("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
            server.wait_for(lambda: b"cluster_state:ok" in server.ask("CLUSTER", "INFO"))
            yield server

    async def test_any_node_knows_who_has_the_log(self, node: RedisServer) -> None:
        """By the slot of the keys."""
        place = node.place(kind="cluster", prefix="elsewhere")

        assert await answer(place, "XLEN", place.log_key) == 0
        assert node.ask("CLUSTER", "KEYSLOT", place.log_key) == place.slot

    async def test_a_slot_that_nobody_serves_is_trouble_that_may_pass(self, node: RedisServer) -> None:
        """The cluster is being fixed."""
        place = node.place(kind="cluster")
        node.ask("CLUSTER", "DELSLOTS", place.slot)
        with pytest.raises(CommandRefusedError) as caught:
            await answer(place)
        assert caught.value.code == "CLUSTERDOWN"


async def test_a_server_that_became_a_replica_is_left(redis: RedisServer, tmp_path: Path) -> None:
    """The refusal is raised, and the next question goes where the primary is then."""
    with RedisServer(tmp_path / "other") as other:
        follow(redis, other)
        async with linked(redis.place()) as link:
            with pytest.raises(CommandRefusedError) as caught:
                await link.ask(("XADD", "k", "*", "f", "v"), within=PATIENCE)
            assert caught.value.code == "READONLY"
            assert link.address is None
