"""Whoever uses the browser next gets nothing of the person before: nothing kept, and no session that lives on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.browser.driver import Tab, shows
from tests.browser.person import ALICE, ALL_ENDED, APPLICATION, BOB, SESSION_COOKIE, Person, replayed
from tests.fakes.upstream import Call, FakeUpstream, reply

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

OLD = b"Last-Modified: Sat, 30 Nov 2024 00:00:00 GMT"
SAID = {
    "/own/silent.json": [OLD],
    "/own/public.json": [OLD, b"Cache-Control: public, s-maxage=600"],
    "/own/no-date.json": [OLD, b"Expires: whenever"],
}


async def _answer(call: Call) -> None:
    await call.body()
    path = call.request_line.split()[1].decode()
    who = call.values(b"x-auth-request-email")[0]
    if path.startswith("/own/sign-out"):
        clears = b'"*"' if path.endswith("all") else b'"cache", "cookies", "storage"'
        await call.send(reply(b"bye", b"Clear-Site-Data: " + clears))
    else:
        await call.send(reply(who, b"Content-Type: application/json", *SAID[path]))


@pytest_asyncio.fixture(loop_scope="session")
async def application() -> AsyncIterator[FakeUpstream]:
    made = await FakeUpstream(_answer).start()
    yield made
    await made.close()


@pytest_asyncio.fixture(loop_scope="session")
async def product(application: FakeUpstream) -> dict[str, str]:
    return {"upstreams:\n": f"upstreams:\n  - {{path: /own/, url: {application.url}}}\n"}


async def _asked(tab: Tab) -> dict[str, str]:
    return {path: await tab.run(f"return fetch({path!r}).then(answer => answer.text())") for path in SAID}


async def test_r27_the_next_person_sees_nothing_that_a_browser_kept_by_its_own_choice(person: Person) -> None:
    """Answers that say nothing of how long they may be kept: alice, signs out, bob, in one browser."""
    tab = await person.sign_in()
    assert await _asked(tab) == dict.fromkeys(SAID, ALICE)
    assert await person.sign_out(tab) == ALL_ENDED
    await tab.open(person.stand.app + "/")
    await person.give_password(tab, BOB)
    await shows(tab, APPLICATION, BOB)
    assert await _asked(tab) == dict.fromkeys(SAID, BOB)


@pytest.mark.parametrize("path", ["/own/sign-out", "/own/sign-out-all"])
async def test_an_application_cannot_clear_the_cookies_of_a_living_session(person: Person, path: str) -> None:
    """So that the sign-out that follows ends what lives, and a copy of its cookie opens nothing any more."""
    tab = await person.sign_in()
    before = await tab.cookies()
    said = await tab.run(f"return fetch({path!r}, {{method: 'POST'}}).then(answer => answer.text())")
    assert said == "bye"
    assert SESSION_COOKIE in await tab.cookies()
    assert await person.sign_out(tab) == ALL_ENDED
    assert await replayed(person.stand, before, "/own/silent.json") == 401
