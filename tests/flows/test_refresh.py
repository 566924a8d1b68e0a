"""Sessions are refreshed beside the requests that carry them, and nobody notices (rules R10 and R24)."""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from gateway.core.session.session import Session
from gateway.web.session.renewal import Renewed
from tests.fakes.browser import Browser, Loopback
from tests.fakes.patience import PATIENCE
from tests.fakes.upstream import FakeUpstream, always, reply
from tests.flows.conftest import Stand, later, standing
from tests.flows.revoked import nothing_waits
from tests.flows.stores import BOTH, Store

pytestmark = pytest.mark.usefixtures("the_clock_stands")
STORES = BOTH

TOKENS = 30
"""Seconds that the tokens of a sign-in live, and those of a refresh that a test wants to be due as well."""
SOON = 27
"""Seconds after which they are due for a refresh, and would be so again no sooner than 24 seconds after that."""
OVER = 31
"""Seconds after which they have expired."""
LONG = 3_600
"""Seconds that tokens live which are not to become due again, however slow the machine is."""


async def signed_in(stand: Stand, browser: Browser, **switches: str | int | bool) -> str:
    """A session whose tokens live for half a minute; its cookies."""
    stand.set(token_seconds=TOKENS, **switches)
    await stand.sign_in(browser, "/api/me")
    return browser.cookie_header(stand.app)


def refreshes(stand: Stand) -> int:
    """How many times the token endpoint was asked after the sign-in."""
    calls = stand.idp.control.cognito.snapshot()["calls"]
    return [call["path"] for call in calls].count("/oauth2/token") - 1


def living(stand: Stand) -> int:
    tokens = stand.idp.control.cognito.snapshot()["tokens"]
    return sum(token["kind"] == "refresh" and not token["revoked"] for token in tokens)


async def settled(stand: Stand) -> None:
    """No refresh is under way."""
    async with asyncio.timeout(PATIENCE):
        while stand.gateway.refresher._under_way:
            await asyncio.sleep(0.01)


@dataclass
class Way:
    """Between the provider and a gateway. ``answered``: an answer to a refresh is on it; ``open``: it goes through."""

    answered: asyncio.Event = field(default_factory=asyncio.Event)
    open: asyncio.Event = field(default_factory=asyncio.Event)


@contextmanager
def unheard(stand: Stand) -> Iterator[Way]:
    """The provider's answers to refreshes do not come before the way is open, or this is over."""
    renewal, way = stand.gateway.refresher._renewal, Way()
    original = renewal.of

    async def late(session: Session) -> Renewed:
        renewed = await original(session)
        way.answered.set()
        await way.open.wait()
        return renewed

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(renewal, "of", late)
        yield way
    way.open.set()


@pytest.mark.parametrize("rotation", [False, True], ids=["kept", "rotated"])
async def test_r10_two_hundred_requests_around_the_expiry(
    stand: Stand, browser: Browser, rotation: bool
) -> None:
    """One refresh, no 401, and afterwards every copy of the old cookie is answered with the new one; a ticket stays."""
    old = await signed_in(stand, browser, refresh_rotation=rotation)
    stand.set(token_seconds=LONG)
    connector = aiohttp.TCPConnector(resolver=Loopback(), use_dns_cache=False, limit=0)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as client:

        async def fetch() -> tuple[int, bool]:
            headers = {"Cookie": old, "Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin"}
            async with client.get(f"{stand.app}/api/me", headers=headers) as answer:
                await answer.read()
                return answer.status, "__Host-session" in answer.headers.get("Set-Cookie", "")

        with later(SOON):
            with unheard(stand):
                seen = Counter(await asyncio.gather(*(fetch() for _ in range(200))))
            assert seen == {(200, False): 200}
            await settled(stand)
            assert Counter(await asyncio.gather(*(fetch() for _ in range(20)))) == {
                (200, not stand.gateway.sessions.remote): 20
            }
            await settled(stand)
    assert refreshes(stand) == 1


async def test_the_browser_goes_on_with_the_next_generation(stand: Stand, browser: Browser) -> None:
    """Refresh after refresh, each with the token of the one before."""
    await signed_in(stand, browser, refresh_rotation=True)
    for number in range(1, 4):
        with later(number * SOON):
            assert (await browser.fetch(f"{stand.app}/api/me")).status == 200
            await settled(stand)
            assert (await browser.fetch(f"{stand.app}/api/me")).status == 200
            await settled(stand)
        assert refreshes(stand) == number


async def test_r10_a_sign_out_after_a_refresh_kills_every_generation(stand: Stand, browser: Browser) -> None:
    """The older copy and the newer one, and the token that only the newer one holds."""
    old = await signed_in(stand, browser, refresh_rotation=True)
    with later(SOON):
        await browser.fetch(f"{stand.app}/api/me")
        await settled(stand)
        await browser.fetch(f"{stand.app}/api/me")
        new = browser.cookie_header(stand.app)
        assert (new == old) is stand.gateway.sessions.remote
        await stand.sign_out(browser)
        for copied in (old, new):
            thief = stand.browser()
            seen = await thief.fetch(f"{stand.app}/api/me", Cookie=copied)
            assert seen.status == 401
        await nothing_waits(stand.gateway)
    assert living(stand) == 0


async def test_r10_a_sign_out_by_an_older_copy_kills_the_newest_token(stand: Stand, browser: Browser) -> None:
    """The browser had lost the answer with the new cookie."""
    await signed_in(stand, browser, refresh_rotation=True)
    with later(SOON):
        await browser.fetch(f"{stand.app}/api/me")
        await settled(stand)
        await stand.sign_out(browser)
        await nothing_waits(stand.gateway)
    assert living(stand) == 0


async def test_who_was_disabled_at_the_provider_is_signed_out_everywhere(
    stand: Stand, browser: Browser
) -> None:
    """The refusal ends the session, its WebSocket too, and the next navigation enters the chain (R1)."""
    old = await signed_in(stand, browser)
    for token in stand.idp.cognito.common.issued:
        token.revoked = True
    connector = aiohttp.TCPConnector(resolver=Loopback(), use_dns_cache=False)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as client:
        sock = await client.ws_connect(f"{stand.app}/api/live", headers={"Cookie": old, "Origin": stand.app})
        with later(SOON):
            await browser.fetch(f"{stand.app}/api/me")
            await settled(stand)
            assert (await browser.fetch(f"{stand.app}/api/me")).status == 401
            while (message := await sock.receive(PATIENCE)).type is aiohttp.WSMsgType.TEXT:
                pass
            assert message.data == 4401
            seen = await browser.goto(f"{stand.app}/api/me", until=stand.cognito)
            assert seen.location.startswith(stand.cognito)
            assert "/logout" in seen.location
    assert "revoked" in stand.told()


@pytest.mark.parametrize("answer", ["429", "500"])
async def test_r10_a_provider_in_trouble_signs_nobody_out(
    stand: Stand, browser: Browser, answer: str
) -> None:
    """The session goes on, and the provider is left alone for a while."""
    await signed_in(stand, browser)
    stand.set(token_answer=answer)
    with later(SOON):
        for _ in range(5):
            assert (await browser.fetch(f"{stand.app}/api/me")).status == 200
            await settled(stand)
    assert refreshes(stand) == 1


async def test_p24_the_session_endpoint_neither_refreshes_nor_prolongs(
    stand: Stand, browser: Browser
) -> None:
    """Its countdown goes down, whoever asks however often."""
    await signed_in(stand, browser)
    with later(SOON):
        first = await browser.fetch(f"{stand.app}/oauth2/session")
        assert first.set_cookies() == []
    with later(SOON + 20):
        second = await browser.fetch(f"{stand.app}/oauth2/session")
    told = [json.loads(seen.text) for seen in (first, second)]
    for name in ("expires_in", "idle_in"):
        assert told[0][name] - told[1][name] >= 19
    assert refreshes(stand) == 0


@asynccontextmanager
async def with_tokens(directory: Path, store: Store) -> AsyncIterator[tuple[Stand, FakeUpstream]]:
    """A gateway that sends access tokens to its upstream."""
    upstream = await FakeUpstream(always(reply())).start()
    route = f'path: /echo/, url: "{upstream.url}"}}\n  - {{path: /api/,'
    options = {"path: /api/,": route, "{user: email}": "{user: email, authorization: true}"}
    async with standing(directory, store=store, replaced=options) as stand:
        yield stand, upstream
    await upstream.close()


async def test_an_upstream_gets_an_access_token_that_is_good(
    tmp_path: Path, store: Callable[[Path], Store]
) -> None:
    """The request that meets an expired one waits for the refresh and goes on with the new one; so do the others."""
    async with with_tokens(tmp_path, store(tmp_path)) as (stand, upstream):
        browser = stand.browser()
        await signed_in(stand, browser)
        await browser.fetch(f"{stand.app}/echo/", Authorization="Bearer of-the-client")
        with later(OVER):
            answers = await asyncio.gather(*(browser.fetch(f"{stand.app}/echo/") for _ in range(10)))
            assert {seen.status for seen in answers} == {200}
        first, *others = [call.values(b"authorization")[0].decode() for call in upstream.calls]
        assert len(set(others)) == 1
        assert others[0] != first
        for token in (first, others[0]):
            claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
            assert (token[:7], claims["token_use"]) == ("Bearer ", "access")
        assert refreshes(stand) == 1


async def test_an_upstream_never_gets_an_expired_access_token(
    tmp_path: Path, store: Callable[[Path], Store]
) -> None:
    """While the provider is away there is a clear 502 instead; the session stays."""
    async with with_tokens(tmp_path, store(tmp_path)) as (stand, upstream):
        browser = stand.browser()
        await signed_in(stand, browser)
        stand.set(token_answer="500")
        with later(OVER):
            seen = await browser.fetch(f"{stand.app}/echo/")
            assert (seen.status, json.loads(seen.text)["code"]) == (502, "provider")
        assert upstream.calls == []
        assert (await browser.fetch(f"{stand.app}/oauth2/session")).status == 200
