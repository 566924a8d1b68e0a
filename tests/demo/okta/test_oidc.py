"""Okta's two OpenID Connect servers: authorize, token, revoke, user info, logout."""

from __future__ import annotations

from urllib.parse import urlencode

import jwt
import pytest

from tests.demo.browser import Page
from tests.demo.lab import Lab

SERVERS = ("/oauth2/v1", "/oauth2/default/v1")


async def logout(lab: Lab, base: str, **parameters: str) -> Page:
    return await lab.browser.get(
        f"{lab.options.okta}{base}/logout?{urlencode(parameters)}", source=lab.options.app
    )


def registered(lab: Lab) -> str:
    return f"{lab.options.app}/logout/done/oidc"


@pytest.mark.parametrize("base", SERVERS)
async def test_code_flow_with_refresh_and_revocation(lab: Lab, base: str) -> None:
    """Tokens verify against the server's own keys; refresh works until the token is revoked."""
    tokens = await lab.okta_tokens(base)
    root = f"{lab.options.okta}{base}"
    issuer = lab.options.okta if base == "/oauth2/v1" else f"{lab.options.okta}/oauth2/default"
    async with lab.browser.session.get(f"{issuer}/.well-known/openid-configuration") as response:
        listed = await response.json()
    async with lab.browser.session.get(listed["jwks_uri"]) as response:
        key = jwt.PyJWKSet.from_dict(await response.json())[lab.header(tokens, "id_token")["kid"]]
    claims = jwt.decode(tokens["id_token"], key, algorithms=["RS256"], audience="demo-client", issuer=issuer)
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    async with lab.browser.session.get(f"{root}/userinfo", headers=bearer) as response:
        about = await response.json()

    assert listed["end_session_endpoint"] == f"{root}/logout"
    assert (claims["nonce"], claims["email"], claims["groups"]) == (
        "n",
        "alice@example.com",
        ["admins", "staff"],
    )
    assert about["sub"] == claims["sub"]
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert (await lab.post_json(f"{root}/token", form))[0] == 200
    assert await lab.post_json(f"{root}/revoke", {"token": tokens["access_token"]}) == (200, {})
    assert await lab.post_json(f"{root}/revoke", {"token": "garbage"}) == (200, {})
    assert await lab.post_json(f"{root}/token", form) == (400, {"error": "invalid_grant"})
    async with lab.browser.session.get(f"{root}/userinfo", headers=bearer) as response:
        assert response.status == 401


async def test_bad_requests_to_token_and_revoke(lab: Lab) -> None:
    """Wrong client, wrong grant type, wrong code and a refresh token of the other server."""
    root = f"{lab.options.okta}/oauth2/v1"
    tokens = await lab.okta_tokens("/oauth2/default/v1")

    assert (await lab.post_json(f"{root}/token", {}, secret="wrong"))[0] == 401
    assert (await lab.post_json(f"{root}/revoke", {}, secret="wrong"))[0] == 401
    assert (await lab.post_json(f"{root}/token", {"grant_type": "password"}))[1][
        "error"
    ] == "unsupported_grant_type"
    code = {"grant_type": "authorization_code", "code": "unknown"}
    assert (await lab.post_json(f"{root}/token", code))[1]["error"] == "invalid_grant"
    stray = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert (await lab.post_json(f"{root}/token", stray))[1]["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"state": "a+b"}, "invalid_request"),
        ({"code_challenge": "x"}, "invalid_request"),
        ({"prompt": "none"}, "login_required"),
    ],
)
async def test_authorize_refuses_with_a_redirect(lab: Lab, changes: dict[str, str], error: str) -> None:
    """Errors go back to a known client; illegal characters in state are one."""
    page = await lab.browser.get(lab.okta_authorize_url("/oauth2/v1", **changes))

    assert page.location.startswith(lab.callback)
    assert page.query()["error"] == error


async def test_authorize_shows_unknown_clients_a_page(lab: Lab) -> None:
    """Unknown client or redirect_uri: 400 at Okta."""
    for changes in ({"client_id": "x"}, {"redirect_uri": "http://elsewhere"}):
        assert (await lab.browser.get(lab.okta_authorize_url("/oauth2/v1", **changes))).status == 400


async def test_max_age_asks_again(lab: Lab) -> None:
    """A session older than max_age is not good enough."""
    await lab.sign_in()
    url = lab.okta_authorize_url("/oauth2/v1", max_age="1000")
    assert (await lab.browser.get(url)).location.startswith(lab.callback)
    lab.set(okta_session_minutes=1000)
    for key, session in list(lab.idp.okta.sessions.items()):
        lab.idp.okta.sessions[key] = type(session)(
            session.id, session.person, session.created - 2000, session.index
        )

    assert "/login/login.htm" in (await lab.browser.get(url)).location


@pytest.mark.parametrize("base", SERVERS)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_logout_with_hint_returns_with_state(lab: Lab, base: str, method: str) -> None:
    """GET or a form POST with a good hint ends the session and returns state."""
    tokens = await lab.okta_tokens(base)
    fields = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": registered(lab), "state": "s"}

    if method == "GET":
        page = await logout(lab, base, **fields)
    else:
        page = await lab.browser.post(f"{lab.options.okta}{base}/logout", fields, source=lab.options.app)

    assert (page.status, page.header("Location")) == (302, f"{registered(lab)}?state=s")
    assert lab.idp.okta.live_sessions() == []


async def test_expired_hint_is_as_good(lab: Lab) -> None:
    """An ID token past its life still ends the session; without an address the sign-in page is shown."""
    lab.set(okta_token_seconds=1)
    tokens = await lab.okta_tokens("/oauth2/v1")
    lab.set(okta_token_seconds=3600)
    assert lab.claims(tokens, "id_token")["exp"] - lab.claims(tokens, "id_token")["iat"] == 1

    page = await logout(lab, "/oauth2/v1", id_token_hint=tokens["id_token"])

    assert page.header("Location") == "/login/login.htm"
    assert lab.idp.okta.live_sessions() == []
    again = await logout(
        lab, "/oauth2/v1", id_token_hint=tokens["id_token"], post_logout_redirect_uri=registered(lab)
    )
    assert again.header("Location") == registered(lab)


async def test_missing_wrong_or_foreign_hint_leaves_the_session_alive(lab: Lab) -> None:
    """400 pages: no hint, a hint of the other server, a forged one, an unregistered address."""
    other = await lab.okta_tokens("/oauth2/default/v1")
    own = await lab.okta_tokens("/oauth2/v1")
    forged = jwt.encode(
        {"iss": lab.options.okta, "aud": "demo-client", "sub": "x"}, "k" * 32, algorithm="HS256"
    )

    for hint in ("", other["id_token"], forged, own["access_token"]):
        assert (await logout(lab, "/oauth2/v1", id_token_hint=hint)).status == 400
    page = await logout(
        lab, "/oauth2/v1", id_token_hint=own["id_token"], post_logout_redirect_uri="http://elsewhere"
    )
    assert page.status == 400
    assert lab.idp.okta.live_sessions()
    lab.set(okta_logout_missing_hint="login_page")
    assert (await logout(lab, "/oauth2/v1")).header("Location") == "/login/login.htm"


async def test_hint_about_somebody_else_follows_its_switch(lab: Lab) -> None:
    """The session is kept, refused with a page, or ended."""
    tokens = await lab.okta_tokens("/oauth2/v1")
    await lab.browser.get(f"{lab.options.okta}/login/signout")
    await lab.okta_tokens("/oauth2/v1", user="bob@example.com")
    fields = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": registered(lab)}

    assert (await logout(lab, "/oauth2/v1", **fields)).header("Location") == registered(lab)
    assert lab.idp.okta.live_sessions()
    lab.set(okta_logout_mismatch="error_page")
    assert (await logout(lab, "/oauth2/v1", **fields)).status == 400
    lab.set(okta_logout_mismatch="end_session")
    await logout(lab, "/oauth2/v1", **fields)
    assert lab.idp.okta.live_sessions() == []


async def test_logout_may_show_a_page_first(lab: Lab) -> None:
    """With the interstitial on, 200 and a page that moves on."""
    lab.set(okta_logout_interstitial=True)
    tokens = await lab.okta_tokens("/oauth2/v1")

    page = await logout(
        lab, "/oauth2/v1", id_token_hint=tokens["id_token"], post_logout_redirect_uri=registered(lab)
    )

    assert (page.status, page.link("continue")) == (200, registered(lab))
