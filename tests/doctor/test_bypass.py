"""Whoever reaches the application past the gateway needs no session."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from gateway.doctor import bypass
from tests.doctor.deployment import OK, UNKNOWN, WARNING, Deployment


@pytest.fixture
def another(monkeypatch: pytest.MonkeyPatch) -> str:
    """Another address of this machine."""
    monkeypatch.setattr(bypass, "addresses", lambda: ["127.0.0.2"])
    return "127.0.0.2"


async def test_an_application_that_listens_everywhere_is_found(cognito: Deployment, another: str) -> None:
    """Bound to all addresses it answers at the others too; bound to loopback alone it does not."""
    for host, verdict in (("0.0.0.0", WARNING), ("127.0.0.1", OK)):
        application = await asyncio.start_server(lambda _, writer: writer.close(), host, 0)
        async with application:
            port = application.sockets[0].getsockname()[1]
            cognito.pieces["upstreams"] = [{"path": "/", "url": f"http://127.0.0.1:{port}"}]
            seen = await cognito.only("bypass")
        assert seen.verdict is verdict
        assert another in seen.what
        assert ("listen on 127.0.0.1 alone" in seen.fix) == (verdict is WARNING)


async def test_an_application_elsewhere_cannot_be_seen_from_here(cognito: Deployment, tmp_path: Path) -> None:
    """It says so; sockets and directories have no other address."""
    cognito.pieces["upstreams"] = [
        {"path": "/", "url": "http://192.0.2.7:80"},
        {"path": "/s/", "url": f"unix:{tmp_path}/app.sock"},
    ]
    assert (await cognito.only("bypass")).verdict is UNKNOWN


def test_the_machine_s_own_addresses_are_no_loopback() -> None:
    """Whatever they are here."""
    assert not any(one.startswith("127.") or one == "::1" for one in bypass.addresses())
