"""The way from a decided request to its upstream and back (design section 3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiohttp import HttpVersion11, web

from gateway.core.errors import UpstreamError
from gateway.core.facts import RequestFacts
from gateway.core.headers import IdentityOptions, RequestRules, upstream_request_head, wants_websocket
from gateway.core.routes import Route, match_route, ordered
from gateway.core.session import Session
from gateway.proxy.address import parse_address
from gateway.proxy.connection import UpstreamConnection
from gateway.proxy.deadlines import Deadlines
from gateway.proxy.exchange import Exchange, StaleConnectionError
from gateway.proxy.files import FileUpstream, parse_directory
from gateway.proxy.live import EVENTS, WEBSOCKET, LiveConnections
from gateway.proxy.pool import Pool
from gateway.web.downstream import ClientSide, Sent
from gateway.web.static import serve_file
from gateway.web.upload import Upload
from gateway.web.websocket import run_tunnel

REPLAYABLE = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE"})
"""Idempotent (RFC 9110 §9.2.2): sent once more when a pooled connection was stale and there is no body."""

_METHODS = {name: name.encode() for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}


_CLIENT_GONE = 499
"""For the log only: the client left before a response began (nginx's number)."""


def _always(_: Session) -> bool:
    return True


def _ignored(_route: str, _result: str) -> None:
    """Nobody counts."""


@dataclass(frozen=True, slots=True)
class _Lane:
    """One route's rules and what serves it."""

    rules: RequestRules
    backend: Pool | FileUpstream


class Forwarder:
    """Forwards requests by route.

    :param live: where whatever lives long is registered by session.
    :param identity: which headers only the gateway may set, besides the fixed ones.
    :param body_limit: bytes of a request body; 0 means none.
    :param alive: whether a session still stands; asked when a stream begins.
    :param on_result: told of every request sent to an upstream: its route, and ``ok`` or the code of the failure.
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
        on_result: Callable[[str, str], None] = _ignored,
    ) -> None:
        self.draining = False
        self._routes = ordered(routes)
        self._live = live
        self._body_limit = body_limit
        self._alive = alive
        self._on_result = on_result
        shortest = min((min(r.first_byte, r.idle) for r in routes), default=1.0)
        self._deadlines = Deadlines(max(0.02, min(0.5, shortest / 4)))
        self._pools: dict[str, Pool] = {}
        self._lanes = {route.path: self._lane(route, identity) for route in routes}

    def _lane(self, route: Route, identity: IdentityOptions | None) -> _Lane:
        rules = RequestRules(identity, allow_method_override=route.allow_method_override)
        if route.url.startswith("file:"):
            return _Lane(rules, FileUpstream(parse_directory(route.url), route.path))
        pool = self._pools.get(route.url) or Pool(parse_address(route.url))
        self._pools[route.url] = pool
        return _Lane(rules, pool)

    @property
    def connections(self) -> int:
        """Open connections to upstreams, those that tunnels and event streams have taken over included."""
        taken = self._live.counts[WEBSOCKET] + self._live.counts[EVENTS]
        return taken + sum(pool.size for pool in self._pools.values())

    def route_for(self, path: str) -> Route:
        """The route with the longest prefix.

        :param path: percent-decoded once. :raises DownstreamError: ``not_found``.
        """
        for route in self._routes:
            if route.covers(path):
                return route
        return match_route(self._routes, path)

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
        lane = self._lanes[route.path]
        client = ClientSide(
            request,
            self._live,
            session,
            alive=self._alive,
            keep_alive=request.keep_alive and not self.draining and not facts.ends_connection,
            document=facts.document,
            websocket=facts.websocket and _may_upgrade(request),
            set_cookies=[cookie.encode("latin-1") for cookie in set_cookies] if set_cookies else (),
        )
        try:
            backend = lane.backend
            if isinstance(backend, FileUpstream):
                return await serve_file(request, client, facts, backend, idle=route.idle)
            head = upstream_request_head(
                lane.rules,
                _METHODS.get(request.method) or request.method.encode(),
                request.raw_path.encode("utf-8", "surrogateescape"),
                request.raw_headers,
                client=facts.client,
                scheme=facts.scheme,
                host=facts.host.encode(),
                identity=identity,
                websocket=client.websocket,
            )
            send = self._with_body if request.body_exists else self._without_body
            answer = await send(request, client, route, backend, head)
            self._on_result(route.path, client.result)
            return answer
        except UpstreamError as error:
            self._on_result(route.path, error.code)
            raise
        finally:
            client.over()

    async def close(self) -> None:
        """Close every upstream connection."""
        self._deadlines.close()
        for pool in self._pools.values():
            await pool.close()

    async def _without_body(
        self, request: web.BaseRequest, client: ClientSide, route: Route, pool: Pool, head: bytes
    ) -> web.StreamResponse:
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
        self, request: web.BaseRequest, client: ClientSide, route: Route, pool: Pool, head: bytes
    ) -> web.StreamResponse:
        upload = Upload(request, chunked="Transfer-Encoding" in request.headers, limit=self._body_limit)
        body = upload.at_hand()
        connection = pool.take(replayable=False) or await pool.connect(route.connect)
        if body is None:
            return await self._exchange(request, client, route, connection, head, upload)
        return await self._exchange(request, client, route, connection, head + body)

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
            await exchange.changed()
            if exchange.whole is None:
                await _until_settled(request, exchange)
        except BaseException:
            exchange.cancel()
            raise
        finally:
            if pump is not None:
                pump.cancel()
        if exchange.switched is not None and not exchange.over:
            await run_tunnel(request, client, exchange.detach(), *exchange.switched)
            return Sent(101, b"", keep_alive=False, length=client.written)
        return _answer(client, exchange)


def _may_upgrade(request: web.BaseRequest) -> bool:
    return (
        not request.body_exists and request.version >= HttpVersion11 and wants_websocket(request.raw_headers)
    )


async def _until_settled(request: web.BaseRequest, exchange: Exchange) -> None:
    """Wait until the exchange is over or has switched, and let it read on whenever a blocked client has caught up."""
    while not exchange.over and exchange.switched is None:
        await exchange.changed()
        if exchange.reading_paused and not exchange.over:
            await request.writer.drain()
            exchange.unblocked()
    if exchange.started and exchange.error is None and request.protocol.writing_paused:
        await request.writer.drain()


def _answer(client: ClientSide, exchange: Exchange) -> web.StreamResponse:
    head = exchange.head
    if not exchange.complete:
        client.result = exchange.error.code if exchange.error is not None else "client_gone"
    if exchange.whole is not None and exchange.waited and not client.stands:
        # A long poll that outlived its session: what it asked for is nobody's business any more.
        client.abort()
        return Sent(exchange.status, b"", keep_alive=False)
    if exchange.whole is not None and head is not None:
        return Sent(exchange.status, exchange.whole, keep_alive=not head.close)
    if exchange.error is not None and not exchange.started:
        raise exchange.error
    whole = exchange.complete and head is not None and not head.close
    return Sent(exchange.status or _CLIENT_GONE, b"", keep_alive=whole, length=client.written)
