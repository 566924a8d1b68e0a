"""What the documentation of the hops says of Keycloak, asked of Keycloak itself, without a gateway between."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import pytest_asyncio

from tests.bench.person import Person
from tests.fakes.browser import Seen
from tests.fakes.house import SECRET
from tests.providers.conftest import Town
from tests.providers.keycloak import PASSWORD

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.timeout(600)]
REALM, CLIENT = "alone", "app-alone"
VERIFIER = "v" * 50
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()
BASIC = {"Authorization": f"Basic {base64.b64encode(f'{CLIENT}:{SECRET}'.encode()).decode()}"}
QUESTION = "Do you want to log out?"


@dataclass
class Desk:
    """A client of the realm that asks for itself what the gateway would ask for."""

    town: Town
    person: Person

    @property
    def app(self) -> str:
        return self.town.houses[REALM].app

    def address(self, endpoint: str) -> str:
        return f"{self.town.keycloak.realm(REALM)}/protocol/openid-connect/{endpoint}"

    async def sign_in(self, user: str) -> dict[str, str]:
        """Sign ``user`` in, in this browser; the tokens."""
        back = f"{self.app}/oauth2/callback"
        asked = {"response_type": "code", "client_id": CLIENT, "redirect_uri": back, "scope": "openid"}
        proof = {"state": "s", "nonce": "n", "code_challenge": CHALLENGE, "code_challenge_method": "S256"}
        form = await self.person.goto(
            f"{self.address('auth')}?{urlencode({**asked, **proof})}", until=self.app
        )
        page = await self.person.submit(form, until=self.app, username=user, password=PASSWORD)
        (code,) = parse_qs(urlsplit(page.location).query)["code"]
        given = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
        found: dict[str, str] = json.loads((await self.post("token", code_verifier=VERIFIER, **given)).text)
        return found

    async def post(self, endpoint: str, **fields: str) -> Seen:
        """What the client itself asks, with its secret."""
        machine = Person.open()
        answer = await machine.send("POST", self.address(endpoint), BASIC, urlencode(fields))
        await machine.close()
        assert answer.status == 200, (endpoint, answer.text)
        return answer

    async def end(self, method: str = "GET", **hint: str) -> Seen:
        """Lead the browser there from the application, to sign out; its page, or the redirect back."""
        back = f"{self.app}/logout/done/keycloak"
        query = urlencode({"client_id": CLIENT, "post_logout_redirect_uri": back, "state": "here", **hint})
        address = self.address("logout")
        if method == "GET":
            return await self.person.navigate(f"{address}?{query}", site="cross-site")
        return await self.person.navigate(address, method="POST", body=query, site="cross-site")

    def leads_back(self, page: Seen) -> bool:
        """With ``state``."""
        return page.location == f"{self.app}/logout/done/keycloak?state=here"

    async def sessions(self, *people: str) -> list[int]:
        return [await self.town.keycloak.sessions(REALM, each) for each in people]

    def forget(self) -> None:
        """The browser loses its cookies of the realm."""
        self.person.scoped.clear()


@pytest_asyncio.fixture(loop_scope="session")
async def desk(town: Town) -> AsyncIterator[Desk]:
    """A browser that has never been here, at a realm without sessions."""
    await town.keycloak.ask("POST", f"/{REALM}/logout-all")
    person = Person.open()
    yield Desk(town, person)
    await person.close()


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_with_a_hint_it_asks_nothing_and_leads_back(desk: Desk, method: str) -> None:
    """By either method, for its cookies are SameSite=None."""
    tokens = await desk.sign_in("alice")
    assert desk.leads_back(await desk.end(method, id_token_hint=tokens["id_token"]))
    assert await desk.sessions("alice") == [0]


async def test_an_expired_hint_is_as_good(desk: Desk) -> None:
    """By its own clock."""
    settings = {"realm": REALM, "accessTokenLifespan": 1}
    await desk.town.keycloak.ask("PUT", f"/{REALM}", settings)
    try:
        tokens = await desk.sign_in("alice")
    finally:
        await desk.town.keycloak.ask("PUT", f"/{REALM}", {**settings, "accessTokenLifespan": 300})
    await asyncio.sleep(2.1)
    assert desk.leads_back(await desk.end(id_token_hint=tokens["id_token"]))
    assert await desk.sessions("alice") == [0]


async def test_without_a_hint_it_asks_and_takes_no_no(desk: Desk) -> None:
    """So whoever comes back has no session there any more; nor has anybody who had none."""
    await desk.sign_in("alice")
    page = await desk.end()
    assert QUESTION in page.text
    assert await desk.sessions("alice") == [1]
    assert desk.leads_back(await desk.person.submit(page, until=desk.app, confirmLogout="Logout"))
    assert await desk.sessions("alice") == [0]
    assert desk.leads_back(await desk.end())


async def test_with_the_hint_of_another_session_it_asks(desk: Desk) -> None:
    """Somebody else's, or the same person's from before: it ends none of them unasked."""
    tokens = await desk.sign_in("alice")
    for user in ("bob", "alice"):
        desk.forget()
        await desk.sign_in(user)
        assert QUESTION in (await desk.end(id_token_hint=tokens["id_token"])).text
    assert await desk.sessions("alice", "bob") == [2, 1]


async def test_in_a_browser_without_its_cookies_the_hint_names_the_session(desk: Desk) -> None:
    """It is ended, and the browser led back."""
    tokens = await desk.sign_in("alice")
    desk.forget()
    assert desk.leads_back(await desk.end(id_token_hint=tokens["id_token"]))
    assert await desk.sessions("alice") == [0]


async def test_what_is_no_hint_of_its_own_strands_the_browser(desk: Desk) -> None:
    """As one does that was signed by a key which it has withdrawn."""
    await desk.sign_in("alice")
    page = await desk.end(id_token_hint="abc")
    assert (page.status, page.location) == (400, "")
    assert "Invalid parameter: id_token_hint" in page.text
    assert await desk.sessions("alice") == [1]


async def test_revoking_the_refresh_token_ends_the_session(desk: Desk) -> None:
    """Of the only client that it has; so the hop comes first, and the revocation still succeeds after it."""
    tokens = await desk.sign_in("alice")
    await desk.post("revoke", token=tokens["refresh_token"], token_type_hint="refresh_token")
    assert await desk.sessions("alice") == [0]
    desk.forget()
    tokens = await desk.sign_in("alice")
    assert desk.leads_back(await desk.end(id_token_hint=tokens["id_token"]))
    await desk.post("revoke", token=tokens["refresh_token"], token_type_hint="refresh_token")
