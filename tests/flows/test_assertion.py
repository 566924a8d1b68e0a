"""An application that wants proof: what it gets, by which keys it verifies it, and that no client can say it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jwt

from gateway.oidc.jose.signing_key import SigningKey
from tests.fakes.browser import Browser
from tests.flows.conftest import Stand, standing


async def keys(stand: Stand) -> dict[str, Any]:
    """As somebody reads them who knows the address alone."""
    published = await stand.browser().fetch(f"{stand.app}/oauth2/assertion-keys")
    assert published.status == 200
    return {str(key.key_id): key.key for key in jwt.PyJWKSet.from_dict(json.loads(published.text)).keys}


async def claims(stand: Stand, browser: Browser, **headers: str) -> dict[str, object]:
    seen = await browser.fetch(f"{stand.app}/api/me", **headers)
    token = json.loads(seen.text)["headers"]["x-auth-request-assertion"]
    key = (await keys(stand))[jwt.get_unverified_header(token)["kid"]]
    found: dict[str, object] = jwt.decode(
        token, key, algorithms=["ES256"], audience="/api/", issuer=stand.app
    )
    return found


async def test_an_application_can_know_that_the_gateway_has_spoken(tmp_path: Path) -> None:
    """Whatever a client sends under that name never arrives; both keys are published, and the first one signs."""
    for name in ("first.pem", "second.pem"):
        (tmp_path / name).touch(mode=0o600)
        (tmp_path / name).write_text(SigningKey.new().pem)
    replaced = {"headers: {": "headers: {assertion: true, assertion_key_files: [first.pem, second.pem], "}
    async with standing(tmp_path, replaced=replaced) as stand:
        browser = stand.browser()
        await stand.sign_in(browser, "/api/me")
        told = await claims(stand, browser)
        assert (told["sub"], told["email"]) == ("alice@example.com", "alice@example.com")
        assert set(told["groups"]) == {"admins", "staff"}  # type: ignore[call-overload]  # a list of JSON
        forged = SigningKey.new().signed({"iss": stand.app, "aud": "/api/", "sub": "mallory"}, "JWT")
        for name in ("X-Auth-Request-Assertion", "x_auth_request_assertion"):
            assert (await claims(stand, browser, **{name: forged}))["sub"] == "alice@example.com"
        assert len(await keys(stand)) == 2


async def test_nothing_is_sent_or_published_unless_it_is_asked_for(tmp_path: Path) -> None:
    """The default."""
    async with standing(tmp_path) as stand:
        browser = stand.browser()
        await stand.sign_in(browser, "/api/me")
        seen = await browser.fetch(f"{stand.app}/api/me")
        assert "x-auth-request-assertion" not in json.loads(seen.text)["headers"]
        assert (await browser.fetch(f"{stand.app}/oauth2/assertion-keys")).status == 404
