"""Front-channel single logout: Okta calls the other applications of a browser, each in an iframe."""

from __future__ import annotations

from gateway.demo.answers import with_query
from gateway.demo.okta.state import Okta, Session


def addresses(okta: Okta, session: Session | None, *, apart: str = "") -> tuple[str, ...]:
    """Return what to load, with iss and sid, for the applications that have tokens from *session*.

    *apart* is the client that started the sign-out. Nothing is called while the switch is off.
    """
    if session is None or not okta.common.switches.flag("front_channel_logout"):
        return ()
    called = {
        with_query(grant.client.front_channel, {"iss": grant.server.issuer, "sid": session.index}): None
        for grant in okta.grants.values()
        if grant.session_id == session.index and grant.client.front_channel and grant.client.id != apart
    }
    return tuple(called)
