"""Seven gateways that sign in at the certified provider, all in one process; the provider is one of its own."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from gateway.app import server
from gateway.app.wiring import Gateway
from gateway.config import load
from gateway.telemetry.audit import AuditEvent
from tests.bench.person import Person
from tests.certified.provider import Provider, providing
from tests.fakes.ample import ample_for_a_gateway
from tests.fakes.browser import Seen
from tests.fakes.hand import stopped
from tests.fakes.serving import Application
from tests.flows.conftest import free_socket

SECRET = "known-to-this-test-alone"
CONFIGURATION = """\
public_url: {app}
listen: 127.0.0.1:0
upstreams: [{{path: /, url: "http://127.0.0.1:{application}"}}]
provider: {{kind: oidc, issuer: "{issuer}", client_id: {client}, client_secret: {secret}{more}}}
session: {{key_files: [session-key]}}
state: sqlite://{directory}/state.db
headers: {{groups: groups}}
logout: {{chain: [{hop}]}}
inbound: {{backchannel: true}}
probes: {{listen: 127.0.0.1:0}}
admin: {{listen: 127.0.0.1:0}}
log: {{level: error, access: false}}
"""
APPLICATIONS = {
    "plain": "oidc",
    "other": "{oidc: get}",
    "by-form": "{oidc: form}",
    "short-lived": "oidc",
    "unregistered": "oidc",
    "vouched": "oidc",
    "seldom": "oidc",
}
"""Client ids, each with the hop of its gateway. The return address of `unregistered` is not registered at the provider;
of `vouched` the operator says that `auth_time`, which its client wants always, proves when somebody signed in. `seldom` is
used by one test, since tokens of another may still be on their way when the next begins.
"""


@dataclass
class House:
    """One application behind its gateway."""

    app: str
    gateway: Gateway
    provider: Provider
    audit: list[AuditEvent] = field(default_factory=list)

    async def signed_in(self, person: Person, login: str = "alice") -> str:
        """Sign ``person`` in here, by the provider's forms where it shows them; the cookies of the session."""
        page = await person.goto(f"{self.app}/api/quick")
        if 'name="login"' in page.text:
            page = await person.submit(page, login=login, password="any")
        if 'value="consent"' in page.text:
            page = await person.submit(page)
        assert (page.status, page.text) == (200, "quick"), (page.url, page.status, page.text[:500])
        return person.cookie_header(self.app)

    async def to_the_provider(self, person: Person) -> Seen:
        """Press sign out; the provider's page."""
        await person.navigate(f"{self.app}/logged-out", site="same-origin")
        answer = await person.navigate(f"{self.app}/logout", method="POST", body="", site="same-origin")
        return await person.follow(answer, site="same-origin")

    async def signed_out(self, person: Person, answer: str = "yes") -> Seen:
        """Press sign out, and ``answer`` the provider's question, if it has one; the page at the end."""
        page = await self.to_the_provider(person)
        if "Do you want to sign-out" not in page.text:
            return page
        return await person.submit(page, **({"logout": answer} if answer == "yes" else {}))

    async def receipt(self, person: Person) -> dict[str, str]:
        """Hop to status."""
        answer = await person.fetch(f"{self.app}/logged-out", Accept="application/json")
        return {hop["hop"]: hop["status"] for hop in json.loads(answer.text)["hops"]}

    async def status(self, cookie: str) -> int:
        """Of a fetch by somebody who has copied the cookies of a session."""
        thief = Person.open()
        headers = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Cookie": cookie}
        answer = await thief.send("GET", f"{self.app}/api/quick", headers, None)
        await thief.close()
        return answer.status


@dataclass
class Street:
    """All applications, by client id, and the provider that they share."""

    provider: Provider
    houses: dict[str, House]
    people: list[Person] = field(default_factory=list)

    def __getitem__(self, client: str) -> House:
        return self.houses[client]

    def person(self) -> Person:
        """Somebody whose browser has never been here."""
        self.people.append(Person.open())
        return self.people[-1]


def _client(name: str, app: str) -> dict[str, Any]:
    returns = "elsewhere" if name == "unregistered" else "oidc"
    return {
        "client_id": name,
        "client_secret": SECRET,
        "redirect_uris": [f"{app}/oauth2/callback"],
        "post_logout_redirect_uris": [f"{app}/logout/done/{returns}"],
        "backchannel_logout_uri": f"{app}/oauth2/backchannel-logout",
        "backchannel_logout_session_required": True,
        "require_auth_time": name == "vouched",
    }


@asynccontextmanager
async def _house(
    directory: Path, name: str, door: socket.socket, provider: Provider, application: int
) -> AsyncIterator[House]:
    directory.mkdir()
    key = directory / "session-key"
    key.touch(mode=0o600)
    key.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    path = directory / "gateway.yaml"
    app = _address(name, door)
    path.write_text(
        CONFIGURATION.format(
            app=app,
            application=application,
            issuer=provider.issuer,
            client=name,
            secret=SECRET,
            directory=directory,
            hop=APPLICATIONS[name],
            more=", auth_time_proves: true" if name == "vouched" else "",
        )
    )
    audit: list[AuditEvent] = []
    with ample_for_a_gateway():
        gateway = Gateway(load(path, {}), on_audit=audit.append)
    run = server.Run(gateway)
    ready = asyncio.Event()
    task = asyncio.create_task(server.serve_replica(run, door, on_ready=ready.set, accept_for=0.0))
    await asyncio.wait([asyncio.create_task(ready.wait()), task], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield House(app, gateway, provider, audit)
    finally:
        await stopped(run, task)


def _address(name: str, door: socket.socket) -> str:
    return f"http://{name}.localhost:{door.getsockname()[1]}"


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def street(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Street]:
    """Started once for all tests, which leave no session behind that another would meet."""
    directory = tmp_path_factory.mktemp("certified")
    application = Application()
    await application.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(application.close)
        doors = {name: stack.enter_context(free_socket()) for name in APPLICATIONS}
        clients = [_client(name, _address(name, door)) for name, door in doors.items()]
        provider = await stack.enter_async_context(providing(directory, clients))
        houses = {
            name: await stack.enter_async_context(
                _house(directory / name, name, door, provider, application.port)
            )
            for name, door in doors.items()
        }
        found = Street(provider, houses)
        yield found
        for person in found.people:
            await person.close()


@pytest_asyncio.fixture(loop_scope="session")
async def person(street: Street) -> Person:
    """Somebody who has just come."""
    return street.person()
