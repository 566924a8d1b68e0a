"""The administrator's page: sessions ended from Okta's side, and the application told."""

from __future__ import annotations

import pytest

from tests.demo.browser import Page
from tests.demo.lab import Lab
from tests.demo.receiver import Receiver


async def press(lab: Lab, action: str, user: str = "alice@example.com", origin: str | None = None) -> Page:
    """Press a button of the page; returns what is shown then."""
    url = f"{lab.options.okta}/admin"
    headers = {"Origin": origin or lab.options.okta}
    form = {"user": user, "action": action}
    async with lab.browser.session.post(url, data=form, headers=headers, allow_redirects=False) as answer:
        assert answer.status == 303, answer.status
        assert answer.headers["Location"] == "/admin"
    return await lab.browser.get(url)


async def test_clearing_sessions_ends_them_everywhere(lab: Lab, receiver: Receiver) -> None:
    """Okta's session and tokens are gone; the application hears of it twice, and its answers are shown."""
    tokens = await lab.okta_tokens("/oauth2/v1")
    assert "1 session at Okta" in (await lab.browser.get(f"{lab.options.okta}/admin")).text
    receiver.status = 404

    page = await press(lab, "clear")

    assert lab.idp.okta.live_sessions() == []
    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    assert (await lab.post_json(f"{lab.options.okta}/oauth2/v1/token", form))[0] == 400
    call, hook = receiver.taken
    assert call.json()["sub_id"] == {"format": "email", "email": "alice@example.com"}
    [event] = hook.json()["data"]["events"]
    assert event["eventType"] == "user.session.clear"
    assert "Universal Logout, alice@example.com: 404 from /oauth2/global-token-revocation" in page.text
    assert "Event hook user.session.clear, alice@example.com: 404 from /oauth2/okta-events" in page.text
    assert page.text.count("0 sessions at Okta") == 2


async def test_a_suspended_person_cannot_sign_in_until_the_account_is_open_again(
    lab: Lab, receiver: Receiver
) -> None:
    """The application gets user.lifecycle.suspend; nobody else is touched."""
    page = await press(lab, "suspend")
    assert "alice@example.com, suspended" in page.text
    assert [event["eventType"] for event in receiver.taken[0].json()["data"]["events"]] == [
        "user.lifecycle.suspend"
    ]

    form = await lab.browser.get(f"{lab.options.okta}/login/login.htm")
    fields = {"username": "alice", "password": "demo"}
    refused = await lab.browser.post(form.form()[0], fields, source=form.url)

    assert (refused.status, "This account is suspended." in refused.text) == (403, True)
    await press(lab, "unsuspend")
    assert (await lab.browser.post(form.form()[0], fields, source=form.url)).status == 303
    assert lab.idp.okta.live_sessions()[0][0] == "alice@example.com"


async def test_a_refresh_token_of_a_suspended_person_is_dead(lab: Lab) -> None:
    """Even one that is made after the tokens were revoked."""
    tokens = await lab.okta_tokens("/oauth2/v1")
    lab.idp.okta.suspended.add("alice@example.com")

    form = {"grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    answer = await lab.post_json(f"{lab.options.okta}/oauth2/v1/token", form)

    assert answer == (400, {"error": "invalid_grant"})
    lab.idp.control.okta.reset()
    assert lab.idp.okta.suspended == set()


async def test_an_application_that_is_not_there_is_said_to_be(lab: Lab, receiver: Receiver) -> None:
    """The sessions at Okta end all the same."""
    await lab.okta_tokens("/oauth2/v1")
    assert receiver.close is not None
    await receiver.close()

    page = await press(lab, "clear")

    assert "not reached (ClientConnectorError)" in page.text
    assert lab.idp.okta.live_sessions() == []


@pytest.mark.parametrize("origin", ["http://app.localhost:8080", "null"])
async def test_r29_other_sites_cannot_press_the_buttons(lab: Lab, receiver: Receiver, origin: str) -> None:
    """The page posts to itself; a form of another site is refused."""
    url = f"{lab.options.okta}/admin"
    form = {"user": "alice@example.com", "action": "clear"}
    async with lab.browser.session.post(url, data=form, headers={"Origin": origin}) as answer:
        assert answer.status == 403
    async with lab.browser.session.post(url, data=form, headers={"Host": "OKTA.localhost"}) as answer:
        assert answer.status == 421
    async with lab.browser.session.post(
        url, data=form | {"user": "x"}, headers={"Origin": lab.options.okta}
    ) as answer:
        assert answer.status == 400
    assert receiver.taken == []


async def test_the_account_page_leads_there(lab: Lab) -> None:
    """So that nobody has to know the address."""
    await lab.okta_tokens("/oauth2/v1")

    assert 'href="/admin"' in (await lab.browser.get(f"{lab.options.okta}/")).text
