"""An application behind a gateway that signs people in at a provider nobody here wrote."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateway.app import server
from gateway.app.wiring import Gateway
from gateway.config import load
from gateway.telemetry.audit import AuditEvent
from tests.bench.person import Person
from tests.fakes.ample import ample_for_a_gateway
from tests.fakes.browser import Seen
from tests.fakes.hand import stopped
from tests.fakes.serving import Application

SECRET = "known-to-this-test-alone"
PAGE = "/api/quick"
"""A page of the application, which says `IN` and nothing else."""
SIGN_OUT = """
const form = document.createElement('form');
form.method = 'post';
form.action = '/logout';
document.body.append(form);
setTimeout(() => form.submit());
"""
"""What a sign-out button of that page would do, as a script."""
IN = "quick"
CONFIGURATION = """\
public_url: {app}
listen: 127.0.0.1:0
upstreams: [{{path: /, url: "http://127.0.0.1:{application}"}}]
provider: {{kind: {kind}, issuer: "{issuer}", client_id: {client}, client_secret: {secret}{more}}}
session: {{key_files: [session-key]}}
state: sqlite://{directory}/state.db
logout: {{chain: [{hop}]}}
inbound: {{backchannel: true}}
probes: {{listen: 127.0.0.1:0}}
admin: {{listen: 127.0.0.1:0}}
log: {{level: error, access: false}}
{extra}
"""


@dataclass
class House:
    """The running gateway with its application."""

    app: str
    gateway: Gateway
    audit: list[AuditEvent] = field(default_factory=list)

    async def receipt(self, cookie: str) -> dict[str, str]:
        """What `receipt` says."""
        return await receipt(self.app, cookie)

    async def status(self, cookie: str) -> int:
        """Of a fetch by somebody who has copied the cookies of a session."""
        return (await _asked(self.app + PAGE, cookie)).status


async def receipt(app: str, cookie: str) -> dict[str, str]:
    """What the receipt of ``app`` says to a program with the cookies of a browser: hop to evidence."""
    answer = await _asked(f"{app}/logged-out", cookie, Accept="application/json")
    return {hop["hop"]: hop["evidence"] for hop in json.loads(answer.text)["hops"]}


async def _asked(url: str, cookie: str, **more: str) -> Seen:
    asking = Person.open()
    headers = {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Site": "same-origin", "Cookie": cookie, **more}
    answer = await asking.send("GET", url, headers, None)
    await asking.close()
    return answer


def header(cookies: Mapping[str, str]) -> str:
    """As a browser sends them."""
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


@asynccontextmanager
async def house(
    directory: Path,
    door: socket.socket,
    *,
    name: str = "app",
    hop: str = "oidc",
    kind: str = "oidc",
    issuer: str,
    more: Mapping[str, str] | None = None,
    extra: str = "",
    app: str = "",
) -> AsyncIterator[House]:
    """A gateway that listens at ``door``, as the client ``name`` of the provider.

    :param more: further keys of the section ``provider``. :param extra: further sections.
    :param app: its address, unless that is a name below localhost.
    """
    application = Application()
    await application.start()
    app = app or address(name, door)
    directory.mkdir(parents=True, exist_ok=True)
    key = directory / "session-key"
    key.touch(mode=0o600)
    key.write_text(base64.b64encode(os.urandom(32)).decode() + "\n")
    path = directory / "gateway.yaml"
    path.write_text(
        CONFIGURATION.format(
            app=app, application=application.port, kind=kind, issuer=issuer, client=name, secret=SECRET,
            more="".join(f", {key}: {value}" for key, value in (more or {}).items()),
            directory=directory, hop=hop, extra=extra,
        )
    )  # fmt: skip
    audit: list[AuditEvent] = []
    with ample_for_a_gateway():
        gateway = Gateway(load(path, {}), on_audit=audit.append)
    run = server.Run(gateway)
    ready = asyncio.Event()
    task = asyncio.create_task(server.serve_replica(run, door, on_ready=ready.set, accept_for=0.0))
    try:
        await asyncio.wait([asyncio.create_task(ready.wait()), task], return_when=asyncio.FIRST_COMPLETED)
        yield House(app, gateway, audit)
    finally:
        await stopped(run, task)
        await application.close()


def address(name: str, door: socket.socket) -> str:
    """Of a gateway at ``door``: a site of its own to every browser."""
    return f"http://{name}.localhost:{door.getsockname()[1]}"


def client(name: str, app: str, returns: str = "oidc") -> dict[str, Any]:
    """What the provider has to know of it, in the terms of dynamic registration."""
    return {
        "client_id": name,
        "client_secret": SECRET,
        "redirect_uris": [f"{app}/oauth2/callback"],
        "post_logout_redirect_uris": [f"{app}/logout/done/{returns}"],
        "backchannel_logout_uri": f"{app}/oauth2/backchannel-logout",
        "backchannel_logout_session_required": True,
    }
