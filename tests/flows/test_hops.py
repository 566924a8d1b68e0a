"""Signing in and out at each kind of provider, over real sockets (facts B.3, C.1, E.2, E.3)."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from gateway.web.pages.catalogue import message
from tests.fakes.sso import MANNERS, Sso
from tests.flows.conftest import later
from tests.flows.provided import house, walked
from tests.flows.stores import Store, in_redis, redis_with_tls

pytestmark = pytest.mark.usefixtures("the_clock_stands")


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("keycloak", {"id_token_hint", "client_id", "post_logout_redirect_uri", "state"}),
        ("entra", {"logout_hint", "post_logout_redirect_uri", "state"}),
        ("auth0", {"logout_hint", "client_id", "post_logout_redirect_uri", "state"}),
    ],
)
async def test_each_kind_signs_in_and_out(tmp_path: Path, kind: str, parameters: set[str]) -> None:
    """With no chain written, by the parameters that this kind documents; the provider's session is gone."""
    async with house(tmp_path, Sso(kind)) as here:
        assert await walked(here) == {kind: "returned"}
        ((_, asked),) = here.sso.sign_outs
        assert set(asked) == parameters
        assert here.sso.sessions == {}


async def test_entra_that_hands_no_state_back_proves_less(tmp_path: Path) -> None:
    """Its return counts, and the receipt says no more than what was seen; there is no revocation to wait for."""
    async with house(tmp_path, Sso("entra")) as here:
        browser = here.browser()
        await here.sign_in(browser)
        await here.sign_out(browser)
        assert await here.evidence(browser) == {"entra": "ended_address_reached"}
        assert here.sso.revoked == []
        ((_, asked),) = here.sso.sign_outs
        assert asked["logout_hint"].startswith("O.sso-")


async def test_auth0_signs_out_of_the_provider_behind_it_where_configured(tmp_path: Path) -> None:
    """{auth0: federated}."""
    async with house(tmp_path, Sso("auth0"), chain="[{auth0: federated}]") as here:
        assert await walked(here) == {"auth0": "returned"}
        assert here.sso.sign_outs[0][1]["federated"] == ""


@pytest.mark.parametrize(
    ("kind", "parameter"), [("keycloak", "kc_idp_hint"), ("auth0", "connection"), ("okta", "idp")]
)
async def test_the_picker_of_a_kind_is_skipped(tmp_path: Path, kind: str, parameter: str) -> None:
    """provider.identity_provider, by the parameter that this kind has for it."""
    named = Store({"provider: {": "provider: {identity_provider: corporate, "})
    async with house(tmp_path, Sso(kind), store=named) as here:
        form = await here.browser().goto(here.app)
        assert dict(parse_qsl(urlsplit(form.url).query))[parameter] == "corporate"


async def test_forms_of_ours_may_lead_to_a_provider_that_signs_out_elsewhere(tmp_path: Path) -> None:
    """Its end_session_endpoint is on another host than its issuer; our form ends at us, and the page moves on."""
    sso = Sso("oidc", replace(MANNERS["oidc"], sign_out_host="out.localhost"))
    async with house(tmp_path, sso, chain="[{oidc: get}]") as here:
        browser = here.browser()
        await here.sign_in(browser)
        asked = await browser.goto(f"{here.app}/logout", source="http://elsewhere.example/")
        assert "form-action 'self';" in asked.header("Content-Security-Policy")
        elsewhere = f"http://out.localhost:{sso.port}"
        step = await browser.submit(asked, until=elsewhere)
        assert step.continue_url().startswith(f"{elsewhere}/session/end?")


async def test_google_ends_here_only_and_asks_for_the_account_next_time(tmp_path: Path) -> None:
    """It says so; the next sign-in sends no prompt that Google refuses, and does not sign in without a question."""
    async with house(tmp_path, Sso("google")) as here:
        browser = here.browser()
        await here.sign_in(browser)
        answer = await here.press_sign_out(browser)
        assert urlsplit(answer.location).path == "/logged-out"
        page = await browser.follow(answer, site="same-origin")
        assert "Google has no address for signing out applications" in page.text
        assert await here.receipt(browser) == {"google": "skipped"}
        assert len(here.sso.sessions) == 1
        told = [event.kind.value for event in here.audit]
        assert told[-3:] == ["logout_started", "hop_skipped", "logout_finished"]
        form = await browser.goto(here.app)
        assert form.asks_for_password
        assert here.sso.prompts == [None, "select_account"]


async def test_an_address_of_the_operators_own(tmp_path: Path) -> None:
    """{url: …}: placeholders are filled in, encoded; with {state} the return has to bring it back."""
    sso = Sso("oidc")
    asked = "client_id={client_id}&post_logout_redirect_uri={return_to}&state={state}"
    async with house(
        tmp_path, sso, chain=f'[{{url: "http://sso.localhost:PORT/session/end?{asked}"}}]'
    ) as here:
        browser = here.browser()
        await here.sign_in(browser)
        confirm = await here.sign_out(browser)
        assert message("confirm_logout.question") in confirm.text
        end = await browser.submit(confirm)
        assert end.path == "/logged-out"
        assert await here.evidence(browser) == {"url": "came_back"}


async def test_r28_without_state_an_address_of_the_operators_own_proves_less(tmp_path: Path) -> None:
    """The browser reached the return address, no more."""
    asked = "client_id={client_id}&post_logout_redirect_uri={return_to}"
    chain = f'[{{url: "http://sso.localhost:PORT/session/end?{asked}"}}]'
    async with house(tmp_path, Sso("oidc"), chain=chain) as here:
        browser = here.browser()
        await here.sign_in(browser)
        await browser.submit(await here.sign_out(browser))
        evidence = await here.evidence(browser)
        assert evidence == {"url": "address_reached"}


async def test_keycloak_asks_the_person_where_the_hint_is_lost(tmp_path: Path) -> None:
    """Its confirm page is better than a session that stays; no token is sent, so it is a redirect."""
    async with house(tmp_path, Sso("keycloak")) as here:
        browser = here.browser()
        await here.sign_in(browser)
        browser.cookies.pop((urlsplit(here.app).netloc, "__Secure-session-hint"))
        confirm = await here.sign_out(browser)
        assert message("confirm_logout.question") in confirm.text
        await browser.submit(confirm)
        assert await here.receipt(browser) == {"keycloak": "returned"}
        ((method, asked),) = here.sso.sign_outs
        assert method == "GET"
        assert set(asked) == {"client_id", "post_logout_redirect_uri", "state"}


OKTA = '[oidc, {okta_signout: "http://sso.localhost:PORT"}]'


async def test_p04_okta_with_its_hint_is_asked_once(tmp_path: Path) -> None:
    """okta_signout behind oidc is for those who have lost the hint: it is not walked, and the receipt has one line."""
    async with house(tmp_path, Sso("okta"), chain=OKTA) as here:
        browser = here.browser()
        await here.sign_in(browser)
        page = await here.sign_out(browser)
        assert await here.receipt(browser) == {"oidc": "returned", "okta_signout": "skipped"}
        assert page.text.count(message("line.confirmed_outcome")) == 1
        assert "Skipped" not in page.text
        assert here.sso.sessions == {}
        assert here.sso.okta_signouts == 0


async def test_p04_trap_14_okta_is_never_asked_without_its_hint(tmp_path: Path) -> None:
    """Okta answers with an error page then, its session alive: so the hop that needs none is taken."""
    async with house(tmp_path, Sso("okta"), chain=OKTA) as here:
        browser = here.browser()
        await here.sign_in(browser)
        browser.cookies.pop((urlsplit(here.app).netloc, "__Secure-session-hint"))
        page = await here.sign_out(browser)
        assert await here.receipt(browser) == {"oidc": "skipped", "okta_signout": "returned"}
        assert message("line.skipped_outcome") not in page.text
        assert here.sso.sign_outs == []
        assert here.sso.sessions == {}


async def test_trap_14_okta_alone_without_its_hint_is_skipped_and_said(tmp_path: Path) -> None:
    """Without a hop to fall back to the receipt says that Okta was not asked, and why."""
    async with house(tmp_path, Sso("okta"), chain="[oidc]") as here:
        browser = here.browser()
        await here.sign_in(browser)
        browser.cookies.pop((urlsplit(here.app).netloc, "__Secure-session-hint"))
        page = await here.sign_out(browser)
        assert await here.receipt(browser) == {"oidc": "skipped"}
        assert message("evidence.no_hint", service="Okta") in page.text
        assert here.sso.sign_outs == []


async def test_trap_14_an_unregistered_return_address_ends_at_the_fallback(tmp_path: Path) -> None:
    """The provider's error page keeps the browser; when the person comes back the hop is retried, then stood in for."""
    async with house(tmp_path, Sso("okta"), chain=OKTA) as here:
        here.sso.returns = []
        browser = here.browser()
        await here.sign_in(browser)
        stuck = await here.sign_out(browser)
        assert (stuck.status, len(here.sso.sessions)) == (400, 1)
        go_on = f"{here.app}/logout/continue"
        again = await browser.navigate(go_on, site="none")
        assert (await browser.follow(again, site="none")).status == 400
        with later(4):
            end = await browser.follow(await browser.navigate(go_on, site="none"), site="none")
            assert end.path == "/logged-out"
            assert await here.receipt(browser) == {"oidc": "failed", "okta_signout": "returned"}
        assert here.sso.sessions == {}
        assert "Everything below is done" in end.text


@pytest.mark.parametrize(("issuer", "base"), [("", "/oauth2"), ("/oauth2/default", "/oauth2/default")])
async def test_trap_15_the_hint_goes_to_the_issuer_that_signed_it(
    tmp_path: Path, issuer: str, base: str
) -> None:
    """The endpoint is that of the discovered issuer: of the org's authorization server, or of a custom one."""
    sso = Sso("okta", replace(MANNERS["okta"], issuer=issuer, end_session=f"{base}/v1/logout"))
    async with house(tmp_path, sso, chain="[oidc]") as here:
        browser = here.browser()
        await here.sign_in(browser)
        page = await here.sign_out(browser, until=here.sso.origin)
        action, fields = page.form()
        assert action == f"{here.sso.origin}{base}/v1/logout"
        payload = json.loads(_unpadded(fields["id_token_hint"].split(".")[1]))
        assert payload["iss"] == here.sso.issuer
        await browser.follow(page, site="same-origin")
        assert await here.receipt(browser) == {"oidc": "returned"}


async def test_an_expired_hint_is_as_good_as_a_fresh_one(tmp_path: Path) -> None:
    """Eleven hours after sign-in the ID token is long out of date; providers take it all the same (C.1, B.3)."""
    quick = "session: {key_files: [session-key], idle: 12h}\n"
    async with house(tmp_path, Sso("okta"), chain="[oidc]", session=quick) as here:
        browser = here.browser()
        await here.sign_in(browser)
        with later(11 * 3_600):
            await here.sign_out(browser)
            assert await here.receipt(browser) == {"oidc": "returned"}
        assert here.sso.sessions == {}


async def test_r33_a_hint_that_does_not_fit_is_not_kept(tmp_path: Path) -> None:
    """Its provider has put very much into the token: the session is kept, the hint is not, the fallback is walked."""
    sso = Sso("okta")
    sso.padding = 4_000
    async with house(tmp_path, sso, chain=OKTA) as here:
        browser = here.browser()
        page = await here.sign_in(browser)
        assert "the application" in page.text
        assert "__Secure-session-hint" not in browser.cookie_names(here.app)
        await here.sign_out(browser)
        assert await here.receipt(browser) == {"oidc": "skipped", "okta_signout": "returned"}


async def test_r18_the_hint_lies_beside_a_ticket_too(tmp_path: Path) -> None:
    """Where the session is in Redis the browser keeps a ticket for it, and the hint as ever."""
    with redis_with_tls(tmp_path / "redis") as server:
        async with house(tmp_path, Sso("oidc"), store=in_redis(server, tmp_path)) as here:
            browser = here.browser()
            await here.sign_in(browser)
            assert "__Secure-session-hint" in browser.cookie_names(here.app)
            await here.sign_out(browser)
            assert await here.receipt(browser) == {"oidc": "returned"}
            assert "id_token_hint" in here.sso.sign_outs[0][1]
            assert browser.cookie_names(here.app) == {"__Host-logout"}


async def test_p17_a_hop_with_a_hint_is_walked_while_redis_is_away(tmp_path: Path) -> None:
    """The session cannot be looked up, but its ticket names it: its hint is used, and every address of the chain answers."""
    sso = Sso("oidc")
    with redis_with_tls(tmp_path / "redis") as server:
        store = in_redis(server, tmp_path)
        async with house(tmp_path, sso, store=store) as before:
            browser = before.browser()
            await before.sign_in(browser)
            before.browsers.clear()
        async with house(tmp_path, sso, store=store) as here:
            here.browsers.append(browser)
            server.stop()
            ticket = dict(browser.cookies)
            answer = await here.press_sign_out(browser)
            browser.cookies |= {**ticket, **browser.cookies}  # the answer of another tab has set it anew
            end = await browser.follow(answer, site="same-origin")
            assert end.path == "/logged-out"
            assert await here.receipt(browser) == {"oidc": "returned"}
            assert "id_token_hint" in here.sso.sign_outs[0][1]


async def test_r18_the_hint_is_not_sent_with_other_requests(tmp_path: Path) -> None:
    """A cookie for the logout's own addresses; the fallback of oauth2-proxy's address brings it along by 307."""
    async with house(tmp_path, Sso("oidc")) as here:
        browser = here.browser()
        await here.sign_in(browser)
        (line,) = [
            line
            for seen in browser.seen
            for line in seen.set_cookies()
            if line.startswith("__Secure-session-hint=")
        ]
        assert line.partition("; ")[2].startswith("Path=/logout; Secure; HttpOnly; SameSite=Lax; Max-Age=")
        assert dict(parse_qsl(urlsplit(browser.seen[-1].url).query)) == {}
        moved = await browser.navigate(
            f"{here.app}/oauth2/sign_out", method="POST", body="", site="same-origin"
        )
        assert (moved.status, moved.header("Location")) == (307, "/logout")


def _unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
