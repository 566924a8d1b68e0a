"""What proves a return, which hops need no browser, and which of two a receipt tells of (rules R18, R28)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from gateway.core.signout import chain as chains
from gateway.core.signout.chain import FAILED, RETURNED, SKIPPED, Chain, ChainLimits, HopState
from gateway.core.signout.evidence import Asked, Evidence
from gateway.idp.provider import IdentityProvider, ProviderOptions
from gateway.oidc.signout.logout import Form, Hop, Redirect, Skip
from gateway.web.signout.hops import HOP, LOGGED_OUT, Hops
from tests.fakes.hops import hop_of

APP = "https://app.example.com"
OIDC = hop_of("oidc", kind="okta")
OIDC = replace(OIDC, way=replace(OIDC.way, derived="https://okta.example.com/v1/logout"))  # type: ignore[type-var]  # a dataclass, whichever way it is
ANY = hop_of("oidc")
OKTA = hop_of("okta_signout", "https://okta.example.com", kind="okta")
COGNITO = hop_of("cognito", kind="cognito", domain="https://c.auth.example.com")
GOOGLE = hop_of("google", kind="google")
ENTRA = hop_of("entra", kind="entra")
URL = hop_of("url", "https://x.example.com/out")


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    """One that nobody has reached."""
    made = IdentityProvider(ProviderOptions(kind="oidc", issuer="http://127.0.0.1:9/", client_id="client"))
    yield made
    await made.close()


def chain_of(*names: str, **changes: object) -> Chain:
    begun = chains.begin(names, ChainLimits(30, 120), now=1, nonce="the-nonce", sid="sid-1").chain
    return replace(begun, **changes)  # type: ignore[arg-type]  # fields of a chain


def hops_of(provider: IdentityProvider, *hops: Hop) -> Hops:
    return Hops(hops, APP, provider)


async def test_a_plain_hop_begins_at_its_own_address(provider: IdentityProvider) -> None:
    """Cognito's address is constant; Okta's return address ends in this chain's return nonce."""
    hops = hops_of(provider, COGNITO, OKTA)
    assert hops.location(chain_of("cognito")).startswith(
        "https://c.auth.example.com/logout?client_id=client&"
    )
    chain = chain_of("okta_signout")
    assert hops.location(chain).endswith(f"done%2Fokta_signout%2F{chain.return_nonce('okta_signout')}")


async def test_r18_a_hop_that_needs_the_hint_begins_at_our_own_address(provider: IdentityProvider) -> None:
    """The cookie is seen nowhere else; whether the hop is skipped is decided there too."""
    hops = hops_of(provider, OIDC)
    assert hops.location(chain_of("oidc")) == HOP
    assert hops.unasked(chain_of("oidc")) is None
    form = await hops.act(chain_of("oidc"), "the-token")
    assert isinstance(form, Form)
    assert dict(form.fields)["state"] == chain_of("oidc").return_nonce("oidc")
    assert isinstance(await hops.act(chain_of("oidc"), None), Skip)


@pytest.mark.parametrize(
    ("hop", "asked", "nonce", "state", "evidence"),
    [
        (COGNITO, "", "", None, "ended_address_reached"),
        (COGNITO, "", "", "whatever", "ended_address_reached"),
        (COGNITO, "", "RIGHT", None, None),
        (OKTA, "", "RIGHT", None, "session_ended"),
        (OKTA, "", "", "RIGHT", None),
        (OKTA, "", "wrong", None, None),
        (OIDC, "hint", "", "RIGHT", "session_ended"),
        (OIDC, "again", "", "RIGHT", "came_back"),
        (OIDC, "hint", "", "wrong", None),
        (OIDC, "hint", "", "", None),
        (OIDC, "hint", "", None, None),
        (OIDC, "hint", "RIGHT", None, None),
        (ANY, "hint", "", "RIGHT", "came_back"),
        (ANY, "no_hint", "", "RIGHT", "came_back"),
        (ENTRA, "hint", "", "RIGHT", "session_ended"),
        (ENTRA, "hint", "", None, "ended_address_reached"),
        (ENTRA, "no_hint", "", "RIGHT", "came_back"),
        (ENTRA, "no_hint", "", None, "address_reached"),
        (ENTRA, "hint", "", "wrong", None),
        (URL, "", "", None, "address_reached"),
        (URL, "", "RIGHT", None, None),
    ],
)
async def test_r28_a_return_proves_what_the_provider_lets_it_prove(
    provider: IdentityProvider, hop: Hop, asked: str, nonce: str, state: str | None, evidence: str | None
) -> None:
    """By the path, the state, or nothing; and that a session is over only where this provider is known to lead back so."""
    chain = chains.sent(chain_of(hop.name), Asked(asked))
    right = chain.return_nonce(hop.name)
    given = (nonce.replace("RIGHT", right), state.replace("RIGHT", right) if state is not None else None)
    assert hops_of(provider, hop).evidence(chain, hop.name, *given) == evidence


async def test_r28_no_two_chains_and_no_two_hops_share_a_ticket(provider: IdentityProvider) -> None:
    """The state of an older chain, or of another hop, proves nothing; what is no hop of ours neither."""
    hops, chain = hops_of(provider, OIDC), chain_of("oidc")
    assert hops.evidence(chain, "oidc", "", chain_of("oidc", nonce="older").return_nonce("oidc")) is None
    assert hops.evidence(chain, "oidc", "", chain.return_nonce("okta_signout")) is None
    assert hops.evidence(chain, "oidc", "", "é\udcff") is None
    assert hops.evidence(chain, "okta", "", chain.return_nonce("okta")) is None


async def test_a_hop_with_nothing_to_ask_is_skipped_with_the_reason(provider: IdentityProvider) -> None:
    """Google has no such address."""
    unasked = hops_of(provider, GOOGLE).unasked(chain_of("google"))
    assert unasked is not None
    assert (unasked.status, unasked.why) == (SKIPPED, Evidence.NO_ENDPOINT)


async def test_r28_a_hop_that_left_the_configuration_is_not_confirmed(provider: IdentityProvider) -> None:
    """The browser may have been sent there before, so it is not called skipped."""
    hops = hops_of(provider, OIDC)
    unasked = hops.unasked(chain_of("okta_signout"))
    assert unasked is not None
    assert (unasked.status, unasked.why) == (FAILED, Evidence.NOT_CONFIGURED)
    assert hops.location(chain_of("okta_signout")) == LOGGED_OUT
    assert await hops.act(chain_of("okta_signout"), None) == Redirect(LOGGED_OUT)


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        ("pending", "pending", "oidc"),
        (RETURNED, SKIPPED, "oidc"),
        (SKIPPED, "pending", "okta_signout"),
        (SKIPPED, RETURNED, "okta_signout"),
        (FAILED, RETURNED, "okta_signout"),
        (FAILED, FAILED, "okta_signout"),
    ],
)
async def test_a_hop_and_the_one_in_its_stead_are_one_line(
    provider: IdentityProvider, first: str, second: str, shown: str
) -> None:
    """Both end one session: the receipt tells of the one that counted."""
    hops = hops_of(provider, COGNITO, OIDC, replace(OKTA, instead_of="oidc"))
    states = (
        HopState("cognito", RETURNED),
        HopState("oidc", first, evidence=Evidence.SESSION_ENDED if first == RETURNED else ""),
        HopState("okta_signout", second),
    )
    chain = replace(chain_of("cognito", "oidc", "okta_signout"), hops=states)
    assert [hop.name for hop in hops.effective(chain)] == ["cognito", shown]


async def test_the_hop_in_its_stead_is_walked_unless_the_first_ended_the_session(
    provider: IdentityProvider,
) -> None:
    """It is what is left where the hint is lost, where an error page stranded the browser, or a return proved nothing."""
    hops = hops_of(provider, OIDC, replace(OKTA, instead_of="oidc"))
    ends = (
        (RETURNED, Evidence.SESSION_ENDED, False),
        (RETURNED, Evidence.CAME_BACK, True),
        (SKIPPED, Evidence.NO_HINT, True),
        (FAILED, Evidence.NO_RETURN, True),
    )
    for status, evidence, walked in ends:
        states = (HopState("oidc", status, evidence=evidence), HopState("okta_signout"))
        unasked = hops.unasked(replace(chain_of("oidc", "okta_signout"), hops=states, index=1))
        assert (unasked is None) is walked, status
        assert unasked is None or unasked.status == SKIPPED


async def test_a_provider_that_was_never_reached_is_said_to_be_that(provider: IdentityProvider) -> None:
    """Not that it has no sign-out: that is not known."""
    hops = hops_of(provider, ANY)
    assert await hops.act(chain_of("oidc"), "the-token") == Skip(Evidence.ENDPOINT_UNKNOWN)


async def test_the_second_try_is_asked_for_as_one(provider: IdentityProvider) -> None:
    """Without the hint, as this provider's keys cannot be read: what stranded the browser does not strand it again."""
    hops = hops_of(provider, replace(ANY, way=replace(ANY.way, derived="https://id.example.com/end")))  # type: ignore[type-var]  # any way has an address
    first = chain_of("oidc")
    second = chains.resumed(first, ChainLimits(30, 120), now=100).chain
    act, again = await hops.act(first, "the-token"), await hops.act(second, "the-token")
    assert isinstance(act, Redirect)
    assert isinstance(again, Redirect)
    assert ("the-token" in act.url, act.how) == (True, Asked.HINT)
    assert ("the-token" in again.url, again.how) == (False, Asked.AGAIN)
