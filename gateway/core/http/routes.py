"""Which upstream a path belongs to: the longest configured prefix, cut at segment boundaries (design section 8)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gateway.core.errors import DownstreamError


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of ``upstreams``.

    :ivar path: prefix as configured; it is also the policy resource.
    :ivar url: ``http://host:port``, ``https://host``, ``unix:/path`` or ``file:///directory``.
    :ivar ca_file: PEM file of the only authorities to trust for an ``https`` upstream; empty for the system's.
    :ivar when_stale: ``refuse`` or ``serve`` while the revocation log is out of reach.
    :ivar encoded_slashes: whether ``%2F`` may stand in a path (rule R32).
    :ivar allow_method_override: whether X-HTTP-Method-Override and its like pass (rule R32).
    :ivar sign_out_on: decoded paths that end the session, beside what the upstream does there.
    :ivar strip_prefix: the upstream's own paths begin behind ``path``. :ivar own_host: it is asked for by the host of
        ``url`` and not by the browser's.
    :ivar hosts: by which browsers know the gateway, lower-case.
    :ivar insensitive: the upstream serves ``/Admin`` as ``/admin``; its prefix covers both, with a last slash or
        without.
    :ivar connect: seconds until a connection stands. :ivar first_byte: seconds from the last byte of the request to
        the first of the response. :ivar idle: seconds without any byte, either way, within a message.
    :ivar stream: the same in what lasts by its nature, event streams and WebSockets.
    :ivar client_body: seconds in which a request's body must come on; 0 is the door's own.
    :ivar body: bytes of a request's body; 0 is no limit.
    :ivar connections: open at once, by one worker. :ivar queue: requests that wait for one.
    :ivar keep_alive: seconds that a free connection is kept.
    """

    path: str
    url: str
    when_stale: str = "refuse"
    encoded_slashes: bool = False
    allow_method_override: bool = False
    connect: float = 5.0
    first_byte: float = 60.0
    idle: float = 60.0
    stream: float = float("inf")
    client_body: float = 0.0
    body: int = 0
    connections: int = 512
    queue: int = 1_024
    keep_alive: float = 4.0
    ca_file: str = ""
    sign_out_on: frozenset[str] = frozenset()
    strip_prefix: bool = False
    own_host: bool = False
    hosts: frozenset[str] = frozenset()
    insensitive: bool = False

    @property
    def name(self) -> str:
        """The policy resource: the path prefix."""
        return self.path

    def signs_out(self, path: str) -> bool:
        """Whether the decoded ``path`` is one of `sign_out_on`, as this upstream reads it."""
        if self.insensitive:
            return _alike(path) in map(_alike, self.sign_out_on)
        return path in self.sign_out_on

    def covers(self, path: str) -> bool:
        """Whether the decoded ``path`` lies at or under this prefix: ``/api/`` covers ``/api/x``, ``/api`` covers
        ``/api`` and ``/api/x`` but not ``/apis``.
        """
        if self.insensitive:
            return f"{_alike(path)}/".startswith(f"{_alike(self.path)}/")
        if not path.startswith(self.path):
            return False
        return len(path) == len(self.path) or self.path.endswith("/") or path[len(self.path)] == "/"


def _alike(path: str) -> str:
    return path.casefold().rstrip("/")


def upstream_target(raw_target: str, *, base: str, segments: int) -> str:
    """The target as the upstream knows it: without its first ``segments``, under ``base``.

    They are counted and not compared: the prefix may stand there in any spelling that is decoded to it.
    """
    path, mark, query = raw_target.partition("?")
    for _ in range(segments):
        path = path[slash:] if (slash := path.find("/", 1)) > 0 else "/"
    return f"{base}{path}{mark}{query}"


def ordered(routes: Sequence[Route]) -> tuple[Route, ...]:
    """The routes with the longest prefix first, as :func:`match_route` needs them."""
    return tuple(sorted(routes, key=lambda route: len(route.path), reverse=True))


def match_route(routes: Sequence[Route], decoded_path: str) -> Route:
    """The route with the longest prefix that covers ``decoded_path``.

    :param routes: as :func:`ordered` has them. :param decoded_path: percent-decoded once.
    :raises DownstreamError: ``not_found`` when none covers it.
    """
    for route in routes:
        if route.covers(decoded_path):
            return route
    raise DownstreamError("not_found", "no_upstream")
