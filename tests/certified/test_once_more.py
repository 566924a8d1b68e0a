"""`prompt=login` and `auth_time` at a certified provider as it comes, after the sessions of a person were ended (rule R1)."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.core import clock
from gateway.core.session.revocation_keys import subject_key
from gateway.core.signout.revocation import NewEntry
from gateway.web.pages.catalogue import message
from gateway.web.reasons import BY_OPERATOR
from tests.bench.person import Person
from tests.certified.conftest import House, Street
from tests.fakes.browser import Seen
from tests.fakes.door import eventually

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("certified")]
LINK = "/api/quick?from=mail"


async def revoked(house: House, login: str) -> None:
    """What `gateway sessions revoke --sub` writes."""
    key = subject_key(house.provider.issuer, login)
    assert (await house.gateway.log.append([NewEntry(key, clock.now() + 43_260, BY_OPERATOR)])).durable


async def answered(person: Person, page: Seen, login: str = "") -> Seen:
    """Whatever the provider asks, until it asks for a login (again), or the browser is back.

    :param login: what is given to the first form, where that asks for one.
    """
    if login:
        page = await person.submit(page, login=login, password="any")
    while 'name="login"' not in page.text and page.url.startswith("http://localhost:"):
        page = await person.submit(page, **({"logout": "yes"} if "sign-out" in page.text else {}))
    return page


def reasons(person: Person) -> list[Seen]:
    return [page for page in person.seen if message("once_more.title") in page.text]


async def test_where_auth_time_proves_it_one_sign_in_is_enough(street: Street, person: Person) -> None:
    """In a browser that was never here; nothing is walked."""
    house = street["vouched"]
    await revoked(house, "ada")
    page = await answered(person, await person.goto(house.app + LINK), "ada")
    assert (page.status, page.path) == (200, LINK)
    assert reasons(person) == []
    assert not [seen for seen in person.seen if "/session/end" in seen.url]


async def test_what_the_provider_only_remembers_is_asked_for_again(
    street: Street, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed in next door before: one round with the reason, and `auth_time` shows that the provider did ask.

    How long the exchange of the code takes makes a proof look later by as much: so our clock stands still in it.
    """
    await street["plain"].signed_in(person, "bea")
    then = clock.now()
    await eventually(lambda: clock.now() > then)  # else it is the same second as the sign-in that begins now
    house = street["vouched"]
    await revoked(house, "bea")
    with monkeypatch.context() as stopped:
        at = clock.now()
        stopped.setattr(clock, "now", lambda: at)
        page = await answered(person, await person.goto(house.app + LINK))
    assert 'name="login"' in page.text
    (said,) = reasons(person)
    assert parse_qs(urlsplit(said.continue_url()).query)["prompt"] == ["login"]
    page = await answered(person, page, "bea")
    assert (page.status, page.path, len(reasons(person))) == (200, LINK, 1)


async def test_elsewhere_one_round_says_why_and_leads_back(street: Street, person: Person) -> None:
    """Nobody has said what `auth_time` is worth here, and none is sent."""
    house = street["plain"]
    await revoked(house, "cyd")
    page = await answered(person, await person.goto(house.app + LINK), "cyd")
    assert 'name="login"' in page.text
    assert len(reasons(person)) == 1
    page = await answered(person, page, "cyd")
    assert (page.status, page.path, len(reasons(person))) == (200, LINK, 1)
