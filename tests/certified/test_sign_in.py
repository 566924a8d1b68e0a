"""Signing in and staying signed in at a provider that nobody here wrote."""

from __future__ import annotations

import json

import pytest

from tests.bench.person import Person
from tests.certified.conftest import Street
from tests.flows.conftest import later

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("certified")]


async def test_a_sign_in_leads_back_to_the_application(street: Street, person: Person) -> None:
    """Code flow with PKCE, state, nonce and `iss`; the application's user is the provider's."""
    house = street["plain"]
    await house.signed_in(person, "alice")

    about = json.loads((await person.fetch(f"{house.app}/oauth2/session")).text)

    assert (about["email"], about["groups"]) == ("alice@example.com", ["staff"])
    assert [event.kind.value for event in house.audit][-1] == "login"


async def test_signed_in_at_one_application_the_other_asks_no_password(
    street: Street, person: Person
) -> None:
    """The provider's own session is what makes one sign-out not enough."""
    await street["plain"].signed_in(person, "alice")
    form = await person.goto(f"{street['other'].app}/api/quick")

    assert 'name="login"' not in form.text


async def test_a_session_is_refreshed_beside_its_requests(street: Street, person: Person) -> None:
    """When the tokens are about to expire; the browser goes on with the next generation."""
    house = street["plain"]
    before = await house.signed_in(person, "alice")
    refreshes = len(_refreshes(street))

    with later(59):
        assert (await person.fetch(f"{house.app}/api/quick")).status == 200
        await street.provider.until(lambda: len(_refreshes(street)) > refreshes)
        while house.gateway.refresher._under_way:
            await next(iter(house.gateway.refresher._under_way.values()))
        assert (await person.fetch(f"{house.app}/api/quick")).status == 200

    assert person.cookie_header(house.app) != before
    assert len(_refreshes(street)) == refreshes + 1


def _refreshes(street: Street) -> list[dict[str, str]]:
    return [each for each in street.provider.of("grant") if each["type"] == "refresh_token"]
