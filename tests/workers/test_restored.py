"""The state directory of real workers is restored from an older copy: who had signed out since does not come back."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.fakes.browser import Browser
from tests.fakes.patience import PATIENCE
from tests.fakes.serving import Serving, launched, serving

PEOPLE = 10


class Host:
    """One host with two workers, its state and what only the running system has.

    :ivar copied: the cookies of everybody who signed in before the copy was made.
    """

    def __init__(self, gateway: Serving, directory: Path) -> None:
        self.gateway = gateway
        self.directory = directory
        self.browsers: list[Browser] = []
        self.copied: list[str] = []
        self.copy: dict[str, bytes] = {}

    @property
    def environment(self) -> dict[str, str]:
        return {"RUNTIME_DIRECTORY": str(self.directory / "run")}

    async def signed_in(self) -> Browser:
        browser = self.gateway.browser()
        await self.gateway.sign_in(browser)
        return browser

    async def stop(self) -> None:
        assert await self.gateway.stop() == 0

    async def start(self) -> None:
        self.gateway.process = await launched(
            self.gateway.config, workers=2, accept_for=0.1, env=self.environment
        )
        await self.gateway.until("/readyz", 200)

    def state(self) -> list[Path]:
        return list((self.directory / "state").iterdir())

    async def go_back(self, people: int = 3) -> Browser:
        """People sign in, a copy is made, they sign out, somebody else signs in, and the copy is restored; all copies are
        made while nothing runs. The browser of the one that came last.
        """
        self.browsers = await asyncio.gather(*(self.signed_in() for _ in range(people)))
        self.copied = [browser.cookie_header(self.gateway.app) for browser in self.browsers]
        await self.stop()
        self.copy = {file.name: file.read_bytes() for file in self.state()}
        await self.start()
        assert {await self.gateway.decided(cookie) for cookie in self.copied * 2} == {200}
        for browser in self.browsers:
            await self.gateway.sign_out(browser)
        await self.refused(*self.copied)
        async with asyncio.timeout(PATIENCE):  # on a slow machine the log takes some of them later
            while "\ngateway_state_log_pending 0.0\n" not in (await self.gateway.probe("/metrics"))[1]:
                await asyncio.sleep(0.05)
        last = await self.signed_in()
        await self.stop()
        for file in self.state():
            file.unlink()
        for name, content in self.copy.items():
            (self.directory / "state" / name).write_bytes(content)
        return last

    async def statuses(self, *cookies: str) -> set[int]:
        """Of each cookie, asked twice, so that either worker may be asked."""
        return set(await asyncio.gather(*map(self.gateway.status, cookies * 2)))

    async def refused(self, *cookies: str) -> None:
        """None is let in, by either worker; one that takes its time to look says that it cannot tell yet."""
        async with asyncio.timeout(PATIENCE):
            while (seen := await self.statuses(*cookies)) != {401}:
                assert seen <= {401, 503}

    def forget(self) -> None:
        """What a restart of the machine takes away."""
        for file in (self.directory / "run").iterdir():
            file.unlink()

    async def renewals(self) -> str:
        """The line of the metric, by its cause."""
        _, text = await self.gateway.probe("/metrics")
        lines = [line for line in text.splitlines() if line.startswith("gateway_state_log_renewals_total{")]
        return "\n".join(lines)

    async def told_once(self, cause: str) -> None:
        """In the metric, in the audit trail and in the log, by one process of all; and by ``/readyz``."""
        async with asyncio.timeout(PATIENCE):
            while await self.renewals() != f'gateway_state_log_renewals_total{{cause="{cause}"}} 1.0':
                await asyncio.sleep(0.05)
            while "it got another id at" not in (await self.gateway.probe("/readyz"))[1]["state"]:
                await asyncio.sleep(0.05)  # each worker tells its parent once a second
        async with asyncio.timeout(PATIENCE):
            while (
                not (told := self.gateway.told()).count('"log_renewed"') or '"state_log_renewed"' not in told
            ):
                await asyncio.sleep(0.05)
        assert told.count('"log_renewed"') == told.count('"state_log_renewed"') == 1


@pytest.fixture
async def host(tmp_path: Path) -> AsyncIterator[Host]:
    for name in ("run", "state"):
        (tmp_path / name).mkdir(mode=0o700)
    replaced = {f"sqlite://{tmp_path}/state.db": f"sqlite://{tmp_path}/state/state.db"}
    environment = {"RUNTIME_DIRECTORY": str(tmp_path / "run")}
    async with serving(tmp_path, workers=2, env=environment, replaced=replaced) as gateway:
        yield Host(gateway, tmp_path)


async def test_r04_a_restored_directory_revives_nobody(host: Host) -> None:
    """The host has seen more of the log than it has: everybody signs in again, and stays signed in."""
    last = await host.go_back(PEOPLE)
    await host.start()

    await host.refused(*host.copied)
    await host.refused(last.cookie_header(host.gateway.app))
    await host.told_once("witness")
    again = (await host.signed_in()).cookie_header(host.gateway.app)
    await host.stop()
    await host.start()
    assert await host.gateway.decided(again) == 200
    await host.refused(*host.copied)


async def test_r04_one_session_proves_that_a_directory_was_restored(host: Host) -> None:
    """The machine was restarted, so nothing knows: until somebody comes who signed in after those sign-outs. From then
    on none of them is in, at either worker, and the others sign in again.
    """
    last = await host.go_back(PEOPLE)
    host.forget()
    await host.start()

    await host.refused(last.cookie_header(host.gateway.app))
    await host.refused(*host.copied)
    await host.told_once("session")
    again = await host.signed_in()
    assert await host.gateway.decided(again.cookie_header(host.gateway.app)) == 200


async def test_r04_somebody_who_had_signed_out_proves_it_too(host: Host) -> None:
    """The cookie of a finished sign-out says where the log stood."""
    await host.go_back()
    host.forget()
    await host.start()
    signed_out = host.browsers[0]
    await signed_out.goto(f"{host.gateway.app}/api/quick")

    await host.refused(*host.copied)
    await host.told_once("session")


@pytest.mark.parametrize("running", [True, False])
async def test_r04_one_command_makes_a_restore_safe(host: Host, running: bool) -> None:
    """While the gateway runs, and while it is stopped: nobody could know, and everybody signs in again."""
    last = await host.go_back()
    host.forget()
    if running:
        await host.start()
    command = [sys.executable, "-m", "gateway", "state", "renew", "-c", str(host.gateway.config)]
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode == 0
    assert b"Everybody who was signed in has to sign in again" in out
    if not running:
        await host.start()

    await host.refused(*host.copied)
    await host.refused(last.cookie_header(host.gateway.app))
    await host.told_once("operator")
    again = await host.signed_in()
    assert await host.gateway.decided(again.cookie_header(host.gateway.app)) == 200
