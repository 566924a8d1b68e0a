"""The second table of design section 7, line by line, over real sockets."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Never
from urllib.parse import quote

import pytest
import pytest_asyncio

from tests.fakes.browser import Browser, Seen
from tests.flows.conftest import Stand

pytestmark = pytest.mark.asyncio(loop_scope="module")

NAVIGATION = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Fetch-Site": "none"}
HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FETCH = {
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Site": "same-origin",
    "Accept": "*/*",
}
PROGRAMS = {
    "fetch": FETCH,
    "script": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "script", "Sec-Fetch-Site": "same-origin"},
    "manifest": {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "manifest", "Sec-Fetch-Site": "same-origin"},
    "service worker": {
        "Sec-Fetch-Mode": "same-origin",
        "Sec-Fetch-Dest": "serviceworker",
        "Service-Worker": "script",
    },
    "image": {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image", "Accept": "image/*"},
    "iframe": {**NAVIGATION, **HTML, "Sec-Fetch-Dest": "iframe"},
    "prefetch": {**NAVIGATION, **HTML, "Sec-Purpose": "prefetch"},
    "event stream": {**FETCH, "Accept": "text/event-stream"},
    "curl": {"Accept": "*/*"},
    "nothing": {},
    "json first": {"Accept": "application/json,text/html"},
    "probe": {"User-Agent": "kube-probe/1.29"},
}


@pytest_asyncio.fixture(loop_scope="module")
async def nobody(shared: Stand) -> AsyncIterator[Browser]:
    browser = Browser.open()
    yield browser
    await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def alice(shared: Stand) -> Browser:
    browser = shared.browser()
    await shared.sign_in(browser, "/api/me")
    return browser


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bob(shared: Stand) -> Browser:
    browser = shared.browser()
    await shared.sign_in(browser, "/api/me", user="bob@example.com")
    return browser


def problem(answer: Seen) -> dict[str, object]:
    assert answer.header("Content-Type") == "application/problem+json"
    assert "no-store" in answer.header("Cache-Control")
    found: dict[str, object] = json.loads(answer.text)
    assert found["status"] == answer.status
    assert {"type", "title", "code"} <= found.keys()
    return found


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "headers", [{**NAVIGATION, **HTML}, NAVIGATION, HTML], ids=["both", "sec-fetch", "accept"]
)
@pytest.mark.parametrize("target", ["/", "/reports/3", "/api/me?x=1&y=%2F#".rstrip("#"), "/a%20b?c=d;e"])
async def test_a_gated_navigation_goes_to_sign_in(
    shared: Stand, nobody: Browser, method: str, headers: dict[str, str], target: str
) -> None:
    """302 to the start, with the way back byte for byte."""
    answer = await nobody.send(method, shared.app + target, headers, None)
    assert answer.status == 302
    assert answer.header("Location") == f"/oauth2/start?rd={quote(target, safe='/')}"
    assert "no-store" in answer.header("Cache-Control")
    assert answer.set_cookies() == []


@pytest.mark.parametrize("headers", PROGRAMS.values(), ids=PROGRAMS.keys())
async def test_p09_anything_else_gets_401(shared: Stand, nobody: Browser, headers: dict[str, str]) -> None:
    """A problem document with an absolute login address and a challenge that opens no dialog; never a redirect."""
    answer = await nobody.send("GET", f"{shared.app}/api/me", headers, None)
    assert answer.status == 401
    said = problem(answer)
    assert said["code"] == "login_required"
    assert said["login_url"] == f"{shared.app}/oauth2/start"
    assert answer.header("WWW-Authenticate").startswith("Session")


@pytest.mark.parametrize(
    "method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "PURGE", "SEARCH"]
)
async def test_p09_every_method_is_gated(shared: Stand, nobody: Browser, method: str) -> None:
    """No method, known or not, is a way in (CVE-2020-14359)."""
    answer = await nobody.send(method, f"{shared.app}/api/notes", FETCH, None)
    assert answer.status == (405 if method == "PURGE" else 401)


async def test_p09_a_websocket_handshake_gets_401(shared: Stand, nobody: Browser) -> None:
    """Never 302, which no script can read."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Origin": shared.app}  # fmt: skip
    answer = await nobody.send("GET", f"{shared.app}/api/live", headers, None)
    assert answer.status == 401
    assert problem(answer)["code"] == "login_required"


async def test_p22_a_form_sent_without_a_session_gets_a_page(shared: Stand, nobody: Browser) -> None:
    """401, with the way to sign in and the advice to go back; nothing is replayed, nothing of it is in the page."""
    headers = {**NAVIGATION, **HTML, "Sec-Fetch-Site": "same-origin", "Origin": shared.app}
    answer = await nobody.send("POST", f"{shared.app}/api/notes?q=zzz-secret", headers, "text=zzz-typed")
    assert answer.status == 401
    assert answer.header("Content-Type").startswith("text/html")
    assert answer.header("WWW-Authenticate").startswith("Session")
    assert "Back button" in answer.text
    assert '"/oauth2/start"' in answer.text
    assert "zzz" not in answer.text


async def test_a_policy_denies_a_signed_in_user(shared: Stand, bob: Browser) -> None:
    """403: a page for a person, a problem for a program; not a sign-in, which would loop."""
    page = await bob.goto(f"{shared.app}/admin")
    assert page.status == 403
    assert "denied" in page.text
    data = await bob.fetch(f"{shared.app}/api/admin/users")
    assert data.status == 403
    assert problem(data)["code"] == "denied"
    assert (await bob.fetch(f"{shared.app}/api/me")).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "same-site", "Origin": "http://evil.localhost"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"},
        {"Origin": "null"},
        {},
    ],
)
async def test_r08_an_unsafe_request_from_elsewhere_is_refused(
    shared: Stand, alice: Browser, headers: dict[str, str]
) -> None:
    """403 cross_origin, though the cookie came along."""
    before = await alice.fetch(f"{shared.app}/api/notes")
    answer = await alice.send("POST", f"{shared.app}/api/notes", headers, '{"text":"forged"}')
    assert answer.status == 403
    assert problem(answer)["code"] == "cross_origin"
    assert (await alice.fetch(f"{shared.app}/api/notes")).text == before.text


async def test_r08_a_websocket_from_elsewhere_is_refused(shared: Stand, alice: Browser) -> None:
    """403 cross_origin to a hijacked handshake."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Origin": "http://evil.localhost"}  # fmt: skip
    answer = await alice.send("GET", f"{shared.app}/api/live", headers, None)
    assert answer.status == 403
    assert problem(answer)["code"] == "cross_origin"


async def test_r08_preflights_are_answered_here(shared: Stand, alice: Browser) -> None:
    """An unknown origin gets 403 whether signed in or not, and no Access-Control header at all."""
    headers = {"Origin": "http://evil.localhost", "Access-Control-Request-Method": "PUT"}
    answer = await alice.send("OPTIONS", f"{shared.app}/api/notes", headers, None)
    assert answer.status == 403
    assert not [name for name, _ in answer.headers if name.lower().startswith("access-control-allow")]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/oauth2", 404, "not_found"),
        ("GET", "/oauth2/", 404, "not_found"),
        ("GET", "/oauth2/nothing", 404, "not_found"),
        ("POST", "/oauth2/nothing", 404, "not_found"),
        ("GET", "/oauth2/auth", 404, "not_found"),
        ("GET", "/logout/", 404, "not_found"),
        ("GET", "/logout/done/", 404, "not_found"),
        ("GET", "/logout/done/unknown", 404, "not_found"),
        ("GET", "/logged-out/", 404, "not_found"),
        ("GET", "/%6Cogout", 404, "not_found"),
        ("GET", "/logged%2Dout", 404, "not_found"),
        ("GET", "/oauth2%2Fstart", 400, "encoded_slash"),
        ("GET", "/o%61uth2/start", 404, "not_found"),
        ("DELETE", "/logout", 405, "wrong_method"),
        ("OPTIONS", "/logout", 405, "wrong_method"),
        ("POST", "/logged-out", 405, "wrong_method"),
        ("POST", "/oauth2/start", 405, "wrong_method"),
        ("DELETE", "/oauth2/callback", 405, "wrong_method"),
        ("PUT", "/oauth2/session", 405, "wrong_method"),
        ("GET", "/a%2Fb", 400, "encoded_slash"),
    ],
)  # fmt: skip
async def test_r37_what_is_reserved_never_reaches_an_upstream(
    shared: Stand, alice: Browser, method: str, path: str, status: int, code: str
) -> None:
    """Unknown under our paths 404, wrong method 405; even for somebody signed in."""
    answer = await alice.send(method, shared.app + path, FETCH, None)
    assert (answer.status, problem(answer)["code"]) == (status, code)
    if status == 405:
        assert answer.header("Allow")


@pytest.mark.parametrize(
    "path", ["/a//b", "/a/%2e%2e/b", "/public/..%2Fadmin", "/a/..;/b", "/%5cevil", "/a%00"]
)
async def test_r32_an_ambiguous_target_is_400(shared: Stand, alice: Browser, path: str) -> None:
    """Before anything else is asked, for anybody; the page names the fix and repeats nothing."""
    answer = await alice.send("GET", shared.app + path, FETCH, None)
    assert (answer.status, problem(answer)["code"]) == (400, "ambiguous_target")
    assert "text/html" in (await alice.navigate(shared.app + path)).header("Content-Type")
    assert path not in answer.text


async def test_an_unknown_host_is_421(shared: Stand, alice: Browser) -> None:
    """Whatever the path; the page names the fix and not the host."""
    for path in ("/", "/logout", "/oauth2/start", "/logged-out"):
        answer = await alice.send("GET", shared.app + path, {**HTML, "Host": "evil.example"}, None)
        assert answer.status == 421
        assert "evil" not in answer.text
        assert answer.set_cookies() == []


async def test_a_stale_index_is_503(shared: Stand, alice: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is let through, and the client is told to come again."""
    monkeypatch.setattr(shared.gateway.log, "age", lambda: 1_000.0)  # whatever its beat reads meanwhile
    answer = await alice.fetch(f"{shared.app}/api/me")
    assert answer.status == 503
    assert problem(answer)["code"] == "state_stale"
    assert answer.header("Retry-After")
    assert (await alice.fetch(f"{shared.app}/oauth2/session")).status == 503


async def test_cve_2024_23324_an_internal_error_is_500_and_no_pass(shared: Stand, alice: Browser) -> None:
    """Whatever breaks inside the decision, nothing is let through."""

    class Broken:
        def decide(self, **_: object) -> Never:
            raise RuntimeError("zzz-inside")

    kept = shared.gateway.gate.policy
    try:
        shared.gateway.gate.policy = Broken()
        answer = await alice.fetch(f"{shared.app}/api/me")
        assert answer.status == 500
        assert problem(answer)["code"] == "internal"
        page = await alice.goto(f"{shared.app}/reports/1")
        assert page.status == 500
        assert "zzz" not in page.text + answer.text
    finally:
        shared.gateway.gate.policy = kept


async def test_own_answers_are_never_cached_and_leak_no_referrer(shared: Stand, nobody: Browser) -> None:
    """R27 and R34 on every own answer: no-store, a Referrer-Policy, no sniffing, and no server's version."""
    for path in (
        "/",
        "/oauth2/start",
        "/oauth2/session",
        "/logged-out",
        "/logout",
        "/oauth2/x",
        "/oauth2/callback?a",
    ):
        answer = await nobody.send(
            "GET", shared.app + path, {**NAVIGATION, **HTML, "Sec-Fetch-Site": "cross-site"}, None
        )
        assert "no-store" in answer.header("Cache-Control"), path
        assert answer.header("Referrer-Policy") in {"no-referrer", "same-origin"}, path
        assert answer.header("X-Content-Type-Options") == "nosniff", path
        assert answer.header("Server") == "gateway", path


async def test_the_session_endpoint_tells_and_never_slides(
    shared: Stand, alice: Browser, nobody: Browser
) -> None:
    """200 with who and how long, 401 without; asking sets no cookie (pain P24)."""
    answer = await alice.fetch(f"{shared.app}/oauth2/session")
    data = json.loads(answer.text)
    assert answer.status == 200
    assert set(data) == {"user", "email", "groups", "claims", "expires_in", "idle_in"}
    assert data["user"] == "alice@example.com"
    assert 0 < data["idle_in"] <= data["expires_in"]
    assert answer.set_cookies() == []
    assert (await alice.fetch(f"{shared.app}/oauth2/userinfo")).text[:20] == answer.text[:20]
    missing = await nobody.fetch(f"{shared.app}/oauth2/session")
    assert (missing.status, problem(missing)["code"]) == (401, "login_required")
