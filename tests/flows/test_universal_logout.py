"""Okta Universal Logout over real sockets (facts B.6)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from gateway.core import clock
from gateway.demo.okta.saml_app import APP_INSTANCE
from gateway.demo.okta.state import COGNITO_CLIENT_ID
from tests.fakes.certificates import self_signed
from tests.fakes.door import eventually
from tests.fakes.forge import ABSENT, rsa_key
from tests.fakes.patience import PATIENCE
from tests.fakes.pieces import put
from tests.flows.conftest import Stand
from tests.flows.inbound import (
    CALL,
    blocked,
    closed_with,
    counted,
    forge,
    json_of,
    opened,
    posted,
    sent,
    signed_in,
    status,
    taken,
    websocket,
)

STALLS = {
    "test_r05_what_the_log_cannot_hold_is_not_acknowledged",
}

PATH = "global-token-revocation"
WAY = "universal_logout"
JSON = "Content-Type: application/json"
ALICE = {"format": "email", "email": "alice@example.com"}
BOB = {"format": "email", "email": "bob@example.com"}


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """Cognito signs in by way of Okta, which may call."""
    async with opened(tmp_path, CALL) as running:
        yield running


def token(stand: Stand, *, typ: Any = "global-token-revocation+jwt", key: Any = None, **changes: Any) -> str:
    """A bearer token of the org's, with ``changes``; `ABSENT` takes a claim out."""
    now = clock.now()
    claims = {
        "iss": stand.okta, "sub": COGNITO_CLIENT_ID, "aud": f"{stand.app}/oauth2/{PATH}", "jti": f"jti-{now}",
        "iat": now, "nbf": now - 300, "exp": now + 300, **changes,
    }  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not ABSENT}
    return forge(stand).signed(claims, key=key, header={"typ": typ})


async def called(stand: Stand, bearer: str, subject: object = ALICE, *headers: str) -> int:
    """The status of a call of our own."""
    body = subject if isinstance(subject, bytes) else json.dumps({"sub_id": subject}).encode()
    lines = (f"Authorization: Bearer {bearer}", *(headers or (JSON,)))
    return (await posted(stand, PATH, body, *lines))[0]


async def test_r01_the_user_is_signed_out_everywhere_and_must_prove_who_they_are(stand: Stand) -> None:
    """Every browser's cookie is dead at once; the next navigation walks the chain, then asks for the password."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    cookies = [browser.cookie_header(stand.app), await signed_in(stand)]
    other = await signed_in(stand, "bob@example.com")
    assert await sent(stand, WAY) == [204]
    assert [await status(stand, each) for each in (*cookies, other)] == [401, 401, 200]
    end = await browser.goto(f"{stand.app}/api/me")
    assert "/logout/done/cognito" in [urlsplit(seen.url).path for seen in browser.seen]
    assert end.path == "/logged-out"
    form = await browser.goto(f"{stand.app}/api/me")
    assert form.asks_for_password


async def test_live_connections_end_at_once(stand: Stand) -> None:
    """A WebSocket is closed with the code that says why."""
    async with websocket(stand, await signed_in(stand)) as sock:
        assert await sent(stand, WAY) == [204]
        assert await closed_with(sock) == 4401


@pytest.mark.parametrize("form", ["email", "iss_sub", "opaque"])
async def test_r19_each_form_of_a_subject_finds_the_sessions(stand: Stand, form: str) -> None:
    """Okta's user id is the federated user's behind Cognito, because the org is linked to that provider."""
    cookie = await signed_in(stand)
    assert await sent(stand, WAY, format=form) == [204]
    assert await status(stand, cookie) == 401


async def test_an_unknown_user_is_a_success(stand: Stand) -> None:
    """There is no list of users that could tell who exists (facts B.6)."""
    assert await sent(stand, WAY, user="nobody@example.com") == [204]


VARIANTS = [
        *((variant, 401) for variant in (
            "wrong_typ", "no_typ", "wrong_iss", "wrong_aud", "no_jti", "expired", "no_exp", "too_old",
            "from_the_future", "alg_none", "hs256_with_the_public_key", "wrong_key", "no_token",
        )),
        ("wrong_sub", 403),
        ("malformed_body", 400),
        ("no_subject", 400),
        ("wrong_content_type", 400),
        ("unknown_format", 422),
]  # fmt: skip


async def test_what_is_wrong_has_its_status_and_ends_nothing(stand: Stand) -> None:
    """Of everything that can be wrong with it."""
    for variant, expected in VARIANTS:
        assert await sent(stand, WAY, variant=variant) == [expected], variant
    assert stand.gateway.log.index.live(clock.now()) == []


async def test_the_body_decides_between_400_and_422(stand: Stand) -> None:
    """What is no subject, what nobody knows, and what is one that names nobody here (rule R19)."""
    cases: list[tuple[object, int]] = [
        ({"format": "email", "email": "alice"}, 400),
        ({"format": "telepathy"}, 400),
        (b'{"sub_id":{"format":"email","email":"a@b.c"},"sub_id":{"format":"email","email":"b@b.c"}}', 400),
        ({"format": "account", "uri": "acct:alice@example.com"}, 422),
        ({"format": "iss_sub", "iss": stand.idp.options.issuer, "sub": "alice"}, 422),
        ({"format": "iss_sub", "iss": "https://elsewhere.example", "sub": "alice"}, 422),
    ]
    for number, (subject, expected) in enumerate(cases):
        assert await called(stand, token(stand, jti=f"case-{number}"), subject) == expected, subject
    assert stand.gateway.log.index.live(clock.now()) == []


async def test_the_address_is_public_url_whatever_the_host_header_says(stand: Stand) -> None:
    """An audience that is made of the request could be chosen by whoever sends it."""
    assert await called(stand, token(stand, aud=f"http://127.0.0.1:{stand.port}/oauth2/{PATH}")) == 401


async def test_a_token_is_good_for_one_subject_only(stand: Stand) -> None:
    """The same call may come again; with somebody else in its body it is an attack."""
    alice, bob = await signed_in(stand), await signed_in(stand, "bob@example.com")
    bearer = token(stand)
    assert [await called(stand, bearer), await called(stand, bearer)] == [204, 204]
    assert await called(stand, bearer, BOB) == 401
    assert [await status(stand, each) for each in (alice, bob)] == [401, 200]
    assert counted(stand, WAY, "replayed")


async def test_a_session_that_began_after_the_first_call_outlives_its_replay(stand: Stand) -> None:
    """Idempotent: it was done, and is not done again."""
    bearer = token(stand)
    assert await called(stand, bearer) == 204
    browser = stand.browser()
    await browser.goto(f"{stand.app}/api/me")
    await stand.sign_in(browser, "/api/me")
    position = stand.gateway.log.index.position
    assert await called(stand, bearer) == 204
    assert stand.gateway.log.index.position == position


async def test_who_may_not_call_learns_why(stand: Stand) -> None:
    """And is told to bring a token."""
    code, headers, body = await posted(stand, PATH, b"{}", JSON)
    assert (code, headers["www-authenticate"]) == (401, 'Bearer error="invalid_token"')
    assert json_of(body)["error"] == "token_rejected"
    code, headers, _ = await posted(stand, PATH, b"", method="GET")
    assert (code, headers["allow"]) == (405, "POST")


async def test_two_tokens_are_none(stand: Stand) -> None:
    """Two readers may pick different ones."""
    bearer = f"Authorization: Bearer {token(stand)}"
    body = json.dumps({"sub_id": ALICE}).encode()
    assert (await posted(stand, PATH, body, bearer, bearer, JSON))[0] == 401


async def test_r05_what_the_log_cannot_hold_is_not_acknowledged(stand: Stand, tmp_path: Path) -> None:
    """Dead here at once, 503 to Okta; the same call is a success once the log has it."""
    cookie, bearer = await signed_in(stand), token(stand)
    with blocked(tmp_path):
        assert await called(stand, bearer) == 503
        assert await status(stand, cookie) == 401
    await eventually(lambda: not stand.gateway.log.pending, seconds=PATIENCE)
    assert await taken(lambda: called(stand, bearer)) == 204


async def test_keys_that_cannot_be_had_are_no_verdict(tmp_path: Path) -> None:
    """503: it may be good."""
    gone = {"jwks_uri: '{okta}/oauth2/v1/keys'": "jwks_uri: 'http://127.0.0.1:9/keys'"}
    async with opened(tmp_path, put(CALL, gone)) as stand:
        assert await sent(stand, WAY) == [503]
        assert counted(stand, WAY, "no_keys")


async def test_the_audit_trail_says_on_whose_word(stand: Stand) -> None:
    """And nothing of the token."""
    assert await sent(stand, WAY) == [204]
    event = stand.audit[-1]
    assert (event.kind.value, event.reason, event.revocation) == ("revoked", WAY, "email:alice@example.com")
    assert event.source == stand.okta


@pytest.mark.usefixtures("looked_at_by_hand")
async def test_a_saml_application_s_certificate_is_enough(tmp_path: Path) -> None:
    """No key set: the certificate of the application's sign-on, read anew when it changes."""
    file = tmp_path / "okta.pem"
    file.write_bytes(self_signed("Okta", rsa_key("saml").private))
    way = f"  universal_logout: {{issuer: '{{okta}}', subject: {APP_INSTANCE}, certificate_file: okta.pem}}\n"
    async with opened(tmp_path, way, federation="saml") as stand:
        bearer = token(stand, key=rsa_key("saml"), sub=APP_INSTANCE, jti="by-certificate")
        assert await called(stand, bearer) == 204
        other = token(stand, key=rsa_key("saml-2"), sub=APP_INSTANCE, jti="by-another")
        assert await called(stand, other) == 401
        file.write_bytes(self_signed("Okta", rsa_key("saml-2").private))
        (watched,) = stand.gateway.inbound_endpoints.watched
        await watched.look()
        assert await called(stand, other) == 204


async def test_what_is_not_configured_is_not_there(tmp_path: Path) -> None:
    """404, as any path under the prefix."""
    async with opened(tmp_path, "  backchannel: false\n") as stand:
        for path in (PATH, "security-events", "okta-events"):
            assert (await posted(stand, path, b""))[0] == 404
