"""Where a sign-in lands in a real browser, and as whose wish: no page of ours may pass on another site's as one's own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from gateway.core.http.facts import RequestFacts
from tests.browser.driver import Tab, sets_off, shows, stays_at
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
    await sets_off(tab, "setTimeout(() => { location.href = args[0]; }, 0)", person.stand.app + path)


@taking_place(*OVER_TLS)
async def test_r13_a_landing_passes_no_other_site_s_wish_as_the_person_s(person: Person) -> None:
    """Another site's link to the landing itself leads to the first page, whatever it names, and all sessions live.

    A page behind a sign-in, where the providers remember the person and ask nothing, is reached with path, query and
    fragment: as the other site's wish where that has led there, and as the person's own where the address was typed.
    """
    stand = person.stand
    tab = await person.has_signed_in("/reports/3")
    for link in (
        "/oauth2/landing?attempt=abcd1234&rd=/logout",
        "/oauth2/landing?attempt=abcd1234&rd=/%6Cogout",
    ):
        await led(person, tab, link)
        await stays_at(tab, f"{stand.app}/")
        await shows(tab, ALICE)
    assert (await fetched(tab))[0] == 200
    assert sessions(stand) == EVERYBODY
    await person.profile.lose_cookie(stand.app, SESSION_COOKIE)
    with seen_by_the_gate(stand) as seen:
        await led(person, tab, "/reports/3?from=mail#figures")
        await shows(tab, "You are at /reports/3#figures", ALICE)
    assert await tab.address() == f"{stand.app}/reports/3?from=mail#figures"
    assert [(facts.raw_target, facts.site) for facts in seen] == [("/reports/3?from=mail", "cross-site")] * 2
    await person.profile.lose_cookie(stand.app, SESSION_COOKIE)
    with seen_by_the_gate(stand) as seen:
        await tab.open(f"{stand.app}/reports/4?from=mail#figures")
        await shows(tab, "You are at /reports/4#figures", ALICE)
    assert await tab.address() == f"{stand.app}/reports/4?from=mail#figures"
    assert [facts.site for facts in seen] == ["none", "same-origin"]
