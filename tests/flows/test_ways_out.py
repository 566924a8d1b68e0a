"""How a provider is asked to end its session: by an address or a form, once more, and what the receipt makes of it."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from gateway.web.pages.catalogue import message
from tests.fakes.forge import rsa_key
from tests.fakes.sso import CLIENT, MANNERS, Sso
from tests.flows.conftest import later
from tests.flows.provided import house, walked

pytestmark = pytest.mark.usefixtures("the_clock_stands")


async def test_an_oidc_provider_is_asked_by_an_address(tmp_path: Path) -> None:
    """As most come: by GET alone, with a Lax cookie. The return with its state is seen, nobody is signed in any more."""
    async with house(tmp_path, Sso("oidc")) as here:
        browser = here.browser()
        page = await here.sign_in(browser)
        assert "the application" in page.text
        end = await here.sign_out(browser)
        assert end.path == "/logged-out"
        assert await here.receipt(browser) == {"oidc": "returned"}
        ((method, asked),) = here.sso.sign_outs
        assert method == "GET"
        assert set(asked) == {"id_token_hint", "client_id", "post_logout_redirect_uri", "state"}
        assert (asked["client_id"], asked["post_logout_redirect_uri"]) == (
            CLIENT,
            f"{here.app}/logout/done/oidc",
        )
        assert here.sso.sessions == {}
        assert "__Secure-session-hint" not in browser.cookie_names(here.app)


async def test_r28_an_unknown_provider_that_led_back_is_not_said_to_have_ended_anything(
    tmp_path: Path,
) -> None:
    """Its session may live: that the browser came back is all that was seen, on the page and for programs."""
    async with house(tmp_path, Sso("oidc")) as here:
        browser = here.browser()
        await here.sign_in(browser)
        end = await here.sign_out(browser)
        assert await here.evidence(browser) == {"oidc": "came_back"}
        assert message("headline.here") in end.text
        assert "Everything below is done" not in end.text
        assert message("line.confirmed_outcome") not in end.text
        told = [event.evidence for event in here.audit if event.kind.value == "hop_returned"]
        assert told == ["came_back"]


async def test_r28_trap_39_a_form_that_leaves_the_session_alive_is_not_confirmed(tmp_path: Path) -> None:
    """LemonLDAP::NG's way: a form of another site brings no Lax cookie, `state` comes back, and the session lives."""
    sso = Sso("oidc", replace(MANNERS["oidc"], by_form=True))
    async with house(tmp_path, sso, chain="[{oidc: form}]") as here:
        browser = here.browser()
        await here.sign_in(browser)
        end = await here.sign_out(browser)
        assert here.sso.sign_outs[0][0] == "POST"
        assert len(here.sso.sessions) == 1
        assert await here.receipt(browser) == {"oidc": "returned"}
        assert "Everything below is done" not in end.text
        assert "may send you back without having ended your session there" in end.text


async def test_trap_39_the_default_strands_nobody_at_a_provider_that_takes_no_form(tmp_path: Path) -> None:
    """glewlwyd and oidc-provider answer a form with 404; the address ends their session."""
    async with house(tmp_path, Sso("oidc"), chain="[{oidc: form}]") as here:
        browser = here.browser()
        await here.sign_in(browser)
        stranded = await here.sign_out(browser)
        assert (stranded.status, len(here.sso.sessions)) == (405, 1)
    other = tmp_path / "other"
    other.mkdir()
    async with house(other, Sso("oidc")) as here:
        assert await walked(here) == {"oidc": "returned"}
        assert here.sso.sessions == {}


async def test_r34_the_page_with_the_form_lets_it_go_to_the_provider_only(tmp_path: Path) -> None:
    """One script by its hash, forms to providers and wherever they lead on, nothing kept, nothing told to the provider."""
    async with house(tmp_path, Sso("oidc"), chain="[{oidc: form}]") as here:
        browser = here.browser()
        await here.sign_in(browser)
        answer = await here.press_sign_out(browser)
        assert (answer.status, urlsplit(answer.location).path) == (303, "/logout/hop")
        page = await browser.navigate(answer.location, site="same-origin")
        policy = dict(
            part.strip().split(" ", 1) for part in page.header("Content-Security-Policy").split(";")
        )
        assert policy["form-action"] == "http: https:"  # the provider is on http here
        assert policy["script-src"].startswith("'sha256-")
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert page.header("Referrer-Policy") == "no-referrer"
        assert page.header("Cache-Control") == "no-store"
        assert '<button class="button" id="continue" type="submit">' in page.text
        assert re.findall(r"<script>(.*?)</script>", page.text) == ["document.forms[0].submit();"]
        action, fields = page.form()
        assert action == f"{here.sso.origin}/session/end"
        assert len(fields) == 4


async def test_r34_the_page_that_leads_to_the_address_tells_nobody_of_it(tmp_path: Path) -> None:
    """No redirect of a form ends at the provider, and nothing of our own addresses has the token in it."""
    async with house(tmp_path, Sso("oidc")) as here:
        browser = here.browser()
        await here.sign_in(browser)
        answer = await here.press_sign_out(browser)
        assert (answer.status, urlsplit(answer.location).path) == (303, "/logout/hop")
        page = await browser.navigate(answer.location, site="same-origin")
        assert page.status == 200
        assert page.header("Referrer-Policy") == "no-referrer"
        assert page.header("Cache-Control") == "no-store"
        assert page.continue_url().startswith(f"{here.sso.origin}/session/end?id_token_hint=")
        await browser.follow(page, site="same-origin")
        assert not any("id_token_hint" in seen.url for seen in browser.seen if seen.url.startswith(here.app))


@pytest.mark.parametrize("chain", ["[{oidc: get}]", "[oidc]"])
async def test_a_script_never_sees_the_hint(tmp_path: Path, chain: str) -> None:
    """What JSON names is an address of ours: the cookie with the hint is HttpOnly, and stays so."""
    async with house(tmp_path, Sso("oidc"), chain=chain) as here:
        browser = here.browser()
        await here.sign_in(browser)
        answer = await browser.fetch(f"{here.app}/logout", method="POST", body="", Accept="application/json")
        assert json.loads(answer.text) == {"location": "/logout/hop"}
        assert (await browser.goto(f"{here.app}/logout/hop")).path == "/logged-out"
        assert here.sso.sessions == {}


async def test_an_address_that_would_be_too_long_goes_without_the_hint(tmp_path: Path) -> None:
    """More than 4 KB: the provider is told the client, and may ask. The receipt says why, and what follows."""
    sso = Sso("oidc")
    sso.padding = 2_500
    async with house(tmp_path, sso) as here:
        browser = here.browser()
        await here.sign_in(browser)
        assert "__Secure-session-hint" in browser.cookie_names(here.app)
        question = await here.sign_out(browser)
        assert message("confirm_logout.question") in question.text
        ((method, asked),) = here.sso.sign_outs
        assert (method, set(asked)) == ("GET", {"client_id", "post_logout_redirect_uri", "state"})
        end = await browser.submit(question)
        assert "because what identifies it was too long to be sent, so it may have asked you" in end.text
        answer = await browser.fetch(f"{here.app}/logged-out", Accept="application/json")
        assert json.loads(answer.text)["hops"][0]["asked"] == "hint_too_long"


async def test_an_address_that_would_be_too_long_is_a_form_where_that_is_known_to_work(
    tmp_path: Path,
) -> None:
    """Keycloak's session has a cookie that a form of another site brings along."""
    sso = Sso("keycloak")
    sso.padding = 2_500
    async with house(tmp_path, sso) as here:
        assert await walked(here) == {"keycloak": "returned"}
        ((method, asked),) = here.sso.sign_outs
        assert method == "POST"
        assert "id_token_hint" in asked
        assert here.sso.sessions == {}


@pytest.mark.parametrize("kind", ["keycloak", "entra", "auth0"])
async def test_who_did_not_come_back_is_sent_once_more_without_the_hint(tmp_path: Path, kind: str) -> None:
    """Where the provider is known to ask the person then: whatever it did not like about the hint, the second try leads back."""
    sso = Sso(kind)
    async with house(tmp_path, sso) as here:
        browser = here.browser()
        await here.sign_in(browser)
        sso.strands = True
        await here.sign_out(browser)
        sso.strands = False
        with later(31):
            question = await browser.goto(here.app)
            assert message("confirm_logout.question") in question.text
            first, second = (set(asked) for _, asked in sso.sign_outs)
            assert first - second == {sso.manners.hint}
            end = await browser.submit(question)
            assert await here.receipt(browser) == {kind: "returned"}
            assert ("so it may have asked you" in end.text) is (kind != "keycloak")


async def test_a_second_try_has_the_hint_where_the_provider_may_want_one(tmp_path: Path) -> None:
    """Ory Hydra, authentik and Glewlwyd end nothing without: a tab that was closed on the way would never be signed out."""
    sso = Sso("oidc", replace(MANNERS["oidc"], without_hint="refuse"))
    async with house(tmp_path, sso) as here:
        browser = here.browser()
        await here.sign_in(browser)
        await here.sign_out(browser, until=f"{sso.origin}/")
        with later(31):
            assert (await browser.goto(here.app)).path == "/logged-out"
            assert await here.evidence(browser) == {"oidc": "came_back"}
        assert sso.sessions == {}


@pytest.fixture
def keys_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time, and not only half a minute after the last."""
    monkeypatch.setattr("gateway.oidc.jose.jwks.REFETCH_INTERVAL", 0)


@pytest.mark.usefixtures("keys_looked_at")
@pytest.mark.parametrize("kind", ["oidc", "keycloak"])
async def test_trap_40_a_withdrawn_key_strands_nobody(tmp_path: Path, kind: str) -> None:
    """`Invalid parameter: id_token_hint`: such a hint is not sent at all, and the receipt says what follows."""
    sso = Sso(kind)
    async with house(tmp_path, sso) as here:
        browser = here.browser()
        await here.sign_in(browser)
        sso.key = rsa_key("another")
        question = await here.sign_out(browser)
        assert message("confirm_logout.question") in question.text
        end = await browser.submit(question)
        assert await here.receipt(browser) == {kind: "returned"}
        assert ("it has changed the keys" in end.text) is (kind == "oidc")
        assert sso.sessions == {}


@pytest.mark.usefixtures("keys_looked_at")
async def test_trap_40_okta_is_not_asked_by_a_key_that_it_has_withdrawn(tmp_path: Path) -> None:
    """It would answer with an error page, and keep its session: the hop in its stead is walked."""
    sso = Sso("okta")
    async with house(tmp_path, sso, chain='[oidc, {okta_signout: "http://sso.localhost:PORT"}]') as here:
        browser = here.browser()
        await here.sign_in(browser)
        sso.key = rsa_key("another")
        assert (await here.sign_out(browser)).path == "/logged-out"
        assert await here.evidence(browser) == {"oidc": "hint_withdrawn", "okta_signout": "session_ended"}
        assert sso.sign_outs == []
        assert sso.sessions == {}


@pytest.mark.usefixtures("keys_looked_at")
async def test_trap_40_where_the_keys_cannot_be_read_one_of_two_tries_has_the_hint(tmp_path: Path) -> None:
    """It may have been withdrawn, and the provider may want one."""
    sso = Sso("oidc")
    async with house(tmp_path, sso) as here:
        browser = here.browser()
        await here.sign_in(browser)
        sso.key, sso.keyless = rsa_key("another"), True
        assert (await here.sign_out(browser)).status == 400
        with later(31):
            end = await browser.submit(await browser.goto(here.app))
            assert end.path == "/logged-out"
            assert await here.receipt(browser) == {"oidc": "returned"}
        assert ["id_token_hint" in asked for _, asked in sso.sign_outs] == [True, False]
        assert sso.sessions == {}


async def test_okta_is_asked_by_its_hint_again(tmp_path: Path) -> None:
    """Without one it ends nothing, so a tab that was closed on the way is led there with it once more."""
    sso = Sso("okta")
    async with house(tmp_path, sso, chain="[oidc]") as here:
        browser = here.browser()
        await here.sign_in(browser)
        await here.sign_out(browser, until=f"{sso.origin}/")
        with later(31):
            end = await browser.goto(here.app)
            assert end.path == "/logged-out"
            assert await here.receipt(browser) == {"oidc": "returned"}
            assert await here.evidence(browser) == {"oidc": "session_ended"}
        assert [set(asked) >= {"id_token_hint"} for _, asked in sso.sign_outs] == [True]
        assert sso.sessions == {}
