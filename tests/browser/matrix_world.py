"""One product for each combination, for all of the matrix, and what can be done to its providers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, urlsplit

from aiohttp import web

from gateway.demo.options import CLIENT_ID, DemoOptions, port_of
from tests.browser.matrix import COGNITO, OKTA, Combination
from tests.fakes.ports import free_port
from tests.fakes.wiretap import Wiretap
from tests.flows.conftest import Stand, standing

DEADLINE = 1.0
"""Seconds that a hop has; people have thirty."""


@dataclass
class World:
    """A running product, and a relay before the gateway that writes down its answers."""

    combination: Combination
    stand: Stand
    tap: Wiretap

    @property
    def signs_in_at_okta(self) -> bool:
        """Without Cognito."""
        return self.combination.federation == "okta"

    def origin(self, party: str) -> str:
        return {COGNITO: self.stand.cognito, OKTA: self.stand.okta}[party]

    def forget(self) -> None:
        """Everything that has happened so far."""
        idp = self.stand.idp
        for emulator, control in ((idp.cognito, idp.control.cognito), (idp.okta, idp.control.okta)):
            control.reset()
            emulator.common.options = idp.options
        client = idp.okta.clients[CLIENT_ID]
        idp.okta.clients[CLIENT_ID] = replace(
            client, secret=idp.options.client_secret, sign_outs=idp.options.okta_sign_outs
        )
        self.tap.heard.clear()

    def moves(self) -> list[str]:
        """Where the answers of the gateway have sent the browser in the course of the sign-out, in order."""
        found = []
        for exchange in list(self.tap.heard):
            where = exchange.location.removeprefix(self.stand.app)
            name = self._hop_at(where)
            if name:
                found.append(f"{exchange.status} {name}")
            elif exchange.path == "/logout/hop" and exchange.status == 200:
                found.append(
                    "200 oidc by a form"
                    if "http:" in exchange.field("content-security-policy")
                    else "200 oidc"
                )
            elif urlsplit(where).path == "/logged-out" and exchange.path.startswith(("/logout", "/reports")):
                found.append(f"{exchange.status} receipt")
        return found

    def _hop_at(self, location: str) -> str:
        app, options = self.stand.app, self.stand.idp.options
        back = quote(f"{app}/logout/done/", safe="")
        if location == f"{options.cognito}/logout?client_id={CLIENT_ID}&logout_uri={back}cognito":
            return "cognito"
        if location.startswith(f"{options.okta}/login/signout?fromURI={back}okta_signout%2F"):
            return "okta_signout"
        if location.startswith(f"{options.okta}/oauth2/default/v1/logout?client_id={CLIENT_ID}&"):
            return "oidc"
        return "hop" if location == "/logout/hop" else ""

    def unregister(self, party: str) -> None:
        """The gateway's return address is none that the provider knows."""
        idp = self.stand.idp
        elsewhere = "http://elsewhere.localhost"
        if party == COGNITO:
            callback = f"{self.stand.app}/oauth2/callback"
            idp.cognito.common.options = replace(idp.options, app=elsewhere, callback_urls=(callback,))
        elif self.signs_in_at_okta:
            changed = replace(idp.okta.clients[CLIENT_ID], sign_outs=())
            idp.okta.clients[CLIENT_ID] = changed
            held = idp.okta.refresh_tokens
            held.update({token: replace(grant, client=changed) for token, grant in held.items()})
        else:
            idp.okta.common.options = replace(idp.options, app=elsewhere)

    def break_revocation(self) -> None:
        """Tokens cannot be revoked: the endpoint is down, or it does not know the client's secret any more."""
        self.stand.set(revoke_answer="503")
        okta = self.stand.idp.okta
        okta.clients[CLIENT_ID] = replace(okta.clients[CLIENT_ID], secret="another one")

    @asynccontextmanager
    async def silent(self, party: str) -> AsyncIterator[None]:
        """The provider takes connections and says nothing; those that are open already end."""
        options = self.stand.idp.options
        port = port_of(self.origin(party))
        (runner,) = (runner for runner in self.stand.idp.runners if _port(runner) == port)
        for site in list(runner.sites):
            await site.stop()
        assert runner.server is not None
        await runner.server.shutdown(0.05)  # 0 would be without limit
        try:
            with socket.create_server((options.listen, port), backlog=64):
                yield
        finally:
            await web.TCPSite(runner, options.listen, port).start()

    def sessions(self) -> tuple[str, ...]:
        """The providers at which somebody is signed in."""
        idp = self.stand.idp
        found = {COGNITO: idp.cognito.live_sessions(), OKTA: idp.okta.live_sessions()}
        return tuple(party for party, alive in found.items() if alive)

    def refresh_tokens(self) -> list[bool]:
        """Whether each refresh token that the gateway was given is revoked."""
        idp = self.stand.idp
        issuer = idp.okta if self.signs_in_at_okta else idp.cognito
        return [token.revoked for token in issuer.common.issued if token.kind == "refresh"]


def _port(runner: web.AppRunner) -> int:
    return int(runner.addresses[0][1])


@asynccontextmanager
async def founded(combination: Combination, directory: Path) -> AsyncIterator[World]:
    """Start everything."""
    tap = Wiretap()
    front = free_port()
    await tap.start(front)
    pieces = {"logout:\n": f"logout:\n  hop_deadline: {DEADLINE:.0f}s\n", **combination.pieces}
    demo = DemoOptions(switches=combination.switches)
    try:
        async with standing(
            directory, federation=combination.federation, demo=demo, front=front, replaced=pieces
        ) as stand:
            tap.lead_to(stand.port)
            yield World(combination, stand, tap)
    finally:
        await tap.close()


class Worlds:
    """Each is founded when it is needed first, and there until the end."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._stack = AsyncExitStack()
        self._founded: dict[str, World] = {}

    async def world(self, combination: Combination) -> World:
        """As new."""
        if combination.key not in self._founded:
            place = self._directory / combination.key
            place.mkdir()
            self._founded[combination.key] = await self._stack.enter_async_context(
                founded(combination, place)
            )
        self._founded[combination.key].forget()
        return self._founded[combination.key]

    async def close(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await self._stack.aclose()
