"""What tests of back-channel logout have in common: a provider that sends, and messages of our own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from gateway.app import server
from gateway.app.wiring import Gateway
from gateway.config import load
from gateway.core import clock
from gateway.demo.keys import signing_key
from gateway.demo.options import CLIENT_ID
from tests.fakes.forge import Forge, SigningKey
from tests.fakes.hand import stopped
from tests.fakes.logout_tokens import logout_token
from tests.fakes.patience import PATIENCE
from tests.flows.conftest import Stand, free_socket
from tests.flows.raw import exchange, request

PATH = "/oauth2/backchannel-logout"
OPEN = {"  frontchannel: true\n": "  backchannel: true\n"}
"""What the generated configuration opens, and what is opened here."""
FORM = "Content-Type: application/x-www-form-urlencoded"


def patient(stand: Stand, seconds: float = PATIENCE) -> Stand:
    """``stand``, whose log waits for a busy disk for so long; else a slow machine would be a log that cannot be written."""
    stand.gateway.log._deadline = seconds  # type: ignore[attr-defined]  # of the log in SQLite
    return stand


async def sent(
    stand: Stand, variant: str = "good", *, times: int = 1, user: str = "alice@example.com"
) -> list[int]:
    """The statuses that one message got, sent so many times."""
    answers = await stand.idp.sender.send("logout_token", variant=variant, times=times, user=user)
    return [answer.status for answer in answers]


def forge(stand: Stand) -> Forge:
    """With the emulator's own key."""
    key = signing_key("okta org")
    return Forge(stand.okta, CLIENT_ID, now=clock.now(), id_key=SigningKey(key.kid, key.private))


def form(stand: Stand, **changes: Any) -> bytes:
    """A body with a good token, or with ``changes`` to its claims."""
    return urlencode({"logout_token": logout_token(forge(stand), **changes)}).encode()


async def posted(
    stand: Stand, body: bytes, *headers: str, host: str = ""
) -> tuple[int, dict[str, str], bytes]:
    """What a body of our own gets, on a connection of its own."""
    length = f"Content-Length: {len(body)}"
    asked = request(stand, f"POST {PATH} HTTP/1.1", *(headers or (FORM,)), length, host=host, body=body)
    (answer,) = await exchange(stand, asked)
    told = {name.decode().lower(): value.decode() for name, value in answer.headers}
    return answer.status, told, answer.body


async def status(stand: Stand, cookie: str) -> int:
    (answer,) = await exchange(stand, request(stand, "GET /api/me HTTP/1.1", f"Cookie: {cookie}"))
    return answer.status


async def subject(stand: Stand) -> str:
    return (await stand.gateway.sign_ins.all(limit=1)).sign_ins[0].subject


@asynccontextmanager
async def beside(stand: Stand, configuration: Path) -> AsyncIterator[tuple[Gateway, int]]:
    """Another process's worth of gateway on the same state."""
    sock = free_socket()
    gateway = Gateway(load(configuration, {}))
    run, ready = server.Run(gateway), asyncio.Event()
    task = asyncio.create_task(server.serve_replica(run, sock, on_ready=ready.set, accept_for=0.0))
    await asyncio.wait([asyncio.create_task(ready.wait()), task], return_when=asyncio.FIRST_COMPLETED)
    try:
        yield gateway, sock.getsockname()[1]
    finally:
        await stopped(run, task)
