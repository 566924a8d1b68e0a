"""Stage 2: the session out of the request's cookies, and back into Set-Cookie values.

Opening a cookie costs a decryption, so what a cookie says is remembered by its exact bytes. Only that: whether the
session still lives, whether it was revoked and whether its key still counts is asked every time (rule R25).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from gateway.core.http import own_cookies
from gateway.core.http.facts import RequestFacts
from gateway.core.http.own_cookies import OwnCookies
from gateway.core.memo import Kept
from gateway.core.session import cookies
from gateway.core.session.cookies import CookieTooLargeError, SealedCookie
from gateway.core.session.identity_headers import HeaderPairs, IdentityOptions, identity_headers
from gateway.core.session.sealing import Deployment, KeyRing, Opened
from gateway.core.session.session import (
    Session,
    SessionLimits,
    SessionOrHusk,
    Ticket,
    cookie_plain,
    in_cookie,
    touched,
)
from gateway.core.signout import chain as chains
from gateway.core.signout.chain import Chain
from gateway.web.session.sightings import Sightings

SESSIONS = 4_096
"""Sets of our own cookies whose content is kept; only of those with a session."""
SESSIONS_BYTES = 32 * 1024 * 1024
"""Bytes that it may take."""
HEADERS = 1_024
"""Whole Cookie headers known by their bytes, which saves looking for our cookies among the others."""
LONGEST_HEADER = 4_096
"""Bytes of such headers."""
HEADERS_BYTES = 8 * 1024 * 1024
"""Bytes that they may take. What they lead to is kept by the cookies in them, and is weighed once more here, for it may
have been forgotten there.
"""
_Own = tuple[frozenset[tuple[bytes, bytes]], frozenset[bytes], bytes, int]


@dataclass(frozen=True, slots=True)
class Carried:
    """What a request's cookies say; nothing of it is checked yet.

    :ivar outdated: the cookie is to be set anew: its key no longer seals, or it holds an older generation.
    :ivar identity: the identity headers of its principal.
    :ivar ticket: where the session is not in its cookie (``web/session/tickets.py``).
    """

    cookies: OwnCookies
    session: SessionOrHusk | None = None
    chain: Chain | None = None
    outdated: bool = False
    identity: HeaderPairs = ()
    ticket: Ticket | None = None


NOTHING = Carried(own_cookies.NO_COOKIES)


class Sessions:
    """Reads and writes the session cookie and the chain's cookie of one deployment.

    :param identity: what upstreams hear of the principal; made once for each cookie, not for each request.
    :param sightings: told when activity moves a session's idle deadline.
    :param on_sealed: told of the bytes of each session cookie made.
    :param all_own: bytes that all cookies of the gateway may take (``limits.cookies``).
    :param suffix: of their names (``session.cookie_suffix``).
    :cvar remote: a session may have to be waited for; see :meth:`waits`.
    """

    remote = False

    def __init__(
        self,
        ring: KeyRing,
        deployment: Deployment,
        limits: SessionLimits,
        *,
        identity: IdentityOptions | None = None,
        sightings: Sightings | None = None,
        on_sealed: Callable[[int], None] | None = None,
        all_own: int = 7_000,
        suffix: str = "",
    ) -> None:
        self.ring = ring
        self._identity = identity or IdentityOptions()
        self._sightings = sightings
        self._on_sealed = on_sealed
        self.deployment = deployment
        self.limits = limits
        self.suffix = suffix
        self._session = cookies.session_cookie(limits.absolute, all_own, suffix=suffix)
        self._logout = cookies.logout_cookie(limits.absolute, suffix=suffix)
        self._by_header: Kept[tuple[tuple[bytes, ...], bytes, int], Carried] = Kept(
            entries=HEADERS, size=HEADERS_BYTES
        )
        self._by_cookies: Kept[_Own, Carried] = Kept(entries=SESSIONS, size=SESSIONS_BYTES)

    def carried(self, headers: tuple[bytes, ...], now: int) -> Carried:
        """What the browser carries, of the raw values of its Cookie headers; never raises, whatever is in them."""
        if not headers:
            return NOTHING
        sealing, version = self.ring.sealing_key(now).key_id, self.ring.version
        carried = self._by_header[headers, sealing, version]
        if carried is not None:
            return carried
        own = own_cookies.read(headers, self.suffix)
        if not own.values and not own.conflicting:
            return NOTHING
        among = (frozenset(own.values.items()), own.conflicting, sealing, version)
        carried = self._by_cookies[among]
        if carried is None:
            carried = self._open(own, now)
            if carried.session is None and carried.ticket is None:
                return carried
            self._by_cookies.keep(among, carried)
        if sum(map(len, headers)) <= LONGEST_HEADER:
            self._by_header.offer((headers, sealing, version), carried)
        return carried

    def _open(self, own: OwnCookies, now: int) -> Carried:
        chain = chains.FORMAT.read_from(self.opened(self._logout, own, now))
        return self._from_cookie(own, self.opened(self._session, own, now), chain)

    def _from_cookie(self, own: OwnCookies, opened: Opened | None, chain: Chain | None) -> Carried:
        """What is in the session's cookie."""
        session = in_cookie(opened.plain) if opened is not None else None
        outdated = opened is not None and opened.outdated
        return Carried(
            own,
            session,
            chain,
            outdated,
            self._identity_headers(session) if isinstance(session, Session) else (),
        )

    def _identity_headers(self, session: Session) -> HeaderPairs:
        return identity_headers(session.principal, self._identity, bearer=session.access_token)

    def replaced(self, carried: Carried, session: Session | None) -> Carried:
        """The same with a later generation of its session in its place, to be set with the answer; or with none."""
        identity = self._identity_headers(session) if session else ()
        return replace(carried, session=session, outdated=session is not None, identity=identity)

    def attempt_cookie(self, attempt_id: str, **limits: int) -> SealedCookie:
        """The cookie of one login attempt; ``max_age`` and ``budget`` where they are not as usual."""
        return cookies.attempt_cookie(attempt_id, suffix=self.suffix, **limits)

    def hint_cookie(self, budget: int) -> SealedCookie:
        """The cookie of the hint, of so many bytes."""
        return cookies.hint_cookie(self.limits.absolute, budget, suffix=self.suffix)

    def opened(self, cookie: SealedCookie, own: OwnCookies, now: int) -> Opened | None:
        """What ``cookie`` holds; None when it is absent or not ours."""
        opened = cookie.open(own, self.ring, self.deployment, now=now)
        return opened if isinstance(opened, Opened) else None

    def seal(self, session: Session, carried: OwnCookies, now: int) -> list[str]:
        """Set-Cookie values that store ``session``.

        :raises CookieTooLargeError: it does not fit (rule R33).
        """
        lines = self._session.set(
            self._content(session), self.ring, self.deployment, now=now, carried=carried
        )
        if self._on_sealed is not None:
            self._on_sealed(sum(line.index(";") for line in lines))
        return lines

    def _content(self, session: Session) -> dict[str, Any]:
        """What the session's cookie holds of it."""
        return cookie_plain(session)

    def waits(self, facts: RequestFacts, now: int) -> bool:
        """Whether :meth:`fetch` has to be awaited before anything is read."""
        return False

    async def fetch(self, headers: tuple[bytes, ...], now: int) -> None:
        """Have at hand what these Cookie headers lead to; what is in them needs nobody's help."""

    async def begin(self, session: Session, carried: OwnCookies, now: int) -> list[str]:
        """Keep a session that has just begun; the Set-Cookie values for it.

        :raises CookieTooLargeError: it cannot be kept, being too large. :raises StateError: or for lack of an answer.
        """
        return self.seal(session, carried, now)

    async def keep(self, session: Session, carried: Carried, now: int) -> list[str]:
        """Keep what a page has written into the session; Set-Cookie values. Raises as :meth:`begin`."""
        return self.seal(session, carried.cookies, now)

    async def remove(self, session: SessionOrHusk) -> None:
        """A session was ended: whatever is kept of it is not needed any more."""

    async def close(self) -> None:
        """Wait for what is being written."""

    def renewed(
        self, session: Session, carried: Carried, now: int, *, active: bool, client: str
    ) -> list[str]:
        """Set-Cookie values when activity moved the idle deadline or the key was replaced; mostly none.

        :param client: address of who was active.
        """
        moved = touched(session, self.limits, now) if active else None
        if moved is None and not carried.outdated:
            return []
        try:
            lines = self.seal(moved or session, carried.cookies, now)
        except (
            CookieTooLargeError
        ):  # it fitted at sign-in by a byte or two; the one the browser has still works
            return []
        if moved is not None:
            self._note(moved, client, now)
        return lines

    def _note(self, session: Session, client: str, now: int) -> None:
        if self._sightings is not None:
            self._sightings.note(session.sid, client, now)

    def seal_chain(self, chain: Chain, carried: OwnCookies, now: int) -> list[str]:
        """Set-Cookie values that store the logout chain."""
        return self._logout.set(
            chains.FORMAT.plain(chain), self.ring, self.deployment, now=now, carried=carried
        )

    def clear_session(self) -> list[str]:
        """Set-Cookie values that expire the session under every name it can have."""
        return self._session.clear()

    def clear_chain(self) -> list[str]:
        return self._logout.clear()

    def clear_conflicting(self, own: OwnCookies) -> list[str]:
        """Set-Cookie values that expire cookies which came twice with different values (pain P23)."""
        if not own.conflicting:
            return []
        names = {name.decode("latin-1") for name in own.conflicting}
        return self._session.clear() if names & set(self._session.names()) else []
