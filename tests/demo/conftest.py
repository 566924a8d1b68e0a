"""Both emulators on free ports, and a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.demo.idp import start
from gateway.demo.options import DemoOptions
from tests.demo.browser import Browser
from tests.demo.lab import Lab
from tests.fakes.ports import on_free_ports


@pytest.fixture
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[Lab]:
    """Start the emulators (SAML unless the test is parametrised otherwise)."""
    federation = getattr(request, "param", "saml")
    events: list[str] = []
    options = on_free_ports(DemoOptions(federation=federation))
    idp = await start(options, on_event=events.append)
    browser = Browser.open()
    yield Lab(idp, browser, events)
    await browser.close()
    await idp.close()
