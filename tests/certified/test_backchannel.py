"""Back-channel logout by a certified provider: signed by it, sent by it, for a session that it began.

Front-channel logout is not here, because this provider has none.
"""

from __future__ import annotations

import aiohttp
import pytest

from tests.bench.person import Person
from tests.certified.conftest import House, Street
from tests.fakes.browser import Loopback
from tests.fakes.patience import PATIENCE

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.xdist_group("certified")]


async def live(house: House, cookie: str, client: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
    """A WebSocket of this session, which has carried something."""
    headers = {"Cookie": cookie, "Origin": house.app}
    sock = await client.ws_connect(f"{house.app}/api/live", headers=headers)
    await sock.send_str("hello")
    assert await sock.receive_str() == "echo hello"
    return sock


def browsers_client() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(resolver=Loopback(), use_dns_cache=False)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


async def test_a_sign_out_at_one_application_ends_the_session_at_the_other(
    street: Street, person: Person
) -> None:
    """The provider tells both. At the other one the WebSocket closes with 4401 and a copied cookie is dead."""
    here, there = street["plain"], street["other"]
    await here.signed_in(person, "alice")
    copied = await there.signed_in(person, "alice")
    told = len(street.provider.of("backchannel"))

    async with browsers_client() as client:
        sock = await live(there, copied, client)
        await here.signed_out(person)
        closed = await sock.receive(timeout=PATIENCE)

    assert (closed.type, closed.data) == (aiohttp.WSMsgType.CLOSE, 4401)
    assert await there.status(copied) == 401
    await street.provider.until(lambda: len(street.provider.of("backchannel")) >= told + 2)
    sent = street.provider.of("backchannel")[told:]
    assert sorted(each["client"] for each in sent) == ["other", "plain"]
    assert len({each["sid"] for each in sent}) == 2
    assert street.provider.of("backchannel_refused") == []
    assert [event.reason for event in there.audit if event.kind.value == "revoked"][-1:] == ["backchannel"]


async def test_only_the_session_that_is_named_ends(street: Street, person: Person) -> None:
    """Somebody else, and the same person in another browser, stay signed in."""
    house = street["plain"]
    other_browser, somebody_else = street.person(), street.person()
    stays = await house.signed_in(other_browser, "alice")
    bobs = await house.signed_in(somebody_else, "bob")
    ends = await house.signed_in(person, "alice")
    await street["other"].signed_in(person, "alice")

    await street["other"].signed_out(person)

    assert [await house.status(cookie) for cookie in (ends, stays, bobs)] == [401, 200, 200]


async def test_the_browser_of_an_ended_session_must_sign_in_again(street: Street, person: Person) -> None:
    """What is left in it leads through the sign-out, not back in."""
    here, there = street["plain"], street["other"]
    await here.signed_in(person, "alice")
    await there.signed_in(person, "alice")
    await here.signed_out(person)

    page = await person.goto(f"{there.app}/api/quick")

    assert page.text != "quick"
    assert (await person.fetch(f"{there.app}/api/quick")).status == 401
