"""One request on its way to its upstream and its response on the way back.

Most requests have no body and meet a free connection: they are sent at once, and what comes back whole goes out at
once; there is no task for them. Whatever has to wait for something else (a connection, a body, a slow client, a
tunnel) goes on in a task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from gateway.core.errors import GatewayError
from gateway.core.http.routes import Route
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.deadlines import Deadlines
from gateway.proxy.exchange import Exchange, StaleConnectionError
from gateway.proxy.insertion import InsertingExchange
from gateway.proxy.pool import Pool
from gateway.telemetry.log import get_logger
from gateway.web.forward.downstream import ForwardedClient
from gateway.web.forward.upload import Upload
from gateway.web.forward.websocket import run_tunnel
from gateway.web.messages import CLIENT_GONE, Answer, Request, Sent

_log = get_logger("forward")
REPLAYABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Idempotent (RFC 9110 §9.2.2): sent once more when a pooled connection was stale and there is no body."""


def tell_of_failure(error: GatewayError, route: str) -> None:
    """Say in the log what was wrong with an upstream's answer, whether the client can still be told or not."""
    if error.blame == "upstream" and error.code != "session_ended":
        _log.warning("upstream_failed", reason=error.code, detail=error.detail, route=route)


class Forwarding:
    """See the module.

    :param head: of the request, as it goes to the upstream.
    :param on_result: told of the end: the route, and ``ok`` or the code of the failure.
    """

    __slots__ = (
        "_client",
        "_deadlines",
        "_exchange",
        "_head",
        "_on_result",
        "_pool",
        "_replayable",
        "_request",
        "_route",
    )

    def __init__(
        self,
        request: Request,
        client: ForwardedClient,
        route: Route,
        pool: Pool,
        deadlines: Deadlines,
        head: bytes,
        on_result: Callable[[str, str], None],
    ) -> None:
        self._request = request
        self._client = client
        self._route = route
        self._pool = pool
        self._deadlines = deadlines
        self._head = head
        self._on_result = on_result
        self._replayable = request.method in REPLAYABLE
        self._exchange: Exchange | None = None

    def at_once(self) -> bool:
        """Send the request, when there is a free connection; the request is settled when the response is there."""
        connection = self._pool.take(replayable=self._replayable, belonging=self._client.belonging)
        if connection is None:
            return False
        self._begin(connection, self._head).on_change = self._changed
        return True

    async def run(self, upload: Upload | None = None) -> Sent:
        """Send the request, on a new connection if need be.

        :raises UpstreamError: there is no response. :raises DownstreamError: its body cannot be forwarded.
        """
        return await self._counted(self._run(upload))

    def _begin(self, connection: UpstreamConnection, head: bytes, *, sent: bool = True) -> Exchange:
        route, client = self._route, self._client
        kind = InsertingExchange if client.script else Exchange
        exchange = kind(client, self._deadlines, route)
        self._exchange = exchange
        self._request.gone = self._gone
        if self._request.block.binds:
            client.bind(connection)
        exchange.begin(connection, head, sent=sent)
        return exchange

    def _gone(self) -> None:
        """The client has left."""
        if self._exchange is not None and self._exchange.switched is None:
            self._exchange.cancel()

    # Without a task

    def _changed(self) -> None:
        """The exchange is over, or needs more than is done without a task."""
        exchange = self._exchange
        assert exchange is not None
        exchange.on_change = None
        try:
            answer: Answer | Exception = self._outcome(exchange)
        except Exception as error:  # noqa: BLE001 -- whatever it is, the client gets an answer
            answer = error
        self._request.settle(answer)

    def _outcome(self, exchange: Exchange) -> Answer:
        if not exchange.over:
            return self._counted(self._wait(exchange))
        try:
            sent = self._end(exchange)
        except GatewayError as error:
            if isinstance(error, StaleConnectionError) and self._replayable:
                return self.run()
            self._over(error.code)
            raise
        self._over(self._client.result)
        return sent

    def _over(self, result: str) -> None:
        """Nothing of this request lives on."""
        self._client.over()
        self._on_result(self._route.path, result)

    # With a task

    async def _counted(self, way: Awaitable[Sent]) -> Sent:
        result = "client_gone"
        try:
            sent = await way
            result = self._client.result
            return sent
        except GatewayError as error:
            result = error.code
            raise
        finally:
            self._over(result)

    async def _run(self, upload: Upload | None) -> Sent:
        replayable = upload is None and self._replayable
        body = None if upload is None else upload.at_hand()
        head = self._head if body is None else self._head + body
        connection = (
            self._pool.take(replayable=replayable, belonging=self._client.belonging) or await self._connect()
        )
        try:
            return await self._follow(connection, head, upload if body is None else None)
        except StaleConnectionError:
            if not replayable:
                raise
        return await self._follow(await self._connect(), head)

    async def _connect(self) -> UpstreamConnection | None:
        """A connection, for which there may be a queue; None when the client has left meanwhile."""
        task = asyncio.current_task()
        connecting = asyncio.ensure_future(self._pool.connect(self._route.connect))
        self._request.gone = connecting.cancel
        try:
            return await connecting
        except asyncio.CancelledError:
            if task is None or task.cancelling():
                raise
            return None

    async def _follow(
        self, connection: UpstreamConnection | None, head: bytes, upload: Upload | None = None
    ) -> Sent:
        if connection is None:
            self._client.result = "client_gone"
            return Sent(CLIENT_GONE, b"", close=True)
        exchange = self._begin(connection, head, sent=upload is None)
        pump = None if upload is None else asyncio.ensure_future(upload.run(connection, exchange))
        try:
            return await self._wait(exchange)
        finally:
            if pump is not None:
                pump.cancel()

    async def _wait(self, exchange: Exchange) -> Sent:
        """Let the exchange read on whenever a blocked client has caught up, until it is over or has switched."""
        client = self._client
        try:
            while not exchange.over and exchange.switched is None:
                await exchange.changed()
                if exchange.reading_paused and not exchange.over:
                    await client.drain()
                    exchange.unblocked()
        except BaseException:
            exchange.cancel()
            raise
        if exchange.switched is not None and not exchange.over:
            connection = exchange.detach()
            await run_tunnel(
                self._request, client, connection, *exchange.switched, self._deadlines, self._route.stream
            )
            return Sent(101, b"", close=True, size=client.written)
        return self._end(exchange)

    def _end(self, exchange: Exchange) -> Sent:
        client, head = self._client, exchange.head
        if not exchange.complete:
            client.result = exchange.error.code if exchange.error is not None else "client_gone"
        if exchange.complete_response is not None and head is not None:
            if exchange.waited and not client.stands:
                # A long poll that outlived its session: what it asked for is nobody's business any more.
                client.abort()
                return Sent(exchange.status, b"", close=True)
            return Sent(exchange.status, exchange.complete_response, close=head.close)
        if exchange.error is not None:
            if not exchange.started:
                raise exchange.error
            tell_of_failure(exchange.error, self._route.path)
        reusable = exchange.complete and head is not None and not head.close
        return Sent(exchange.status or CLIENT_GONE, b"", close=not reusable, size=client.written)
