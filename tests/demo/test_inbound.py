"""Sessions of the application ended from Okta's side, as somebody sees it who runs the demo."""

from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.demo.combinations import COMBINATIONS
from gateway.demo.okta.outbound.security_event import SECURITY_EVENT
from gateway.demo.okta.outbound.universal_logout import UNIVERSAL_LOGOUT
from tests.fakes.browser import Browser, Loopback
from tests.fakes.patience import PATIENCE
from tests.flows.conftest import Stand, later, standing

FRAME = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"}
WITH_OKTA = [name for name in COMBINATIONS if name != "cognito"]
GOOD = {"good", "no_kid"}
TAKEN_AS_GOOD = {
    "no_exp",
    "unasked_state",
    "wrong_sub",
    "sub_at_the_top",
    "exp_at_the_top",
    "expired",
    "too_old",
}
"""Security events have no `exp`; those that are late, or say more than they should, count all the same."""
LATER = 2
"""Seconds by which a sign-in is surely after what happened before it, in clocks that count seconds."""


async def signed_in(stand: Stand, user: str = "alice@example.com") -> str:
    """The cookies of a session in a browser of its own."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me", user=user)
    return browser.cookie_header(stand.app)


async def status(stand: Stand, cookies: str) -> int:
    """Of a fetch with copied cookies."""
    return (await stand.browser().fetch(f"{stand.app}/api/me", Cookie=cookies)).status


async def sent(stand: Stand, kind: str, **wishes: Any) -> int:
    """What the gateway answers to one message."""
    [answer] = await stand.idp.sender.send(kind, **wishes)
    return answer.status


async def press(stand: Stand, action: str) -> None:
    """Press one of alice's buttons on the administrator's page."""
    browser: Browser = stand.browser()
    form = f"user=alice%40example.com&action={action}"
    page = await browser.send("POST", f"{stand.okta}/admin", {"Origin": stand.okta}, form)
    assert page.status == 303


@pytest.mark.parametrize("federation", WITH_OKTA)
@pytest.mark.parametrize("action", ["clear", "suspend"])
async def test_an_administrator_of_okta_ends_the_session_at_once(
    tmp_path: Path, federation: str, action: str
) -> None:
    """Her cookies are dead and her WebSocket is closed; bob stays. However Cognito, if any, has asked Okta."""
    async with standing(tmp_path, federation=federation) as stand:
        alice, bob = await signed_in(stand), await signed_in(stand, "bob@example.com")
        connector = aiohttp.TCPConnector(resolver=Loopback(), use_dns_cache=False)
        async with aiohttp.ClientSession(connector=connector) as client:
            headers = {"Cookie": alice, "Origin": stand.app}
            sock = await client.ws_connect(f"{stand.app}/api/live", headers=headers)
            with later(LATER):
                await press(stand, action)
            while (message := await sock.receive(timeout=PATIENCE)).type is aiohttp.WSMsgType.TEXT:
                pass

        assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4401)
        assert (await status(stand, alice), await status(stand, bob)) == (401, 200)


@pytest.mark.parametrize("form", UNIVERSAL_LOGOUT.choices["format"])
async def test_universal_logout_knows_the_user_by_every_name_that_okta_uses(
    tmp_path: Path, form: str
) -> None:
    """An address, issuer and subject, or Okta's bare user id."""
    async with standing(tmp_path, federation="okta") as stand:
        alice = await signed_in(stand)
        with later(LATER):
            assert await sent(stand, "universal_logout", format=form) == 204

        assert await status(stand, alice) == 401


async def test_no_spoiled_message_ends_anything(tmp_path: Path) -> None:
    """Whatever is wrong with it, it is refused, and the session lives.

    A key that nobody knows may be a new one: 503 asks to come again while the keys were fetched just now.
    """
    async with standing(tmp_path, federation="okta") as stand:
        alice = await signed_in(stand)
        with later(LATER):
            for name in UNIVERSAL_LOGOUT.variants:
                if name not in GOOD:
                    assert await sent(stand, "universal_logout", variant=name) in {400, 401, 403, 422}, name
            for name in SECURITY_EVENT.variants:
                if name not in GOOD | TAKEN_AS_GOOD:
                    for shape in SECURITY_EVENT.choices["shape"]:
                        answered = await sent(stand, "security_event", variant=name, shape=shape)
                        assert answered == 400 or (answered, name) == (503, "unknown_kid"), name
            for secret in ("wrong", "missing"):
                events = ["user.session.clear"]
                assert await sent(stand, "event_hook", events=events, secret=secret) == 401
            assert await sent(stand, "event_hook", variant="malformed_body") == 400

        assert await status(stand, alice) == 200


async def test_a_hook_answers_its_challenge_and_a_plain_sign_out_ends_nothing_here(tmp_path: Path) -> None:
    """The value comes back; `user.session.end` is acknowledged and left alone unless the operator wants it."""
    async with standing(tmp_path, federation="saml") as stand:
        alice = await signed_in(stand)
        with later(LATER):
            [challenged] = await stand.idp.sender.send("event_hook", variant="challenge")
            assert await sent(stand, "event_hook", events=["user.session.end"]) == 204

        assert (challenged.status, list(json.loads(challenged.body))) == (200, ["verification"])
        assert await status(stand, alice) == 200


@pytest.mark.parametrize("shape", SECURITY_EVENT.choices["shape"])
@pytest.mark.parametrize("event", ["session-revoked", "account-disabled"])
async def test_a_security_event_ends_the_session(tmp_path: Path, shape: str, event: str) -> None:
    """In Okta's shape and in that of SSF 1.0; what is about the stream is acknowledged before."""
    async with standing(tmp_path, federation="okta") as stand:
        alice = await signed_in(stand)
        with later(LATER):
            assert await sent(stand, "security_event", events=["verification"], shape=shape) == 202
            assert await status(stand, alice) == 200
            assert await sent(stand, "security_event", events=[event], shape=shape) == 202

        assert await status(stand, alice) == 401


async def test_a_sign_out_at_okta_reaches_the_application_through_an_iframe(tmp_path: Path) -> None:
    """The frame is cross-site and carries no cookie of ours; the session is dead all the same."""
    async with standing(tmp_path, federation="okta") as stand:
        stand.set(signout_fans_out=True)
        browser = stand.browser()
        await stand.sign_in(browser, "/api/me")
        copied = browser.cookie_header(stand.app)

        page = await browser.goto(f"{stand.okta}/login/signout")
        [address] = re.findall(r'<iframe [^>]*src="([^"]*)"', page.text)
        thief = stand.browser()
        framed = await thief.send("GET", unescape(address), FRAME, None)

        assert (framed.status, framed.header("X-Frame-Options")) == (200, "")
        assert (await thief.fetch(f"{stand.app}/api/me", Cookie=copied)).status == 401
