"""The way from a decided request to its upstream and back (design section 3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from aiohttp import web

from gateway.core.errors import DownstreamError
from gateway.core.facts import RequestFacts
from gateway.core.headers import IdentityOptions, RequestRules, upstream_request_head, wants_websocket
from gateway.core.routes import Route, ordered
from gateway.core.session import Session
from gateway.proxy.address import parse_address
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.deadlines import Deadlines
from gateway.proxy.exchange import Exchange, StaleConnectionError
from gateway.proxy.live import LiveConnections
from gateway.proxy.pool import Pool
from gateway.web.downstream import ClientSide, Sent
from gateway.web.upload import Upload

REPLAYABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Idempotent (RFC 9110 §9.2.2): sent once more when a pooled connection was stale and there is no body."""

_METHODS = {name: name.encode() for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}


def _always(_: Session) -> bool:
    return True


class Forwarder:
    """Forwards requests by route.

    :param live: where whatever lives long is registered by session.
    :param identity: which headers only the gateway may set, besides the fixed ones.
    :param body_limit: bytes of a request body; 0 means none.
    :param alive: whether a session still stands; asked when a stream begins.
    :ivar draining: ask clients to leave after each response (SIGTERM).
    """

    def __init__(
        self,
        routes: Sequence[Route],
        *,
        live: LiveConnections,
        identity: IdentityOptions | None = None,
        body_limit: int = 0,
        alive: Callable[[Session], bool] = _always,
    ) -> None:
        self.draining = False
        self._routes = ordered(routes)
        self._live = live
        self._body_limit = body_limit
        self._alive = alive
        self._rules = {
            route: RequestRules(identity, allow_method_override=route.allow_method_override)
            for route in routes
        }
        shortest = min((min(r.connect, r.first_byte, r.idle) for r in routes), default=1.0)
        self._deadlines = Deadlines(max(0.02, min(0.5, shortest / 4)))
        self._pools = {route.url: Pool(parse_address(route.url)) for route in routes}

    def route_for(self, path: str) -> Route:
        """The route with the longest prefix.

        :param path: percent-decoded once. :raises DownstreamError: ``no_route``.
        """
        for route in self._routes:
            if route.covers(path):
                return route
        raise DownstreamError(
            "no_route", "No upstream is configured for this path.", mend="Add one to `upstreams`."
        )

    async def forward(
        self,
        request: web.BaseRequest,
        facts: RequestFacts,
        session: Session | None,
        route: Route,
        *,
        identity: Sequence[tuple[bytes, bytes]],
        set_cookies: Sequence[str] = (),
    ) -> web.StreamResponse:
        """The upstream's response. What is not whole at once has already been sent when this returns.

        :param session: whose end ends the response. :param identity: headers to inject.
        :param set_cookies: Set-Cookie values to add.
        :raises UpstreamError: there is no response, and nothing has been sent.
        :raises DownstreamError: the request itself cannot be forwarded.
        """
        websocket = facts.websocket and wants_websocket(request.raw_headers)
        head = upstream_request_head(
            self._rules[route],
            _METHODS.get(request.method) or request.method.encode(),
            request.raw_path.encode("utf-8", "surrogateescape"),
            request.raw_headers,
            client=facts.client,
            scheme=facts.scheme,
            host=facts.host.encode(),
            identity=identity,
            websocket=websocket,
        )
        client = ClientSide(
            request,
            self._live,
            session,
            alive=self._alive,
            keep_alive=request.keep_alive and not self.draining,
            document=facts.document,
            websocket=websocket,
            set_cookies=[cookie.encode("latin-1") for cookie in set_cookies],
        )
        try:
            if request.body_exists:
                chunked = "Transfer-Encoding" in request.headers
                upload = Upload(request, chunked=chunked, limit=self._body_limit)
                return await self._with_body(request, client, route, head, upload)
            return await self._without_body(request, client, route, head)
        finally:
            client.over()

    async def close(self) -> None:
        """Close every upstream connection."""
        self._deadlines.close()
        for pool in self._pools.values():
            await pool.close()

    async def _without_body(
        self, request: web.BaseRequest, client: ClientSide, route: Route, head: bytes
    ) -> web.StreamResponse:
        pool = self._pools[route.url]
        replayable = request.method in REPLAYABLE
        connection = pool.take(replayable=replayable) or await pool.connect(route.connect)
        try:
            return await self._exchange(request, client, route, connection, head)
        except StaleConnectionError:
            if not replayable:
                raise
        connection = await pool.connect(route.connect)
        return await self._exchange(request, client, route, connection, head)

    async def _with_body(
        self, request: web.BaseRequest, client: ClientSide, route: Route, head: bytes, upload: Upload
    ) -> web.StreamResponse:
        pool = self._pools[route.url]
        body = upload.at_hand()
        connection = pool.take(replayable=False) or await pool.connect(route.connect)
        return await self._exchange(
            request, client, route, connection, head + (body or b""), None if body is not None else upload
        )

    async def _exchange(
        self,
        request: web.BaseRequest,
        client: ClientSide,
        route: Route,
        connection: UpstreamConnection,
        head: bytes,
        upload: Upload | None = None,
    ) -> web.StreamResponse:
        exchange = Exchange(client, self._deadlines, first_byte=route.first_byte, idle=route.idle)
        exchange.begin(connection, head, sent=upload is None)
        pump = None if upload is None else asyncio.ensure_future(upload.run(connection, exchange))
        try:
            await self._until_over(request, exchange)
        except BaseException:
            exchange.cancel()
            raise
        finally:
            if pump is not None:
                pump.cancel()
        return self._answer(client, exchange)

    @staticmethod
    async def _until_over(request: web.BaseRequest, exchange: Exchange) -> None:
        while not exchange.over:
            await exchange.changed()
            if exchange.reading_paused and not exchange.over:
                await request.writer.drain()
                exchange.unblocked()
        if exchange.started and not exchange.error and request.protocol.writing_paused:
            await request.writer.drain()

    @staticmethod
    def _answer(client: ClientSide, exchange: Exchange) -> web.StreamResponse:
        if exchange.whole is not None and exchange.head is not None:
            return Sent(exchange.status, exchange.whole, keep_alive=not exchange.head.close)
        if exchange.error is not None and not exchange.started:
            raise exchange.error
        whole = exchange.complete and exchange.head is not None and not exchange.head.close
        return Sent(exchange.status or 499, b"", keep_alive=whole, length=client.written)
