"""What a request says (design section 2; CVE tables 4.2 and 4.3)."""

from __future__ import annotations

import contextlib
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import DownstreamError
from gateway.core.http.facts import DoorRules, RequestFacts, build, prefers_html, read_headers

RULES = DoorRules(
    "https", frozenset({"app.example.com", "other.example.com:8443"}), (ip_network("10.0.0.0/8"),)
)
HTML = "text/html,application/xhtml+xml,*/*;q=0.8"


def facts(
    *headers: tuple[str, str], method: str = "GET", target: str = "/a", host: str = "app.example.com"
) -> RequestFacts:
    pairs = [(b"Host", host.encode()), *((name.encode(), value.encode()) for name, value in headers)]
    return build(method, target, pairs, "192.0.2.1", RULES)


def test_everything_is_read_from_one_request() -> None:
    """The target is kept as it came and read once beside it."""
    read = facts(("Cookie", "a=b"), ("cookie", "c=d"), target="/a%20b?x=%20")
    assert (read.raw_target, read.raw_path, read.query, read.path) == (
        "/a%20b?x=%20",
        "/a%20b",
        "x=%20",
        "/a b",
    )
    assert read.cookies == (b"a=b", b"c=d")
    assert (read.method, read.host, read.scheme, read.client) == (
        "GET",
        "app.example.com",
        "https",
        "192.0.2.1",
    )


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("app.example.com", "app.example.com"), ("APP.Example.COM", "app.example.com"),
        ("app.example.com:443", "app.example.com"), ("other.example.com:8443", "other.example.com:8443"),
        ("other.example.com", None), ("app.example.com.", None), ("app.example.com:80", None), ("app.example.com:", None),
        ("app.example.com:443:443", None), ("app.example.com@evil.example", None), ("evil.example", None), ("", None),
        (" app.example.com", None), ("app.example.com\t", None), ("xn--app.example.com", None),
    ],
)  # fmt: skip
def test_cve_2026_48794_hosts_are_compared_in_one_form(host: str, known: str | None) -> None:
    """Case and the default port do not count; anything else that is not configured is 421."""
    if known is not None:
        assert facts(host=host).host == known
        return
    with pytest.raises(DownstreamError) as refused:
        facts(host=host)
    assert refused.value.code == "unknown_host"
    assert host == "" or host not in str(refused.value)


@pytest.mark.parametrize(
    "name",
    ["Host", "origin", "Content-Length", "Transfer-Encoding", "Sec-Fetch-Site", "SEC-FETCH-MODE", "Sec-Fetch-Dest",
     "Sec-Purpose", "Upgrade", "X-Auth-Passive", "Access-Control-Request-Method"],
)  # fmt: skip
def test_cve_2021_32777_what_is_decided_on_comes_once(name: str) -> None:
    """Two of a security-relevant header, in any case, are refused, even with equal values."""
    with pytest.raises(DownstreamError) as refused:
        facts((name, "app.example.com"), (name.swapcase(), "app.example.com"))
    assert refused.value.code == "ambiguous_header"


def test_two_framings_of_a_body_are_refused() -> None:
    """Content-Length beside Transfer-Encoding is how requests are smuggled (RFC 9112 §6.1)."""
    with pytest.raises(DownstreamError) as refused:
        facts(("Content-Length", "3"), ("Transfer-Encoding", "chunked"), method="POST")
    assert refused.value.code == "ambiguous_header"


@pytest.mark.parametrize(
    ("headers", "navigates"),
    [
        ([("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")], True),
        ([("Sec-Fetch-Mode", "navigate")], True),
        ([("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")], False),
        ([("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "embed")], False),
        ([("Sec-Fetch-Mode", "navigate"), ("Sec-Purpose", "prefetch;prerender")], False),
        ([("Sec-Fetch-Mode", "cors"), ("Accept", HTML)], False),
        ([("Sec-Fetch-Mode", "no-cors"), ("Sec-Fetch-Dest", "script"), ("Accept", HTML)], False),
        ([("Sec-Fetch-Mode", "same-origin"), ("Sec-Fetch-Dest", "serviceworker")], False),
        ([("Sec-Fetch-Mode", "websocket"), ("Upgrade", "websocket")], False),
        ([("Accept", HTML)], True),
        ([("Accept", HTML), ("Purpose", "prefetch")], False),
        ([("Accept", HTML), ("Upgrade", "websocket")], False),
        ([("Accept", "application/json, text/html")], False),
        ([("Accept", "*/*")], False),
        ([("Accept", "text/event-stream")], False),
        ([], False),
    ],
)
def test_p09_who_navigates(headers: list[tuple[str, str]], navigates: bool) -> None:
    """Sec-Fetch decides where it is sent, Accept where it is not; no frame, prefetch, fetch or handshake navigates."""
    assert facts(*headers).navigation is navigates
    assert facts(*headers, method="HEAD").navigation is navigates or "Upgrade" in dict(headers)
    assert not facts(*headers, method="POST").navigation


@pytest.mark.parametrize(
    ("accept", "html"),
    [("text/html", True), ("text/html,application/json", True), ("application/json,text/html", False), ("*/*", False),
     ("", False), ("application/problem+json", False)],
)  # fmt: skip
def test_html_is_asked_for_by_name(accept: str, html: bool) -> None:
    """Only text/html before JSON is a wish for a page: a bare fetch() sends */*."""
    assert prefers_html(accept) is html


def test_p22_a_form_sent_by_a_person_is_told_from_a_fetch() -> None:
    """A POST navigation of a tab is a form; of a frame, or by fetch, it is not."""
    page = [("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")]
    assert facts(*page, method="POST").posted
    assert not facts(*page).posted
    assert not facts(("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe"), method="POST").posted
    assert not facts(("Sec-Fetch-Mode", "cors"), ("Accept", HTML), method="POST").posted
    assert facts(("Accept", HTML), method="POST").posted


def test_cve_2026_34457_no_header_opens_a_route() -> None:
    """User-Agent, X-Original-URL and their like are not read at all."""
    plain = facts()
    lying = facts(
        ("User-Agent", "kube-probe/1.0"), ("X-Original-URL", "/public"), ("X-Forwarded-Host", "evil.example"),
        ("X-Forwarded-Uri", "/public"), ("X-Forwarded-Proto", "http"), ("X-HTTP-Method-Override", "GET"),
        ("X-Forwarded-Prefix", "/x"), ("Forwarded", "host=evil.example"), ("X-Real-IP", "203.0.113.9"),
        ("X-Forwarded-For", "203.0.113.9"), ("X-Auth-Request-User", "admin"),
    )  # fmt: skip
    assert lying == plain


def test_cve_2026_40575_forwarded_for_counts_from_trusted_peers_only() -> None:
    """The client's address is the rightmost untrusted hop, and only behind a configured proxy."""
    headers = [(b"Host", b"app.example.com"), (b"X-Forwarded-For", b"203.0.113.9")]
    assert build("GET", "/", headers, "10.0.0.1", RULES).client == "203.0.113.9"
    assert build("GET", "/", headers, "192.0.2.1", RULES).client == "192.0.2.1"


def test_cve_2020_14359_methods_are_compared_exactly() -> None:
    """A lower-case method is no safe method."""
    assert facts().safe
    assert not facts(method="get").safe
    assert not facts(method="TRACE").safe


def test_a_preflight_is_an_options_with_an_origin_and_a_question() -> None:
    """An OPTIONS without either is a request like any other."""
    asked = [("Origin", "https://x.example"), ("Access-Control-Request-Method", "PUT")]
    assert facts(*asked, method="OPTIONS").preflight
    assert not facts(*asked).preflight
    assert not facts(asked[0], method="OPTIONS").preflight
    assert not facts(asked[1], method="OPTIONS").preflight


def test_p24_a_request_can_say_that_it_is_no_activity() -> None:
    """Only the exact value counts."""
    assert facts(("X-Auth-Passive", "1")).passive
    assert not facts(("X-Auth-Passive", "true")).passive


def test_what_may_become_a_document() -> None:
    """Navigations, frames and embedded objects (rule R27)."""
    assert facts(("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")).document
    assert facts(("Accept", HTML)).document
    assert not facts(("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")).document


def test_a_service_workers_script_is_noticed() -> None:
    """The header that only a worker's own script is fetched with (rule R14)."""
    assert facts(("Service-Worker", "script")).worker_script
    assert not facts().worker_script


@given(st.lists(st.tuples(st.binary(max_size=12), st.binary(max_size=12)), max_size=6), st.text(max_size=12))
def test_cve_2021_32637_anything_is_read_or_refused(headers: list[tuple[bytes, bytes]], target: str) -> None:
    """No header and no target raises anything but a refusal."""
    with contextlib.suppress(DownstreamError):
        build("GET", "/" + target, [(b"host", b"app.example.com"), *headers], "192.0.2.1", RULES)


@pytest.mark.parametrize(
    ("headers", "plain"),
    [
        ([], False),
        ([("X-Forwarded-Proto", "https")], False),
        ([("X-Forwarded-Proto", "http")], True),
        ([("X-Forwarded-Proto", " HTTP ")], True),
        ([("X-Forwarded-Proto", "http,https")], True),
        ([("X-Forwarded-Proto", "https,http")], False),
        ([("X-Forwarded-Proto", "https"), ("X-Forwarded-Proto", "http")], False),
        ([("X-Forwarded-Proto", "httpx")], False),
    ],
)
def test_the_first_scheme_is_the_browser_s_own(headers: list[tuple[str, str]], plain: bool) -> None:
    """Proxies add theirs behind it; whether anybody is believed is not said here."""
    assert read_headers([(name.encode(), value.encode()) for name, value in headers]).plain is plain


@pytest.mark.parametrize(
    ("headers", "in_no_tab"),
    [
        ([("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document")], False),
        ([("Accept", "*/*")], False),
        ([("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "iframe")], True),
        ([("Sec-Fetch-Mode", "navigate"), ("Sec-Fetch-Dest", "document"), ("Sec-Purpose", "prefetch")], True),
        ([("Sec-Fetch-Mode", "cors"), ("Sec-Fetch-Dest", "empty")], True),
        ([("Accept", HTML), ("Purpose", "prefetch")], True),
    ],
)
def test_r35_a_browser_says_where_no_person_goes(headers: list[tuple[str, str]], in_no_tab: bool) -> None:
    """By Sec-Fetch or Purpose; who says nothing may be in a tab."""
    assert facts(*headers).in_no_tab is in_no_tab
