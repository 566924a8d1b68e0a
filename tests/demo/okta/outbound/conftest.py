"""The emulators, and an application that hears of Okta."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.demo.idp import start
from gateway.demo.options import DemoOptions
from tests.demo.browser import Browser
from tests.demo.lab import Lab
from tests.demo.receiver import Receiver, receiving
from tests.fakes.ports import on_free_ports


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as running:
        yield running


@pytest.fixture
async def lab(request: pytest.FixtureRequest, receiver: Receiver) -> AsyncIterator[Lab]:
    """The emulators with the receiver as application; people sign in at Okta unless parametrised otherwise."""
    events: list[str] = []
    options = DemoOptions(app=receiver.app, federation=getattr(request, "param", "okta"))
    idp = await start(on_free_ports(options), on_event=events.append)
    browser = Browser.open()
    yield Lab(idp, browser, events)
    await browser.close()
    await idp.close()
