"""Service workers: they can swallow a link to /logout, so the operator hears of them, and the form gets through."""

from __future__ import annotations

import pytest

from tests.fakes.browser import Browser
from tests.flows.conftest import Stand


async def test_r14_a_service_worker_is_told_of_once(
    stand: Stand, browser: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first request for a worker's script is a warning that names the fix; the next ones are silent."""
    await stand.sign_in(browser, "/api/me")
    for _ in range(3):
        await browser.fetch(f"{stand.app}/sw.js", Service_Worker="script", Sec_Fetch_Dest="serviceworker")
    said = capsys.readouterr().out
    assert said.count("service_worker_seen") == 1
    assert "sign out by a POST form" in said


@pytest.mark.parametrize("stand", [{"extra": "browser: {unregister_workers: true}\n"}], indirect=True)
async def test_r14_when_configured_a_signed_out_worker_removes_itself(stand: Stand, browser: Browser) -> None:
    """Its script is another one while nobody is signed in, during a sign-out too, and the application's own otherwise."""
    asked = {"Service_Worker": "script", "Sec_Fetch_Dest": "serviceworker"}
    answer = await browser.fetch(f"{stand.app}/sw.js", **asked)
    assert (answer.status, answer.header("Service-Worker-Allowed")) == (200, "/")
    assert "registration.unregister()" in answer.text
    assert (await browser.fetch(f"{stand.app}/sw.js")).status == 401
    await stand.sign_in(browser, "/api/me")
    assert "unregister" not in (await browser.fetch(f"{stand.app}/sw.js", **asked)).text
    cookie = browser.cookie_header(stand.app)
    await browser.navigate(f"{stand.app}/logout", method="POST", body="", site="same-origin")
    copied = await stand.browser().fetch(f"{stand.app}/sw.js", Cookie=cookie, **asked)
    assert "registration.unregister()" in copied.text


async def test_r14_a_signed_out_worker_script_is_401(stand: Stand, browser: Browser) -> None:
    """A worker's update check is never redirected to the sign-in (pain P21)."""
    answer = await browser.fetch(
        f"{stand.app}/sw.js", Service_Worker="script", Sec_Fetch_Dest="serviceworker"
    )
    assert (answer.status, answer.header("Location")) == (401, "")
