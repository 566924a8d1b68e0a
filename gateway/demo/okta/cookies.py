"""Okta's cookies: idx (and sid) is the session, DT the device, which outlives every sign-out."""

from __future__ import annotations

from aiohttp import web

from gateway.demo import dice
from gateway.demo.answers import Cookie
from gateway.demo.okta.state import Okta, Session

DEVICE_SECONDS = 400 * 24 * 3600


def session_cookies(okta: Okta, session: Session) -> list[Cookie]:
    """Return what a browser gets at sign-in."""
    names = ["idx", "sid"] if okta.common.switches.flag("sid_cookie") else ["idx"]
    return [_cookie(okta, name, session.id if name == "idx" else dice.token(), None) for name in names]


def expired_cookies(okta: Okta) -> list[Cookie]:
    """Return what a browser gets at sign-out: idx and sid go, DT is not mentioned."""
    return [_cookie(okta, name, "", 0) for name in ("idx", "sid")]


def device_cookie(okta: Okta, request: web.Request) -> list[Cookie]:
    """Return the DT cookie if this browser has none."""
    return [] if "DT" in request.cookies else [_cookie(okta, "DT", dice.token(), DEVICE_SECONDS)]


def _cookie(okta: Okta, name: str, value: str, max_age: int | None) -> Cookie:
    switches = okta.common.switches
    return Cookie(
        name,
        value,
        max_age,
        switches.word("okta_cookie_same_site"),
        switches.flag("okta_cookie_secure"),
        switches.flag("okta_cookie_http_only"),
    )
