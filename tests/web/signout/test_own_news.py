"""When the log is told that a browser is sent to a provider, and by which names of its user (rule R21)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any, cast

import pytest

from gateway.core.session.revocation_keys import email_key, hop_name, isid_key, subject_key
from gateway.core.session.session import Principal, Session
from gateway.core.signout import chain as chains
from gateway.core.signout.chain import Chain, ChainLimits, Done, Go, Wait
from gateway.core.signout.evidence import Evidence
from gateway.core.signout.revocation import OWN_HOP
from gateway.idp.provider import IdentityProvider, ProviderOptions
from gateway.web.signout.hops import Hops
from gateway.web.signout.own_news import MOST, OwnNews
from tests.fakes.hops import hop_of

ISSUER = "https://id.example.com"
OURS, MAIL = subject_key(ISSUER, "s-1"), email_key("alice@example.com")
NAMES = (hop_name(OURS), hop_name(MAIL))
LIMITS = ChainLimits(30, 120)
COGNITO = hop_of("cognito", kind="cognito")
OIDC = hop_of("oidc")
OKTA = hop_of("okta_signout", "https://o.example.com")


class Log:
    """What was appended, by the names that it is under."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    async def append(self, entries: Any) -> None:
        self.told.append(tuple(entry.key.removeprefix("hop:") for entry in entries))


@pytest.fixture
async def provider() -> AsyncIterator[IdentityProvider]:
    made = IdentityProvider(ProviderOptions(kind="oidc", issuer="http://127.0.0.1:9/", client_id="client"))
    yield made
    await made.close()


def listening(provider: IdentityProvider, log: Log, *, listening: bool = True) -> OwnNews:
    hops = Hops((COGNITO, OIDC, OKTA), "https://app.example.com", provider)
    return OwnNews(hops, cast("Any", log), listening=listening)


def chain_of(*hops: str, **changes: Any) -> Chain:
    begun = chains.begin(hops, LIMITS, now=1_000, nonce="nonce").chain
    return replace(begun, names=NAMES, **changes)


def session_of(*aliases: str) -> Session:
    return Session("sid", "log", Principal(ISSUER, "s-1", "alice"), aliases, 0, 0, 9, 9)


async def test_the_name_at_the_provider_comes_first(provider: IdentityProvider) -> None:
    """The provider's session is no user; where nobody listens, or nobody is signed in, no name travels along."""
    session = session_of(MAIL, OURS, isid_key(ISSUER, "sid-1"))
    assert listening(provider, Log()).names(session) == NAMES
    assert listening(provider, Log()).names(None) == ()
    assert listening(provider, Log(), listening=False).names(session) == ()
    many = session_of(*(email_key(f"{n}@example.com") for n in range(40)))
    assert len(listening(provider, Log()).names(many)) == MOST


async def test_the_log_hears_of_it_when_the_browser_is_sent(provider: IdentityProvider) -> None:
    """Once for all hops of two minutes, which one sign-out is; later than that it is another."""
    log = Log()
    news = listening(provider, log)
    step = await news.leaving(Go(chain_of("cognito", "okta_signout")), None, 1_000)
    assert (log.told, step.chain.marked) == ([NAMES], 1_000)
    onward = chains.returned(step.chain, "cognito", Evidence.CAME_BACK, LIMITS, now=1_001)
    assert onward is not None
    step = await news.leaving(onward, step.chain, 1_001)
    assert log.told == [NAMES]
    late = chains.resumed(step.chain, LIMITS, now=1_001 + OWN_HOP)
    await news.leaving(late, step.chain, 1_001 + OWN_HOP)
    assert log.told == [NAMES, NAMES[1:]]


async def test_a_provider_of_others_has_no_news_of_ours(provider: IdentityProvider) -> None:
    """Where only another's session ends, our own provider's word of this user is not spared; the next hop's is."""
    log = Log()
    news = listening(provider, log)
    step = await news.leaving(Go(chain_of("okta_signout", "cognito")), None, 1_000)
    assert (log.told, step.chain.marked) == ([NAMES[1:]], 0)
    onward = chains.returned(step.chain, "okta_signout", Evidence.CAME_BACK, LIMITS, now=1_001)
    assert onward is not None
    await news.leaving(onward, step.chain, 1_001)
    assert log.told[-1] == NAMES


async def test_nothing_is_told_where_nobody_is_sent(provider: IdentityProvider) -> None:
    """A hop that begins at our own address, a page that waits, an impatient click, the receipt."""
    log = Log()
    news = listening(provider, log)
    chain = chain_of("cognito")
    await news.leaving(Go(chain_of("oidc")), None, 1_000)
    await news.leaving(Wait(chain, 3), chain, 1_000)
    await news.leaving(Go(chain), chain, 1_000)
    await news.leaving(Done(replace(chain, closed=1_000)), chain, 1_000)
    await news.at(replace(chain, names=()), 1_000)
    assert log.told == []
    assert (await news.at(chain_of("oidc"), 1_000)).marked == 1_000
    assert log.told == [NAMES]


def test_the_names_survive_the_chains_cookie() -> None:
    """And the time at which the log was told."""
    chain = chain_of("cognito", marked=1_000)
    assert chains.FORMAT.read(chains.FORMAT.plain(chain)) == chain
