"""Which way a provider's address is reached."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core import dice
from gateway.core.clock import now
from gateway.core.errors import ProviderError
from gateway.idp.provider import IdentityProvider, Revocation
from gateway.idp.transport import Transport
from gateway.idp.way import ProviderWay, passes
from gateway.oidc.signin.authorization import AuthorizationCode, read_response
from gateway.oidc.signin.pkce import code_challenge
from gateway.oidc.wire import get
from tests.fakes.certificates import Authority
from tests.fakes.forward_proxy import ForwardProxy, forward_proxy
from tests.fakes.op import REDIRECT, Grant, Provider, running
from tests.fakes.patience import PATIENCE
from tests.idp.attempts import options

HOST = "idp.corp.test"
"""A name that nobody but the proxy knows."""


class Corporate(Provider):
    """A provider over TLS, in a network that only the proxy reaches."""

    @property
    def origin(self) -> str:
        return f"https://{HOST}:{self.port}"

    @property
    def issuer(self) -> str:
        return f"{self.origin}/pool"


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.make(tmp_path)


@pytest.fixture
async def op(authority: Authority) -> AsyncIterator[Provider]:
    async with running(Corporate(), tls=authority.server(HOST)) as provider:
        yield provider


@pytest.fixture
async def proxy(op: Provider) -> AsyncIterator[ForwardProxy]:
    async with forward_proxy(op.port) as proxy:
        yield proxy


@pytest.fixture
async def transport(proxy: ForwardProxy, authority: Authority) -> AsyncIterator[Transport]:
    transport = Transport(ca_file=authority.file, way=ProviderWay(proxy.origin), timeout=PATIENCE)
    yield transport
    await transport.close()


def code_of(op: Provider, verifier: str) -> AuthorizationCode:
    """One that waits to be redeemed: people reach the provider by themselves."""
    op.grants["c"] = Grant("alice", "n", code_challenge(verifier), REDIRECT)
    code = read_response("code=c&state=s").verified(state="s", issuer=op.issuer, iss_required=False)
    assert isinstance(code, AuthorizationCode)
    return code


async def test_a_whole_sign_in_goes_through_the_proxy(
    op: Provider, proxy: ForwardProxy, authority: Authority
) -> None:
    """Discovery, keys, code, refresh and revocation: the proxy hears one name and nothing of what is said."""
    way = ProviderWay(proxy.origin, "gate", "s3cret/ü")
    made = options(op, kind="oidc", domain=None, ca_file=authority.file, way=way, timeout=PATIENCE)
    provider, verifier = IdentityProvider(made), dice.token(32)
    await provider.authorization_url(state="s", nonce="n", code_challenge="c", redirect_uri=REDIRECT)
    tokens = await provider.redeem(code_of(op, verifier), code_verifier=verifier, redirect_uri=REDIRECT)
    verified = await provider.verify_id_token(tokens.id_token or "", nonce="n", now=now())
    assert verified.subject == "alice-sub"
    await provider.refresh(tokens.refresh_token or "")
    assert await provider.revoke(tokens.refresh_token or "") is Revocation.CONFIRMED
    await provider.close()
    assert set(proxy.asked) == {f"CONNECT {HOST}:{op.port} HTTP/1.1"}
    assert set(proxy.told) == {f"Basic {base64.b64encode('gate:s3cret/ü'.encode()).decode()}"}
    assert "s3cret" not in repr(made)


@pytest.mark.parametrize(
    ("status", "said"),
    [("407 Proxy Authentication Required", "407"), ("403 Forbidden", "403"), ("502 Bad", "502")],
)
async def test_a_proxy_that_refuses_is_named(
    op: Provider, proxy: ForwardProxy, transport: Transport, status: str, said: str
) -> None:
    """With what it answered: the provider has not been asked, and may be asked again."""
    proxy.status = status
    with pytest.raises(ProviderError, match=f"answered {said} .*through the proxy {proxy.origin}") as caught:
        await transport.send(get(f"{op.issuer}/x"))
    assert (caught.value.code, caught.value.retryable, caught.value.acted) == (
        "provider_unreachable",
        True,
        False,
    )
    assert op.calls.total() == 0


async def test_a_proxy_that_is_away_or_silent_is_named(
    op: Provider, proxy: ForwardProxy, authority: Authority
) -> None:
    """Nobody goes past it: directly the provider could be asked by who may not."""
    proxy.silent = True
    for way, within in ((ProviderWay("http://127.0.0.1:1"), PATIENCE), (ProviderWay(proxy.origin), 0.2)):
        transport = Transport(ca_file=authority.file, way=way, timeout=within)
        with pytest.raises(ProviderError, match="through the proxy"):
            await transport.send(get(f"{op.issuer}/x"))
        await transport.close()
    assert op.calls.total() == 0


async def test_the_certificate_is_the_providers_own(op: Provider, proxy: ForwardProxy) -> None:
    """A proxy that ends TLS itself, and is not trusted, is seen."""
    transport = Transport(way=ProviderWay(proxy.origin), timeout=PATIENCE)
    with pytest.raises(ProviderError, match="certificate"):
        await transport.send(get(f"{op.issuer}/x"))
    await transport.close()


@pytest.mark.parametrize("more", [{"way": "past"}, {"resolve": {HOST: "127.0.0.1"}}])
async def test_what_is_listed_or_has_an_address_is_reached_directly(
    op: Provider, proxy: ForwardProxy, authority: Authority, more: dict[str, Any]
) -> None:
    """Names past the proxy, and those with an address of the operator's own."""
    way = ProviderWay(proxy.origin, past=(HOST,)) if "way" in more else ProviderWay(proxy.origin)
    transport = Transport(ca_file=authority.file, way=way, resolve={HOST: "127.0.0.1"}, timeout=PATIENCE)
    assert (await transport.send(get(f"{op.issuer}/.well-known/jwks.json"))).status == 200
    await transport.close()
    assert proxy.asked == []


@pytest.mark.parametrize("host", ["localhost", "idp.localhost", "127.0.0.1", "[::1]"])
def test_this_machine_is_never_behind_a_proxy(host: str) -> None:
    """So plain http, which is for this machine alone, never meets one."""
    assert ProviderWay("http://proxy:3128").through(f"http://{host}:9/x") == {}


@pytest.mark.parametrize(
    ("past", "host", "passed"),
    [
        ("corp.test", "corp.test", True),
        ("corp.test", "a.b.CORP.test", True),
        (".corp.test", "corp.test", True),
        ("*.corp.test", "a.corp.test", True),
        ("corp.test", "notcorp.test", False),
        ("corp.test:443", "corp.test", True),
        ("corp.test:8443", "corp.test", False),
        ("Corp.Test", "corp.test.", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "ten.example", False),
        ("10.1.2.3:443", "10.1.2.3", True),
        ("fd00::/8", "fd00::1", True),
        ("[fd00::1]", "fd00::1", True),
        ("[fd00::1]:443", "fd00::1", True),
        ("fd00::1", "corp.test", False),
        ("*", "anything.example", True),
        ("*.", "anything.example", False),
        (":443", "anything.example", False),
        ("<local>", "anything.example", False),
    ],
)
def test_names_past_the_proxy_are_read_as_others_read_them(past: str, host: str, passed: bool) -> None:
    """What curl and Go make of ``NO_PROXY``; what nobody can read names nobody."""
    assert passes(("other.example", past), host, 443) is passed
