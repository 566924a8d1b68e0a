"""Okta's form, cookies, session and home page."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from gateway.demo import clock
from tests.demo.browser import Page
from tests.demo.lab import Lab


async def submit(lab: Lab, username: str, password: str, target: str = "") -> Page:
    url = f"{lab.options.okta}/login/login.htm?fromURI={quote(target, safe='')}"
    return await lab.browser.post(url, {"username": username, "password": password})


async def test_form_is_labelled_and_usable(lab: Lab) -> None:
    """The page says whose it is, every field has a label, and nothing is stored or framed."""
    form = await lab.to_okta_form()

    assert "Okta (emulated)" in form.text
    for field in ("username", "password"):
        assert f'<label for="{field}">' in form.text
        assert f'id="{field}" name="{field}"' in form.text
    assert form.header("Cache-Control") == "no-store"
    assert "frame-ancestors 'none'" in form.header("Content-Security-Policy")
    assert form.form()[1] == {}


@pytest.mark.parametrize(
    ("username", "password"), [("alice@example.com", "wrong"), ("mallory", "demo"), ("<b>", ""), ("", "é")]
)
async def test_wrong_credentials_show_the_form_again(lab: Lab, username: str, password: str) -> None:
    """No session, a message for screen readers, and the name escaped."""
    page = await submit(lab, username, password)

    assert page.status == 403
    assert 'role="alert"' in page.text
    assert "<b>" not in page.text
    assert lab.idp.okta.live_sessions() == []


async def test_cookies_have_the_attributes_of_their_switches(lab: Lab) -> None:
    """idx and DT are SameSite=None; Secure; HttpOnly; sid, and other attributes, on demand."""
    lines = (await submit(lab, "bob", "demo")).cookie_lines()
    assert [line.split("=")[0] for line in lines] == ["idx", "DT"]
    assert all(line.endswith("Secure; HttpOnly; SameSite=None") for line in lines)

    lab.set(
        sid_cookie=True, okta_cookie_same_site="Lax", okta_cookie_secure=False, okta_cookie_http_only=False
    )
    lines = (await submit(lab, "bob", "demo")).cookie_lines()
    assert [line.split("=")[0] for line in lines] == ["idx", "sid"]
    assert all(line.endswith("Path=/; SameSite=Lax") for line in lines)
    assert len(lab.idp.okta.live_sessions()) == 1


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "http://app.localhost:8080@evil.example/"],
)
async def test_sign_in_leads_nowhere_untrusted(lab: Lab, target: str) -> None:
    """fromURI is a path on Okta or a trusted origin; anything else ends on the home page."""
    page = await submit(lab, "alice@example.com", "demo", target)

    assert page.header("Location") == "/app/UserHome"
    assert "alice@example.com" in (await lab.browser.follow(page)).text


async def test_sign_in_may_lead_to_a_trusted_origin_and_signed_in_people_skip_the_form(lab: Lab) -> None:
    """fromURI of the application is followed, by POST with 303 and afterwards without asking."""
    target = f"{lab.options.app}/somewhere"
    first = await submit(lab, "alice", "demo", target)
    second = await lab.browser.get(f"{lab.options.okta}/login/login.htm?fromURI={quote(target, safe='')}")

    assert (first.status, first.header("Location")) == (303, target)
    assert (second.status, second.header("Location")) == (302, target)


async def test_home_page_needs_a_session_and_sessions_run_out(lab: Lab) -> None:
    """The session's life is counted when it is asked for."""
    await submit(lab, "alice", "demo")
    assert "alice@example.com" in (await lab.browser.get(f"{lab.options.okta}/")).text

    lab.set(okta_session_minutes=0)

    assert (await lab.browser.get(f"{lab.options.okta}/")).header("Location") == "/login/login.htm"


async def test_continuing_without_reason_is_an_error(lab: Lab) -> None:
    """A sign-in that is unknown or done cannot be continued; one that is pending needs a session."""
    form = await lab.to_okta_form()
    pending = next(iter(lab.idp.okta.pending))

    assert (await lab.browser.get(f"{lab.options.okta}/login/continue?key=unknown")).status == 400
    page = await lab.browser.get(f"{lab.options.okta}/login/continue?key={pending}")
    assert page.header("Location").startswith("/login/login.htm?fromURI=")
    assert form.status == 200


async def test_rate_limit_answers_429_with_its_headers(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the allowed number, 429 with X-Rate-Limit headers; control is never limited. All in one of its windows."""
    at = clock.now()
    monkeypatch.setattr(clock, "now", lambda: at)
    lab.set(okta_rate_limit=1)
    url = f"{lab.options.okta}/api/v1/sessions/me"
    pages = [await lab.browser.get(url) for _ in range(4)]

    assert pages[-1].status == 429
    assert pages[-1].header("X-Rate-Limit-Limit") == "1"
    assert pages[-1].header("X-Rate-Limit-Remaining") == "0"
    assert int(pages[-1].header("X-Rate-Limit-Reset")) > 0
    for _ in range(3):
        assert (await lab.browser.get(f"{lab.options.okta}/__control")).status == 200
