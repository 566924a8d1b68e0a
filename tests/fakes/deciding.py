"""What the gate and the logout stand between, without sockets: a log in memory, real cookies, requests as facts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from gateway.core.http.facts import DoorRules, RequestFacts, build
from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.http.request_head import RequestHead, read_block
from gateway.core.session.sealing import PROMOTE_AFTER, Deployment, KeyRing, SealingKey
from gateway.core.session.session import Principal, Session, SessionLimits
from gateway.core.signout.revocation import Entry, NewEntry, RevocationIndex
from gateway.state.contract.log import Appended
from gateway.web.messages import Request
from gateway.web.session.session import Carried, Sessions
from tests.fakes import ticketing

NOW = ticketing.NOW
"""The moment at which `at` of the tests of web/ stops the clock."""

HERE = "https://app.example.com"
LIMITS = SessionLimits(idle=1_800, absolute=43_200)
RULES = DoorRules("https", frozenset({"app.example.com"}))
SUBJECT = "sub:https://idp|s-1"

NAVIGATION: dict[str, Any] = {
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "sec-fetch-site": "none",
}
FETCH: dict[str, Any] = {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "sec-fetch-site": "same-origin"}


def session(**changes: Any) -> Session:
    """A session of alice's that was active just now."""
    made = Session(
        sid="sid-1", log_id="log", principal=Principal("https://idp", "s-1", "alice"), aliases=(SUBJECT,),
        login_at=NOW - 100, seen=0, idle_until=NOW + 1_800, absolute_until=NOW + 43_100,
    )  # fmt: skip
    return replace(made, **changes)


def sessions(kind: type[Sessions] = Sessions) -> Sessions:
    """The real cookies, with a key that seals already."""
    ring = KeyRing([SealingKey.of(b"k" * 31 + b"1")], now=NOW - PROMOTE_AFTER)
    return kind(ring, Deployment(HERE, "https://idp", "client"), LIMITS)


def header(*lines: str) -> bytes:
    """The Cookie header of a browser that took these Set-Cookie values."""
    return "; ".join(line.partition(";")[0] for line in lines if "Max-Age=0" not in line).encode()


def facts(
    target: str = "/reports", *, method: str = "GET", cookie: bytes = b"", **headers: str
) -> RequestFacts:
    """A request's. ``headers``: underscores stand for hyphens."""
    pairs = [(b"host", b"app.example.com")]
    pairs += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    if cookie:
        pairs.append((b"cookie", cookie))
    return build(method, target, pairs, "192.0.2.1", RULES)


def request(said: RequestFacts) -> Request:
    """One for the books; nothing is read from it."""
    connection: Any = SimpleNamespace(peer="192.0.2.1")
    return Request(connection, RequestHead(said.method, said.raw_target, False, read_block(b"", 100)), None)


def carrying(made: Sessions, who: Session | None = None, **more: Any) -> Carried:
    """What such a browser carries."""
    lines = made.seal(who, NO_COOKIES, NOW) if who is not None else []
    return replace(made.carried((header(*lines),), NOW), **more)


class Log:
    """A log in memory. ``behind``: entries of others, which it has and the index has not read. ``end``: the log's own, where
    that was asked for what was shown; None where it cannot be.
    """

    log_id = "log"
    gaps = ()

    def __init__(self) -> None:
        self.index = RevocationIndex()
        self.end: int | None = None
        self.shown: list[int] = []
        self.behind: list[NewEntry] = []
        self.appended: list[NewEntry] = []
        self.durable = True
        self.pending = 0
        self.staleness = 0.0
        self.disk = asyncio.Event()
        self.disk.set()
        self.reads = 0

    def age(self) -> float:
        return self.staleness

    def moved(self) -> bool:
        return bool(self.behind)

    async def catch_up(self) -> None:
        self.reads += 1
        await asyncio.sleep(0)
        for entry in self.behind:
            self.index.apply(entry.placed(self.index.position + 1))
        self.behind = []

    async def prove(self, position: int) -> None:
        self.shown.append(position)
        await self.catch_up()
        if self.end is not None and position > self.end:
            self.log_id = "another"
        elif self.end is not None:
            self.index.position = self.end

    def append(self, entries: Sequence[NewEntry]) -> Awaitable[Appended]:
        """They deny at once; it is told once the disk has them."""
        self.appended += entries
        held = [self.index.hold(entry, NOW) for entry in entries]
        return asyncio.ensure_future(self._become(entries, held))

    async def _become(self, entries: Sequence[NewEntry], held: list[Entry]) -> Appended:
        await self.disk.wait()
        if not self.durable:
            return Appended(durable=False, position=self.index.position)
        for entry, before in zip(entries, held, strict=True):
            self.index.release(before)
            self.index.apply(entry.placed(self.index.position + 1))
        return Appended(durable=True, position=self.index.position)
