"""What both emulators have in common: their record of calls, sessions and tokens, and what control shows of it."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.demo import clock
from gateway.demo.options import DemoOptions
from gateway.demo.switchboard import Switchboard

CALLS_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """One request as control shows it; *query* is the raw query string, *at* UTC seconds."""

    method: str
    path: str
    query: str
    status: int
    at: int


@dataclass(slots=True)
class Issued:
    """A token given out: *key* groups those that are revoked together."""

    kind: str
    user: str
    key: str
    revoked: bool = False


@dataclass(slots=True)
class Common:
    """State every emulator has; *tell* takes one plain line per thing that happens."""

    options: DemoOptions
    switches: Switchboard
    tell: Callable[[str], None]
    calls: deque[Call] = field(default_factory=lambda: deque(maxlen=CALLS_KEPT))
    issued: list[Issued] = field(default_factory=list)

    def revoke(self, key: str) -> None:
        """Mark every token of *key* as revoked."""
        for token in self.issued:
            token.revoked = token.revoked or token.key == key

    def is_revoked(self, key: str) -> bool:
        """Say whether tokens of *key* were revoked, or are not known (the emulator was reset)."""
        return not any(token.key == key and not token.revoked for token in self.issued)


class Emulator(Protocol):
    """What control needs of Cognito and of Okta."""

    common: Common

    @property
    def url(self) -> str:
        """The emulator's own origin, whose Host control insists on."""

    def live_sessions(self) -> list[tuple[str, int]]:
        """Return e-mail and start (UTC seconds) of every browser session that is alive."""

    def forget(self) -> None:
        """Drop every session, token, code and pending sign-in."""


def recorder(common: Common) -> Middleware:
    """Return the middleware that records each call in *common*, except those to control and the like."""

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        status = 500
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            if not request.path.startswith("/__"):
                common.calls.append(_call(request, status))

    return record


def _call(request: web.Request, status: int) -> Call:
    path, _, query = request.raw_path.partition("?")
    return Call(request.method, path, query, status, clock.now())
