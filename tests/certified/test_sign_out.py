"""RP-initiated logout at a certified provider as it comes: with and without a hint, and gone wrong."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest

from gateway.web.pages.catalogue import message
from tests.bench.person import Person
from tests.certified.conftest import House, Street
from tests.fakes.browser import Seen
from tests.flows.conftest import later

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("certified")]
HOP_DEADLINE = 30
HINT = "__Secure-session-hint"


def question(person: Person) -> Seen:
    """The last page on which the provider asked whether to sign out."""
    return next(page for page in reversed(person.seen) if "Do you want to sign-out" in page.text)


def came_back(person: Person) -> Seen:
    """The return to the gateway."""
    return next(page for page in reversed(person.seen) if "/logout/done/" in page.url)


async def asks_for_a_password(house: House, person: Person) -> bool:
    return 'name="login"' in (await person.goto(f"{house.app}/api/quick")).text


@pytest.mark.parametrize("client", ["plain", "other"])
async def test_a_sign_out_ends_both_sessions(street: Street, person: Person, client: str) -> None:
    """Its end of session takes GET alone, as it comes; `state` comes back, and counts as that and no more."""
    house = street[client]
    copied = await house.signed_in(person, "alice")

    receipt = await house.signed_out(person)

    first = next(each for each in street.provider.of("sign_out")[::-1] if each["path"] == "/session/end")
    assert (first["method"], "id_token_hint" in first["query"]) == ("GET", True)
    assert len(parse_qs(urlsplit(came_back(person).url).query)["state"]) == 1
    assert (receipt.path, receipt.status) == ("/logged-out", 200)
    assert "Everything below is done" not in receipt.text
    assert await house.receipt(person) == {"oidc": "returned"}
    assert await house.status(copied) == 401
    assert await asks_for_a_password(house, person)


async def test_a_form_strands_the_browser_where_none_is_taken(street: Street, person: Person) -> None:
    """Whoever writes it for a provider that has no such page; the second try is no form, has the hint, and leads back."""
    house = street["by-form"]
    await house.signed_in(person, "alice")

    stranded = await house.to_the_provider(person)

    assert (stranded.url.startswith(street.provider.issuer), stranded.status) == (True, 404)
    with later(HOP_DEADLINE + 1):
        page = await person.goto(f"{house.app}/api/quick")
        assert "id_token_hint=" in question(person).url
        await person.submit(page, logout="yes")
        assert await house.receipt(person) == {"oidc": "returned"}
        assert await asks_for_a_password(house, person)


async def test_the_refresh_token_is_revoked_when_the_provider_has_been_answered(
    street: Street, person: Person
) -> None:
    """Not while it still asks its question (RFC 7009): it could end its session together with the token."""
    house = street["seldom"]
    await house.signed_in(person, "alice")

    def revocations() -> list[int]:
        return [each["status"] for each in street.provider.of("revocation") if each["client"] == "seldom"]

    page = await house.to_the_provider(person)

    assert "Do you want to sign-out" in page.text
    await asyncio.sleep(0.2)
    assert revocations() == []
    await person.submit(page, logout="yes")
    await street.provider.until(lambda: revocations() != [])
    assert revocations() == [200]


async def test_an_expired_hint_is_as_good(street: Street, person: Person) -> None:
    """ID tokens live an hour and sessions a day."""
    house = street["short-lived"]
    await house.signed_in(person, "alice")
    await asyncio.sleep(1.2)  # the hint lives for one second, by the provider's own clock

    await house.signed_out(person)

    assert await house.receipt(person) == {"oidc": "returned"}
    assert await asks_for_a_password(house, person)


async def test_without_a_hint_the_provider_is_told_the_client(street: Street, person: Person) -> None:
    """The browser has lost its hint; the way back is the same."""
    house = street["plain"]
    await house.signed_in(person, "alice")
    person.scoped = {key: value for key, value in person.scoped.items() if not key[1].startswith(HINT)}

    await house.signed_out(person)

    asked = parse_qs(urlsplit(question(person).url).query)
    assert "id_token_hint" not in asked
    assert asked["client_id"] == ["plain"]
    assert await house.receipt(person) == {"oidc": "returned"}
    assert await asks_for_a_password(house, person)


async def test_without_any_session_the_chain_is_walked_all_the_same(street: Street, person: Person) -> None:
    """The provider has nobody to ask, and leads back at once."""
    house = street["plain"]

    await house.signed_out(person)

    assert await house.receipt(person) == {"oidc": "returned"}


async def test_whoever_stays_signed_in_at_the_provider_is_out_here(street: Street, person: Person) -> None:
    """Its page may be answered with no, and leads back all the same: the receipt does not say that anything ended there."""
    house = street["plain"]
    copied = await house.signed_in(person, "alice")

    receipt = await house.signed_out(person, answer="no")

    assert "may send you back without having ended your session there" in receipt.text
    assert message("line.confirmed_outcome") not in receipt.text
    assert await house.receipt(person) == {"oidc": "returned"}
    assert await house.status(copied) == 401
    assert await asks_for_a_password(house, person)


async def test_another_persons_hint_does_not_stop_the_way_back(street: Street, person: Person) -> None:
    """Somebody else has signed in at the provider meanwhile; the person is asked, and comes back."""
    house = street["plain"]
    await house.signed_in(person, "alice")
    host = urlsplit(street.provider.issuer).netloc
    person.scoped = {key: value for key, value in person.scoped.items() if key[0] != host}
    await street["other"].signed_in(person, "bob")

    await house.signed_out(person)

    assert await house.receipt(person) == {"oidc": "returned"}


async def test_an_address_that_is_not_registered_strands_the_browser_but_nobody_stays_signed_in(
    street: Street, person: Person
) -> None:
    """The provider shows an error page. The session is dead here, and after two tries the hop is not confirmed."""
    house = street["unregistered"]
    copied = await house.signed_in(person, "alice")

    page = await house.to_the_provider(person)

    assert (page.url.startswith(street.provider.issuer), page.status) == (True, 400)
    assert "post_logout_redirect_uri not registered" in page.text
    assert await house.status(copied) == 401
    assert (await person.goto(f"{house.app}/api/quick")).text != "quick"
    with later(HOP_DEADLINE + 1):
        again = await person.goto(f"{house.app}/api/quick")
        assert (again.url.startswith(street.provider.issuer), again.status) == (True, 400)
    with later(2 * HOP_DEADLINE + 2):
        assert (await person.goto(f"{house.app}/api/quick")).path == "/logged-out"
        assert await house.receipt(person) == {"oidc": "failed"}
        assert await asks_for_a_password(house, person)
