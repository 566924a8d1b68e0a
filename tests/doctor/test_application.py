"""The application behind the gateway: what stands in the way of a sign-out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.doctor.deployment import APP, FAILED, OK, UNKNOWN, WARNING, Deployment
from tests.fakes.puppet import Puppet, Says, puppet


@pytest.fixture
async def spa() -> AsyncIterator[Puppet]:
    """The application."""
    async with puppet() as made:
        made.lines["/"] = Says(body="<!doctype html><title>An application</title>")
        yield made


@pytest.fixture
def behind(cognito: Deployment, spa: Puppet) -> Deployment:
    """Cognito, Okta and the application."""
    cognito.pieces["upstreams"] = [{"path": "/", "url": f"http://127.0.0.1:{spa.port}"}]
    return cognito


async def test_upstreams_that_answer_and_that_do_not(behind: Deployment, spa: Puppet) -> None:
    """Each is named with its path; a 500 is the application's own affair."""
    behind.pieces["upstreams"].append({"path": "/api/", "url": "http://127.0.0.1:9"})
    root, api = await behind.seen("upstreams")
    assert (root.verdict, api.verdict) == (OK, FAILED)
    assert "/api/" in api.looked_at
    assert spa.asked[0].headers["Host"] == APP.removeprefix("http://")
    spa.lines["/"] = Says(500)
    assert (await behind.seen("upstreams"))[0].verdict is WARNING


async def test_an_application_behind_a_socket_or_in_a_directory(cognito: Deployment, tmp_path: Path) -> None:
    """Both are looked at like any other."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "index.html").write_text("<script src='/oauth2/tab.js'></script>")
    cognito.pieces["upstreams"] = [
        {"path": "/", "url": f"file://{tmp_path}/files"},
        {"path": "/s/", "url": f"unix:{tmp_path}/app.sock"},
    ]
    async with puppet(socket=tmp_path / "app.sock") as server:
        server.lines["/s/"] = Says(body="<script src='/oauth2/tab.js'></script>")
        assert [each.verdict for each in await cognito.seen("tab-script")] == [OK, OK]
    (tmp_path / "files" / "index.html").unlink()
    assert [each.verdict for each in await cognito.seen("upstreams")] == [FAILED, FAILED]


@pytest.mark.parametrize(
    "lines",
    [
        {"/": Says(body="<script>navigator.serviceWorker.register('/w.js')</script>")},
        {"/sw.js": Says(body="self.addEventListener('fetch', f)", kind="text/javascript")},
        {"/ngsw-worker.js": Says(body="", kind="application/javascript")},
    ],
)
async def test_r14_a_service_worker_is_found(behind: Deployment, spa: Puppet, lines: dict[str, Any]) -> None:
    """It could answer /logout in our place; sign out with a form."""
    spa.lines |= lines
    seen = await behind.only("service-worker")
    assert seen.verdict is WARNING
    assert "form (POST)" in seen.fix


async def test_trap_25_no_worker_found_is_no_promise(behind: Deployment, spa: Puppet) -> None:
    """A fallback to index.html under the worker's name is no worker; a script may register one under any name."""
    spa.lines["/sw.js"] = Says(body="<!doctype html>")
    assert (await behind.only("service-worker")).verdict is UNKNOWN


@pytest.mark.parametrize(
    ("policy", "verdict"),
    [
        ("", OK),
        ("default-src 'self'", OK),
        ("form-action *", OK),
        ("form-action 'self' {login} {okta}", OK),
        ("form-action 'self'", FAILED),
        ("form-action 'self' {login}", FAILED),
        ("form-action *, form-action 'self'", FAILED),
    ],
)
async def test_trap_26_a_form_action_that_stops_the_chain(
    behind: Deployment, spa: Puppet, idp: Puppet, policy: str, verdict: object
) -> None:
    """In the header or in the page; the fix has the origins that are missing."""
    policy = policy.format(login=idp.origin("login"), okta=idp.origin("okta"))
    spa.lines["/"] = Says(headers={"Content-Security-Policy": policy} if policy else {})
    seen = await behind.only("form-action")
    assert seen.verdict is verdict, seen
    if verdict is FAILED:
        assert idp.origin("okta") in seen.fix
    if "," not in policy:
        spa.lines["/"] = Says(body=f'<meta http-equiv="Content-Security-Policy" content="{policy}">')
        assert (await behind.only("form-action")).verdict is verdict


async def test_trap_26_a_provider_behind_cognito_that_is_not_known(
    behind: Deployment, spa: Puppet, idp: Puppet
) -> None:
    """Single logout goes through it, and a list of sources that has Cognito alone stops there."""
    behind.pieces["logout"] = {"chain": ["cognito"]}
    spa.lines["/"] = Says(headers={"Content-Security-Policy": f"form-action 'self' {idp.origin('login')}"})
    seen = await behind.only("form-action")
    assert (seen.verdict, "leads on" in seen.what) == (WARNING, True)
    for policy in ("form-action *", "form-action https: http:", "default-src 'self'"):
        spa.lines["/"] = Says(headers={"Content-Security-Policy": policy})
        assert (await behind.only("form-action")).verdict is OK


async def test_trap_24_who_adds_no_store(behind: Deployment, spa: Puppet) -> None:
    """The gateway, unless the documents go past it."""
    assert "the gateway adds it" in (await behind.only("caching")).what
    behind.pieces |= {
        "forward_auth": {"caller": "nginx"},
        "trusted_proxies": ["127.0.0.1"],
        "session": {"key_files": ["session-key"], "idle": "1h", "absolute": "1h"},
    }
    seen = await behind.only("caching")
    assert seen.verdict is WARNING
    assert "no-store" in seen.fix
    spa.lines["/"] = Says(headers={"Cache-Control": "private, NO-STORE"})
    assert (await behind.only("caching")).verdict is OK


async def test_tabs_that_hear_of_nothing(behind: Deployment, spa: Puppet) -> None:
    """The script is in the page, is put there, or is missing."""
    seen = await behind.only("tab-script")
    assert seen.verdict is WARNING
    assert '<script src="/oauth2/tab.js" async>' in seen.fix
    spa.lines["/"] = Says(body='<script type=module>import "/oauth2/tab.js"</script>')
    assert (await behind.only("tab-script")).verdict is OK
    spa.lines["/"] = Says()
    behind.pieces["browser"] = {"inject_tab_script": True}
    assert (await behind.only("tab-script")).verdict is OK


async def test_trap_23_cookies_cleared_too_early(behind: Deployment, spa: Puppet) -> None:
    """By the application; and the doctor says where a provider may share our domain."""
    assert (await behind.only("site-data")).verdict is OK
    spa.lines["/"] = Says(headers={"Clear-Site-Data": '"storage", "Cookies"'})
    seen, _ = await behind.seen("site-data")
    assert seen.verdict is WARNING
    behind.pieces["public_url"] = "http://app.example.localhost:8080"
    behind.pieces["provider"] = behind.pieces["provider"] | {"domain": "http://auth.example.localhost:8081"}
    *_, shared = await behind.seen("site-data")
    assert "auth.example.localhost may be of the same site" in shared.what


async def test_what_is_no_document_is_left_alone(behind: Deployment, spa: Puppet) -> None:
    """An API, and a server that says nonsense."""
    for line in (Says(body="{}", kind="application/json"), Says(raw=b"nonsense"), Says(503)):
        spa.lines["/"] = line
        assert await behind.seen("form-action") == []
        assert await behind.seen("caching") == []
