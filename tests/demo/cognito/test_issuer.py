"""Discovery, keys and API on the issuer's own host."""

from __future__ import annotations

import json
from typing import Any

import jwt
import pytest

from tests.demo.lab import Lab


async def document(lab: Lab, name: str) -> dict[str, Any]:
    async with lab.browser.session.get(f"{lab.options.issuer}/.well-known/{name}") as response:
        assert response.status == 200
        return dict(await response.json())


async def api(lab: Lab, operation: str, **body: str) -> tuple[int, dict[str, str]]:
    url = f"{lab.options.issuer.rsplit('/', 1)[0]}/"
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"AWSCognitoIdentityProviderService.{operation}",
    }
    async with lab.browser.session.post(url, data=json.dumps(body), headers=headers) as response:
        return response.status, json.loads(await response.text())


async def test_discovery_names_the_other_host(lab: Lab) -> None:
    """Issuer and endpoints live on different hosts; what is listed about logout and revocation is switched."""
    listed = await document(lab, "openid-configuration")

    assert listed["issuer"] == lab.options.issuer
    assert listed["authorization_endpoint"] == f"{lab.options.cognito}/oauth2/authorize"
    assert listed["end_session_endpoint"] == f"{lab.options.cognito}/logout"
    assert "revocation_endpoint" not in listed
    lab.set(discovery_end_session=False, discovery_revocation=True)
    listed = await document(lab, "openid-configuration")
    assert "end_session_endpoint" not in listed
    assert listed["revocation_endpoint"] == f"{lab.options.cognito}/oauth2/revoke"


async def test_keys_rotate_and_old_ones_can_vanish(lab: Lab) -> None:
    """A new number signs with new keys; the old pair stays published unless switched off."""
    before = {key["kid"] for key in (await document(lab, "jwks.json"))["keys"]}
    lab.set(cognito_keys=2)
    tokens = await lab.tokens(await lab.sign_in())
    both = {key["kid"]: key for key in (await document(lab, "jwks.json"))["keys"]}
    lab.set(old_keys_published=False)
    after = {key["kid"] for key in (await document(lab, "jwks.json"))["keys"]}

    assert (len(before), len(both), len(after)) == (2, 4, 2)
    assert before.isdisjoint(after)
    for which in ("id_token", "access_token"):
        key = jwt.PyJWK(both[lab.header(tokens, which)["kid"]])
        assert jwt.decode(tokens[which], key, algorithms=["RS256"], options={"verify_aud": False})["sub"]


@pytest.mark.parametrize(
    ("name", "switch"), [("openid-configuration", "discovery_answer"), ("jwks.json", "keys_answer")]
)
async def test_discovery_and_keys_can_fail(lab: Lab, name: str, switch: str) -> None:
    """Either can answer 503."""
    lab.set(**{switch: "503"})

    async with lab.browser.session.get(f"{lab.options.issuer}/.well-known/{name}") as response:
        assert response.status == 503


async def test_issuer_host_has_nothing_of_the_hosted_ui(lab: Lab) -> None:
    """What belongs to one host is 404 on the other, and an unknown host is 421."""
    host = lab.options.issuer.rsplit("/", 1)[0]

    assert (await lab.browser.get(f"{host}/oauth2/authorize")).status == 404
    assert (await lab.browser.get(f"{host}/__control")).status == 404
    assert (await lab.browser.get(host.replace("cognito-idp", "stranger"))).status == 421


async def test_revoke_token_api_ends_the_linked_session_only_with_tracking(lab: Lab) -> None:
    """LINKED reaches the browser session where session tracking is on."""
    client = {"ClientId": "demo-client", "ClientSecret": "demo-secret", "RevokeAssociatedSessions": "LINKED"}
    first = await lab.tokens(await lab.sign_in())

    assert await api(lab, "RevokeToken", Token=first["refresh_token"], **client) == (200, {})
    assert lab.idp.cognito.live_sessions()
    lab.set(session_tracking=True)
    assert await api(lab, "RevokeToken", Token=first["refresh_token"], **client) == (200, {})
    assert lab.idp.cognito.live_sessions() == []


async def test_api_refuses_what_it_should(lab: Lab) -> None:
    """Wrong client, access token, revocation switched off, unknown operation."""
    tokens = await lab.tokens(await lab.sign_in())
    client = {"ClientId": "demo-client", "ClientSecret": "demo-secret"}

    async def kind(operation: str, **body: str) -> str:
        return (await api(lab, operation, **body))[1]["__type"]

    assert await kind("RevokeToken", Token="x", ClientId="demo-client") == "UnauthorizedException"
    assert await kind("RevokeToken", Token=tokens["id_token"], **client) == "UnsupportedTokenTypeException"
    assert await kind("GlobalSignOut", AccessToken=tokens["access_token"]) == "NotAuthorizedException"
    assert await kind("DeletePool") == "UnknownOperationException"
    lab.set(token_revocation=False)
    assert (
        await kind("RevokeToken", Token=tokens["refresh_token"], **client) == "UnsupportedOperationException"
    )


async def test_global_sign_out_revokes_every_token_and_no_session(lab: Lab) -> None:
    """All tokens of the person die, the cookie goes on giving codes."""
    scope = "openid aws.cognito.signin.user.admin"
    first = await lab.tokens(await lab.sign_in(scope=scope))
    second = await lab.tokens(await lab.silent(scope=scope))

    assert await api(lab, "GlobalSignOut", AccessToken=first["access_token"]) == (200, {})

    status, answer = await lab.token(grant_type="refresh_token", refresh_token=second["refresh_token"])
    assert (status, answer["error"]) == (400, "invalid_grant")
    assert (await lab.silent()).query()["code"]
