"""Two replicas that refresh sessions at one provider, without sockets: every wait is in the test's hand.

The provider takes each refresh token once (rotation without grace, the strictest there is).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, cast

from gateway.core import clock
from gateway.core.errors import ProviderError
from gateway.core.session.lifecycle import is_due
from gateway.core.session.revocation_keys import sid_key
from gateway.core.session.sealing import Deployment, KeyRing, SealingKey
from gateway.core.session.session import Principal, Session, SessionLimits
from gateway.core.signout.revocation import NewEntry, RevocationIndex
from gateway.idp.provider import IdentityProvider
from gateway.oidc.signin.identity import ClaimOptions
from gateway.oidc.signin.tokens import TokenSet
from gateway.state.contract.log import Appended, RevocationLog
from gateway.state.contract.refreshes import (
    Ahead,
    Busy,
    Claim,
    Granted,
    Later,
    Outdated,
    Refreshes,
    Succeeded,
    Unavailable,
)
from gateway.web.session.refresh import Refresher, RefreshOptions

ISSUER = "https://idp.example.com"
LIMITS = SessionLimits(idle=1_800, absolute=43_200)
"""Far away from the tests' few seconds: nothing here expires by itself."""


class Provider:
    """Redeems each refresh token once. ``asked``: what waits for its answer.

    ``mute``: it does what it is asked for, and its answers are lost. ``strict``: a token that comes a second time ends
    all that came of it.
    """

    def __init__(self) -> None:
        self.alive = {"first"}
        self.mute = False
        self.strict = False
        self.asked: list[tuple[str, asyncio.Future[None]]] = []
        self.at_once = True
        self.calls = self.made = self.reused = 0
        self.down = False
        self.banned = False

    async def refresh(self, token: str) -> TokenSet:
        self.calls += 1
        if not self.at_once:
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.asked.append((token, waiting))
            await waiting
        if self.down:
            raise ProviderError("provider_unreachable", "away", retryable=True, acted=False)
        new = self._redeemed(token)
        if self.mute:
            raise ProviderError("provider_unreachable", "no answer in time", retryable=True)
        return TokenSet(f"access-{self.calls}", None, new, 3_600)

    def _redeemed(self, token: str) -> str:
        if self.banned or token not in self.alive:
            self.reused += 1
            if self.strict:
                self.alive.clear()
            raise ProviderError("invalid_grant", "spent", acted=False)
        self.made += 1
        self.alive.discard(token)
        self.alive.add(f"token-{self.made}")
        return f"token-{self.made}"

    def drop(self, later: Session) -> None:
        """Its token is to be revoked."""
        self.alive.discard(later.refresh_token or "")

    def answer(self) -> None:
        """Let the call that has waited longest go on, also where nobody waits for it any more."""
        token, waiting = self.asked.pop(0)
        if not waiting.done():
            waiting.set_result(None)
        elif not self.down:
            with suppress(ProviderError):
                self._redeemed(token)


@dataclass
class Told:
    """What is known of one session."""

    generation: int = -1
    sealed: bytes | None = None
    tried: int = -1
    stands: str = "kept"
    doubt: int = -2
    holder: str = ""
    leased: bool = False


class Store:
    """All processes' knowledge, in memory; the contract's real ones have tests of their own.

    Leases end when a test says so. :ivar down: it does not answer. :ivar full: it answers, and takes nothing.
    :ivar deaf: names of processes whose answers are lost.
    """

    def __init__(self) -> None:
        self.told: dict[str, Told] = {}
        self.down = False
        self.full = False
        self.deaf: set[str] = set()

    def of(self, sid: str) -> Told:
        return self.told.setdefault(sid, Told())

    def end_leases(self) -> None:
        for told in self.told.values():
            told.leased = False


class Door:
    """The store as one process reaches it. ``slow``: rounds of the loop that each question takes besides the usual."""

    def __init__(self, store: Store, name: str) -> None:
        self.store = store
        self.name = name
        self.slow = 0

    async def _on_its_way(self) -> None:
        for _ in range(1 + self.slow):
            await asyncio.sleep(0)

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def later(self, sid: str, generation: int) -> Later | Unavailable | None:
        await self._on_its_way()
        if self.store.down or self.name in self.store.deaf:
            return Unavailable("down")
        return self._later(sid, generation)

    async def claim(self, sid: str, generation: int, *, lease: int, keep: int = 0) -> Claim:
        await self._on_its_way()
        if self.store.down or self.store.full:
            return Unavailable("down")
        told = self.store.of(sid)
        answer: Claim
        if (found := self._later(sid, generation)) is not None:
            answer = found
        elif told.tried > generation:
            answer = Ahead()
        elif told.leased:
            answer = Busy()
        else:
            again, before = told.tried == generation and told.stands != "kept", told.stands
            told.doubt = generation if again else told.doubt
            told.tried, told.stands, told.holder, told.leased = generation, "open", self.name, True
            answer = Granted(told.doubt < generation - 1, again and before == "open")
        return Unavailable("deaf") if self.name in self.store.deaf else answer

    async def renew(self, sid: str, generation: int, *, lease: int, keep: int = 0) -> Claim:
        await self._on_its_way()
        if self.store.down or self.store.full or self.name in self.store.deaf:
            return Unavailable("down")
        told = self.store.of(sid)
        if (found := self._later(sid, generation)) is not None:
            return found
        if told.tried > generation:
            return Ahead()
        if told.leased and told.holder != self.name:
            return Busy()
        told.stands, told.holder, told.leased = "open", self.name, True
        return Granted(told.doubt < generation - 1)

    async def publish(
        self, sid: str, generation: int, sealed: bytes, *, visible: int, keep: int
    ) -> bool | None:
        await self._on_its_way()
        if self.store.down or self.store.full:
            return None
        told, taken = self.store.of(sid), True
        if told.generation < generation:
            told.generation, told.sealed, told.leased = generation, sealed, False
            told.doubt = -2 if told.holder == self.name else told.doubt
        elif (told.generation, told.sealed) != (generation, sealed):
            told.doubt = max(told.doubt, generation) if told.generation == generation else told.doubt
            taken = False
        return None if self.name in self.store.deaf else taken

    async def release(self, sid: str, generation: int, *, spent: bool = False) -> None:
        told = self.store.of(sid)
        if not (self.store.down or self.store.full) and (told.tried, told.holder) == (generation, self.name):
            told.stands, told.leased = "spent" if spent else "kept", False

    def _later(self, sid: str, generation: int) -> Later | None:
        told = self.store.of(sid)
        if told.generation <= generation:
            return None
        return Outdated(told.generation) if told.sealed is None else Succeeded(told.generation, told.sealed)


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
        for number in range(2):
            self.replicas.append(self.another(str(number)))

    def another(self, name: str) -> Refresher:
        """A process that has just started."""
        options = RefreshOptions(ClaimOptions(), LIMITS, Deployment("https://app.example", ISSUER, "client"))
        return Refresher(
            options, ring=KeyRing([SealingKey.of(bytes(range(32)))], now=0),
            provider=cast("IdentityProvider", self.provider), log=cast("RevocationLog", self.log),
            store=cast("Refreshes", Door(self.store, name)), end=self.end, drop=self.provider.drop,
            on_refresh=self.results.append,
        )  # fmt: skip

    async def end(self, session: Session, reason: str) -> None:
        await self.log.append([NewEntry(sid_key(session.sid), session.absolute_until, reason)])

    def ended(self, session: Session) -> bool:
        return self.log.index.ended_by(session) is not None

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


class StandingStill(asyncio.SelectorEventLoop):
    """Its clock moves when it is told to, and not by itself."""

    at = 1_000.0

    def time(self) -> float:
        return self.at


async def settled() -> None:
    """Everything that can go on without an answer from outside has gone on."""
    for _ in range(60):
        await asyncio.sleep(0)
