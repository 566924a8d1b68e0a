"""One connection to the server that has the log: found, opened, asked within a time, and left when it fails.

redis-py speaks to the server; its pools, clients and retries are left aside, because an append has one deadline, and a
connection whose reply was not read to the end must never be used again: that reply would be taken for the answer to
the next question. Which server is the primary is asked anew for each connection.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final, TypeAlias, TypeVar

from redis.asyncio import Connection, SSLConnection
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    InvalidResponse,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError as AnyRedisError
from redis.exceptions import TimeoutError as RedisTimeoutError

from gateway.core.errors import ConfigurationError
from gateway.state.redis.faults import MOVES, CommandRefusedError, GarbledError, LostError, refuses_password
from gateway.state.redis.pace import Pace
from gateway.state.redis.place import Address, RedisPlace, host_port

CONNECT_WITHIN: Final = 1.0
"""Seconds for finding the server, its name, TCP, TLS and the password, where that goes as fast as it should."""
CONNECT_AT_MOST: Final = 10.0
"""Seconds for the same, where it is known to take long: a dozen round trips to a Sentinel and the server."""
ANSWER_WITHIN: Final = 0.25
"""Seconds for an answer of a server that is near."""
ANSWER_AT_MOST: Final = 5.0
"""Seconds for one of a server that is known to take long."""
CLOSE_WITHIN: Final = 0.2
LATE: Final = 0.1
"""Seconds by which a time that ran out is noticed late when this process itself stood still, or nearly."""

T = TypeVar("T")
Command: TypeAlias = Sequence[str | int | bytes]
Reply: TypeAlias = "bytes | int | list[Reply] | None"


class Node:
    """A connection to one server."""

    def __init__(self, address: Address, connection: Connection) -> None:
        self.address = address
        self._connection = connection

    @classmethod
    async def dial(
        cls,
        address: Address,
        place: RedisPlace,
        tls: ssl.SSLContext | None,
        password: str,
        *,
        bare: bool = False,
    ) -> Node:
        """Connect; `bare`: without password and database. Raises OSError or CommandRefusedError."""
        host, port = address
        kind = SSLConnection if place.tls else Connection
        connection = kind(
            host=host,
            port=port,
            db=0 if bare else place.db,
            username=None if bare or not password else place.username or None,
            password=None if bare else password or None,
            protocol=2,
            driver_info=None,
            socket_timeout=None,
            socket_connect_timeout=None,
        )
        if isinstance(connection, SSLConnection):
            # Ours is made once and trusts `ca_file` alone; the library's own reads the system's files each time.
            connection.ssl_context.context = tls
        node = cls(address, connection)
        try:
            await connection.connect()
        except AnyRedisError as error:
            await node.drop()
            raise _ours(error, address) from error
        except BaseException:
            await node.drop()
            raise
        return node

    async def ask(self, *commands: Command) -> list[Reply]:
        """Send all commands at once and read their replies.

        :raises CommandRefusedError: one of them was refused. :raises LostError: the connection ended.
        """
        refused: CommandRefusedError | None = None
        replies: list[Reply] = []
        try:
            await self._connection.send_packed_command(self._connection.pack_commands(commands), False)
            for _ in commands:
                try:
                    replies.append(await self._connection.read_response(disable_decoding=True))
                except ResponseError as error:
                    refused = refused or _refused(error)
        except AnyRedisError as error:
            ours = _ours(error, self.address)
            # A connection that was reset is as lost as one that was closed.
            raise (
                LostError(str(ours)) if isinstance(ours, ConnectionResetError | BrokenPipeError) else ours
            ) from error
        if refused is not None:
            raise refused
        return replies

    async def drop(self) -> None:
        """Disconnect without waiting for the other side, which may hang."""
        await self._connection.disconnect(nowait=True)
        await asyncio.sleep(0)  # the loop closes the socket in its next round; it may be its last

    async def close(self) -> None:
        """Disconnect as TLS wants it, if the other side does so soon."""
        with suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_WITHIN):
                await self._connection.disconnect()


class Link:
    """A connection to the primary, made when it is needed. One question at a time.

    :ivar pace: of its answers. :ivar connecting: of its connections.
    """

    def __init__(self, place: RedisPlace) -> None:
        self.place = place
        self.pace = Pace(ANSWER_WITHIN, ANSWER_AT_MOST)
        self.connecting = Pace(CONNECT_WITHIN, CONNECT_AT_MOST)
        self._tls = place.tls_context()
        self._node: Node | None = None
        self._answered: Address = ("", 0)

    @property
    def patience(self) -> float:
        """Seconds after which a question is answered or given up, connecting included."""
        return self.connecting.within + self.pace.within

    @property
    def address(self) -> Address | None:
        """The server of the connection; None without one."""
        return self._node.address if self._node else None

    async def ask(self, *commands: Command, within: float, blocking: float = 0.0) -> list[Reply]:
        """The replies, within so many seconds, or more where answers are known to take longer; connecting first has its
        own time.

        :param blocking: seconds for which the server waits by itself, if it has nothing to say, besides the others.
        :raises CommandRefusedError: the server refuses. :raises OSError: no answer, in time or at all (TimeoutError is
            that too, and LostError, also where the time ran out while this process stood still).
        :raises ConfigurationError: the Sentinels do not know the service.
        """
        if self._node is None:
            self._node = await self._connected()
        if not commands:
            return []
        started, within = time.monotonic(), blocking + max(within, self.pace.within)
        try:
            async with asyncio.timeout(within):
                replies = await self._node.ask(*commands)
        except CommandRefusedError as error:
            if error.code in MOVES:
                await self.drop()
            raise
        except TimeoutError:
            await self.drop()
            _require_awake(started + within)
            self.pace.gave_up()
            raise
        except BaseException:
            await self.drop()
            raise
        if not blocking:
            self.pace.took(time.monotonic() - started)
        return replies

    async def drop(self) -> None:
        """Disconnect; a question under way fails, the next one connects anew."""
        node, self._node = self._node, None
        if node is not None:
            await node.drop()

    async def close(self) -> None:
        """Disconnect in peace, because nothing more is going to be asked."""
        node, self._node = self._node, None
        if node is not None:
            await node.close()

    async def _connected(self) -> Node:
        started = time.monotonic()
        try:
            async with asyncio.timeout(self.connecting.within):
                node = await self._connect()
        except TimeoutError:
            _require_awake(started + self.connecting.within)
            self.connecting.gave_up()
            raise
        took = time.monotonic() - started
        self.connecting.took(took)
        self.pace.presume(took)
        return node

    async def _connect(self) -> Node:
        find = {"single": self._named, "sentinel": self._by_sentinel, "cluster": self._by_slot}
        address = await find[self.place.kind]()
        return await self._with_password(lambda password: Node.dial(address, self.place, self._tls, password))

    async def _with_password(self, enter: Callable[[str], Awaitable[T]]) -> T:
        """What comes of the latest password, or of the one before where a server does not know that."""
        latest, *former = self.place.login.passwords
        try:
            return await enter(latest)
        except CommandRefusedError as error:
            if not former or not refuses_password(error):
                raise
        return await enter(former[0])

    async def _named(self) -> Address:
        return self.place.hosts[0]

    async def _by_sentinel(self) -> Address:
        """Where the Sentinels see the primary (Redis, "Sentinel clients")."""
        (found,) = await self._of_any("SENTINEL", "GET-MASTER-ADDR-BY-NAME", self.place.master)
        match found:
            case [bytes() as host, bytes() as port]:
                return host.decode(), int(port)
        raise ConfigurationError(
            "state_unknown_service",
            f"the Sentinels know no service {self.place.master!r}",
            fix="name it in `state` as `sentinel monitor` does",
        )

    async def _by_slot(self) -> Address:
        """Which node of the cluster has our keys."""
        (slots,) = await self._of_any("CLUSTER", "SLOTS")
        for found in slots if isinstance(slots, list) else []:
            match found:
                case [int(first), int(last), [host, int(port), *_], *_] if first <= self.place.slot <= last:
                    # Without a name it is the one by which the cluster was reached.
                    return (host.decode() if isinstance(host, bytes) and host else self._answered[0]), port
        raise CommandRefusedError("CLUSTERDOWN no node serves the slot of the log")

    async def _of_any(self, *command: str) -> list[Reply]:
        """The answer of the first of `hosts` that gives one."""
        failed: Exception = LostError("no address")
        for host in self.place.hosts:
            try:
                # Each host has its share of the time, so that one that hangs does not hide the others.
                async with asyncio.timeout(self.connecting.within * 0.8 / len(self.place.hosts)):
                    answer = await self._of_one(host, command)
            except (OSError, CommandRefusedError) as error:
                failed = error
            else:
                self._answered = host
                return answer
        raise failed

    async def _of_one(self, host: Address, command: Command) -> list[Reply]:
        """Sentinels often have no password where Redis has one, and refuse one that they did not ask for."""
        node = await Node.dial(host, self.place, self._tls, "", bare=True)
        try:
            return await node.ask(command)
        except CommandRefusedError as error:
            if error.code != "NOAUTH" or not self.place.login.passwords[0]:
                raise
            names = [self.place.username] if self.place.username else []
            await self._with_password(lambda password: node.ask(("AUTH", *names, password)))
            return await node.ask(command)
        finally:
            await node.drop()


def _require_awake(due: float) -> None:
    """A time that ran out says nothing of the server, if nobody here was there to read the answer.

    A process that was held still finds its time over before it looks into its sockets.

    :param due: when the time was over, by `time.monotonic`. :raises LostError: that was noticed late.
    """
    if time.monotonic() - due > LATE:
        raise LostError("this process stood still")


def _ours(error: AnyRedisError, address: Address) -> Exception:
    """An error of the library as one of ours, so that nobody else has to know the library's."""
    if isinstance(error, ResponseError | AuthenticationError | AuthorizationError | BusyLoadingError):
        return _refused(error)
    if isinstance(error, RedisTimeoutError):
        return TimeoutError(f"{host_port(address)} does not answer")
    if isinstance(error, InvalidResponse):
        return GarbledError("not the protocol of Redis")
    if isinstance(error, RedisConnectionError) and isinstance(error.__context__, OSError):
        return error.__context__
    return LostError(f"{host_port(address)} closed the connection")


def _refused(error: AnyRedisError) -> CommandRefusedError:
    # The library takes the code off the texts that it has a class for.
    code = getattr(error, "status_code", None)
    return CommandRefusedError(f"{code} {error}" if code and not str(error).startswith(code) else str(error))
