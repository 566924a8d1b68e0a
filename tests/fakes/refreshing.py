"""Two replicas that refresh sessions at one provider, without sockets: every wait is in the test's hand.

The provider takes each refresh token once (rotation without grace, the strictest there is).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any, cast

from gateway.core import clock
from gateway.core.errors import ProviderError
from gateway.core.lifecycle import is_due
from gateway.core.revocation import NewEntry, RevocationIndex, sid_key
from gateway.core.sealing import Deployment, KeyRing, SealingKey
from gateway.core.session import Principal, Session, SessionLimits
from gateway.idp.provider import IdentityProvider
from gateway.oidc.identity import ClaimOptions
from gateway.oidc.tokens import TokenSet
from gateway.state.log import Appended, RevocationLog
from gateway.state.refreshes import Busy, Claim, Granted, Outdated, Refreshes, Succeeded, Unavailable
from gateway.web.refresh import Refresher, RefreshOptions

ISSUER = "https://idp.example.com"
LIMITS = SessionLimits(idle=1_800, absolute=43_200)
"""Far away from the tests' few seconds: nothing here expires by itself."""


class Provider:
    """Redeems each refresh token once. ``asked``: what waits for its answer."""

    def __init__(self) -> None:
        self.alive = {"first"}
        self.asked: list[tuple[str, asyncio.Future[None]]] = []
        self.at_once = True
        self.calls = 0
        self.down = False
        self.banned = False

    async def refresh(self, token: str) -> TokenSet:
        self.calls += 1
        if not self.at_once:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.asked.append((token, waiting))
            await waiting
        if self.down:
            raise ProviderError("provider_unreachable", "away", retryable=True)
        if self.banned or token not in self.alive:
            raise ProviderError("invalid_grant", "spent")
        self.alive.discard(token)
        new = f"token-{self.calls}"
        self.alive.add(new)
        return TokenSet(f"access-{self.calls}", None, new, 3_600)

    async def revoke(self, token: str) -> bool:
        self.alive.discard(token)
        return True

    def answer(self) -> None:
        """Let the call that has waited longest go on."""
        self.asked.pop(0)[1].set_result(None)


class Store:
    """All processes' knowledge, in memory; the contract's real ones have tests of their own."""

    def __init__(self) -> None:
        self.known: dict[str, tuple[int, bytes | None]] = {}
        self.leased: set[str] = set()
        self.down = False

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def later(self, sid: str, generation: int) -> Succeeded | Outdated | None:
        await asyncio.sleep(0)
        known, sealed = self.known.get(sid, (-1, None))
        if self.down or known <= generation:
            return None
        return Outdated(known) if sealed is None else Succeeded(known, sealed)

    async def claim(self, sid: str, generation: int, *, lease: int) -> Claim:
        if self.down:
            return Unavailable("down")
        if (found := await self.later(sid, generation)) is not None:
            return found
        if sid in self.leased:
            return Busy()
        self.leased.add(sid)
        return Granted()

    async def publish(self, sid: str, generation: int, sealed: bytes, *, visible: int, keep: int) -> bool:
        await asyncio.sleep(0)
        if self.down or self.known.get(sid, (-1, None))[0] >= generation:
            return False
        self.known[sid] = generation, sealed
        self.leased.discard(sid)
        return True

    async def release(self, sid: str, generation: int) -> None:
        self.leased.discard(sid)


class Log:
    """One index for both replicas, in step always: how far apart they may be is tested with the real logs."""

    def __init__(self) -> None:
        self.index = RevocationIndex()

    def moved(self) -> bool:
        return False

    async def append(self, entries: list[NewEntry]) -> Appended:
        for entry in entries:
            self.index.apply(entry.placed(self.index.position + 1))
        await asyncio.sleep(0)
        return Appended(durable=True, position=self.index.position)


@dataclass
class World:
    """Two replicas, and everything they share."""

    provider: Provider = field(default_factory=Provider)
    store: Store = field(default_factory=Store)
    log: Log = field(default_factory=Log)
    results: list[str] = field(default_factory=list)
    replicas: list[Refresher] = field(default_factory=list)

    def __post_init__(self) -> None:
        ring = KeyRing([SealingKey.of(bytes(range(32)))], now=0)
        options = RefreshOptions(ClaimOptions(), LIMITS, Deployment("https://app.example", ISSUER, "client"))
        for _ in range(2):
            self.replicas.append(
                Refresher(
                    options, ring=ring, provider=cast("IdentityProvider", self.provider),
                    log=cast("RevocationLog", self.log), store=cast("Refreshes", self.store),
                    end=self.end, on_refresh=self.results.append,
                )
            )  # fmt: skip

    async def end(self, session: Session, reason: str) -> None:
        await self.log.append([NewEntry(sid_key(session.sid), session.absolute_until, reason)])

    def ended(self, session: Session) -> bool:
        now = clock.now()
        found = self.log.index.ended_by(
            session.sid, session.aliases, seen=session.seen, login_at=session.login_at, now=now
        )
        return found is not None

    def request(self, replica: int, session: Session) -> Session | None:
        """What the gate does with a copy: the one to set as the cookie, or None where it is not let through."""
        one = self.replicas[replica]
        current = one.current(session, clock.now()) if is_due(session, clock.now()) else session
        if current is None or self.ended(current):
            return None
        if is_due(current, clock.now()):
            one.begin(current)
        return current


def signed_in(**changes: Any) -> Session:
    now = clock.now()
    made = Session(
        sid="sid", log_id="log", principal=Principal(ISSUER, "s-1", "alice"), aliases=(f"sub:{ISSUER}|s-1",),
        login_at=now, seen=0, idle_until=now + LIMITS.idle, absolute_until=now + LIMITS.absolute,
        refresh_token="first", refresh_at=now - 1,
    )  # fmt: skip
    return replace(made, **changes)


async def settled() -> None:
    """Everything that can go on without an answer from outside has gone on."""
    for _ in range(60):
        await asyncio.sleep(0)
