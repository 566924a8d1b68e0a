"""What the Cognito emulator holds."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from aiohttp import ClientSession, web

from gateway.demo import clock, dice, keys
from gateway.demo.answers import Cookie
from gateway.demo.emulator import Common
from gateway.demo.keys import SigningKey

PROVIDER = "Okta"
CLIENT_SCOPES = ("openid", "email", "profile", "phone", "aws.cognito.signin.user.admin")
SESSION_COOKIE = "cognito"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who somebody is: as Okta says it, or as Cognito knows its own people.

    *subject* is the SAML NameID, the sub of Okta's ID token, or the address that one of Cognito's own signs in with;
    *provider_type* is SAML or OIDC, None for Cognito's own; *signed_in* is when Okta says that they signed in there.
    """

    subject: str
    email: str
    name: str
    given_name: str
    family_name: str
    preferred_username: str
    groups: tuple[str, ...]
    provider_type: str | None
    session_index: str | None = None
    signed_in: int | None = None

    @property
    def username(self) -> str:
        """Cognito's name for the person: the provider and its name for federated ones, else the sub."""
        return f"{PROVIDER}_{self.subject}" if self.provider_type else self.sub

    @property
    def sub(self) -> str:
        """The user's sub: always the same for the same person, so that it survives a restart."""
        provider = PROVIDER if self.provider_type else "own"
        return str(uuid.uuid5(uuid.NAMESPACE_URL, f"cognito-demo/{provider}_{self.subject}"))


@dataclass(slots=True)
class Session:
    """The hosted UI's browser session, behind the cookie `cognito`."""

    id: str = field(repr=False)
    identity: Identity
    created: int
    renewed: int


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A valid request to /oauth2/authorize or /login; *raw* is its query string as it came."""

    raw: str
    client_id: str
    redirect_uri: str
    scopes: tuple[str, ...]
    state: str | None
    nonce: str | None
    challenge: str | None
    prompt: frozenset[str]
    provider: str | None
    login_hint: str | None
    max_age: int | None
    lang: str | None


@dataclass(frozen=True, slots=True)
class SignIn:
    """What tokens are made from; *key* is the origin_jti, *event* the event_id of all tokens of one sign-in."""

    identity: Identity
    session_id: str = field(repr=False)
    client_id: str
    scopes: tuple[str, ...]
    nonce: str | None
    auth_time: int
    key: str
    event: str


@dataclass(frozen=True, slots=True)
class Code:
    """An authorization code not yet redeemed."""

    sign_in: SignIn
    redirect_uri: str
    challenge: str | None
    issued: int


@dataclass(slots=True)
class RefreshToken:
    """A refresh token; *rotated* is when its successor was first given out."""

    sign_in: SignIn
    expires: int
    rotated: int | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A federated sign-in under way. Its key in the table is state (OpenID Connect) or RelayState (SAML)."""

    request: AuthorizationRequest
    csrf: str = field(repr=False)
    begun: int
    message_id: str
    nonce: str
    verifier: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class LogoutTrip:
    """A single logout under way at Okta; *onward* is where the browser goes afterwards."""

    message_id: str
    onward: str
    session_id: str = field(repr=False)
    begun: int


class Cognito:
    """One user pool with one app client and one identity provider."""

    def __init__(self, common: Common, http: ClientSession) -> None:
        self.common = common
        self.http = http
        self.metadata: bytes | None = None
        self.sessions: dict[str, Session] = {}
        self.attempts: dict[str, Attempt] = {}
        self.trips: dict[str, LogoutTrip] = {}
        self.codes: dict[str, Code] = {}
        self.sign_ins: dict[str, SignIn] = {}
        self.refresh_tokens: dict[str, RefreshToken] = {}
        self.seen_assertions: dict[str, int] = {}

    @property
    def url(self) -> str:
        """The hosted UI's origin."""
        return self.common.options.cognito

    def live_sessions(self) -> list[tuple[str, int]]:
        """Return e-mail and start of every session that is alive."""
        return [(s.identity.email, s.created) for s in self.sessions.values() if self.alive(s)]

    def forget(self) -> None:
        """Drop everything."""
        self.metadata = None
        for table in (self.sessions, self.attempts, self.trips, self.codes, self.sign_ins):
            table.clear()
        self.refresh_tokens.clear()
        self.seen_assertions.clear()

    def alive(self, session: Session) -> bool:
        """Say whether *session* has time left; the switch counts at the moment of asking."""
        life = 60 * self.common.switches.number("cognito_session_minutes")
        return clock.now() < session.renewed + life

    def session_of(self, request: web.Request) -> Session | None:
        """Return the living session of the browser that sent *request*."""
        session = self.sessions.get(request.cookies.get(SESSION_COOKIE, ""))
        return session if session and self.alive(session) else None

    def begin(self, identity: Identity) -> Session:
        """Start a browser session for *identity*."""
        session = Session(dice.token(), identity, clock.now(), clock.now())
        self.sessions[session.id] = session
        way = (
            f"through {PROVIDER} ({identity.provider_type})" if identity.provider_type else "with a password"
        )
        self.common.tell(f"Cognito: {identity.email} signed in {way}")
        return session

    def end(self, session_id: str, how: str) -> None:
        """End the browser session *session_id*, if there still is one; tokens live on."""
        session = self.sessions.pop(session_id, None)
        if session:
            self.common.tell(f"Cognito: session of {session.identity.email} ended by {how}")

    def session_cookie(self, session: Session | None) -> Cookie:
        """Return the Set-Cookie for *session*, or the one that ends it."""
        switches = self.common.switches
        life = 60 * switches.number("cognito_session_minutes") if session else 0
        value = session.id if session else ""
        return Cookie(SESSION_COOKIE, value, life, switches.word("cognito_cookie_same_site"))

    def current_keys(self) -> tuple[SigningKey, SigningKey]:
        """Return the keys that sign ID tokens and access tokens: two different ones, as at AWS."""
        return key_pair(self.common.switches.number("cognito_keys"))

    def published_keys(self) -> list[SigningKey]:
        """Return the keys of the key set: the current pair, and those before it unless switched off."""
        current = self.common.switches.number("cognito_keys")
        first = 1 if self.common.switches.flag("old_keys_published") else current
        return [key for generation in range(first, current + 1) for key in key_pair(generation)]


def key_pair(generation: int) -> tuple[SigningKey, SigningKey]:
    """Return the ID token key and the access token key of *generation*."""
    return keys.signing_key("cognito id", generation), keys.signing_key("cognito access", generation)
