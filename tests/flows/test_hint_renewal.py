"""The hint of a sign-out is as young as the last refresh, whichever way the browser hears of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import jwt
import pytest

from tests.fakes.browser import Browser
from tests.fakes.forge import rsa_key
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.fakes.sso import Sso
from tests.flows.conftest import later
from tests.flows.provided import House, house
from tests.flows.stores import COOKIE, in_redis, redis_with_tls

pytestmark = pytest.mark.usefixtures("the_clock_stands")
HOURS = "session:\n  key_files: [session-key]\n  idle: 12h\n"
DUE = 3_300
"""Seconds after which tokens of an hour are refreshed."""


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_with_tls(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(params=["cookie", "ticket"])
async def here(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[House]:
    """A provider that is about to sign with another key, and then knows the older one no more."""
    sso = Sso("keycloak")
    sso.published = [rsa_key("new")]
    store = COOKIE
    if request.param == "ticket":
        store = in_redis(request.getfixturevalue("redis"), tmp_path)
    async with house(tmp_path, sso, session=HOURS, store=store) as running:
        yield running


async def refreshed(here: House, browser: Browser) -> None:
    """A request that finds the tokens due; they are there when this returns, and the browser has not heard of it."""
    sso = here.sso
    sso.key, sso.published = sso.published[0], []
    assert "the application" in (await browser.goto(here.app)).text
    async with asyncio.timeout(PATIENCE):
        while not sso.refreshes:
            await asyncio.sleep(0.01)
        await here.gateway.refresher.close()


def hint_key(here: House) -> str:
    """The key that signed the hint of the last sign-out."""
    return str(jwt.get_unverified_header(here.sso.sign_outs[-1][1]["id_token_hint"])["kid"])


async def test_trap_40_a_hint_is_as_young_as_the_last_refresh(here: House) -> None:
    """The provider has withdrawn the key of the sign-in's: that one would end on `Invalid parameter: id_token_hint`."""
    browser = here.browser()
    await here.sign_in(browser)
    with later(DUE):
        await refreshed(here, browser)
        await browser.goto(here.app)
        assert (await here.sign_out(browser)).path == "/logged-out"
        assert hint_key(here) == "new"
        assert await here.evidence(browser) == {"keycloak": "session_ended"}
    assert here.sso.sessions == {}


async def test_a_sign_out_right_after_the_refresh_has_its_hint(here: House) -> None:
    """No answer has brought the browser the new generation yet."""
    browser = here.browser()
    await here.sign_in(browser)
    with later(DUE):
        await refreshed(here, browser)
        assert (await here.sign_out(browser)).path == "/logged-out"
        assert hint_key(here) == "new"
    assert here.sso.sessions == {}


async def test_the_renewed_hint_is_sent_to_the_logout_alone(here: House) -> None:
    """Neither the session's own cookie nor any other has it, and where it does not fit the one of before stays."""
    browser = here.browser()
    await here.sign_in(browser)
    here.sso.padding = 9_000
    with later(DUE):
        older = here.sso.key
        await refreshed(here, browser)
        here.sso.published = [older]  # else the older hint would not be sent
        await browser.goto(here.app)
        lines = [line for seen in browser.seen for line in seen.set_cookies()]
        assert all("Path=/logout" in line for line in lines if line.startswith("__Secure-session-hint="))
        assert "__Secure-session-hint" in browser.cookie_names(here.app)
        assert (await here.sign_out(browser)).status == 400
        assert hint_key(here) == "sso"
