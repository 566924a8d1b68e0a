"""Probes and metrics, read-only, on a listener of their own."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import TestClient, TestServer

from gateway.web.probes import Readiness, probe_application

GOOD = {"state": "ok: 0 entries", "idp": "down (timeout); nobody can sign in yet"}


async def ask(readiness: Readiness, path: str, method: str = "GET") -> tuple[int, str, dict[str, str]]:
    app = probe_application(lambda: readiness, lambda: b"metric 1\n")
    async with TestClient(TestServer(app)) as client:
        answer = await client.request(method, path)
        return answer.status, await answer.text(), dict(answer.headers)


@pytest.mark.parametrize(("ready", "started", "statuses"), [
    (False, False, (503, 200, 503)),
    (True, True, (200, 200, 200)),
    (False, True, (200, 200, 503)),
])  # fmt: skip
async def test_r12_p18_the_status_is_about_the_gateway_alone(
    ready: bool, started: bool, statuses: tuple[int, ...]
) -> None:
    """Started, alive, ready; an identity provider that is down changes none of them."""
    readiness = Readiness(ready, started, GOOD)
    assert tuple([(await ask(readiness, path))[0] for path in ("/startupz", "/livez", "/readyz")]) == statuses


async def test_r12_what_it_depends_on_is_in_the_body_of_readyz() -> None:
    """And in no other answer."""
    assert (
        '"idp": "down (timeout); nobody can sign in yet"'
        in (await ask(Readiness(True, True, GOOD), "/readyz"))[1]
    )
    assert "idp" not in (await ask(Readiness(True, True, GOOD), "/livez"))[1]


async def test_metrics_are_in_the_text_format() -> None:
    """With the content type that Prometheus asks for."""
    status, text, headers = await ask(Readiness(True, True), "/metrics")
    assert (status, text) == (200, "metric 1\n")
    assert headers["Content-Type"].startswith("text/plain; version=")


@pytest.mark.parametrize("path", ["/startupz", "/livez", "/readyz", "/metrics"])
async def test_nothing_can_be_changed_here(path: str) -> None:
    """Every other method is refused."""
    assert (await ask(Readiness(True, True), path, "POST"))[0] == 405
