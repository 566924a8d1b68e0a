"""Where a sign-in lands in a real browser, and as whose wish: no page of ours may pass on another site's as one's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.core.http.facts import RequestFacts
from tests.browser.driver import Tab, arrives, shows
from tests.browser.person import ALICE, EVERYBODY, SESSION_COOKIE, Person, fetched, sessions
from tests.browser.world import OVER_TLS, taking_place
from tests.flows.conftest import Stand

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@contextmanager
def seen_by_the_gate(stand: Stand) -> Iterator[list[RequestFacts]]:
    """Every navigation that comes to the gate, as it says itself who has begun it."""
    seen: list[RequestFacts] = []
    gate: Any = stand.gateway.gate
    handle = gate.handle

    def noting(request: Any, facts: RequestFacts) -> Any:
        if facts.navigation:
            seen.append(facts)
        return handle(request, facts)

    gate.handle = noting
    try:
        yield seen
    finally:
        gate.handle = handle


async def led(person: Person, tab: Tab, path: str) -> None:
    """Another site, here Okta's, leads the tab to ``path`` of the application."""
    await tab.open(f"{person.stand.okta}/app/UserHome")
    await shows(tab, "You are signed in to Okta")
    await tab.run("setTimeout(() => { location.href = args[0]; }, 0)", person.stand.app + path)


@taking_place(*OVER_TLS)
async def test_r13_another_site_s_link_to_the_landing_signs_nobody_out(person: Person) -> None:
    """It leads to the application's first page, whatever it names, and all sessions live."""
    tab = await person.sign_in("/reports/3")
    for link in (
        "/oauth2/landing?attempt=abcd1234&rd=/logout",
        "/oauth2/landing?attempt=abcd1234&rd=/%6Cogout",
    ):
        await led(person, tab, link)
        assert await arrives(tab, person.stand.app) == f"{person.stand.app}/"
        await shows(tab, ALICE)
    assert (await fetched(tab))[0] == 200
    assert sessions(person.stand) == EVERYBODY


@taking_place(*OVER_TLS)
async def test_what_another_site_begins_reaches_the_application_as_its_wish(person: Person) -> None:
    """The providers remember the person, nothing is asked, and path, query and fragment are those of the link."""
    stand = person.stand
    tab = await person.sign_in("/reports")
    await person.profile.lose_cookie(stand.app, SESSION_COOKIE)
    with seen_by_the_gate(stand) as seen:
        await led(person, tab, "/reports/3?from=mail#figures")
        await shows(tab, "You are at /reports/3#figures", ALICE)
    assert await tab.address() == f"{stand.app}/reports/3?from=mail#figures"
    assert [(facts.raw_target, facts.site) for facts in seen] == [("/reports/3?from=mail", "cross-site")] * 2


@taking_place(*OVER_TLS)
async def test_what_the_person_types_reaches_the_application_as_the_person_s(person: Person) -> None:
    """Through the same sign-in, with the same fragment."""
    stand = person.stand
    tab = await person.sign_in("/reports")
    await person.profile.lose_cookie(stand.app, SESSION_COOKIE)
    with seen_by_the_gate(stand) as seen:
        await tab.open(f"{stand.app}/reports/3?from=mail#figures")
        await shows(tab, "You are at /reports/3#figures", ALICE)
    assert await tab.address() == f"{stand.app}/reports/3?from=mail#figures"
    assert [facts.site for facts in seen] == ["none", "same-origin"]
