"""The machine's clock is set while real workers run: what is dead stays dead."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.fakes.patience import PATIENCE
from tests.fakes.serving import MachineClock, Serving, launched, serving

A_DAY = 24 * 3_600


async def signed_out(gateway: Serving) -> str:
    """The cookies of somebody who has signed out."""
    browser = gateway.browser()
    await gateway.sign_in(browser)
    copied = browser.cookie_header(gateway.app)
    assert await gateway.decided(copied) == 200
    await gateway.sign_out(browser)
    assert await gateway.decided(copied) == 401
    return copied


async def test_a_clock_that_jumps_revives_nobody(tmp_path: Path) -> None:
    """A day ahead until the log says so, and back: the copied cookie is refused all the while, by whoever was
    there, and by workers that were started while the clock was wrong. Somebody who is signed in stays so.
    """
    machine = MachineClock(tmp_path / "clock")
    async with serving(tmp_path, workers=2, env=machine.environment) as gateway:
        copied = await signed_out(gateway)
        alive = gateway.browser()
        await gateway.sign_in(alive)

        machine.set_by(A_DAY)
        async with asyncio.timeout(PATIENCE):
            while "clock_disagrees" not in gateway.told():
                await asyncio.sleep(0.05)
        assert await gateway.decided(copied) == 401
        async with asyncio.timeout(PATIENCE):  # each worker tells its parent once a second
            while "s ahead of the time that has gone by" not in (await gateway.probe("/readyz"))[1]["state"]:
                await asyncio.sleep(0.05)
        machine.set_by(0)
        assert [await gateway.decided(copied) for _ in range(6)] == [401] * 6
        assert await gateway.decided(alive.cookie_header(gateway.app)) == 200

        machine.set_by(A_DAY)
        assert await gateway.stop() == 0
        gateway.process = await launched(gateway.config, workers=2, accept_for=0.1, env=machine.environment)
        await gateway.until("/readyz", 200)
        async with asyncio.timeout(PATIENCE):
            while gateway.told().count("clock_disagrees") < 2:
                await asyncio.sleep(0.05)
        machine.set_by(0)
        assert [await gateway.decided(copied) for _ in range(6)] == [401] * 6
        assert await gateway.decided(alive.cookie_header(gateway.app)) == 200
