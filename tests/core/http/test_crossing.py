"""Who may make a request (rules R8 and R13, pain P25)."""

from __future__ import annotations

import pytest

from gateway.core.http.crossing import LogoutStart, crosses_origin, may_start_logout
from gateway.core.http.facts import DoorRules, RequestFacts, build

HERE = "https://app.example.com"
ORIGINS = frozenset({HERE, "https://partner.example.com"})
RULES = DoorRules("https", frozenset({"app.example.com"}))
PAGE = {"Accept": "text/html,*/*;q=0.8"}
NAVIGATION = {**PAGE, "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
FETCH = {"Accept": "*/*", "Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"}
ACT, CONFIRM, BACK, METHOD, ORIGIN = (
    LogoutStart.ACT,
    LogoutStart.CONFIRM,
    LogoutStart.COME_BACK,
    LogoutStart.REFUSE_METHOD,
    LogoutStart.REFUSE_ORIGIN,
)


def facts(method: str, headers: dict[str, str]) -> RequestFacts:
    pairs = [
        (name.encode(), value.encode()) for name, value in {"Host": "app.example.com", **headers}.items()
    ]
    return build(method, "/logout", pairs, "192.0.2.1", RULES)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND", "post", "X"])
@pytest.mark.parametrize(
    ("headers", "crosses"),
    [
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example.com"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, True),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "https://partner.example.com"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "Same-Origin"}, True),
        ({"Sec-Fetch-Site": ""}, True),
        ({"Origin": HERE}, False),
        ({"Origin": "null"}, True),
        ({"Origin": HERE + ".evil.example"}, True),
        ({"Origin": "https://app.example.com:8443"}, True),
        ({"Origin": "http://app.example.com"}, True),
        ({"Referer": HERE + "/"}, True),
        ({}, True),
    ],
)
def test_r08_an_unsafe_method_must_come_from_here(
    method: str, headers: dict[str, str], crosses: bool
) -> None:
    """Sec-Fetch-Site or Origin must name this origin or an allowed one, exactly; nothing at all is a refusal."""
    assert crosses_origin(facts(method, headers), ORIGINS) is crosses


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_r08_a_safe_method_may_come_from_anywhere(method: str) -> None:
    """A link from another site works."""
    assert not crosses_origin(facts(method, {"Sec-Fetch-Site": "cross-site"}), ORIGINS)


@pytest.mark.parametrize(
    ("headers", "crosses"),
    [
        ({"Origin": HERE}, False),
        ({"Origin": "https://evil.example"}, True),
        ({"Sec-Fetch-Site": "same-site", "Origin": "https://evil.example.com"}, True),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({}, True),
    ],
)
def test_r08_a_websocket_handshake_must_come_from_here(headers: dict[str, str], crosses: bool) -> None:
    """A handshake is a GET, but what it opens can write (cross-site WebSocket hijacking)."""
    asked = facts("GET", {"Upgrade": "WebSocket", "Connection": "Upgrade", **headers})
    assert crosses_origin(asked, ORIGINS) is crosses


TABLE = [
    # GET: only a document navigation from here acts
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "same-origin"}, ACT),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "none"}, ACT),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "same-site"}, CONFIRM),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "cross-site"}, CONFIRM),
    ("GET", NAVIGATION, CONFIRM),
    ("GET", PAGE, CONFIRM),
    ("GET", {}, CONFIRM),
    ("GET", {"Accept": "*/*"}, CONFIRM),
    ("GET", {**FETCH, "Sec-Fetch-Site": "same-origin"}, METHOD),
    (
        "GET",
        {**FETCH, "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Sec-Fetch-Site": "same-origin"},
        METHOD,
    ),
    ("GET", {**NAVIGATION, "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "same-origin"}, METHOD),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "same-origin", "Sec-Purpose": "prefetch"}, METHOD),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "none", "Sec-Purpose": "prefetch;prerender"}, METHOD),
    ("GET", {**PAGE, "Purpose": "prefetch"}, METHOD),
    ("HEAD", {**NAVIGATION, "Sec-Fetch-Site": "same-origin"}, METHOD),
    ("DELETE", {**FETCH, "Sec-Fetch-Site": "same-origin"}, METHOD),
    # POST: Sec-Fetch-Site decides, Origin only where it is absent
    ("POST", {**NAVIGATION, "Sec-Fetch-Site": "same-origin", "Origin": "null"}, ACT),
    ("POST", {**FETCH, "Sec-Fetch-Site": "same-origin", "Origin": HERE}, ACT),
    ("POST", {**NAVIGATION, "Sec-Fetch-Site": "none"}, ACT),
    ("POST", {**NAVIGATION, "Sec-Fetch-Site": "same-site", "Origin": HERE}, ORIGIN),
    ("POST", {**NAVIGATION, "Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}, ORIGIN),
    ("POST", {"Origin": HERE}, ACT),
    ("POST", {"Origin": "null"}, ACT),
    ("POST", {}, ACT),
    ("POST", {"Origin": "https://evil.example"}, ORIGIN),
    ("POST", {"Origin": HERE + "."}, ORIGIN),
]


@pytest.mark.parametrize(("method", "headers", "said"), TABLE)
def test_r13_what_may_start_a_logout(method: str, headers: dict[str, str], said: LogoutStart) -> None:
    """The table of design section 6, row by row: no image, prefetch, frame, fetch or other site signs anybody out."""
    assert may_start_logout(facts(method, headers), HERE) is said


CROSS_SITE = [
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "cross-site"}, ACT),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "same-site"}, ACT),
    ("POST", {**NAVIGATION, "Sec-Fetch-Site": "cross-site", "Origin": "https://spa.example"}, BACK),
    ("POST", {**NAVIGATION, "Sec-Fetch-Site": "same-site", "Origin": "https://www.example.com"}, BACK),
    ("POST", {**NAVIGATION, "Sec-Fetch-Site": "same-origin"}, ACT),
    ("GET", NAVIGATION, CONFIRM),
    ("GET", PAGE, CONFIRM),
    ("GET", {**NAVIGATION, "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"}, METHOD),
    ("GET", {**NAVIGATION, "Sec-Fetch-Site": "cross-site", "Sec-Purpose": "prefetch"}, METHOD),
    ("GET", {**FETCH, "Sec-Fetch-Site": "cross-site"}, METHOD),
    ("HEAD", {**NAVIGATION, "Sec-Fetch-Site": "cross-site"}, METHOD),
    ("POST", {**FETCH, "Sec-Fetch-Site": "cross-site", "Origin": "https://spa.example"}, ORIGIN),
    ("POST", {**NAVIGATION, "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"}, ORIGIN),
    ("POST", {"Origin": "https://spa.example"}, ORIGIN),
    ("PUT", {**NAVIGATION, "Sec-Fetch-Site": "cross-site"}, METHOD),
]


@pytest.mark.parametrize(("method", "headers", "said"), CROSS_SITE)
def test_r23_what_another_site_may_start_where_it_is_allowed(
    method: str, headers: dict[str, str], said: LogoutStart
) -> None:
    """A person who is led here acts; an image, a frame, a prefetch or a script of that site starts nothing still."""
    assert may_start_logout(facts(method, headers), HERE, cross_site=True) is said
