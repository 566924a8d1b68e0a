"""Refusals that another account, or time, or the people who run the site can change: what they say, and where they lead."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from gateway.web.pages.catalogue import message
from tests.fakes.browser import Browser, Seen
from tests.fakes.ports import free_port
from tests.fakes.sso import Sso
from tests.flows.conftest import Stand
from tests.flows.provided import house, opened

ADMIN = "/admin/users?all=1"
BOB, ALICE = "bob@example.com", "alice@example.com"


def offered(page: Seen) -> list[str]:
    """What the page's controls say."""
    names = ("other_account", "sign_out", "try_again", "sign_in", "sign_in_again", "application")
    labels = [message(f"page.{name}") for name in names]
    return [label for label in labels if f">{label}</" in page.text]


async def test_who_is_refused_signs_in_as_somebody_else_and_is_there(stand: Stand) -> None:
    """The page names bob; its button ends all three sessions, asks for an account, and opens the page that he wanted."""
    browser = stand.browser()
    await stand.sign_in(browser, "/", user=BOB)
    refused = await browser.goto(stand.app + ADMIN)
    assert refused.status == 403
    assert message("reason.denied.known", user=BOB) in refused.text
    assert offered(refused) == [message("page.other_account"), message("page.sign_out")]
    form = await browser.submit(refused)
    assert form.asks_for_password
    assert not stand.idp.control.cognito.snapshot()["sessions"]
    assert not stand.idp.control.okta.snapshot()["sessions"]
    page = await browser.submit(form, username=ALICE, password="demo")
    assert page.path == ADMIN
    told = [kind for kind in stand.told() if kind in {"hop_returned", "logout_finished", "login"}]
    assert told == ["login", "hop_returned", "hop_returned", "logout_finished", "login"]


async def test_who_comes_back_as_the_same_person_is_named_again(stand: Stand) -> None:
    """That is no circle: it goes on only by the person's own click, past a form that asks who they are."""
    browser = stand.browser()
    await stand.sign_in(browser, "/", user=BOB)
    form = await browser.submit(await browser.goto(stand.app + ADMIN))
    page = await browser.submit(form, username=BOB, password="demo")
    assert (page.status, page.path) == (403, ADMIN)


@pytest.mark.parametrize(
    ("kind", "prompt"), [("google", "select_account"), ("entra", "select_account"), ("okta", "login")]
)
async def test_each_kind_is_asked_for_another_account_in_its_own_way(
    tmp_path: Path, kind: str, prompt: str
) -> None:
    """`prompt=select_account` where the kind lets people choose, else `prompt=login`; the way back is kept."""
    async with house(tmp_path, Sso(kind)) as here:
        browser = here.browser()
        await here.sign_in(browser)
        await browser.navigate(f"{here.app}/logged-out", site="same-origin")
        left = await browser.navigate(
            f"{here.app}/logout?via=page&switch=/reports%3Fa%3D1", method="POST", body="", site="same-origin"
        )
        form = await browser.follow(left, site="same-origin")
        assert form.asks_for_password
        assert here.sso.prompts == [None, prompt]
        page = await browser.submit(form, username="bob", password="demo")
        assert page.path == "/reports?a=1"


@pytest.mark.parametrize(
    "switch", ["https://evil.example/", "//evil.example", "/logout", "/oauth2/start?rd=/"]
)
async def test_another_account_leads_to_the_application_alone(tmp_path: Path, switch: str) -> None:
    """Whatever the parameter says; a sign-out is never refused for it."""
    async with house(tmp_path, Sso("google")) as here:
        browser = here.browser()
        await here.sign_in(browser)
        address = f"{here.app}/logout?via=page&switch={quote(switch)}"
        await browser.navigate(f"{here.app}/logged-out", site="same-origin")
        left = await browser.navigate(address, method="POST", body="", site="same-origin")
        page = await browser.submit(
            await browser.follow(left, site="same-origin"), username="bob", password="demo"
        )
        assert page.path == "/"


async def test_another_site_is_asked_first(stand: Stand) -> None:
    """A link elsewhere ends nothing by itself; who says yes goes on to where it led."""
    browser = stand.browser()
    await stand.sign_in(browser, "/", user=BOB)
    asked = await browser.goto(f"{stand.app}/logout?switch=/reports/3", source="http://elsewhere.example/")
    assert message("confirm_logout.question") in asked.text
    assert 'action="/logout?via=page&amp;switch=/reports/3"' in asked.text
    assert (await browser.fetch(f"{stand.app}/oauth2/session")).status == 200


async def refusal(stand: Stand, browser: Browser, answer: str) -> Seen:
    """The page for what the provider has sent the browser back with."""
    page = await browser.goto(f"{stand.app}/reports/3", until=stand.cognito)
    (state,) = parse_qs(urlsplit(page.continue_url()).query)["state"]
    return await browser.navigate(f"{stand.app}/oauth2/callback?state={state}&{answer}", site="cross-site")


async def test_what_the_provider_says_reaches_the_person_and_the_audit_trail(stand: Stand) -> None:
    """Escaped and in one line; `access_denied` offers another account, with the way back, and no second try."""
    told = quote("User <b>bob</b>\nis not assigned")
    page = await refusal(stand, stand.browser(), f"error=access_denied&error_description={told}")
    assert page.status == 400
    assert "It said: “User &lt;b&gt;bob&lt;/b&gt; is not assigned” (access_denied)." in page.text
    assert offered(page) == [message("page.other_account"), message("page.sign_out")]
    assert "switch=/reports/3" in page.text
    (event,) = [event for event in stand.audit if event.kind.value == "login_failed"]
    assert (event.reason, event.detail) == ("refused", "access_denied: User <b>bob</b> is not assigned")


async def test_what_the_provider_says_is_bounded(stand: Stand) -> None:
    """200 characters are enough for a sentence."""
    page = await refusal(stand, stand.browser(), f"error=invalid_scope&error_description={'x' * 5_000}")
    assert "x" * 200 + "”" in page.text
    assert "x" * 201 not in page.text


@pytest.mark.parametrize(
    ("error", "offers"),
    [
        ("temporarily_unavailable", ["try_again"]),
        ("server_error", ["try_again"]),
        ("invalid_scope", ["sign_out"]),
    ],
)
async def test_a_second_try_is_offered_where_it_may_help(stand: Stand, error: str, offers: list[str]) -> None:
    """What has to be set right first says so, and does not say "in a moment"."""
    page = await refusal(stand, stand.browser(), f"error={error}")
    assert offered(page) == [message(f"page.{name}") for name in offers]
    assert ("in a moment" in page.text) == (offers == ["try_again"])


async def test_a_bare_visit_of_the_callback_reads_no_internals(stand: Stand) -> None:
    """What is wrong with the answer stands in the audit trail; the page says what to do."""
    page = await stand.browser().navigate(f"{stand.app}/oauth2/callback")
    assert (page.status, offered(page)) == (400, [message("page.sign_in_again")])
    assert message("reason.bad_callback.one_of") not in page.text
    assert "code nor an error" not in page.text
    (event,) = [event for event in stand.audit if event.kind.value == "login_failed"]
    assert (event.reason, event.detail) == ("bad_callback", "one_of")


async def test_a_sign_in_that_cannot_start_leaves_a_line_with_the_reason(tmp_path: Path) -> None:
    """Nobody answers where the provider should be: the page offers a second try, the audit trail has who and why."""
    sso = Sso("okta")
    sso.port = free_port()
    async with opened(tmp_path, sso) as here:
        page = await here.browser().goto(f"{here.app}/reports/3")
        assert (page.status, offered(page)) == (502, [message("page.try_again")])
        assert 'href="/oauth2/start?rd=/reports/3"' in page.text
        (event,) = [event for event in here.audit if event.kind.value == "login_failed"]
        assert event.reason == "provider_unreachable"
        assert event.detail and "sso.localhost" in event.detail
        assert event.client == "127.0.0.1"
