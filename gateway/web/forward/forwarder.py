"""The way from a decided request to its upstream and back (design section 3)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from gateway.core.http.facts import RequestFacts
from gateway.core.http.request_headers import RequestRules, upstream_request_head, wants_websocket
from gateway.core.http.routes import Route, match_route, ordered, upstream_target
from gateway.core.http.tab_injection import uncompressed
from gateway.core.http.way_back import WayBack
from gateway.core.session.identity_headers import IdentityOptions
from gateway.core.session.session import Session
from gateway.proxy.address import Address, authority_of, parse_address
from gateway.proxy.deadlines import Deadlines
from gateway.proxy.files import FileUpstream, parse_directory
from gateway.proxy.live import EVENTS, WEBSOCKET, LiveConnections
from gateway.proxy.pool import Pool
from gateway.telemetry.log import get_logger
from gateway.web.forward.downstream import ForwardedClient
from gateway.web.forward.forwarding import Forwarding
from gateway.web.forward.static import serve_file
from gateway.web.forward.upload import Upload
from gateway.web.messages import Answer, Request, Sent

_log = get_logger("forward")
MOST_LOGGED, LONGEST_LOGGED = 100, 100
"""Names of dropped headers that the log has, and bytes of one."""
_METHODS = {name: name.encode() for name in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")}


def _always(_: Session) -> bool:
    return True


def _ignored(_route: str, _result: str) -> None:
    """Nobody counts."""


@dataclass(frozen=True, slots=True)
class _Lane:
    """One route's rules and what serves it."""

    rules: RequestRules
    backend: Pool | FileUpstream
    base: str = ""
    segments: int = 0
    way: WayBack | None = None


class Forwarder:
    """Forwards requests by route.

    :param live: where whatever lives long is registered by session.
    :param identity: which headers only the gateway may set, besides the fixed ones.
    :param room: connections that there is room for to each upstream; 0 is any number.
    :param alive: whether a session still stands; asked when a stream begins.
    :param tab_script: path of the script to put into HTML documents of signed-in users; empty for none.
    :param on_result: told of every request sent to an upstream: its route, and ``ok`` or the code of the failure.
    :ivar draining: ask clients to leave after each response (SIGTERM).
    """

    def __init__(
        self,
        routes: Sequence[Route],
        *,
        live: LiveConnections,
        identity: IdentityOptions | None = None,
        room: int = 0,
        alive: Callable[[Session], bool] = _always,
        on_result: Callable[[str, str], None] = _ignored,
        tab_script: str = "",
    ) -> None:
        self.draining = False
        self._routes = ordered(routes)
        self._live = live
        self._room = room
        self._alive = alive
        self._on_result = on_result
        self._tab_script = tab_script
        shortest = min((min(r.first_byte, r.idle, r.stream) for r in routes), default=1.0)
        self._deadlines = Deadlines(max(0.02, min(0.5, shortest / 4)))
        self._pools: dict[tuple[Address, int, int, float], Pool] = {}
        self._logged_names: set[bytes] = set()
        self._lanes = {route.path: self._lane(route, identity) for route in routes}

    def _lane(self, route: Route, identity: IdentityOptions | None) -> _Lane:
        parts = urlsplit(route.url)
        prefix = route.path.rstrip("/") if route.strip_prefix else ""
        rules = RequestRules(
            identity.own_names if identity else (),
            allow_method_override=route.allow_method_override,
            underscores=identity is None or identity.underscores,
            host=authority_of(route.url).encode() if route.own_host else b"",
            prefix=quote(prefix).encode(),
            dropped=self._say_dropped,
        )
        if route.url.startswith("file:"):
            return _Lane(rules, FileUpstream(parse_directory(route.url), route.path))
        address = parse_address(route.url, route.ca_file)
        most = min(route.connections, self._room or route.connections)
        key = address, most, route.queue, route.keep_alive
        pool = self._pools.get(key) or Pool(
            address, limit=most, queue=route.queue, keep_alive=route.keep_alive
        )
        self._pools[key] = pool
        base = parts.path.rstrip("/") if parts.scheme in {"http", "https"} else ""
        way = None
        if base or prefix or route.own_host:
            own, hosts = authority_of(route.url), (host.encode() for host in route.hosts)
            way = WayBack(quote(prefix).encode(), base.encode(), own.lower().encode(), frozenset(hosts))
        return _Lane(rules, pool, base, prefix.count("/"), way)

    def _say_dropped(self, name: bytes) -> None:
        """Once for each name, and not for more than a hundred: clients choose them."""
        name = name[:LONGEST_LOGGED]
        if name not in self._logged_names and len(self._logged_names) < MOST_LOGGED:
            self._logged_names.add(name)
            _log.warning(
                "request_header_dropped",
                header=name.decode("latin-1"),
                fix="if an application needs it from clients, have them send it under another name; see `headers`",
            )

    @property
    def connections(self) -> int:
        """Open connections to upstreams, those that tunnels and event streams have taken over included."""
        taken = self._live.counts[WEBSOCKET] + self._live.counts[EVENTS]
        return taken + sum(pool.size for pool in self._pools.values())

    def route_for(self, path: str) -> Route:
        """The route with the longest prefix.

        :param path: percent-decoded once. :raises DownstreamError: ``not_found``.
        """
        return match_route(self._routes, path)

    def taken_out(self, path: str, names: Iterable[bytes]) -> list[bytes]:
        """Those of a client's header names that a proxy in front must take out before the request goes to a route."""
        rules = self._lanes[path].rules
        return [name for name in names if rules.from_no_client(name)]

    def forward(
        self,
        request: Request,
        facts: RequestFacts,
        session: Session | None,
        route: Route,
        *,
        identity: Sequence[tuple[bytes, bytes]],
        set_cookies: Sequence[str] = (),
    ) -> Answer:
        """The upstream's response. What is not whole at once has already been sent when it is there.

        :param session: whose end ends the response. :param identity: headers to inject.
        :param set_cookies: Set-Cookie values to add.
        :raises DownstreamError: the request itself cannot be forwarded.
        """
        lane = self._lanes[route.path]
        headers = request.block.headers
        script = ""
        if self._tab_script and session is not None and facts.document and request.method != "HEAD":
            script, headers = self._tab_script, uncompressed(headers)
        client = ForwardedClient(
            request,
            self._live,
            session,
            alive=self._alive,
            keep_alive=request.keep_alive and not self.draining,
            document=facts.document,
            websocket=facts.websocket and _may_upgrade(request),
            set_cookies=[cookie.encode("latin-1") for cookie in set_cookies] if set_cookies else (),
            script=script,
            address=facts.client,
            way=lane.way,
        )
        if isinstance(lane.backend, FileUpstream):
            return self._file(request, client, facts, lane.backend, route)
        target = request.target
        if lane.base or lane.segments:
            target = upstream_target(target, base=lane.base, segments=lane.segments)
        head = upstream_request_head(
            lane.rules,
            _METHODS.get(request.method) or request.method.encode(),
            target.encode("ascii"),
            headers,
            client=facts.client,
            scheme=facts.scheme,
            host=facts.host.encode(),
            identity=identity,
            websocket=client.websocket,
        )
        forwarding = Forwarding(request, client, route, lane.backend, self._deadlines, head, self._on_result)
        if request.body is not None:
            request.body.within = route.client_body
            return forwarding.run(Upload(request.body, length=request.block.length, limit=route.body))
        return None if forwarding.at_once() else forwarding.run()

    @staticmethod
    async def _file(
        request: Request, client: ForwardedClient, facts: RequestFacts, files: FileUpstream, route: Route
    ) -> Sent:
        try:
            return await serve_file(request, client, facts, files, idle=route.idle)
        finally:
            client.over()

    async def close(self) -> None:
        """Close every upstream connection."""
        self._deadlines.close()
        for pool in self._pools.values():
            await pool.close()


def _may_upgrade(request: Request) -> bool:
    return request.body is None and not request.http10 and wants_websocket(request.headers)
