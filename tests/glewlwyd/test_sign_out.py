"""Signing out at Glewlwyd as Debian has it: its question, its answers, and its word to the gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.bench.person import Person
from tests.browser.driver import Seen, eventually
from tests.fakes.door import eventually as soon
from tests.flows.conftest import later
from tests.glewlwyd.conftest import Village

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("glewlwyd")]
HOP_DEADLINE = 30
HINT = "__Secure-session-hint"


async def no_refresh_token_of(village: Village, user: str) -> None:
    """Wait until the gateway has revoked it behind the hop."""
    await eventually(as_probe(lambda: village.provider.tokens("refresh", user)), lambda good: good == [])


def as_probe(look: Callable[[], Seen]) -> Callable[[], Awaitable[Seen]]:
    async def probe() -> Seen:
        return look()

    return probe


async def test_a_sign_out_ends_the_session_there_too(village: Village, person: Person) -> None:
    """The provider asks; who agrees comes back with `state`, signed in nowhere, and is asked for the password."""
    copied = await village.sign_in(person, "alice")
    assert await village.provider.sessions("alice") == 1
    assert await village.knows(person)

    question = await village.to_the_provider(person)
    page = await village.agree(person, question)

    returned = next(seen for seen in reversed(person.seen) if "/logout/done/" in seen.url)
    assert len(parse_qs(urlsplit(returned.url).query)["state"]) == 1
    assert (page.path, page.status) == ("/logged-out", 200)
    assert await village.receipt(person) == {"oidc": "came_back"}
    assert await village.house.status(copied) == 401
    assert await village.provider.sessions("alice") == 0
    assert not await village.knows(person)
    await no_refresh_token_of(village, "alice")
    assert village.asks_for_the_password(await village.arrive(person))


async def test_whoever_stays_connected_comes_back_all_the_same(village: Village, person: Person) -> None:
    """With `state`, which therefore proves nothing about the session there; out here, the password is asked for."""
    copied = await village.sign_in(person, "bob")

    page = await village.stay(person, await village.to_the_provider(person))

    assert page.path == "/logged-out"
    await no_refresh_token_of(village, "bob")
    assert await village.provider.sessions("bob") == 1
    assert await village.house.status(copied) == 401
    assert await village.receipt(person) == {"oidc": "came_back"}
    assert village.asks_for_the_password(await village.arrive(person))


async def test_its_own_word_ends_the_session_here(village: Village, person: Person) -> None:
    """Its logout token has no `exp`. What its page does when somebody signs out there needs no browser here."""
    copied = await village.sign_in(person, "carol")
    before = len(village.house.audit)
    sid = village.provider.tokens("id", "carol")[-1]["gpoi_sid"]
    assert await village.house.status(copied) == 200

    await village.call(person, "DELETE", f"/oidc/session/{sid}")

    await eventually(lambda: village.house.status(copied), lambda status: status == 401)
    await soon(lambda: "backchannel" in [event.reason for event in village.house.audit[before:]])


async def test_an_expired_hint_is_as_good(village: Village, person: Person) -> None:
    """ID tokens live an hour and sessions a day."""
    brief = village.brief
    assert brief is not None
    await brief.sign_in(person, "dave")
    await asyncio.sleep(1.2)  # by the provider's own clock

    await brief.agree(person, await brief.to_the_provider(person))

    assert await brief.receipt(person) == {"oidc": "came_back"}
    assert await village.provider.sessions("dave") == 0


async def test_without_a_hint_it_shows_nothing_and_ends_nothing(village: Village, person: Person) -> None:
    """An empty page, from which nobody comes back: after two tries the receipt says so, and nobody is locked out."""
    copied = await village.sign_in(person, "erin")
    person.scoped = {key: kept for key, kept in person.scoped.items() if not key[1].startswith(HINT)}

    page = await village.to_the_provider(person)

    assert (page.url.startswith(village.provider.address), page.status, page.text) == (True, 200, "")
    assert await village.house.status(copied) == 401
    with later(HOP_DEADLINE + 1):
        assert (await village.arrive(person)).text == ""
    with later(2 * HOP_DEADLINE + 2):
        assert (await village.arrive(person)).path == "/logged-out"
        assert await village.receipt(person) == {"oidc": "no_return"}
        assert await village.provider.sessions("erin") == 1
        assert village.asks_for_the_password(await village.arrive(person))


async def test_a_tab_that_was_closed_on_the_way_is_led_there_with_its_hint(
    village: Village, person: Person
) -> None:
    """Opened again later, the browser stands at the question once more, and not on an empty page."""
    await village.sign_in(person, "frank")
    await village.to_the_provider(person)

    with later(HOP_DEADLINE + 1):
        page = await village.agree(person, await village.arrive(person))
        assert page.path == "/logged-out"
        assert await village.receipt(person) == {"oidc": "came_back"}
    assert await village.provider.sessions("frank") == 0


async def test_it_takes_no_form(village: Village, person: Person) -> None:
    """Whatever the form says and whichever cookies come along: the person stands on an error page."""
    await person.goto(f"{village.house.app}/logged-out")
    address = f"{village.provider.issuer('oidc')}/end_session"
    page = await person.navigate(address, method="POST", body="id_token_hint=x", site="cross-site")
    assert page.status == 404
