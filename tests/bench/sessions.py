"""Many sessions out of one real sign-in: each like the first, with an id of its own, sealed by the product's own code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.app import reload
from gateway.config import load
from gateway.core import clock, dice
from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.session.sealing import Deployment, KeyRing
from gateway.core.session.session import Husk, Session, SessionLimits
from gateway.web.session.session import Sessions


@dataclass(frozen=True)
class Mint:
    """Makes Cookie headers.

    :ivar like: what they hold, but for the id.
    """

    sessions: Sessions
    like: Session

    @classmethod
    def of(cls, config: Path, cookie: str) -> Mint:
        """Of the gateway with this configuration.

        :param cookie: of somebody who has signed in there.
        """
        settings = load(config, {})
        deployment = Deployment(settings.public_url, settings.provider.issuer, settings.provider.client_id)
        ring = KeyRing(reload.sealing_keys(settings.session.key_files).first(), now=clock.now())
        limits = SessionLimits(int(settings.session.idle), int(settings.session.absolute))
        sessions = Sessions(ring, deployment, limits)
        session = sessions.carried((cookie.encode(),), clock.now()).session
        if session is None or isinstance(session, Husk):
            raise ValueError("the cookie is not one of this gateway")
        return cls(sessions, session)

    def cookies(self) -> Iterator[str]:
        """One session after another; without refresh tokens, whose revocation would be the provider's work."""
        while True:
            session = replace(self.like, sid=dice.token(16), refresh_token=None, refresh_at=None)
            lines = self.sessions.seal(session, NO_COOKIES, clock.now())
            yield "; ".join(line.partition(";")[0] for line in lines if "Max-Age=0" not in line)
