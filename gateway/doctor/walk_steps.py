"""The steps of the doctor's walk through a proxy in front: what a browser could ask, and what the answer shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from gateway.doctor.probe import Reply

FETCH = {
    "sec-fetch-mode": "cors",
    "sec-fetch-dest": "empty",
    "sec-fetch-site": "same-origin",
    "accept": "*/*",
}
NAVIGATION = {
    "sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "none", "accept": "text/html",
}  # fmt: skip
_OLD_BROWSER = {"accept": "text/html"}
_HANDSHAKE = {
    "connection": "Upgrade", "upgrade": "websocket", "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==", **_OLD_BROWSER,
}  # fmt: skip
_PREFLIGHT = {**FETCH, "origin": "https://gateway-doctor.invalid", "access-control-request-method": "PUT"}
_SPOOFED = {
    "x-original-url": "https://gateway-doctor.invalid/spoofed", "x-original-method": "POST",
    "x-forwarded-method": "POST",
    "x-forwarded-host": "gateway-doctor.invalid", "x-forwarded-uri": "/spoofed", "path": "/spoofed", "method": "POST",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WalkStep:
    """One request that a browser could make.

    :ivar good: what it shows when the answer is as it should be. :ivar bad: when it is not.
    :ivar purposes: keys of `recipe_lines.LINES`: in whose work it shows.
    :ivar path: where; empty: a page of the application.
    """

    good: str
    bad: str
    purposes: tuple[str, ...]
    right: Callable[[Reply], bool]
    headers: Mapping[str, str]
    method: str = "GET"
    path: str = ""


def reason(reply: Reply) -> str:
    """Why the gateway refused; empty where it is nothing that the gateway has said."""
    if not reply.header("content-type").startswith("application/problem+json"):
        return reply.header("x-gateway-reason")
    try:
        return str(json.loads(reply.body)["code"])
    except (ValueError, KeyError, TypeError):
        return ""


def _problem(status: int, code: str) -> Callable[[Reply], bool]:
    return lambda reply: (
        reply.status == status
        and reason(reply) == code
        and reply.header("content-type").startswith("application/problem+json")
    )


def _led(reply: Reply) -> bool:
    return reply.redirects and "/start?rd=" in reply.location


def _not_led(reply: Reply) -> bool:
    return reply.status == 401 and not reply.location


def _no_question(prefix: str) -> WalkStep:
    return WalkStep(
        "nobody outside may ask the gateway questions",
        "anybody may put questions to the gateway past the proxy",
        ("question",),
        lambda reply: reply.status >= 400 and not reason(reply),
        FETCH,
        path=f"{prefix}/auth",
    )


def steps(prefix: str, there: str, cookie: str, *, by_http: bool) -> tuple[WalkStep, ...]:
    """What is looked at once questions come, in the order of the report.

    :param by_http: questions may come over HTTP; else nobody can ask any at that address.
    """
    pages = ("own pages", "own host")
    return (
        WalkStep(
            "a person is led to the sign-in",
            "a person is not led to the sign-in by a redirect",
            ("location", "fetch metadata"),
            _led,
            NAVIGATION,
        ),
        WalkStep(
            "a person whose browser sends no Sec-Fetch is led there too",
            "without Sec-Fetch a person is not led there: Accept does not reach the gateway",
            ("accept", "location"),
            _led,
            _OLD_BROWSER,
        ),
        WalkStep(
            "a program gets the gateway's problem document",
            "a program does not get the gateway's problem document",
            ("body", "reason"),
            _problem(401, "login_required"),
            FETCH,
        ),
        WalkStep(
            "what a script fetches is no navigation",
            "a script is led to the sign-in: Sec-Fetch-Mode does not reach the gateway",
            ("fetch metadata",),
            _not_led,
            {**FETCH, **_OLD_BROWSER},
        ),
        WalkStep(
            "what a frame loads is no navigation",
            "a frame is led to the sign-in: Sec-Fetch-Dest does not reach the gateway",
            ("fetch metadata",),
            _not_led,
            {**NAVIGATION, "sec-fetch-dest": "iframe"},
        ),
        WalkStep(
            "what is fetched ahead of time is no navigation",
            "a prefetch is led to the sign-in: Sec-Purpose does not reach the gateway",
            ("prefetch",),
            _not_led,
            {**NAVIGATION, "sec-purpose": "prefetch"},
        ),
        WalkStep(
            "a WebSocket handshake is no navigation",
            "a handshake is taken for a page: neither Upgrade nor Sec-WebSocket-Key reaches the gateway",
            ("handshake",),
            _not_led,
            _HANDSHAKE,
        ),
        WalkStep(
            "a POST is no navigation",
            "a POST is answered as a GET: the original method is lost",
            ("method",),
            _not_led,
            NAVIGATION,
            "POST",
        ),
        WalkStep(
            "a client's own word about what it asks for is not believed",
            "a client may say itself what is asked about",
            ("method", "target", "host"),
            lambda reply: _led(reply) and way_back(reply) == there,
            {**NAVIGATION, **_SPOOFED},
        ),
        WalkStep(
            "a preflight of another origin is refused in the gateway's words",
            "a preflight is not refused so: Origin, Access-Control-Request-Method or the refusal is lost",
            ("origin", "refusal"),
            _problem(403, "cross_origin"),
            _PREFLIGHT,
            "OPTIONS",
        ),
        *(
            (
                WalkStep(
                    "the browser's cookies reach the gateway",
                    "cookies are not handed over, so nobody is ever signed in",
                    ("cookie",),
                    _problem(401, "logout_in_progress"),
                    {**FETCH, "cookie": cookie},
                ),
            )
            if cookie
            else ()
        ),
        WalkStep(
            "a refusal is not stored",
            "a refusal may be stored: its Cache-Control is lost",
            ("stored",),
            lambda reply: "no-store" in reply.header("cache-control"),
            FETCH,
        ),
        *((_no_question(prefix),) if by_http else ()),
        WalkStep(
            f"{prefix}/ leads to the gateway, unchecked",
            f"{prefix}/ does not lead to the gateway without a check",
            ("/oauth2/", *pages),
            lambda reply: reply.status == 200 and "javascript" in reply.header("content-type"),
            FETCH,
            path=f"{prefix}/tab.js",
        ),
        WalkStep(
            "/logout leads to the gateway, unchecked",
            "/logout does not lead to the gateway without a check",
            ("/logout", *pages),
            _problem(405, "wrong_method"),
            FETCH,
            path="/logout",
        ),
        WalkStep(
            "/logged-out leads to the gateway, unchecked",
            "/logged-out does not lead to the gateway without a check",
            ("/logged-out", *pages),
            lambda reply: reply.status == 200 and reply.is_html and not reply.location,
            NAVIGATION,
            path="/logged-out",
        ),
        WalkStep(
            "the cookie of a sign-in that begins reaches the browser",
            "the cookie of a sign-in that begins does not reach the browser",
            ("/oauth2/", *pages),
            lambda reply: reply.unwell or "__Host-login" in reply.header("set-cookie"),
            NAVIGATION,
            path=f"{prefix}/start?rd=/",
        ),
    )


def way_back(reply: Reply) -> str:
    return parse_qs(urlsplit(reply.location).query).get("rd", [""])[0]
