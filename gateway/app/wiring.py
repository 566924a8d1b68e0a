"""The one place that wires: configuration in, a replica out; born in order, closed in reverse."""

from __future__ import annotations

import asyncio
import math
import ssl
from functools import partial
from typing import Any

from gateway.app import reload
from gateway.app.descriptors import shares_of_process
from gateway.app.endpoints import own_paths, questions
from gateway.app.inbound import InboundEndpoints
from gateway.app.options import (
    admin_options,
    backends,
    callers,
    claim_options,
    door_limits,
    gate_rules,
    identity_options,
    listening_rules,
    logout_options,
    provider_options,
    routes,
    token_hold,
)
from gateway.app.tls import Renewable
from gateway.core import clock
from gateway.core.policy.policy_set import PolicySet
from gateway.core.session.sealing import Deployment, KeyRing
from gateway.core.session.session import SessionLimits
from gateway.core.signout.revocation import ENTRY_MARGIN
from gateway.idp.provider import IdentityProvider
from gateway.oidc.signout.signed_receipt import ReceiptKey
from gateway.proxy.live import Endings, LiveConnections
from gateway.settings.model import Settings
from gateway.state.contract.log import in_step
from gateway.telemetry.audit import AuditTrail, Listener
from gateway.telemetry.log import get_logger
from gateway.telemetry.metrics import Metrics
from gateway.telemetry.receipts import ReceiptBook
from gateway.web.admin import AdminApi
from gateway.web.door.access_log import AccessLog
from gateway.web.door.listener import Door
from gateway.web.endpoints.callers import Callers
from gateway.web.endpoints.tab import SIGNED_IN
from gateway.web.forward.assertions import Assertions
from gateway.web.forward.forwarder import Forwarder
from gateway.web.gate import Gate, GateOptions
from gateway.web.session.idle import LOOK_EVERY, IdleEndings
from gateway.web.session.refresh import Refresher, RefreshOptions
from gateway.web.session.session import Sessions
from gateway.web.session.sightings import WRITE_EVERY, Sightings
from gateway.web.session.tickets import TicketSessions
from gateway.web.signout.hint import Hints
from gateway.web.signout.inbound import Inbound
from gateway.web.signout.logout import Logout
from gateway.web.signout.revoker import Revoker
from gateway.web.signout.session_events import SessionEvents
from gateway.web.signout.token_revocation import TokenRevoker
from gateway.web.standing import Standing
from gateway.web.unauthorized import Unauthorized

WATCH_EVERY = 0.05
"""Seconds between two looks at the log's sequence number: live connections elsewhere on this host end this soon."""
GAUGES_EVERY = 1.0
"""Seconds between two settings of the gauges."""
_log = get_logger("app")


class Gateway:
    """One replica: everything between the accepted connection and the upstream.

    :param on_audit: told of every audit event as well, for the demo's console.
    :raises ConfigurationError: keys, policies or the log cannot be used as configured.
    """

    def __init__(self, settings: Settings, *, on_audit: Listener | None = None) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self._receipt_key = reload.receipt_key(settings)
        self.events = SessionEvents(AuditTrail(on_audit), self.metrics, self._receipt_book())
        self.limits = SessionLimits(int(settings.session.idle), int(settings.session.absolute))
        deployment = Deployment(settings.public_url, settings.provider.issuer, settings.provider.client_id)
        self._keys = reload.sealing_keys(settings.session.key_files)
        self._assertion_keys = reload.assertion_keys(settings)
        self.assertions = self._assertions()
        self._policies = reload.policies(settings.policies, settings.insensitive)
        self._secrets = [
            reload.secret("client secret", settings.provider.client_secret_file),
            reload.secret("other client secret", settings.provider.other_client_secret_file),
        ]
        self.callers = Callers(callers(settings), self.metrics)
        self._caller_secrets = reload.caller_secrets(settings)
        self._certificate = reload.certificate(settings)
        self._redis_password = reload.secret("redis password", settings.redis.password_file)
        self.ring = KeyRing(self._keys.first(), now=clock.now())
        self.sightings = Sightings()
        self._tasks: list[asyncio.Task[None]] = []
        shared = backends(settings)
        self.log, self.refreshes, self.sign_ins = shared.log, shared.refreshes, shared.sign_ins
        self._redis_login = shared.login
        self.tickets = shared.tickets if settings.session.store == "ticket" else None
        self.sessions = self._sessions(deployment)
        self.live = LiveConnections()
        self.standing = Standing(gate_rules(settings, self.limits), sessions=self.sessions, log=self.log)
        self.unauthorized = Unauthorized(settings.public_url, settings.prefix)
        self.endings = Endings(self.live, self.standing.why_closed)
        self.revoker = Revoker(self.log, self.endings.end)
        self.idle_endings = IdleEndings(self.live, self.sign_ins, idle=self.limits.idle)
        self.log.index.on_key, self.log.on_renewed = self.endings.hear, self.events.log_renewed
        self.provider = IdentityProvider(provider_options(settings), on_call=self._count_call)
        ways = routes(settings)
        most = max(way.connections for way in ways)
        files = shares_of_process(len(ways), most, settings.limits.connections)
        self.forwarder = Forwarder(
            ways,
            live=self.live,
            identity=identity_options(settings),
            room=files.pool,
            alive=self.standing.lives,
            on_result=lambda route, result: self.metrics.upstream_requests_total[route, result].inc(),
            tab_script=f"{settings.prefix}/tab.js?{SIGNED_IN}" if settings.browser.inject_tab_script else "",
        )
        signing_out = logout_options(settings)
        self.refresher = Refresher(
            RefreshOptions(
                claim_options(settings),
                self.limits,
                deployment,
                keep_access=settings.headers.authorization,
                hint=signing_out.hint,
            ),
            ring=self.ring,
            provider=self.provider,
            log=self.log,
            store=self.refreshes,
            end=lambda session, reason: self.logout.end(session, reason),  # noqa: PLW0108 - made below
            drop=lambda later: self.tokens.dropped(later),  # noqa: PLW0108 - made below
            on_refresh=lambda result: self.metrics.refreshes_total[result].inc(),
        )
        self.tokens = TokenRevoker(
            token_hold(settings),
            ring=self.ring,
            deployment=deployment,
            store=shared.token_revocations,
            provider=self.provider,
            latest=self.refresher.latest,
            forget=self.sessions.remove,
            events=self.events,
        )
        self.hints = Hints(self.sessions, signing_out.hint, all_own=settings.limits.cookies)
        self.logout = Logout(
            signing_out,
            sessions=self.sessions,
            log=self.log,
            revoker=self.revoker,
            hints=self.hints,
            provider=self.provider,
            newest=self.refresher.current,
            tokens=self.tokens,
            events=self.events,
        )
        self.inbound = Inbound(
            log=self.log,
            revoker=self.revoker,
            events=self.events,
            lifetime=self.limits.absolute + ENTRY_MARGIN,
        )
        self.inbound_endpoints = InboundEndpoints(
            settings, inbound=self.inbound, log=self.log, refreshes=self.refreshes, on_call=self._count_call
        )
        self.gate = Gate(
            GateOptions(
                settings.session.passive,
                by_input=settings.session.activity == "input",
                unregister_workers=settings.browser.unregister_workers,
            ),
            self.standing,
            self.unauthorized,
            sessions=self.sessions,
            policy=self._policies.first(),
            forwarder=self.forwarder,
            logout=self.logout,
            refresher=self.refresher,
            events=self.events,
            assertions=self.assertions,
        )
        self.access_log = AccessLog(self.metrics, access=settings.log.access)
        self.door = Door(
            listening_rules(settings),
            door_limits(settings, files),
            table=own_paths(self),
            gate=self.gate,
            access_log=self.access_log,
        )
        self.tls: ssl.SSLContext | None = None
        self.questions = questions(self, files)
        self.watched = self._follow_files()

    async def open(self) -> None:
        """Read the log, start to look for the identity provider. Called after the fork (rule R4)."""
        await self.log.open()
        await self.refreshes.open()
        await self.sign_ins.open()
        if self.tickets is not None:
            await self.tickets.open()
        await self.provider.start()
        await self.tokens.open()
        self.inbound_endpoints.start()
        loop = asyncio.get_running_loop()
        self._tasks = [
            loop.create_task(self._watch_log(), name="watch-log"),
            loop.create_task(self._write_sightings(), name="write-sightings"),
            loop.create_task(self._end_idle(), name="end-idle"),
            loop.create_task(reload.look_at(self.watched), name="watch-files"),
        ]

    async def close(self) -> None:
        """In reverse; what is not in the log yet stays spooled."""
        for task in self._tasks:
            task.cancel()
        self.metrics.settle()
        self.access_log.flush()
        await self.forwarder.close()
        await self.refresher.close()
        await self.tokens.close()
        await self.inbound_endpoints.close()
        await self.provider.close()
        await self.sightings.write(self.sign_ins)
        await self.sessions.close()
        if self.tickets is not None:
            await self.tickets.close()
        await self.sign_ins.close()
        await self.refreshes.close()
        await self.log.close()

    @property
    def usable(self) -> bool:
        """Whether the revocation index can be believed (rule R5)."""
        return self.log.loaded and self.log.age() <= self.settings.max_staleness

    @property
    def draining(self) -> bool:
        """Whether it is about to stop."""
        return self.door.draining

    def health(self) -> dict[str, str]:
        """One line for people about each thing the gateway depends on."""
        lines = {"state": self.log.health(), "idp": self.provider.health(), **self.inbound_endpoints.health()}
        if self.tickets is not None:
            lines["sessions"] = self.tickets.health()
        lines |= {watched.name.replace(" ", "_"): watched.health() for watched in self.watched}
        client, fresh = self.provider.client_health(), lines.get("client_secret", "ok") == "ok"
        return lines | ({"client_secret": client} if client and fresh else {})

    def drain(self) -> None:
        """Ask clients to leave after each answer, because the replica is about to stop."""
        self.door.draining = True
        self.forwarder.draining = True

    def admin(self) -> AdminApi:
        """The operator's API over this replica."""
        return AdminApi(
            admin_options(self.settings),
            log=self.log,
            revoker=self.revoker,
            events=self.events,
            sign_ins=self.sign_ins,
        )

    def _sessions(self, deployment: Deployment) -> Sessions:
        identity, noted = identity_options(self.settings), self.sightings
        suffix = self.settings.session.cookie_suffix or ""
        if self.tickets is None:
            room, counted = self.settings.limits.cookies, self._count_sealed
            return Sessions(
                self.ring, deployment, self.limits,
                identity=identity, sightings=noted, on_sealed=counted, all_own=room, suffix=suffix,
            )  # fmt: skip
        return TicketSessions(
            self.ring, deployment, self.limits, self.tickets,
            identity=identity, sightings=noted, on_sealed=self._count_sealed, suffix=suffix,
        )  # fmt: skip

    async def _watch_log(self) -> None:
        """Ends live connections whose session was ended elsewhere, and keeps the books: counts, lines, gauges."""
        log_id, gauged = self.log.log_id, -math.inf
        loop = asyncio.get_running_loop()
        while True:
            try:
                self.metrics.settle()
                self.access_log.flush()
                await in_step(self.log)
                self.endings.carry_out()
                if self.log.log_id != log_id:
                    log_id = self.log.log_id
                    self.endings.sweep()
                if loop.time() - gauged >= GAUGES_EVERY:
                    gauged = loop.time()
                    self._set_gauges()
            except Exception:  # noqa: BLE001 -- whatever it was, the next entry must still end its connections
                _log.exception("watch_crashed")
            await self.endings.wait(WATCH_EVERY)

    async def _end_idle(self) -> None:
        while True:
            await asyncio.sleep(LOOK_EVERY)
            try:
                await self.idle_endings.look()
            except Exception:  # noqa: BLE001 -- whatever it was, the next look must still come
                _log.exception("idle_crashed")

    async def _write_sightings(self) -> None:
        while True:
            await asyncio.sleep(WRITE_EVERY)
            await self.sightings.write(self.sign_ins)

    def _set_gauges(self) -> None:
        self.metrics.state_log_age_seconds.set(self.log.age())
        self.metrics.state_log_entries.set(len(self.log.index))
        self.metrics.state_log_pending.set(self.log.pending)
        self.metrics.state_spool_used_ratio.set(self.log.spooled)
        self.metrics.token_revocations_waiting.set(self.tokens.waiting)
        self.metrics.idp_up.set(self.provider.up)
        self.metrics.upstream_connections.set(self.forwarder.connections)
        for kind, count in self.live.counts.items():
            self.metrics.live_connections[kind].set(count)

    def _follow_files(self) -> list[reload.Watched[Any, Any]]:
        self._keys.follow(lambda keys: self.ring.replace(keys, now=clock.now()))
        self._policies.follow(self._replace_policies)
        followed: list[reload.Watched[Any, Any]] = [
            self._keys,
            self._policies,
            *self.inbound_endpoints.watched,
        ]
        for other, secret in enumerate(self._secrets):
            if secret is not None:
                secret.first()
                secret.follow(partial(self.provider.replace_secret, other=bool(other)))
                followed.append(secret)
        if self._redis_password is not None and self._redis_login is not None:
            self._redis_login.replace(self._redis_password.first())
            self._redis_password.follow(self._redis_login.replace)
            followed.append(self._redis_password)
        if self._caller_secrets is not None:
            self.callers.replace(self._caller_secrets.first())
            self._caller_secrets.follow(self.callers.replace)
            followed.append(self._caller_secrets)
        if self._certificate is not None:
            renewable = Renewable(self._certificate.first())
            self.tls = renewable.context
            self._certificate.follow(renewable.replace)
            followed.append(self._certificate)
        if self.questions is not None and self.questions.certificate is not None:
            followed.append(self.questions.certificate)
        if self._assertion_keys is not None and self.assertions is not None:
            self._assertion_keys.follow(self.assertions.replace)
            followed.append(self._assertion_keys)
        if self._receipt_key is not None:
            self._receipt_key.follow(self._replace_receipt_key)
            followed.append(self._receipt_key)
        return followed

    def _assertions(self) -> Assertions | None:
        if self._assertion_keys is None:
            return None
        return Assertions(self.settings.public_url, self._assertion_keys.first())

    def _receipt_book(self) -> ReceiptBook | None:
        if self._receipt_key is None:
            return None
        return ReceiptBook(self.settings.public_url, self.settings.provider.issuer, self._receipt_key.first())

    def _replace_receipt_key(self, key: ReceiptKey) -> None:
        if self.events.receipts is not None:
            self.events.receipts.key = key

    def _replace_policies(self, policies: PolicySet) -> None:
        self.gate.policy = policies

    def _count_call(self, endpoint: str, result: str) -> None:
        self.metrics.idp_requests_total[endpoint, result].inc()

    def _count_sealed(self, size: int) -> None:
        self.metrics.sessions_sealed_total.inc()
        self.metrics.cookie_bytes.observe(size)
