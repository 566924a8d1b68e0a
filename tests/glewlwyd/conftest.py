"""One Glewlwyd, and two applications behind gateways that sign people in there."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio

from tests.bench.person import Person
from tests.fakes.browser import Seen
from tests.fakes.house import IN, PAGE, House, address, client, house
from tests.flows.conftest import free_socket
from tests.glewlwyd.program import PASSWORD, Glewlwyd, glewlwyd

NAME, BRIEF = "app", "brief"
"""Client ids; the tokens of the second live for a second."""
PEOPLE = ("alice", "bob", "carol", "dave", "erin", "frank")
"""More than one test signs in; each as somebody else, so that none meets the sessions of another."""


@dataclass
class Village:
    """The application and its provider. ``brief`` is the other application, and its provider."""

    provider: Glewlwyd
    house: House
    people: list[Person] = field(default_factory=list)
    name: str = NAME
    brief: Village | None = None

    def person(self) -> Person:
        """Somebody whose browser has never been here."""
        self.people.append(Person.open())
        return self.people[-1]

    async def arrive(self, person: Person) -> Seen:
        """Navigate to the application; the page that is shown at the end."""
        return await person.goto(self.house.app + PAGE)

    def asks_for_the_password(self, page: Seen) -> bool:
        """Whether this is the provider's sign-in."""
        return page.url.startswith(f"{self.provider.address}/login.html?client_id={self.name}&")

    async def knows(self, person: Person) -> bool:
        """Whether the provider has a session with ``person``'s browser."""
        return (await person.fetch(f"{self.provider.address}/api/profile_list")).status == 200

    async def sign_in(self, person: Person, user: str) -> str:
        """By the calls that the script of the provider's page makes; the cookies of the session."""
        page = await self.arrive(person)
        assert self.asks_for_the_password(page), (page.url, page.status)
        await self.call(person, "POST", "/auth/", username=user, password=PASSWORD)
        await self.call(person, "PUT", f"/auth/grant/{self.name}", scope="openid")
        page = await person.goto(f"{asked(page)['callback_url']}&g_continue", source=page.url)
        assert (page.status, page.text) == (200, IN), (page.url, page.status)
        return person.cookie_header(self.house.app)

    async def call(self, person: Person, method: str, path: str, **body: str) -> Seen:
        """What a script of the provider's page fetches, which must go well."""
        more: dict[str, Any] = {"Content_Type": "application/json", "body": json.dumps(body)} if body else {}
        answer = await person.fetch(f"{self.provider.address}/api{path}", method=method, **more)
        assert answer.status == 200, (method, path, answer.status, answer.text)
        return answer

    async def to_the_provider(self, person: Person) -> Seen:
        """Press sign out; the provider's page."""
        app = self.house.app
        await person.navigate(f"{app}/logged-out", site="same-origin")
        answer = await person.navigate(f"{app}/logout", method="POST", body="", site="same-origin")
        return await person.follow(answer, site="same-origin")

    async def receipt(self, person: Person) -> dict[str, str]:
        """Hop to evidence."""
        return await self.house.receipt(person.cookie_header(f"{self.house.app}/logged-out"))

    async def agree(self, person: Person, question: Seen) -> Seen:
        """Press *Logout* on the provider's page; where that leads."""
        given = asked(question)
        assert given["prompt"] == "end_session", question.url
        await self.call(person, "DELETE", f"/{given['plugin']}/session/{given['sid']}")
        await self.call(person, "DELETE", "/auth/")
        return await person.goto(given["callback_url"], source=question.url)

    async def stay(self, person: Person, question: Seen) -> Seen:
        """Press *Stay connected* there; where that leads."""
        return await person.goto(asked(question)["callback_url"], source=question.url)


def asked(page: Seen) -> dict[str, str]:
    """The query of a page's address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def village(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Village]:
    """For all tests."""
    directory = tmp_path_factory.mktemp("glewlwyd")
    plugins = {NAME: "oidc", BRIEF: "brief"}
    async with AsyncExitStack() as stack:
        doors = {name: stack.enter_context(free_socket()) for name in plugins}
        clients = [client(name, address(name, door)) for name, door in doors.items()]
        provider = await stack.enter_async_context(glewlwyd(directory / "provider", clients, PEOPLE))
        houses = {
            name: await stack.enter_async_context(
                house(
                    directory / name,
                    doors[name],
                    name=name,
                    issuer=provider.issuer(plugin),
                    more={"scopes": "[openid]"},
                )
            )
            for name, plugin in plugins.items()
        }
        found = Village(provider, houses[NAME])
        found.brief = Village(provider, houses[BRIEF], found.people, BRIEF)
        yield found
        for person in found.people:
            await person.close()


@pytest_asyncio.fixture(loop_scope="session")
async def person(village: Village) -> Person:
    """Somebody who has just come."""
    return village.person()
