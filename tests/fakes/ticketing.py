"""Replicas whose sessions have tickets, without sockets and without Redis."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.core import clock
from gateway.core.http.facts import DoorRules, RequestFacts, build
from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.session.sealing import PROMOTE_AFTER, Deployment, KeyRing, SealingKey
from gateway.core.session.session import Principal, Session, SessionLimits, SessionOrHusk
from gateway.web.session.sightings import Sightings
from gateway.web.session.tickets import TicketSessions
from tests.fakes.refreshing import settled
from tests.fakes.tickets import MemoryTickets, Vault

NOW = 1_700_000_000
LIMITS = SessionLimits(idle=1_800, absolute=43_200)
HERE = Deployment("https://app.example.com", "https://idp", "client")
FIRST, SECOND = (SealingKey.of(bytes([n]) * 31 + b"k") for n in range(2))


class Replica:
    """One process's sessions, and the clock that all of them have."""

    def __init__(self, vault: Vault, *keys: SealingKey, deployment: Deployment = HERE) -> None:
        self.sightings = Sightings()
        self.store = MemoryTickets(vault)
        self.store._open = True
        self.ring = KeyRing(keys or (FIRST,), now=NOW - PROMOTE_AFTER)
        self.sessions = TicketSessions(self.ring, deployment, LIMITS, self.store, sightings=self.sightings)

    async def sign_in(self, **changes: object) -> tuple[bytes, ...]:
        """A new session; the Cookie header of its browser."""
        return header(await self.sessions.begin(session(**changes), NO_COOKIES, clock.now()))

    async def read(self, headers: tuple[bytes, ...]) -> SessionOrHusk | None:
        """What the gate gets, having waited for it."""
        await self.sessions.fetch(headers, clock.now())
        return self.sessions.carried(headers, clock.now()).session

    async def act(self, headers: tuple[bytes, ...]) -> list[str]:
        """A request that is activity; the cookies of its answer."""
        await self.sessions.fetch(headers, clock.now())
        carried = self.sessions.carried(headers, clock.now())
        assert isinstance(carried.session, Session)
        lines = self.sessions.renewed(carried.session, carried, clock.now(), active=True, client="192.0.2.1")
        await settled()
        return lines


def session(**changes: Any) -> Session:
    principal = Principal("https://idp", "s-1", "alice", claims={"plan": "gold"})
    made = Session("sid-1", "log", principal, ("sub:https://idp|s-1",), NOW, 5, NOW + 1_800, NOW + 43_200)
    return replace(made, **changes)


def header(lines: list[str]) -> tuple[bytes, ...]:
    """The Cookie header of a browser that took these Set-Cookie values."""
    return ("; ".join(line.partition(";")[0] for line in lines if "Max-Age=0" not in line).encode(),)


def facts(cookie: tuple[bytes, ...]) -> RequestFacts:
    """A request with this Cookie header."""
    rules = DoorRules("https", frozenset({"app.example.com"}))
    return build(
        "GET",
        "/",
        ((b"Host", b"app.example.com"), *((b"Cookie", line) for line in cookie)),
        "192.0.2.1",
        rules,
    )
