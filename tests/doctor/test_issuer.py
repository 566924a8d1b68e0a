"""What the provider says of itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from tests.doctor.deployment import FAILED, OK, SECRET, UNKNOWN, WARNING, Deployment, honest
from tests.fakes.forward_proxy import forward_proxy
from tests.fakes.puppet import Puppet, Says, moved

DISCOVERY = "/eu-west-1_pool/.well-known/openid-configuration"
KEYS = "/eu-west-1_pool/jwks.json"


async def test_an_honest_provider_is_good(cognito: Deployment) -> None:
    """Issuer and keys are what the gateway needs."""
    assert (await cognito.only("discovery")).verdict is OK
    assert (await cognito.only("keys")).what == "1 key for signatures"
    assert (await cognito.only("one-domain")).verdict is OK


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Says(404), "404"),
        (Says(503), "503"),
        (Says(body="<html>captive portal</html>"), "JSON"),
        (Says(body="[]", kind="application/json"), "JSON object"),
        (Says(raw=b"SSH-2.0-OpenSSH_9\r\n"), "ClientResponse"),
        (moved("https://elsewhere.example/"), "302"),
    ],
)
async def test_what_is_no_discovery_fails(cognito: Deployment, idp: Puppet, answer: Says, said: str) -> None:
    """The reason is named, and the other checks of the provider have nothing to say of it."""
    idp.lines[DISCOVERY] = answer
    seen = await cognito.only("discovery")
    assert seen.verdict is FAILED
    assert said in seen.what or "broke" in seen.what or "idp" in seen.what, seen
    assert seen.fix
    assert await cognito.seen("keys") == []
    assert await cognito.seen("end-session") == []


async def test_another_issuer_fails(cognito: Deployment, idp: Puppet) -> None:
    """Character for character; the fix says what to write."""
    idp.lines |= honest(idp, issuer=f"{idp.origin('issuer')}/eu-west-1_pool/")
    seen = await cognito.only("discovery")
    assert seen.verdict is FAILED
    assert "provider.issuer" in seen.fix


async def test_the_way_through_a_proxy_is_said(openid: Deployment, idp: Puppet) -> None:
    """For each address of the provider; what fails on it names the proxy; without one there is nothing to say."""
    assert await openid.seen("way") == []
    async with forward_proxy(0) as proxy:
        proxy.status = "407 Proxy Authentication Required"
        beyond = {"issuer": "https://idp.corp.test", "proxy": proxy.origin.replace("//", "//me:hush-hush@")}
        openid.pieces["provider"] = openid.pieces["provider"] | beyond
        seen = dict((await openid.examined("discovery", "way")).seen)
        assert seen["way"].looked_at == "https://idp.corp.test"
        assert seen["way"].what == f"through the proxy {proxy.origin}"
        assert "answered 407" in seen["discovery"].what and proxy.origin in seen["discovery"].what
        assert "hush-hush" not in repr(seen)
        assert proxy.asked == ["CONNECT idp.corp.test:443 HTTP/1.1"]
        openid.pieces["provider"] |= {"no_proxy": ["corp.test"], "resolve": {"idp.corp.test": "127.0.0.1"}}
        assert (await openid.only("way")).what == "directly, past the proxy"


async def test_nobody_there_fails(cognito: Deployment) -> None:
    """A port that nobody listens on."""
    cognito.pieces["provider"] = cognito.pieces["provider"] | {"issuer": "http://issuer.localhost:9/pool"}
    seen = await cognito.only("discovery")
    assert seen.verdict is FAILED
    assert "ca_file and resolve" in seen.fix


@pytest.mark.parametrize("answer", [Says(404), Says(body='{"keys": []}', kind="application/json")])
async def test_keys_that_cannot_be_used_fail(cognito: Deployment, idp: Puppet, answer: Says) -> None:
    """Not served, or none for signatures."""
    idp.lines[KEYS] = answer
    assert (await cognito.only("keys")).verdict is FAILED


@pytest.mark.parametrize(
    ("seconds", "verdict"), [(0, OK), (-20, WARNING), (20, WARNING), (-90, FAILED), (90, FAILED)]
)
async def test_the_clocks_are_compared(
    cognito: Deployment, idp: Puppet, seconds: int, verdict: object
) -> None:
    """From a minute apart sign-ins are refused."""
    said = idp.lines[DISCOVERY]
    assert isinstance(said, Says)

    def dated(_: object) -> Says:
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)
        return Says(body=said.body, kind=said.kind, headers={"Date": date})

    idp.lines[DISCOVERY] = dated
    seen = await cognito.only("clock")
    assert seen.verdict is verdict, seen
    if seconds:
        assert ("behind" in seen.what) is (seconds > 0)


@pytest.mark.parametrize("date", ["yesterday", "Mon, 99 Foo 99999 99:99:99 GMT", "-"])
async def test_a_date_that_cannot_be_read_is_no_verdict(cognito: Deployment, idp: Puppet, date: str) -> None:
    """The header is foreign text."""
    said = idp.lines[DISCOVERY]
    assert isinstance(said, Says)
    idp.lines[DISCOVERY] = Says(body=said.body, kind=said.kind, headers={"Date": date})
    assert (await cognito.only("clock")).verdict is UNKNOWN


async def test_trap_04_cognitos_end_session_is_not_taken_for_openid_connects(
    cognito: Deployment, openid: Deployment, idp: Puppet
) -> None:
    """The same member of the metadata means two things."""
    seen = await cognito.only("end-session")
    assert seen.verdict is OK
    assert "client_id and logout_uri" in seen.what
    assert "RP-initiated" in (await openid.only("end-session")).what
    idp.lines |= honest(idp, path="", end_session_endpoint=None)
    assert (await openid.only("end-session")).verdict is WARNING


async def test_trap_28_two_domains_are_named(cognito: Deployment, idp: Puppet) -> None:
    """The pool names its custom domain, the configuration the other one."""
    idp.lines |= honest(idp, authorization_endpoint=f"{idp.origin('custom')}/oauth2/authorize")
    seen = await cognito.only("one-domain")
    assert seen.verdict is WARNING
    assert idp.origin("custom") in seen.what


@pytest.mark.parametrize(
    ("methods", "verdict"),
    [(["S256"], OK), (["plain"], WARNING), (None, UNKNOWN), ("S256", WARNING), ([7], WARNING)],
)
async def test_the_proof_of_the_code(
    openid: Deployment, idp: Puppet, methods: object, verdict: object
) -> None:
    """What the metadata says of PKCE."""
    idp.lines |= honest(idp, path="", code_challenge_methods_supported=methods)
    assert (await openid.only("code-challenge")).verdict is verdict


async def test_cognito_takes_s256_in_any_case(cognito: Deployment) -> None:
    """Its metadata has no word of it."""
    assert (await cognito.only("code-challenge")).verdict is OK


async def test_revocation(cognito: Deployment, openid: Deployment, idp: Puppet) -> None:
    """Named, missing, or at Cognito a switch that is not shown."""
    assert (await cognito.only("revocation")).verdict is UNKNOWN
    assert (await openid.only("revocation")).verdict is OK
    idp.lines |= honest(idp, path="", revocation_endpoint=None)
    seen = await openid.only("revocation")
    assert seen.verdict is WARNING


@pytest.mark.parametrize(
    ("offered", "configured", "verdict", "said"),
    [
        (["client_secret_post"], None, OK, "client_secret_post, as the metadata offers"),
        (None, None, OK, "client_secret_basic, for the metadata does not say"),
        (
            ["private_key_jwt"],
            None,
            WARNING,
            "has none of ours (private_key_jwt); client_secret_basic is sent",
        ),
        (["private_key_jwt"], "client_secret_post", OK, "client_secret_post, as configured"),
    ],
)
async def test_how_the_secret_is_sent_is_said(
    openid: Deployment, idp: Puppet, offered: object, configured: str | None, verdict: object, said: str
) -> None:
    """By the metadata, or by the key that knows better; and nothing of a client that has no secret."""
    assert await openid.seen("client-authentication") == []
    more = {"client_secret": SECRET, "client_authentication": configured}
    openid.pieces["provider"] = openid.pieces["provider"] | more
    idp.lines |= honest(idp, path="", token_endpoint_auth_methods_supported=offered)
    seen = await openid.only("client-authentication")
    assert (seen.verdict, said in seen.what) == (verdict, True), seen
