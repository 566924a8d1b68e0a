"""Token, revocation and userInfo endpoints, and what is in the tokens."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from gateway.demo import jwts
from tests.demo.lab import VERIFIER, Lab


async def refresh(lab: Lab, token: str) -> tuple[int, dict[str, str]]:
    return await lab.token(grant_type="refresh_token", refresh_token=token)


async def userinfo(lab: Lab, access_token: str) -> tuple[int, dict[str, str]]:
    headers = {"Authorization": f"Bearer {access_token}"}
    async with lab.browser.session.get(f"{lab.options.cognito}/oauth2/userInfo", headers=headers) as response:
        assert response.headers["Access-Control-Allow-Origin"] == "*"
        return response.status, await response.json()


@pytest.mark.parametrize("federation", ["oidc", "saml"])
async def test_auth_time_is_cognito_s_own_unless_the_switch_says_otherwise(lab: Lab, federation: str) -> None:
    """Okta has known the person for ten minutes and answers without a question."""
    lab.set(federation=federation)
    await lab.sign_in()
    for key, session in list(lab.idp.okta.sessions.items()):
        lab.idp.okta.sessions[key] = replace(session, created=session.created - 600)
    for said, ago in (("own", 0), ("provider", 600)):
        lab.set(cognito_auth_time=said)
        lab.idp.cognito.sessions.clear()
        claims = lab.claims(await lab.tokens(await lab.silent()), "id_token")
        assert ago <= claims["iat"] - claims["auth_time"] <= ago + 300


async def test_tokens_have_cognitos_shape(lab: Lab) -> None:
    """ID and access tokens carry the documented claims and are signed with different keys."""
    tokens = await lab.tokens(await lab.sign_in())
    identity, access = lab.claims(tokens, "id_token"), lab.claims(tokens, "access_token")

    assert set(tokens) == {"access_token", "id_token", "refresh_token", "token_type", "expires_in"}
    assert identity["iss"] == access["iss"] == lab.options.issuer
    assert (identity["aud"], identity["token_use"]) == ("demo-client", "id")
    assert (access["client_id"], access["token_use"], access["version"]) == ("demo-client", "access", 2)
    assert "aud" not in access
    assert identity["cognito:groups"] == access["cognito:groups"] == ["admins", "staff"]
    assert identity["cognito:username"] == access["username"] == "Okta_alice@example.com"
    assert identity["at_hash"] == jwts.half_hash(tokens["access_token"])
    assert identity["identities"][0]["providerType"] == "SAML"
    assert identity["nonce"] == "nonce-1"
    assert identity["origin_jti"] == access["origin_jti"] != identity["jti"]
    assert identity["email_verified"] == "true"
    assert lab.header(tokens, "id_token")["kid"] != lab.header(tokens, "access_token")["kid"]
    assert set(lab.header(tokens, "id_token")) == {"kid", "alg"}


async def test_scopes_open_claims(lab: Lab) -> None:
    """Without openid there is no ID token, without profile no name."""
    tokens = await lab.tokens(await lab.sign_in(scope="openid unheard-of"))
    bare = await lab.tokens(await lab.silent(scope="aws.cognito.signin.user.admin"))

    assert "name" not in lab.claims(tokens, "id_token")
    assert lab.claims(tokens, "access_token")["scope"] == "openid"
    assert "id_token" not in bare
    assert (await userinfo(lab, bare["access_token"]))[0] == 401


async def test_nonce_is_made_up_for_federated_people(lab: Lab) -> None:
    """A nonce claim may come although none was sent."""
    tokens = await lab.tokens(await lab.sign_in(nonce=None))

    assert lab.claims(tokens, "id_token")["nonce"]


async def test_number_and_length_of_groups_can_be_turned_up(lab: Lab) -> None:
    """A hundred groups of sixty characters make the tokens as long as in production."""
    lab.set(extra_groups=100, extra_group_length=60, automatic_group=True)

    tokens = await lab.tokens(await lab.sign_in())
    groups = lab.claims(tokens, "id_token")["cognito:groups"]

    assert groups[0] == "eu-west-1_demo_Okta"
    assert len(groups) == 103
    assert {len(group) for group in groups[3:]} == {60}
    assert len(tokens["id_token"]) > 9000


async def test_form_of_email_verified_and_revocation_claims_can_be_switched(lab: Lab) -> None:
    """email_verified may be a boolean; without token revocation there is no jti."""
    lab.set(email_verified_as="boolean", token_revocation=False)

    claims = lab.claims(await lab.tokens(await lab.sign_in()), "id_token")

    assert claims["email_verified"] is True
    assert "jti" not in claims
    assert "origin_jti" not in claims


async def test_code_is_good_once_for_its_redirect_uri_and_verifier(lab: Lab) -> None:
    """Second use, wrong verifier and wrong redirect_uri are refused, each in its own words."""
    form = {"grant_type": "authorization_code", "redirect_uri": lab.callback, "code_verifier": VERIFIER}
    first = (await lab.sign_in()).query()["code"]
    await lab.token(code=first, **form)
    again = await lab.token(code=first, **form)
    wrong_verifier = await lab.token(code=await lab.code(), **form | {"code_verifier": "wrong"})
    wrong_uri = await lab.token(code=await lab.code(), **form | {"redirect_uri": "http://elsewhere"})
    late = await lab.code()
    lab.set(code_seconds=0)

    assert again == (400, {"error": "invalid_grant"})
    assert wrong_verifier == (400, {"error": "invalid_grant"})
    assert wrong_uri == (400, {"error": "unauthorized_client", "error_description": "invalid_redirect"})
    assert await lab.token(code=late, **form) == (400, {"error": "invalid_grant"})


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "invalid_request"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "client_credentials"}, "unauthorized_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_bad_token_requests_are_told_apart(lab: Lab, form: dict[str, str], error: str) -> None:
    """Each mistake has the documented error code, with 400."""
    status, answer = await lab.token(**form)

    assert (status, answer["error"]) == (400, error)


async def test_wrong_secret_is_an_invalid_client(lab: Lab) -> None:
    """400 at the token endpoint, 401 at the revocation endpoint; the secret may also come in the form."""
    url = lab.options.cognito
    form = {"grant_type": "refresh_token", "refresh_token": "x"}

    assert await lab.post_json(f"{url}/oauth2/token", form, secret="wrong") == (
        400,
        {"error": "invalid_client"},
    )
    assert await lab.post_json(f"{url}/oauth2/revoke", {"token": "x"}, secret="wrong") == (
        401,
        {"error": "invalid_client"},
    )
    posted = form | {"client_id": "demo-client", "client_secret": "demo-secret"}
    async with lab.browser.session.post(f"{url}/oauth2/token", data=posted) as response:
        assert (await response.json())["error"] == "invalid_grant"


@pytest.mark.parametrize("header", ["Basic ***", "Basic /w==", "Basic", "Bearer x"])
async def test_unreadable_credentials_are_an_invalid_client(lab: Lab, header: str) -> None:
    """No base64, no UTF-8, nothing at all, or another scheme."""
    headers = {"Authorization": header}
    form = {"grant_type": "refresh_token"}
    async with lab.browser.session.post(
        f"{lab.options.cognito}/oauth2/token", data=form, headers=headers
    ) as response:
        assert (response.status, await response.json()) == (400, {"error": "invalid_client"})


async def test_bodies_that_are_no_form_are_refused(lab: Lab) -> None:
    """JSON is an invalid request; a form that is not UTF-8 is 400."""
    url = f"{lab.options.cognito}/oauth2/token"
    async with lab.browser.session.post(url, json={"grant_type": "refresh_token"}) as response:
        assert await response.json() == {"error": "invalid_request"}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with lab.browser.session.post(url, data=b"grant_type=\xff", headers=headers) as response:
        assert response.status == 400


async def test_refresh_without_rotation_keeps_the_token(lab: Lab) -> None:
    """The answer has no refresh_token, auth_time and origin_jti stay."""
    tokens = await lab.tokens(await lab.sign_in())

    status, answer = await refresh(lab, tokens["refresh_token"])

    assert status == 200
    assert "refresh_token" not in answer
    before, after = lab.claims(tokens, "id_token"), lab.claims(answer, "id_token")
    assert (before["auth_time"], before["origin_jti"]) == (after["auth_time"], after["origin_jti"])
    assert before["jti"] != after["jti"]


async def test_rotation_ends_the_old_token_after_the_grace(lab: Lab) -> None:
    """Without grace the old token is dead at once; with grace it can be used for that long."""
    lab.set(refresh_rotation=True)
    tokens = await lab.tokens(await lab.sign_in())
    _, second = await refresh(lab, tokens["refresh_token"])

    assert second["refresh_token"] != tokens["refresh_token"]
    assert (await refresh(lab, tokens["refresh_token"]))[1]["error"] == "invalid_grant"
    lab.set(refresh_grace_seconds=60)
    assert (await refresh(lab, tokens["refresh_token"]))[0] == 200
    expiries = {lab.idp.cognito.refresh_tokens[t["refresh_token"]].expires for t in (tokens, second)}
    assert len(expiries) == 1


async def test_length_and_life_of_tokens_follow_their_switches(lab: Lab) -> None:
    """Refresh tokens have five parts and the wanted length; short lives are possible."""
    lab.set(refresh_token_bytes=900, refresh_token_seconds=1, token_seconds=2)
    tokens = await lab.tokens(await lab.sign_in())
    lab.idp.cognito.refresh_tokens[tokens["refresh_token"]].expires -= 1

    assert (len(tokens["refresh_token"]), tokens["refresh_token"].count(".")) == (900, 4)
    assert tokens["expires_in"] == 2
    assert (await refresh(lab, tokens["refresh_token"]))[1]["error"] == "invalid_grant"


async def test_revocation_ends_the_family_and_nothing_else(lab: Lab) -> None:
    """userInfo refuses afterwards, another sign-in's tokens go on, the browser session stays."""
    tokens = await lab.tokens(await lab.sign_in())
    other = await lab.tokens(await lab.silent())
    assert (await userinfo(lab, tokens["access_token"]))[1]["email_verified"] == "true"

    answer = await lab.post_json(f"{lab.options.cognito}/oauth2/revoke", {"token": tokens["refresh_token"]})

    assert answer == (200, {})
    assert (await userinfo(lab, tokens["access_token"]))[1]["error"] == "invalid_token"
    assert (await refresh(lab, tokens["refresh_token"]))[1]["error"] == "invalid_grant"
    assert (await userinfo(lab, other["access_token"]))[0] == 200
    assert lab.idp.cognito.live_sessions()
    revoked = {(t["kind"], t["revoked"]) for t in lab.idp.control.cognito.snapshot()["tokens"]}
    assert revoked == {(kind, state) for kind in ("id", "access", "refresh") for state in (True, False)}


async def test_revocation_can_end_the_session_too(lab: Lab) -> None:
    """The session of that very sign-in, and none for a token that nobody has."""
    lab.set(revocation_ends_session=True)
    tokens = await lab.tokens(await lab.sign_in())
    url = f"{lab.options.cognito}/oauth2/revoke"
    await lab.post_json(url, {"token": "garbage"})
    assert lab.idp.cognito.live_sessions()
    await lab.post_json(url, {"token": tokens["refresh_token"]})

    assert lab.idp.cognito.live_sessions() == []


async def test_revocation_endpoint_answers_as_documented(lab: Lab) -> None:
    """200 for garbage, 400 for an access token or no token, 400 when revocation is off for the client."""
    url = f"{lab.options.cognito}/oauth2/revoke"
    tokens = await lab.tokens(await lab.sign_in())

    assert await lab.post_json(url, {"token": "garbage"}) == (200, {})
    assert await lab.post_json(url, {"token": tokens["access_token"]}) == (
        400,
        {"error": "unsupported_token_type"},
    )
    assert await lab.post_json(url, {}) == (400, {"error": "invalid_request"})
    lab.set(token_revocation=False)
    assert await lab.post_json(url, {"token": tokens["refresh_token"]}) == (400, {"error": "invalid_request"})


@pytest.mark.parametrize("endpoint", ["token", "revoke"])
async def test_endpoints_can_fail_and_dawdle(
    lab: Lab, endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """429, 500 and 503 on demand, and a delay before any answer."""
    url = f"{lab.options.cognito}/oauth2/{endpoint}"
    seen = []
    for answer in ("429", "500", "503"):
        lab.set(**{f"{endpoint}_answer": answer})
        seen.append((await lab.post_json(url, {}))[0])
    lab.set(**{f"{endpoint}_answer": "normal"}, **{f"{endpoint}_delay_seconds": 7})
    waited: list[int] = []

    async def sleep(seconds: int) -> None:
        waited.append(seconds)

    monkeypatch.setattr("gateway.demo.faults.asyncio", SimpleNamespace(sleep=sleep))
    await lab.post_json(url, {"token": "x"})

    assert seen == [429, 500, 503]
    assert waited == [7]


async def test_userinfo_without_a_token_is_a_bad_request(lab: Lab) -> None:
    """400 with a challenge when there is no bearer token, 401 for an ID token or an expired one."""
    async with lab.browser.session.get(f"{lab.options.cognito}/oauth2/userInfo") as response:
        assert response.status == 400
        assert 'error="invalid_request"' in response.headers["WWW-Authenticate"]
    tokens = await lab.tokens(await lab.sign_in())
    assert (await userinfo(lab, tokens["id_token"]))[0] == 401


async def test_cross_origin_callers_may_use_the_token_endpoints(lab: Lab) -> None:
    """Preflights of token, revoke and userInfo are granted to anybody."""
    for path in ("token", "revoke", "userInfo"):
        async with lab.browser.session.options(f"{lab.options.cognito}/oauth2/{path}") as response:
            assert response.headers["Access-Control-Allow-Origin"] == "*"
