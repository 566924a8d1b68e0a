"""Our own endpoints: what answers at which path (design section 7)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from gateway.app import reload
from gateway.app.descriptors import Shares
from gateway.app.inbound import InboundEndpoints
from gateway.app.options import claim_options, door_limits, door_rules, group_watch, identity_options
from gateway.core.http.facts import RequestFacts
from gateway.idp.provider import IdentityProvider
from gateway.proxy.live import LiveConnections
from gateway.settings.model import Settings
from gateway.state.contract.log import RevocationLog
from gateway.state.contract.sign_ins import SignIns
from gateway.web.door.access_log import AccessLog
from gateway.web.door.listener import Door
from gateway.web.door.table import Endpoint, EndpointTable, Methods
from gateway.web.endpoints.assertion_keys import AssertionKeys
from gateway.web.endpoints.callers import Callers
from gateway.web.endpoints.forward_auth import ForwardAuth
from gateway.web.endpoints.inbound.backchannel import Backchannel
from gateway.web.endpoints.inbound.frontchannel import Frontchannel
from gateway.web.endpoints.session.activity import Activity
from gateway.web.endpoints.session.events import Events
from gateway.web.endpoints.session.session import LiveSession, SessionEndpoint
from gateway.web.endpoints.session.sessions import SessionsEndpoint
from gateway.web.endpoints.signin.callback import Callback
from gateway.web.endpoints.signin.landing import Landing, Onward
from gateway.web.endpoints.signin.start import Start
from gateway.web.endpoints.signout.logout import LogoutEndpoints
from gateway.web.endpoints.signout.receipt_keys import ReceiptKeys
from gateway.web.endpoints.tab import TabScript
from gateway.web.forward.assertions import Assertions
from gateway.web.forward.forwarder import Forwarder
from gateway.web.gate import Gate
from gateway.web.pages import pages
from gateway.web.pages.respond import send
from gateway.web.session.attempts import Attempts
from gateway.web.session.session import Sessions
from gateway.web.signout.hint import Hints
from gateway.web.signout.hops import DONE_PREFIX, HOP, LOGGED_OUT
from gateway.web.signout.inbound import Inbound
from gateway.web.signout.logout import CONTINUE, Logout
from gateway.web.signout.revoker import Revoker
from gateway.web.signout.session_events import SessionEvents
from gateway.web.standing import Standing
from gateway.web.unauthorized import Unauthorized

if TYPE_CHECKING:
    from gateway.app.ext_authz import Questions


class Parts(Protocol):
    """What the endpoints of a replica work with."""

    settings: Settings
    gate: Gate
    standing: Standing
    unauthorized: Unauthorized
    logout: Logout
    sessions: Sessions
    hints: Hints
    provider: IdentityProvider
    forwarder: Forwarder
    live: LiveConnections
    log: RevocationLog
    revoker: Revoker
    sign_ins: SignIns
    events: SessionEvents
    callers: Callers
    assertions: Assertions | None
    access_log: AccessLog
    inbound: Inbound
    inbound_endpoints: InboundEndpoints

    @property
    def usable(self) -> bool: ...

    @property
    def draining(self) -> bool: ...


def own_paths(parts: Parts) -> EndpointTable:
    """Every path that is ours, with what answers there."""
    who = LiveSession(parts.standing, parts.unauthorized)
    exact = {
        **_signing_in(parts),
        **_session(parts, who),
        **_tabs(parts, who),
        **_signing_out(parts),
        **_inbound(parts),
    }
    return EndpointTable(exact, parts.settings.prefix, _forward_auth(parts))


def _signing_in(parts: Parts) -> dict[str, Methods]:
    settings, prefix = parts.settings, parts.settings.prefix
    attempts = Attempts(parts.sessions)
    start = Start(
        settings.public_url, prefix, parts.standing, parts.logout, attempts, parts.provider, parts.events
    )
    callback = Callback(
        public_url=settings.public_url,
        prefix=prefix,
        claims=claim_options(settings),
        groups=group_watch(settings),
        hints=parts.hints,
        keep_access=settings.headers.authorization,
        standing=parts.standing,
        logout=parts.logout,
        attempts=attempts,
        sessions=parts.sessions,
        provider=parts.provider,
        log=parts.log,
        sign_ins=parts.sign_ins,
        events=parts.events,
    )
    return {
        f"{prefix}/start": _acting(start),
        f"{prefix}/callback": _acting(callback),
        f"{prefix}/landing": _acting(Landing(prefix, parts.standing, parts.logout, attempts, parts.events)),
        f"{prefix}/onward": {"GET": Onward(settings.public_url, prefix)},
    }


def _acting(endpoint: Endpoint) -> Methods:
    """What does something by GET: by HEAD it does nothing, and tells nothing (RFC 9110 §9.3.2)."""
    return {"GET": endpoint, "HEAD": lambda _, facts: send(pages.looked_at(url=facts.raw_target))}


def _session(parts: Parts, who: LiveSession) -> dict[str, Methods]:
    prefix = parts.settings.prefix
    session = SessionEndpoint(who)
    sessions = SessionsEndpoint(
        path=f"{prefix}/sessions",
        live=who,
        logout=parts.logout,
        log=parts.log,
        revoker=parts.revoker,
        sign_ins=parts.sign_ins,
        events=parts.events,
    )
    return {
        f"{prefix}/session": {"GET": session},
        f"{prefix}/userinfo": {"GET": session},
        f"{prefix}/sessions": {"GET": sessions.show, "POST": sessions.end},
    }


def _tabs(parts: Parts, who: LiveSession) -> dict[str, Methods]:
    prefix, by_input = parts.settings.prefix, parts.settings.session.activity == "input"
    activity: dict[str, Methods] = {f"{prefix}/activity": {"POST": Activity(who, parts.gate)}}
    return {
        f"{prefix}/events": {"GET": Events(who, parts.live)},
        f"{prefix}/tab.js": {"GET": TabScript(prefix, reports_input=by_input)},
        **(activity if by_input else {}),
    }


def _signing_out(parts: Parts) -> dict[str, Methods]:
    prefix, logout = parts.settings.prefix, parts.logout
    endpoints = LogoutEndpoints(prefix, parts.standing, logout)
    addresses = [f"{DONE_PREFIX}{hop.name}{end}" for hop in logout.options.hops for end in ("", "/*")]
    return {
        "/logout": {**_acting(endpoints.start), "POST": endpoints.start},
        **{address: _acting(endpoints.done) for address in addresses},
        CONTINUE: _acting(endpoints.go_on),
        HOP: _acting(endpoints.hop),
        LOGGED_OUT: {"GET": endpoints.receipt},
        **_receipt_keys(parts),
        **_assertion_keys(parts),
        f"{prefix}/sign_out": {"GET": endpoints.moved, "POST": endpoints.moved},
    }


def _receipt_keys(parts: Parts) -> dict[str, Methods]:
    if parts.events.receipts is None:
        return {}
    published = ReceiptKeys(parts.events.receipts)
    return {f"{parts.settings.prefix}/receipt-keys": {"GET": published}}


def _assertion_keys(parts: Parts) -> dict[str, Methods]:
    if parts.assertions is None:
        return {}
    published = AssertionKeys(parts.assertions)
    return {f"{parts.settings.prefix}/assertion-keys": {"GET": published, "HEAD": published}}


def _inbound(parts: Parts) -> dict[str, Methods]:
    """The ways in that are configured; the others are not there."""
    prefix, asked = parts.settings.prefix, parts.settings.inbound
    found: dict[str, Methods] = {}
    if asked.backchannel:
        found[f"{prefix}/backchannel-logout"] = {"POST": Backchannel(parts.provider, parts.inbound)}
    if asked.frontchannel:
        frontchannel = Frontchannel(
            issuer=parts.settings.provider.issuer,
            sessions=parts.sessions,
            sign_ins=parts.sign_ins,
            inbound=parts.inbound,
        )
        found[f"{prefix}/frontchannel-logout"] = _acting(frontchannel)
    return found | parts.inbound_endpoints.paths


def _forward_auth(parts: Parts) -> tuple[str, Endpoint] | None:
    asked = parts.settings.forward_auth
    if asked is None or all(map(asked.over_grpc, asked.asking)):
        return None
    path = f"{parts.settings.prefix}/auth"
    return path, _check(parts, path)


def _check(parts: Parts, path: str, *, grpc: bool = False) -> ForwardAuth:
    return ForwardAuth(
        callers=parts.callers,
        path=path,
        identity=identity_options(parts.settings),
        standing=parts.standing,
        unauthorized=parts.unauthorized,
        gate=parts.gate,
        forwarder=parts.forwarder,
        events=parts.events,
        grpc=grpc,
    )


class OnlyTheCheck:
    """Where nothing but questions can be asked: each is the request that it is about, so its path is that one's."""

    def __init__(self, check: Endpoint) -> None:
        self._check = check

    def find(self, _: RequestFacts) -> Endpoint:
        return self._check

    def is_question(self, _: RequestFacts) -> bool:
        return True


def questions(parts: Parts, files: Shares) -> Questions | None:
    """Where Envoy asks over gRPC, if it does.

    :param files: what the system has room for.
    """
    asked = parts.settings.forward_auth
    if asked is None or asked.grpc is None:
        return None
    # Only here: h2 and protobuf are an extra.
    from gateway.app.ext_authz import Questions

    hosts = [host for each in asked.asking if asked.over_grpc(each) for host in each.hosts]
    rules, limits = door_rules(parts.settings, hosts), door_limits(parts.settings, files)
    table = OnlyTheCheck(_check(parts, "", grpc=True))
    door = Door(rules, limits, table=table, gate=parts.gate, access_log=parts.access_log)
    certificate = reload.question_certificate(asked.grpc)
    return Questions(
        door,
        limits,
        parts.forwarder,
        parts.access_log,
        certificate,
        lambda: parts.usable and not parts.draining,
    )
