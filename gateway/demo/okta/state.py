"""What the Okta emulator holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from gateway.demo import clock, dice, keys
from gateway.demo.emulator import Common
from gateway.demo.options import CLIENT_ID
from gateway.demo.people import Person

COGNITO_CLIENT_ID = "0oa1cognito0demo0d7"
COGNITO_CLIENT_SECRET = "what-cognito-tells-okta"  # noqa: S105 - known to the emulators alone, on loopback
CODE_SECONDS = 60
PENDING_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class Session:
    """A browser session; *index* is the SessionIndex of assertions made from it."""

    id: str = field(repr=False)
    person: Person
    created: int
    index: str


@dataclass(frozen=True, slots=True)
class Client:
    """An application registered for OpenID Connect; *front_channel* is its front-channel logout URI, if it has one."""

    id: str
    secret: str = field(repr=False)
    redirect_uris: tuple[str, ...]
    sign_outs: tuple[str, ...]
    front_channel: str | None = None


@dataclass(frozen=True, slots=True)
class AuthorizationServer:
    """An OpenID Connect issuer of the org; *base* is the path its endpoints share."""

    issuer: str
    base: str
    key: keys.SigningKey


@dataclass(frozen=True, slots=True)
class Grant:
    """What a person allowed a client: behind a code, and behind the refresh token made from it."""

    server: AuthorizationServer
    client: Client
    person: Person
    session_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    nonce: str | None
    challenge: str | None
    auth_time: int
    expires: int
    key: str


@dataclass(frozen=True, slots=True)
class Pending:
    """A request that waits for a sign-in; *refused* is the session that is not good enough for it."""

    finish: Callable[[Session], web.Response]
    refused: str
    created: int


class Okta:
    """One org: its sessions, clients and grants."""

    def __init__(self, common: Common) -> None:
        options = common.options
        self.common = common
        self.sessions: dict[str, Session] = {}
        self.pending: dict[str, Pending] = {}
        self.codes: dict[str, Grant] = {}
        self.grants: dict[str, Grant] = {}
        self.refresh_tokens: dict[str, Grant] = {}
        self.suspended: set[str] = set()
        self.watchers: list[Callable[[Session], None]] = []
        self.forgetting: list[Callable[[], None]] = []
        self.servers = (
            AuthorizationServer(options.okta, "/oauth2/v1", keys.signing_key("okta org")),
            AuthorizationServer(
                f"{options.okta}/oauth2/default", "/oauth2/default/v1", keys.signing_key("okta default")
            ),
        )
        self.clients = {
            CLIENT_ID: Client(
                CLIENT_ID,
                options.client_secret,
                options.registered_callbacks,
                options.okta_sign_outs,
                f"{options.app}/oauth2/frontchannel-logout",
            ),
            COGNITO_CLIENT_ID: Client(
                COGNITO_CLIENT_ID, COGNITO_CLIENT_SECRET, (f"{options.cognito}/oauth2/idpresponse",), ()
            ),
        }

    @property
    def url(self) -> str:
        """The org's origin."""
        return self.common.options.okta

    def live_sessions(self) -> list[tuple[str, int]]:
        """Return e-mail and start of every session that is alive."""
        return [(s.person.email, s.created) for s in self.sessions.values() if self.alive(s)]

    def forget(self) -> None:
        """Drop everything."""
        for held in (self.sessions, self.pending, self.codes, self.grants, self.refresh_tokens):
            held.clear()
        self.suspended.clear()
        for forget in self.forgetting:
            forget()

    def alive(self, session: Session) -> bool:
        """Say whether *session* has time left; the switch counts at the moment of asking."""
        life = 60 * self.common.switches.number("okta_session_minutes")
        return clock.now() < session.created + life

    def session_of(self, request: web.Request) -> Session | None:
        """Return the living session of the browser that sent *request*."""
        session = self.sessions.get(request.cookies.get("idx", ""))
        return session if session and self.alive(session) else None

    def begin(self, person: Person) -> Session:
        """Sign *person* in."""
        session = Session(dice.token(), person, clock.now(), f"id{dice.token(12)}")
        self.sessions[session.id] = session
        self.common.tell(f"Okta: {person.email} signed in")
        return session

    def end(self, session: Session, how: str) -> None:
        """End *session* and tell the watchers; OAuth tokens live on unless the switch says otherwise."""
        for watcher in self.watchers:
            watcher(session)
        self.sessions.pop(session.id, None)
        self.common.tell(f"Okta: session of {session.person.email} ended by {how}")

    def clear(self, person: Person, how: str) -> None:
        """End all sessions of *person* and revoke the tokens, as an administrator does."""
        for session in [each for each in self.sessions.values() if each.person == person]:
            self.end(session, how)
        for token in self.common.issued:
            token.revoked = token.revoked or token.user == person.email

    def park(self, pending: Pending) -> str:
        """Keep *pending* until the person has signed in; returns its key."""
        key = dice.token()
        horizon = clock.now() - PENDING_SECONDS
        self.pending = {k: p for k, p in self.pending.items() if p.created > horizon}
        self.pending[key] = pending
        return key
