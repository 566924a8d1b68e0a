"""What a person does in each row of the matrix, from the open application to the receipt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from gateway.web.pages.catalogue import message
from tests.browser.driver import Tab, arrives, eventually, sets_off, shows
from tests.browser.matrix import COGNITO, Failure, Row
from tests.browser.matrix_rows import NO
from tests.browser.matrix_world import DEADLINE, World
from tests.browser.person import (
    APPLICATION,
    SIGN_OUT,
    UNHURRIED,
    Person,
    fetched,
    never_shows_the_application,
    replayed,
    running,
)

PATIENT = DEADLINE + 0.2
"""Seconds after which the gateway does not wait for a hop any more."""
BY_HAND = {Failure.NONE, Failure.BACK}
"""The rows in which the person has signed in there, in the same tab: once for each combination, and where Back leads."""
HINT = "__Secure-session-hint"
CONTINUE = "#continue"


@dataclass
class Visit:
    """Somebody who is signed in, in one tab. ``copied``: the cookies of the application at that time."""

    world: World
    person: Person
    row: Row
    tab: Tab
    copied: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    async def begun(cls, world: World, person: Person, row: Row) -> Visit:
        if row.failure in BY_HAND:
            visit = cls(world, person, row, await person.tab("/reports"))
            await visit.is_asked(visit.tab)
            await visit.signs_in(visit.tab)
        else:
            visit = cls(world, person, row, await person.has_signed_in("/reports"))
        visit.copied = await visit.tab.cookies()
        return visit

    @property
    def app(self) -> str:
        return self.world.stand.app

    async def is_asked(self, tab: Tab) -> None:
        """Whoever keeps the passwords asks for one."""
        await arrives(tab, self.world.origin(self.row_asks))
        await shows(tab, "User name", "Password")

    @property
    def row_asks(self) -> str:
        return self.world.combination.asks

    async def signs_in(self, tab: Tab) -> None:
        await tab.fill("#username", "alice@example.com")
        await tab.fill("#password", "demo")
        await press(tab, "button[type=submit]")
        await shows(tab, APPLICATION)

    async def lost(self) -> None:
        """Wait until the gateway has sent the browser on to the provider that will fail."""
        await eventually(self._sent, bool, what=f"the browser is on its way to {self.row.party}")

    async def _sent(self) -> bool:
        if self.world.combination.key == "1a":  # the gateway sends it to Cognito, and Cognito to Okta
            return any(call.path == "/logout" for call in self.world.stand.idp.cognito.common.calls)
        return await self._last() in self._of_the_party

    @property
    def _of_the_party(self) -> set[str]:
        """The hops that the gateway sends the browser to when it is to come to the provider that fails."""
        through_cognito = self.row.party == COGNITO or self.world.combination.key == "1a"
        return {"cognito"} if through_cognito else {"okta_signout", "oidc"}

    async def finished(self) -> bool:
        """Whether the chain is over or the browser waits for the provider that fails; the others do answer."""
        last = await eventually(
            self._last,
            lambda move: move in {*self._of_the_party, "receipt"},
            what="the browser is kept, or the chain ends",
        )
        return last == "receipt"

    async def _last(self) -> str:
        return (self.world.moves() or ["- -"])[-1].split(" ")[1]

    def moved(self, before: list[str]) -> Callable[[], Awaitable[bool]]:
        """Whether the gateway has sent the browser somewhere since."""

        async def probe() -> bool:
            return len(self.world.moves()) > len(before)

        return probe

    async def opens(self, tab: Tab) -> None:
        """Type the application's address, once the hop's time is over."""
        await asyncio.sleep(PATIENT)
        await tab.open(f"{self.app}/reports/3")

    async def receipt(self, tab: Tab) -> dict[str, str]:
        return await self.person.receipt(tab)


async def press(tab: Tab, selector: str) -> None:
    """Click without waiting for what comes of it, which may be nothing."""
    await shows_element(tab, selector)
    await sets_off(tab, f"{UNHURRIED}; setTimeout(() => document.querySelector(args[0]).click())", selector)


async def shows_element(tab: Tab, selector: str) -> None:
    body = "return document.readyState == 'complete' && document.querySelector(args[0]) !== null"
    await eventually(lambda: tab.run(body, selector), bool, what=f"the page has {selector}")


async def signs_out(visit: Visit) -> Tab:
    """All goes well, or goes wrong where nobody sees it."""
    await press(visit.tab, SIGN_OUT)
    return visit.tab


async def closes_the_tab(visit: Visit) -> Tab:
    """On the way to a provider; another day the application is opened in a new tab, until nothing keeps the browser."""
    async with visit.world.silent(visit.row.party):
        await press(visit.tab, SIGN_OUT)
        await visit.lost()
        await visit.tab.close()
    later = await visit.person.tab()
    await visit.opens(later)
    if visit.row.chips == (NO,):
        await arrives(later, visit.world.origin(visit.row.party))
        await visit.opens(later)
    return later


async def is_kept_on_an_error_page(visit: Visit) -> Tab:
    """Opens the application again, is led there once more, and opens it a third time."""
    visit.world.unregister(visit.row.party)
    await press(visit.tab, SIGN_OUT)
    return await stuck(visit)


async def has_no_session_at_okta(visit: Visit) -> Tab:
    """It has run out; where single logout needs one, Okta's page is the end of the way."""
    visit.world.stand.idp.okta.sessions.clear()
    await press(visit.tab, SIGN_OUT)
    return await stuck(visit) if visit.row.party else visit.tab


async def stuck(visit: Visit) -> Tab:
    origin = visit.world.origin(visit.row.party)
    for _ in range(2):
        await arrives(visit.tab, origin)
        assert await replayed(visit.world.stand, visit.copied) == 401
        await visit.opens(visit.tab)
    return visit.tab


async def is_answered_by_nobody(visit: Visit) -> Tab:
    """Every tab that goes there hangs. In another one the person goes on, until the gateway gives the hop up."""
    async with visit.world.silent(visit.row.party):
        await press(visit.tab, SIGN_OUT)
        await visit.lost()
        tabs = [visit.tab]
        while not await visit.finished():
            tabs.append(await visit.person.tab("/logged-out"))
            await shows(tabs[-1], message("receipt.heading"), message("signing_out.continue"))
            await asyncio.sleep(PATIENT)
            before = visit.world.moves()
            await press(tabs[-1], CONTINUE)
            await eventually(visit.moved(before), bool, what="the gateway has sent the browser on")
        for tab in tabs[:-1]:
            await tab.close()
    return tabs[-1]


async def loses_the_hint(visit: Visit) -> Tab:
    """Where the provider then keeps the browser, opens the application again as if there were an error."""
    await visit.person.profile.lose_cookie(visit.app, HINT)
    await press(visit.tab, SIGN_OUT)
    return await stuck(visit) if visit.row.party else visit.tab


async def goes_back(visit: Visit) -> Tab:
    """From the receipt, through all that is there."""
    await press(visit.tab, SIGN_OUT)
    await visit.receipt(visit.tab)
    for _ in range(3):
        await visit.tab.back()
        await never_shows_the_application(visit.tab, during=0.3)
    await visit.tab.open(f"{visit.app}/logged-out")
    return visit.tab


async def has_a_second_tab(visit: Visit) -> Tab:
    """It leaves for the signed-out page; one that does not run the tab script is refused what it asks for."""
    other = await visit.person.tab("/reports/4")
    await shows(other, APPLICATION)
    await running(other)
    bare = await visit.person.tab("/favicon.svg")
    assert (await fetched(bare))[0] == 200
    await press(visit.tab, SIGN_OUT)
    await arrives(other, f"{visit.app}/logged-out")
    assert (await fetched(bare))[0] == 401
    return visit.tab


WALKS: Mapping[Failure, Callable[[Visit], Awaitable[Tab]]] = {
    Failure.NONE: signs_out,
    Failure.REVOCATION: signs_out,
    Failure.CLOSED: closes_the_tab,
    Failure.ERROR: is_kept_on_an_error_page,
    Failure.SILENT: is_answered_by_nobody,
    Failure.EXPIRED: has_no_session_at_okta,
    Failure.NO_HINT: loses_the_hint,
    Failure.BACK: goes_back,
    Failure.SECOND_TAB: has_a_second_tab,
}
"""Each begins in the open application and returns the tab that shows the receipt, or is about to."""
