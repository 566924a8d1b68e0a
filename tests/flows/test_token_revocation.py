"""The refresh token is revoked after the provider's own hop, and in any case (``core/signout/token_hold.py``)."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.core import clock
from gateway.core.session.revocation_keys import email_key
from gateway.core.signout.revocation import NewEntry
from tests.fakes.browser import Browser, Seen
from tests.fakes.patience import PATIENCE
from tests.fakes.serving import AMPLE, Alone, MachineClock, Serving, launched, serving
from tests.flows.conftest import Stand, later
from tests.flows.revoked import called, nothing_waits, of_tokens
from tests.flows.stores import BOTH, of_files

pytestmark = pytest.mark.usefixtures("the_clock_stands")
STORES = BOTH
SLO = {"federation": "slo"}
"""Cognito takes the browser on to Okta, by SAML single logout, and so needs to know whose session it is to end."""
NO_HOP = {"replaced": {'  chain: [cognito, {okta_signout: "': '  chain: [{okta_signout: "'}}


async def press(stand: Stand, browser: Browser) -> Seen:
    return await browser.navigate(f"{stand.app}/logout", method="POST", body="", site="same-origin")


@pytest.mark.parametrize("stand", [SLO], indirect=True)
async def test_trap_38_the_provider_behind_is_told_before_a_revocation_ends_the_session(stand: Stand) -> None:
    """Where a revocation ends the provider's session, as at Keycloak, its own single logout needs that before."""
    stand.set(revocation_ends_session=True)
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    answer = await press(stand, browser)
    await asyncio.sleep(
        0.2
    )  # a browser is as slow as that; however slow it is, it must come before the revocation
    end = await browser.follow(answer, site="same-origin")

    assert end.path == "/logged-out"
    assert stand.idp.okta.live_sessions() == stand.idp.cognito.live_sessions() == []
    await nothing_waits(stand.gateway)
    assert of_tokens(stand) == [True]
    asked = [path for path in called(stand) if path in {"/logout", "/saml2/logout", "/oauth2/revoke"}]
    assert asked == ["/logout", "/saml2/logout", "/oauth2/revoke"]
    assert [event.kind.value for event in stand.audit if "token" in event.kind.value] == ["token_revoked"]


@pytest.mark.parametrize("stand", [SLO], indirect=True)
async def test_r01_a_session_ended_from_elsewhere_waits_for_its_browsers_chain(stand: Stand) -> None:
    """An operator ends it, and the browser hears of it with its next navigation."""
    stand.set(revocation_ends_session=True)
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    await stand.gateway.log.append([NewEntry(email_key("alice@example.com"), clock.now() + 50_000, "admin")])
    answer = await browser.goto(f"{stand.app}/api/me", until=stand.cognito)
    await asyncio.sleep(0.2)
    assert of_tokens(stand) == [False]
    await browser.follow(answer, site="same-origin")

    assert stand.idp.okta.live_sessions() == stand.idp.cognito.live_sessions() == []
    await nothing_waits(stand.gateway)
    assert of_tokens(stand) == [True]


@pytest.mark.parametrize("stand", [SLO], indirect=True)
async def test_r01_a_refused_callback_s_token_waits_for_the_chain_that_comes_first(stand: Stand) -> None:
    """A browser without a session of ours, whose user was ended: the callback begins the chain and has a token left."""
    stand.set(revocation_ends_session=True)
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    browser.cookies = {key: value for key, value in browser.cookies.items() if key[0] not in stand.app}
    await stand.gateway.log.append([NewEntry(email_key("alice@example.com"), clock.now() + 50_000, "admin")])
    answer = await browser.goto(f"{stand.app}/api/me", until=f"{stand.cognito}/logout")
    await asyncio.sleep(0.2)
    assert of_tokens(stand) == [False, False]
    end = await browser.follow(answer, site="same-origin")

    assert end.asks_for_password  # signed out everywhere, and then led on to the sign-in that was interrupted
    assert stand.idp.okta.live_sessions() == stand.idp.cognito.live_sessions() == []
    await nothing_waits(stand.gateway)
    assert of_tokens(stand) == [False, True]  # the first one went with the cookies that the test took away


@of_files
async def test_a_tab_that_is_closed_revokes_in_the_end(stand: Stand) -> None:
    """When the barrier is down, and not before; nothing of it is left then."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    await press(stand, browser)
    with later(100):
        await stand.gateway.tokens._look()
        assert of_tokens(stand) == [False]
    with later(121):
        stand.gateway.tokens._wake.set()
        await nothing_waits(stand.gateway)
        assert of_tokens(stand) == [True]


@of_files
async def test_a_chain_that_goes_on_later_makes_it_wait_for_its_hop(stand: Stand) -> None:
    """A hop that is tried again after its deadline is under way again."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    await press(stand, browser)
    with later(115):
        again = await browser.navigate(f"{stand.app}/api/me")  # the hop once more, for 30 seconds from now
        assert again.location.startswith(f"{stand.cognito}/logout")
        await asyncio.gather(*stand.gateway.tokens._beside)
    with later(130):
        await stand.gateway.tokens._look()
        assert of_tokens(stand) == [False]
        await browser.follow(again, site="same-origin")
        await nothing_waits(stand.gateway)
        assert of_tokens(stand) == [True]


@pytest.mark.parametrize("stand", [NO_HOP], indirect=True)
async def test_without_a_hop_of_the_provider_it_is_revoked_at_once(stand: Stand) -> None:
    """No other hop is waited for."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    await press(stand, browser)
    await nothing_waits(stand.gateway)

    assert of_tokens(stand) == [True]
    assert "/logout" not in called(stand)


async def test_the_token_of_a_sign_in_that_cannot_be_verified_is_revoked(stand: Stand) -> None:
    """Nobody has it, and nothing is left to walk a chain for."""
    browser = stand.browser()
    form = await browser.goto(f"{stand.app}/api/me")
    stand.set(cognito_keys=2, keys_answer="503")  # signed with a key that cannot be had
    page = await browser.submit(form, username="alice@example.com", password="demo")
    assert page.status == 502
    await nothing_waits(stand.gateway)

    assert of_tokens(stand) == [True]


LATER = 200
"""Seconds after which no hop and no barrier is waited for any more."""


@asynccontextmanager
async def left_at_the_provider(
    directory: Path, machine: MachineClock, *, workers: int
) -> AsyncIterator[tuple[Serving, int]]:
    """Somebody who has pressed the button and gone away; and the process id of the worker that answered."""
    async with serving(directory, workers=workers, env={**machine.environment, **AMPLE}) as gateway:
        browser = gateway.browser()
        answering = min(gateway.workers().values(), default=gateway.process.pid)
        with Alone(gateway, answering):
            await gateway.sign_in(browser)
            answer = await browser.navigate(
                f"{gateway.app}/logout", method="POST", body="", site="same-origin"
            )
        assert answer.status == 303
        yield gateway, answering


async def revoked(gateway: Serving) -> None:
    """The provider has been asked, and nothing else has happened to it."""
    assert gateway.idp is not None
    issued = gateway.idp.cognito.common.issued
    async with asyncio.timeout(PATIENCE):
        while not all(token.revoked for token in issued if token.kind == "refresh"):
            await asyncio.sleep(0.02)
    assert "/logout" not in [call.path for call in gateway.idp.cognito.common.calls]


@pytest.fixture
def machine(tmp_path: Path) -> MachineClock:
    return MachineClock(tmp_path / "clock")


async def test_a_kill_of_everything_loses_no_token(tmp_path: Path, machine: MachineClock) -> None:
    """SIGKILL to all processes as soon as the sign-out is answered; the next start revokes."""
    async with left_at_the_provider(tmp_path, machine, workers=1) as (gateway, _):
        for pid in (gateway.process.pid, *gateway.children().values()):
            os.kill(pid, signal.SIGKILL)
        await gateway.process.wait()
        assert gateway.idp is not None
        assert not any(token.revoked for token in gateway.idp.cognito.common.issued)
        machine.set_by(LATER)
        gateway.process = await launched(gateway.config, workers=1, accept_for=0.1, env=machine.environment)
        await gateway.until("/readyz", 200)
        await revoked(gateway)


async def test_another_worker_takes_over_from_one_that_was_killed(
    tmp_path: Path, machine: MachineClock
) -> None:
    """SIGKILL to the one that answered the sign-out, which alone knew of it."""
    async with left_at_the_provider(tmp_path, machine, workers=2) as (gateway, answered):
        os.kill(answered, signal.SIGKILL)
        machine.set_by(LATER)
        await revoked(gateway)
