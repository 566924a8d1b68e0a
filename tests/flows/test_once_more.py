"""After a revocation by person: one password where the provider says when it was given, else one round that says why.

The revocation is of everybody of that name, and lasts as long as a session can. What it must not do is to ask whoever
has just proved who they are for the password again, to lose the page they wanted, or to do so in the same browser twice;
and what must not happen is that a provider that remembers somebody lets them in without a question (rule R1).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.core import clock
from gateway.core.session.revocation_keys import email_key
from gateway.core.signout.revocation import EVENT_SKEW, NewEntry
from gateway.web.pages.catalogue import message
from gateway.web.reasons import BY_OPERATOR
from tests.fakes.browser import Browser, Seen
from tests.flows.conftest import Stand, later, standing, switched
from tests.flows.stores import BOTH

pytestmark = pytest.mark.usefixtures("the_clock_stands")
STORES = ("cookie",)
ALICE = {"username": "alice@example.com", "password": "demo"}
LINK = "/api/reports?from=mail&x=%2F"
WHY = message("ended.operator")


async def revoked(stand: Stand, *, reason: str = BY_OPERATOR, event_time: int | None = None) -> None:
    """What `gateway sessions revoke --email` writes into the log, or an event of an administrator's at Okta."""
    entry = NewEntry(email_key(ALICE["username"]), clock.now() + 43_260, reason, event_time)
    assert (await stand.gateway.log.append([entry])).durable


def asked(browser: Browser) -> int:
    """How many passwords were given."""
    return sum(seen.status == 303 and "/login/login.htm" in seen.url for seen in browser.seen)


def reasons(browser: Browser) -> list[Seen]:
    return [seen for seen in browser.seen if message("once_more.title") in seen.text]


def requests_for(browser: Browser, what: str) -> list[str]:
    return [seen.url for seen in browser.seen if what in urlsplit(seen.url).path]


@pytest.fixture
async def okta(tmp_path: Path) -> AsyncIterator[Stand]:
    """Okta is the provider itself: its `auth_time` is when the password was given."""
    async with standing(tmp_path, federation="okta") as running:
        yield running


async def test_r01_where_auth_time_proves_it_one_password_is_enough(okta: Stand) -> None:
    """In a browser that was never here, revoked before: password, page; nothing is walked and nothing is explained."""
    await revoked(okta)
    browser = okta.browser()
    page = await okta.sign_in(browser, LINK)
    assert (page.status, page.path) == (200, LINK)
    assert (asked(browser), requests_for(browser, "/logout"), reasons(browser)) == (1, [], [])


def aged(stand: Stand, seconds: int) -> None:
    """Whoever is signed in at Okta did so so long ago."""
    sessions = stand.idp.okta.sessions
    for key, session in sessions.items():
        sessions[key] = replace(session, created=session.created - seconds)


async def remembered(stand: Stand, seconds: int) -> Browser:
    """A browser that was never here, and that Okta has remembered for so long."""
    browser = stand.browser()
    await browser.submit(await browser.goto(f"{stand.okta}/login/login.htm"), **ALICE)
    aged(stand, seconds)
    return browser


async def test_r01_what_okta_only_remembers_is_no_proof(okta: Stand) -> None:
    """Signed in at Okta before the revocation: the chain, one page that says why, the password, and the very page."""
    browser = await remembered(okta, 300)
    await revoked(okta)
    form = await browser.goto(okta.app + LINK)
    assert form.asks_for_password
    (page,) = reasons(browser)
    assert WHY in page.text
    query = parse_qs(urlsplit(page.continue_url()).query)
    assert (query["prompt"], query["max_age"]) == (["login"], ["0"])
    end = await browser.submit(form, **ALICE)
    assert (end.status, end.path) == (200, LINK)
    assert asked(browser) == 2  # the other time was before
    (started,) = [event for event in okta.audit if event.kind.value == "logout_started"]
    assert (started.user, started.reason) == (ALICE["username"], f"revoked:{BY_OPERATOR}")
    assert started.subject


async def test_r01_who_has_proved_it_since_the_event_is_not_asked_at_all(okta: Stand) -> None:
    """By the event's own time, with a minute for clocks: then Okta may well remember them."""
    for age, rounds in ((30, 0), (EVENT_SKEW + 60, 1)):
        browser = await remembered(okta, age)
        await revoked(okta, reason="universal_logout", event_time=clock.now() - 2 * EVENT_SKEW)
        end = await browser.goto(okta.app + LINK)
        assert (end.path == LINK, len(reasons(browser))) == (not rounds, rounds), age
        okta.gateway.log.index.expire(clock.now() + 50_000)


async def test_r01_a_provider_that_did_not_ask_again_is_not_believed(okta: Stand) -> None:
    """Its session outlived the chain, somebody took the request to ask out of the address, and `auth_time` shows it."""
    browser = await remembered(okta, 300)
    sessions = dict(okta.idp.okta.sessions)
    cookies = {key: value for key, value in browser.cookies.items() if key[0] in okta.okta}
    await revoked(okta)
    page = await browser.goto(okta.app + LINK, until=f"{okta.okta}/oauth2/v1/authorize?prompt")
    page = reasons(browser)[0]
    okta.idp.okta.sessions.update(sessions)
    browser.cookies |= cookies
    shortened = page.continue_url().replace("&prompt=login", "").replace("&max_age=0", "")
    for _ in range(2):
        refused = await browser.goto(shortened, source=okta.app)
        assert (refused.status, "not_asked_again" in refused.text) == (403, True)
        assert "__Host-session" not in browser.cookie_names(okta.app)
        again = await browser.goto(f"{okta.app}/oauth2/start?rd=/api/me", until=okta.okta)
        shortened = again.continue_url().replace("&prompt=login", "").replace("&max_age=0", "")
    form = await browser.goto(f"{okta.app}/oauth2/start?rd=/api/me")
    end = await browser.submit(form, **ALICE)
    assert (end.status, end.path) == (200, "/api/me")


@pytest.mark.parametrize("stand", [{"federation": "saml"}, {"federation": "oidc"}], indirect=True)
async def test_r01_behind_cognito_one_round_says_why_and_leads_back(stand: Stand) -> None:
    """Cognito stamps its own time at federation, so the password is asked for twice: once, and never again here."""
    await revoked(stand)
    browser = stand.browser()
    form = await browser.goto(stand.app + LINK)
    again = await browser.submit(form, **ALICE)
    assert again.asks_for_password
    (page,) = reasons(browser)
    assert WHY in page.text
    end = await browser.submit(again, **ALICE)
    assert (end.status, end.path, asked(browser)) == (200, LINK, 2)
    assert len([event for event in stand.audit if event.kind.value == "logout_started"]) == 1


async def test_r01_a_browser_answers_an_entry_once(stand: Stand) -> None:
    """For as long as the entry lives: after it was idle, after a sign-out; another browser is asked as well."""
    await revoked(stand)
    browser = stand.browser()
    await browser.submit(await browser.submit(await browser.goto(stand.app + LINK), **ALICE), **ALICE)
    assert len(reasons(browser)) == 1
    with later(3_000):  # idle, and remembered by Cognito
        assert (await browser.goto(stand.app + LINK)).path == LINK
    assert (asked(browser), len(reasons(browser))) == (2, 1)
    await stand.sign_out(browser)
    assert (await browser.submit(await browser.goto(stand.app + LINK), **ALICE)).path == LINK
    assert (asked(browser), len(reasons(browser))) == (3, 1)
    other = stand.browser()
    await other.submit(await other.goto(stand.app + LINK), **ALICE)
    assert len(reasons(other)) == 1


test_r01_a_browser_answers_an_entry_once.stores = BOTH  # type: ignore[attr-defined]  # conftest looks there


async def test_r01_what_one_person_has_answered_is_no_answer_of_another(stand: Stand) -> None:
    """In the same browser, after Bob's session there, Alice is asked."""
    await revoked(stand)
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me", user="bob@example.com")
    browser.cookies = {key: value for key, value in browser.cookies.items() if key[0] in stand.app}
    with later(3_000):
        await browser.submit(await browser.goto(stand.app + LINK), **ALICE)
    assert len(reasons(browser)) == 1


async def test_a_second_revocation_on_the_way_ends_on_the_receipt(stand: Stand) -> None:
    """No chain leads into the next one by itself; the receipt says why, and its button goes on."""
    await revoked(stand)
    browser = stand.browser()
    form = await browser.submit(await browser.goto(stand.app + LINK), **ALICE)
    await revoked(stand)
    end = await browser.submit(form, **ALICE)
    assert (end.path, WHY in end.text) == ("/logged-out", True)
    assert len(reasons(browser)) == 1


async def test_a_chain_that_was_broken_off_goes_on_to_the_page(stand: Stand) -> None:
    """Closed at a hop, and the receipt looked at: whichever way it goes on, it is with the reason and to the page."""
    await revoked(stand)
    browser = stand.browser()
    form = await browser.goto(stand.app + LINK)
    await browser.submit(form, until=f"{stand.cognito}/logout", **ALICE)
    with later(60):
        page = await browser.goto(f"{stand.app}/")
        assert page.asks_for_password
        assert len(reasons(browser)) == 1
        receipt = await browser.navigate(f"{stand.app}/logged-out")
        assert WHY in receipt.text
        link = re.search(r'id="sign-in" href="([^"]*)"', receipt.text)
        assert link
        assert (await browser.goto(stand.app + link[1])).asks_for_password
        assert len(reasons(browser)) == 2


async def test_p22_who_has_opened_a_link_after_a_revocation_is_led_there_from_the_receipt(
    stand: Stand,
) -> None:
    """The chain comes first. The link says where it leads, because the tab may know another place (`place.js`)."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    await revoked(stand)
    receipt = await browser.goto(stand.app + LINK)
    link = re.search(r'id="sign-in" href="([^"]*)"', receipt.text)
    assert link
    assert link[1] == "/oauth2/start?after=&amp;rd=/api/reports%3Ffrom%3Dmail%26x%3D%252F"
    form = await browser.goto(stand.app + link[1].replace("&amp;", "&"), source=receipt.url)
    end = await browser.submit(form, **ALICE) if form.asks_for_password else form
    assert (end.status, end.path) == (200, LINK)


async def test_no_address_makes_up_an_interrupted_sign_in(stand: Stand) -> None:
    """`after` only names what the sealed chain in this browser has; without it, it is nothing."""
    browser = stand.browser()
    for query in ("after=0123abcd", "after=", "after=0123abcd&rd=/logout"):
        page = await browser.navigate(f"{stand.app}/oauth2/start?{query}")
        assert message("once_more.title") not in page.text, query
        assert "prompt=" not in page.continue_url(), query


async def test_r01_keys_that_take_long_make_no_proof_of_what_is_remembered(
    okta: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever signed in at Okta ten seconds ago is asked again, also if half a minute goes by until the token is verified."""
    browser = await remembered(okta, 10)
    await revoked(okta)
    verify, true = okta.gateway.provider.verify_id_token, clock.now

    async def slowly(*token: Any, **expected: Any) -> Any:
        monkeypatch.setattr(clock, "now", lambda: true() + 30)
        return await verify(*token, **expected)

    monkeypatch.setattr(okta.gateway.provider, "verify_id_token", slowly)
    await browser.goto(okta.app + LINK)
    assert len(reasons(browser)) == 1


@pytest.mark.parametrize(
    "stand", [{"replaced": {"provider:\n": "provider:\n  auth_time_proves: true\n"}}], indirect=True
)
async def test_the_operator_may_vouch_for_auth_time(stand: Stand) -> None:
    """Where everybody signs in at Cognito itself, for instance."""
    await revoked(stand)
    browser = stand.browser()
    end = await browser.submit(await browser.goto(stand.app + LINK), **ALICE)
    assert (end.path, asked(browser), reasons(browser)) == (LINK, 1, [])


@pytest.mark.parametrize(
    "stand", [{"replaced": {"provider:\n": "provider:\n  auth_time_proves: true\n"}}], indirect=True
)
async def test_what_the_operator_vouches_for_has_to_be_true(stand: Stand) -> None:
    """Where Cognito hands on when somebody signed in at Okta, its memory is no proof; with its own time it would be."""
    for said, rounds in (("provider", 1), ("own", 0)):
        browser = await remembered(stand, 300)
        await revoked(stand)
        with switched(stand, cognito_auth_time=said):
            await browser.goto(stand.app + LINK)
        assert len(reasons(browser)) == rounds, said
