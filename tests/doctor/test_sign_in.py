"""Signing in, as far as it can be tried without a person."""

from __future__ import annotations

import json
from base64 import b64encode
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from tests.doctor.deployment import APP, FAILED, OK, SECRET, UNKNOWN, WARNING, Deployment, honest
from tests.fakes.puppet import Line, Puppet, Says, moved

BACK = f"{APP}/oauth2/callback"
AUTHORIZE = "/oauth2/authorize"


@pytest.mark.parametrize(
    ("answer", "verdict", "said"),
    [
        (moved(f"{BACK}?error=login_required&state=x"), OK, "knows the client"),
        (moved(f"{BACK}?error=login_required&state=x&iss=http%3A%2F%2Fx"), OK, "RFC 9207"),
        (moved("/login?client_id=client"), OK, "begins a sign-in"),
        (moved(f"{BACK}?error=unauthorized_client"), FAILED, "unauthorized_client"),
        (moved(f"{BACK}?error=invalid_scope"), FAILED, "invalid_scope"),
        (moved("/error?error=redirect_mismatch&client_id=client"), FAILED, "redirect_mismatch"),
        (Says(400, "no such client"), FAILED, "400"),
        (Says(200, "a page"), UNKNOWN, "a page"),
        (Says(503), UNKNOWN, "503"),
        (Says(429), UNKNOWN, "429"),
        (Says(raw=b"\x00\x01\x02"), FAILED, ""),
        (Says(302, headers={"Location": "http://[half"}), UNKNOWN, "302"),
        (Says(302, headers={"Location": f"{BACK}?error=%00%0a<script>"}), FAILED, ""),
    ],
)
async def test_the_callback_is_tried(
    cognito: Deployment, idp: Puppet, answer: Line, verdict: object, said: str
) -> None:
    """By a request that can sign nobody in."""
    idp.lines[AUTHORIZE] = answer
    seen = await cognito.only("callback", live=True)
    assert seen.verdict is verdict, seen
    assert said in seen.what
    assert seen.what.isprintable()
    asked = idp.asked[-1]
    assert (asked.query["redirect_uri"], asked.query["prompt"]) == (BACK, "none")
    assert "Cookie" not in asked.headers


async def test_without_live_it_is_not_asked(cognito: Deployment, idp: Puppet) -> None:
    """It says so, and how to have it asked."""
    seen = await cognito.only("callback")
    assert seen.verdict is UNKNOWN
    assert "--live" in seen.fix
    assert [request.path for request in idp.asked if request.path == AUTHORIZE] == []


async def test_cognitos_domain_is_asked_while_discovery_is_away(cognito: Deployment, idp: Puppet) -> None:
    """Its endpoints are known without it."""
    idp.lines["/eu-west-1_pool/.well-known/openid-configuration"] = Says(500)
    idp.lines[AUTHORIZE] = moved(f"{BACK}?error=login_required")
    assert (await cognito.only("callback", live=True)).verdict is OK


async def test_an_openid_provider_is_asked_where_its_metadata_says(openid: Deployment, idp: Puppet) -> None:
    """Without metadata there is nothing to ask."""
    idp.lines[AUTHORIZE] = moved(f"{BACK}?error=login_required")
    assert (await openid.only("callback", live=True)).verdict is OK
    idp.lines["/.well-known/openid-configuration"] = Says(500)
    assert await openid.seen("callback", live=True) == []


async def test_trap_35_prompt_login_is_no_sign_out(cognito: Deployment, openid: Deployment) -> None:
    """The doctor says that it proves nothing."""
    seen = await cognito.only("fresh-sign-in")
    assert seen.verdict is UNKNOWN
    assert "prompt=login" in seen.what
    assert "chain" in seen.fix


@pytest.mark.parametrize(
    ("listed", "said", "verdict"),
    [
        (["sub", "auth_time"], True, OK),
        (["sub"], True, WARNING),
        (["sub"], None, None),
        (["sub"], False, None),
        (None, True, None),
        ("auth_time", True, None),
    ],
)
async def test_r01_auth_time_that_is_believed_should_be_there(
    openid: Deployment, idp: Puppet, listed: object, said: bool | None, verdict: object
) -> None:
    """Without it everybody is asked twice; what the metadata does not say, or nobody believes, is passed over."""
    idp.lines |= honest(idp, "", **({} if listed is None else {"claims_supported": listed}))
    if said is not None:
        openid.pieces["provider"]["auth_time_proves"] = said
    assert [seen.verdict for seen in await openid.seen("fresh-sign-in")] == ([verdict] if verdict else [])


async def test_r24_the_truth_about_groups(cognito: Deployment, openid: Deployment) -> None:
    """What changes at Okta waits for the next sign-in, at most for the absolute end of the session."""
    cognito.pieces["session"] = {"key_files": ["session-key"], "absolute": "90m"}
    seen = await cognito.only("groups")
    assert seen.verdict is UNKNOWN
    assert "at sign-in only" in seen.what
    assert seen.what.endswith("at most 90 min")
    assert await openid.seen("groups") == []


async def test_trap_31_a_refusal_for_another_reason_is_named(cognito: Deployment) -> None:
    """From outside it looks like a revoked token."""
    seen = await cognito.only("refused-refreshes")
    assert "invalid_grant" in seen.what
    assert "Attribute permissions" in seen.fix


async def test_trap_30_the_limits_of_cognitos_domain_are_named(cognito: Deployment) -> None:
    """And that they end no session here."""
    seen = await cognito.only("rate-limits")
    assert "300 requests a second" in seen.what
    assert "end no session" in seen.what


def refuses(error: str, status: int = 400) -> Says:
    return Says(
        status, f'{{"error": "{error}", "error_description": "because {SECRET}"}}', "application/json"
    )


@pytest.mark.parametrize(
    ("answer", "verdict", "said"),
    [
        (refuses("invalid_grant"), OK, "it knows the client by provider.client_secret"),
        (refuses("invalid_client", 401), FAILED, "it does not know the client by provider.client_secret"),
        (refuses("invalid_client"), FAILED, "it does not know the client by provider.client_secret"),
        (refuses("unauthorized_client"), UNKNOWN, "unauthorized_client"),
        (refuses("invalid_request"), UNKNOWN, "invalid_request"),
        (Says(503), UNKNOWN, "503"),
        (Says(404), UNKNOWN, "404"),
        (Says(raw=b"no http"), UNKNOWN, "cannot be told"),
        (
            Says(200, '{"access_token": "x", "token_type": "Bearer"}', "application/json"),
            UNKNOWN,
            "gave tokens",
        ),
    ],
)
async def test_a_wrong_secret_is_found_before_the_first_user(
    cognito: Deployment, idp: Puppet, answer: Line, verdict: object, said: str
) -> None:
    """By a code that cannot be good, sent as the gateway would; what is answered does not give the secret away."""
    cognito.pieces["provider"]["client_secret"] = SECRET
    idp.lines["/oauth2/token"] = answer
    seen = await cognito.only("client-secret", live=True)
    assert (seen.verdict, said in seen.what) == (verdict, True), seen
    assert SECRET not in f"{seen}"
    assert bool(seen.fix) == (verdict is FAILED)
    (asked,) = [request for request in idp.asked if request.path == "/oauth2/token"]
    assert asked.method == "POST"
    assert asked.headers["Authorization"].startswith("Basic ")


async def test_each_secret_is_asked_about_and_so_is_none(openid: Deployment, idp: Puppet) -> None:
    """While one is replaced by the other it matters which is wrong; a client may also have none."""
    known = idp.lines["/.well-known/openid-configuration"]
    assert isinstance(known, Says)
    metadata = json.loads(known.body)
    path = urlsplit(metadata["token_endpoint"]).path
    good = b64encode(f"client:{SECRET}".encode()).decode()

    def judged(request: web.Request) -> Says:
        return refuses(
            "invalid_grant" if request.headers.get("Authorization") == f"Basic {good}" else "invalid_client"
        )

    idp.lines[path] = judged
    none = await openid.only("client-secret", live=True)
    assert (none.verdict, "which has no secret" in none.what, "client_secret_file" in none.fix) == (
        FAILED,
        True,
        True,
    )
    openid.pieces["provider"] |= {"client_secret": "former", "other_client_secret": SECRET}
    one, other = await openid.seen("client-secret", live=True)
    assert (one.verdict, "provider.client_secret:" in one.what) == (FAILED, True)
    assert (other.verdict, "provider.other_client_secret" in other.what) == (OK, True)


async def test_without_live_no_secret_is_sent(cognito: Deployment, idp: Puppet) -> None:
    """It says that it was not asked, and how to have it asked."""
    seen = await cognito.only("client-secret")
    assert (seen.verdict, "--live" in seen.fix) == (UNKNOWN, True)
    assert [request.path for request in idp.asked if request.method == "POST"] == []
