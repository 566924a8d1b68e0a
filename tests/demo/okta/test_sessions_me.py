"""/api/v1/sessions/me from script on another site."""

from __future__ import annotations

from tests.demo.lab import Lab


async def call(
    lab: Lab, method: str, origin: str = "", cookie: bool = True
) -> tuple[int, dict[str, str], str]:
    headers = {"Origin": origin} if origin else {}
    value = lab.browser.cookie(lab.options.okta, "idx")
    if cookie and value:
        headers["Cookie"] = f"idx={value}"
    url = f"{lab.options.okta}/api/v1/sessions/me"
    async with lab.browser.session.request(method, url, headers=headers) as response:
        return response.status, dict(response.headers), await response.text()


async def test_session_is_shown_to_its_browser_and_404_to_others(lab: Lab) -> None:
    """200 with the login, 404 without a session; DELETE ends it with 204."""
    await lab.sign_in()

    status, _, text = await call(lab, "GET")
    assert (status, '"login": "alice@example.com"' in text) == (200, True)
    assert (await call(lab, "GET", cookie=False))[0] == 404
    assert (await call(lab, "DELETE"))[0] == 204
    assert (await call(lab, "DELETE"))[0] == 404
    assert lab.idp.okta.live_sessions() == []


async def test_only_trusted_origins_may_read(lab: Lab) -> None:
    """The application gets CORS headers with credentials, a stranger none."""
    await lab.sign_in()

    allowed = (await call(lab, "GET", lab.options.app))[1]
    refused = (await call(lab, "GET", "https://evil.example"))[1]

    assert allowed["Access-Control-Allow-Origin"] == lab.options.app
    assert allowed["Access-Control-Allow-Credentials"] == "true"
    assert "Access-Control-Allow-Origin" not in refused
    assert (await call(lab, "OPTIONS", lab.options.app))[0] == 204
    assert (await call(lab, "OPTIONS", "https://evil.example"))[0] == 403
