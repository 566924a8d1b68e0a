"""Replicas that revoke refresh tokens, without sockets: a real store, a provider and a clock in the test's hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import pytest

from gateway.core import clock
from gateway.core.session.sealing import Deployment, KeyRing, SealingKey
from gateway.core.session.session import Principal, Session, SessionOrHusk, Ticket
from gateway.core.signout import chain as chains
from gateway.core.signout.chain import Chain, ChainLimits
from gateway.core.signout.token_hold import Hold
from gateway.idp.provider import IdentityProvider, Revocation
from gateway.state.sqlite.token_revocations import SqliteTokenRevocations
from gateway.telemetry.audit import AuditEvent, AuditTrail
from gateway.telemetry.metrics import Metrics
from gateway.web.signout.session_events import SessionEvents
from gateway.web.signout.token_revocation import TokenRevoker
from tests.fakes.patience import PATIENCE

LIMITS = ChainLimits(hop_deadline=30, barrier=120)
DEPLOYMENT = Deployment("https://app.example", "https://idp.example", "client")
AMPLE = PATIENCE
KEY = SealingKey.of(bytes(range(32)))


class Provider:
    """Says what it is told to say; ``asked`` are the tokens, in order."""

    def __init__(self) -> None:
        self.says: Callable[[str], Revocation] = lambda _: Revocation.CONFIRMED
        self.asked: list[str] = []
        self.hanging: asyncio.Event | None = None

    async def revoke(self, token: str) -> Revocation:
        self.asked.append(token)
        if self.hanging is not None:
            await self.hanging.wait()
        return self.says(token)


@dataclass
class World:
    """Two replicas over one file, and the clock of both, which goes on by :meth:`pass_seconds` alone."""

    path: Path
    monkeypatch: pytest.MonkeyPatch
    provider: Provider = field(default_factory=Provider)
    audit: list[AuditEvent] = field(default_factory=list)
    metrics: Metrics = field(default_factory=Metrics)
    later: dict[str, Session] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)
    order: list[str] = field(default_factory=list)
    replicas: list[TokenRevoker] = field(default_factory=list)
    ahead: int = 0
    began: int = field(default_factory=clock.now)

    def __post_init__(self) -> None:
        self.pass_seconds(0)

    def replica(
        self, *, own: str = "cognito", key: SealingKey = KEY, path: Path | None = None
    ) -> TokenRevoker:
        store = SqliteTokenRevocations(path or self.path, within=AMPLE)
        made = TokenRevoker(
            Hold(frozenset({own}), LIMITS, ("cognito", "okta_signout")), ring=KeyRing([key], now=0), deployment=DEPLOYMENT, store=store,
            provider=cast("IdentityProvider", self.provider), latest=self.latest, forget=self.forget,
            events=SessionEvents(AuditTrail(self.audit.append), self.metrics),
        )  # fmt: skip
        self.replicas.append(made)
        return made

    async def latest(self, sid: str, generation: int, ticket: Ticket | None) -> Session | None:
        later = self.later.get(sid)
        return later if later is not None and later.generation > generation else None

    async def forget(self, session: SessionOrHusk) -> None:
        self.forgotten.append(session.sid)

    def pass_seconds(self, seconds: int) -> None:
        self.ahead += seconds
        self.monkeypatch.setattr(clock, "now", lambda: self.began + self.ahead)

    def told(self) -> list[tuple[str, str | None]]:
        return [(event.kind.value, event.reason) for event in self.audit]

    def counted(self, result: str) -> float:
        found = self.metrics.registry.get_sample_value("gateway_token_revocations_total", {"result": result})
        return found or 0.0


async def asleep(replica: TokenRevoker) -> TokenRevoker:
    await replica._store.open()
    return replica


async def beside(replica: TokenRevoker) -> None:
    while replica._beside:
        await asyncio.gather(*replica._beside)


def signed_in(**changes: object) -> Session:
    now = clock.now()
    made = Session(
        sid="sid", log_id="log", principal=Principal("https://idp.example", "s-1", "alice"), aliases=(), login_at=now,
        seen=0, idle_until=now + 600, absolute_until=now + 6_000, refresh_token="first",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]  # names of its fields


def begun(sid: str = "sid") -> Chain:
    return chains.begin(["cognito", "okta_signout"], LIMITS, now=clock.now(), nonce="n", sid=sid).chain
