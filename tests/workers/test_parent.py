"""Several workers as real processes: at-once logout, replacement, draining, and what they leave behind."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import tempfile
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gateway.core.errors import ConfigurationError
from gateway.demo.options import DemoOptions
from gateway.workers import parent
from tests.fakes.browser import Loopback
from tests.fakes.door import eventually
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.fakes.serving import ACCEPTS, Alone, Application, Serving, launched, serving, written
from tests.fakes.still import stop


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Serving]:
    """Two workers."""
    async with serving(tmp_path, workers=2) as running:
        yield running


async def test_r12_readyz_and_metrics_are_of_all_workers(gateway: Serving) -> None:
    """Requests that different workers answered add up, and so does what they say of themselves."""
    async with asyncio.timeout(PATIENCE):  # a disk may be busy
        while not (told := (await gateway.probe("/readyz"))[1])["state"].startswith("ok"):
            await asyncio.sleep(0.05)
    assert (told["ready"], told["phase"], told["workers"]) == (True, "serving", "2 of 2 ready")
    assert (await gateway.probe("/livez"))[0] == (await gateway.probe("/startupz"))[0] == 200
    for worker in gateway.workers().values():
        with Alone(gateway, worker):
            assert await gateway.status("") == 401
    wanted, text = 'gateway_requests_total{outcome="4xx",route="/api/"} 2.0', ""
    async with asyncio.timeout(PATIENCE):  # workers write down what they counted now and then
        while wanted not in text:
            await asyncio.sleep(0.02)
            _, text = await gateway.probe("/metrics")
    async with asyncio.timeout(PATIENCE):
        while "gateway_idp_up 1.0" not in text:  # each worker's: the worst counts
            await asyncio.sleep(0.1)
            _, text = await gateway.probe("/metrics")
    # It forks at any time, which only a process without threads may.
    assert len(list(Path(f"/proc/{gateway.process.pid}/task").iterdir())) == 1


async def test_a_client_that_the_provider_refuses_at_one_worker_is_told_of_all(gateway: Serving) -> None:
    """All stay ready, for who has a session goes on; the right secret makes it good at each of them."""
    assert gateway.idp is not None
    secret, cognito = gateway.config.parent / "client-secret", gateway.idp.cognito.common
    await said(gateway, "ok")
    cognito.options = replace(cognito.options, client_secret="of-another-day")
    with Alone(gateway, list(gateway.workers().values())[-1]):
        browser = gateway.browser()
        form = await browser.goto(f"{gateway.app}/api/quick")
        page = await browser.submit(form, username="alice@example.com", password="demo")
        assert "provider_unusable" in page.text
    told = await said(gateway, "refused by the provider, so nobody can sign in")
    assert (told["ready"], told["workers"]) == (True, "2 of 2 ready")
    secret.write_text("of-another-day")
    await eventually(lambda: gateway.told().count('"reloaded"') == 2)
    await said(gateway, "ok")
    for worker in gateway.workers().values():
        with Alone(gateway, worker):
            await gateway.sign_in(gateway.browser())
    await said(gateway, "ok")


async def said(gateway: Serving, start: str) -> dict[str, Any]:
    """What ``/readyz`` says, which is 200, once what it says of the client's secret begins like this."""
    async with asyncio.timeout(PATIENCE):
        while True:
            status, told = await gateway.probe("/readyz")
            assert status == 200
            if str(told["client_secret"]).startswith(start):
                return dict(told)
            await asyncio.sleep(0.02)


async def test_r04_a_logout_on_one_worker_holds_on_every_worker_at_once(gateway: Serving) -> None:
    """The very next request with the copied cookie is refused by each worker."""
    one, other = gateway.workers().values()
    browser = gateway.browser()
    with Alone(gateway, one):
        await gateway.sign_in(browser)
        copied = browser.cookie_header(gateway.app)
        assert await gateway.decided(copied) == 200
    with Alone(gateway, other):
        assert await gateway.decided(copied) == 200
    with Alone(gateway, one):
        await gateway.sign_out(browser)
        assert await gateway.decided(copied) == 401
    with Alone(gateway, other):
        assert await gateway.decided(copied) == 401
    assert set(await asyncio.gather(*(gateway.decided(copied) for _ in range(40)))) == {401}


async def test_r04_a_sign_out_that_redis_does_not_take_holds_on_every_worker(tmp_path: Path) -> None:
    """Without a spool that is configured too; also on a worker that takes the place of one that is killed. Whoever has not
    signed out goes on.
    """
    with RedisServer(tmp_path / "redis", "appendonly yes") as redis:
        replaced = {f"sqlite://{tmp_path}/state.db": f"redis://127.0.0.1:{redis.port}/0"}
        async with serving(tmp_path, workers=2, replaced=replaced) as gateway:
            one, other = gateway.workers().values()
            browser, staying = gateway.browser(), gateway.browser()
            with Alone(gateway, one):  # connections of theirs must not be at the one that will stand still
                await gateway.sign_in(browser)
                await gateway.sign_in(staying)
            copied, living = (each.cookie_header(gateway.app) for each in (browser, staying))
            redis.ask("CONFIG", "SET", "maxmemory", 1)
            with Alone(gateway, one):
                await gateway.sign_out(browser)
                assert await gateway.decided(copied) == 401
            answers = [503]
            async with asyncio.timeout(PATIENCE):
                while 503 in answers:  # as long as the first one stands still in the middle of a look
                    with Alone(gateway, other):
                        answers = [await gateway.status(each) for each in (copied, living)]
            assert answers == [401, 200]
            os.kill(other, signal.SIGKILL)
            async with asyncio.timeout(PATIENCE):
                while len(workers := gateway.workers()) < 2 or other in workers.values():
                    await asyncio.sleep(0.05)
            await gateway.until("/readyz", 200)
            assert set(await asyncio.gather(*(gateway.decided(copied) for _ in range(20)))) == {401}
            redis.ask("CONFIG", "SET", "maxmemory", 0)
            await gateway.until("/readyz", 200)
            assert await gateway.decided(copied) == 401
            assert await gateway.decided(living) == 200


async def test_r04_a_logout_on_one_worker_ends_live_connections_on_another(gateway: Serving) -> None:
    """A WebSocket that another worker carries is closed with 4401."""
    one, other = gateway.workers().values()
    browser = gateway.browser()
    with Alone(gateway, one):
        await gateway.sign_in(browser)
    headers = {"Cookie": browser.cookie_header(gateway.app), "Origin": gateway.app}
    with Alone(gateway, other):
        sock = await gateway.client.ws_connect(f"{gateway.app}/api/live", headers=headers)
        await sock.send_str("hello")
        assert (await sock.receive(PATIENCE)).data == "echo hello"
    with Alone(gateway, one):
        await gateway.sign_out(browser)
    message = await sock.receive(PATIENCE)
    assert (message.type, message.data) == (aiohttp.WSMsgType.CLOSE, 4401)


async def test_an_operators_revocation_holds_on_every_worker(gateway: Serving) -> None:
    """What the desk appends, each worker refuses at once; the desk lists what the workers recorded."""
    browser = gateway.browser()
    await gateway.sign_in(browser)
    copied = browser.cookie_header(gateway.app)
    _, sessions = await gateway.operate("GET", "/api/sessions")
    assert [one["email"] for one in sessions["sessions"]] == ["alice@example.com"]
    status, told = await gateway.operate("POST", "/api/revocations", {"email": "alice@example.com"})
    assert (status, told["live_closed"]) == (200, 0)
    async with asyncio.timeout(PATIENCE):
        while not told["durable"]:  # a disk may be busy
            _, told = await gateway.operate("POST", "/api/revocations", {"email": "alice@example.com"})
    assert set(await asyncio.gather(*(gateway.decided(copied) for _ in range(20)))) == {401}
    async with asyncio.timeout(PATIENCE):
        while not (sessions := (await gateway.operate("GET", "/api/sessions"))[1])["complete"]:
            await asyncio.sleep(0.05)
    assert sessions["sessions"] == []


async def test_a_worker_that_dies_is_replaced_and_nobody_is_refused(gateway: Serving) -> None:
    """The other one goes on; the new one knows what was revoked."""
    browser = gateway.browser()
    await gateway.sign_in(browser)
    copied = browser.cookie_header(gateway.app)
    await gateway.sign_out(browser)
    victim = gateway.workers()["gw worker 1"]
    os.kill(victim, signal.SIGKILL)
    for _ in range(20):
        assert await gateway.status("") == 401
    async with asyncio.timeout(PATIENCE):
        while gateway.workers().get("gw worker 1") in {None, victim}:
            await asyncio.sleep(0.02)
    told = await gateway.until("/readyz", 200)
    async with asyncio.timeout(PATIENCE):
        while told["workers"] != "2 of 2 ready":
            await asyncio.sleep(0.02)
            told = await gateway.until("/readyz", 200)
    with Alone(gateway, gateway.workers()["gw worker 1"]):
        assert await gateway.decided(copied) == 401
    assert '"how": "SIGKILL"' in gateway.told()


async def test_a_connection_in_the_queue_survives_the_worker_that_would_have_taken_it(tmp_path: Path) -> None:
    """The parent holds the listening socket: the replacement answers (rule R12)."""
    async with serving(tmp_path, workers=2) as gateway:
        pids = gateway.workers().values()
        for pid in pids:
            stop(pid)
        waiting = [asyncio.create_task(gateway.status("")) for _ in range(10)]
        await asyncio.sleep(0.1)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert set(await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)) == {401}


async def test_the_desk_is_replaced_as_well(gateway: Serving) -> None:
    """Probes and admin API come back on the same addresses."""
    desk = gateway.children()["gw desk"]
    os.kill(desk, signal.SIGKILL)
    async with asyncio.timeout(PATIENCE):
        while gateway.children().get("gw desk") in {None, desk}:
            await asyncio.sleep(0.02)
    assert (await gateway.until("/readyz", 200))["workers"] == "2 of 2 ready"
    assert (await gateway.operate("GET", "/api/revocations"))[0] == 200


async def test_workers_that_keep_dying_end_the_gateway_with_a_clear_error(tmp_path: Path) -> None:
    """Status 1 and one line, after a few tries with pauses; nothing is left running."""
    async with serving(tmp_path, workers=2) as gateway:
        async with asyncio.timeout(PATIENCE):
            while gateway.process.returncode is None:
                pid = gateway.workers().get("gw worker 2")
                if pid is not None:
                    os.kill(pid, signal.SIGKILL)
                await asyncio.sleep(0.05)
        assert gateway.process.returncode == 1
        last = gateway.told().strip().splitlines()[-1]
        assert last.startswith("gateway: the worker 2 died 5 times soon after its start, last by SIGKILL; ")


async def test_what_keeps_every_worker_from_starting_is_said_once(tmp_path: Path) -> None:
    """Nothing is tried again, status 1 and one line with the cause and the fix; nothing is left running."""
    application = Application()
    application.port = 9
    config = written(tmp_path, DemoOptions(), application)
    (tmp_path / "state.db").write_bytes(b"no database " * 1_000)
    process = await launched(config, workers=2, accept_for=0.1)
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 1
    lines = [line for line in (tmp_path / "log").read_text().splitlines() if line.startswith("gateway: ")]
    assert len(lines) == 1
    assert "state.db" in lines[0]


async def test_guarantee_6_sigterm_drains_all_workers(tmp_path: Path) -> None:
    """Unready at once, still accepting for a while; a slow response, an upload and queued requests are completed."""
    async with serving(tmp_path, workers=2, accept_for=ACCEPTS) as gateway:
        browser = gateway.browser()
        await gateway.sign_in(browser)
        headers = {"Cookie": browser.cookie_header(gateway.app), "Origin": gateway.app}

        async def upload_body() -> AsyncIterator[bytes]:
            for _ in range(20):
                yield b"x" * 1000
                await asyncio.sleep(0.1)

        async def text(method: str, path: str, data: object = None) -> str:
            async with gateway.client.request(
                method, gateway.app + path, headers=headers, data=data
            ) as response:
                return f"{response.status} {await response.text()}"

        slow = [asyncio.create_task(text("GET", "/api/slow")) for _ in range(6)]
        upload = asyncio.create_task(text("POST", "/api/upload", upload_body()))
        await gateway.application.asked.wait()
        gateway.process.send_signal(signal.SIGTERM)
        assert (await gateway.until("/readyz", 503))["phase"] == "draining"
        assert (await gateway.probe("/livez"))[0] == 200
        late = 0
        with pytest.raises(
            aiohttp.ClientConnectorError
        ):  # in the end: the socket is closed, nobody waits in a queue
            while True:
                assert await text("GET", "/api/quick") == "200 quick"
                late += 1
                await asyncio.sleep(0.2)
        assert late
        assert not any(task.done() for task in slow)
        gateway.application.slow.set()
        assert set(await asyncio.gather(*slow)) == {"200 slow but whole"}
        assert await upload == "200 20000 bytes"
        assert await gateway.ends() == 0


async def test_guarantee_6_a_restart_under_load_loses_no_request(tmp_path: Path) -> None:
    """Clients on kept connections, half of them uploading, see whole answers until they are refused, and nothing else."""
    async with serving(tmp_path, workers=2, accept_for=0.5) as gateway:
        browser = gateway.browser()
        await gateway.sign_in(browser)
        headers = {"Cookie": browser.cookie_header(gateway.app), "Origin": gateway.app}
        answers: Counter[str] = Counter()

        async def client(method: str, path: str, data: bytes | None) -> None:
            connector = aiohttp.TCPConnector(resolver=Loopback(), use_dns_cache=False, limit=1)
            async with aiohttp.ClientSession(
                connector=connector, cookie_jar=aiohttp.DummyCookieJar()
            ) as kept:
                while True:
                    try:
                        async with kept.request(
                            method, gateway.app + path, headers=headers, data=data
                        ) as answer:
                            answers[f"{answer.status} {await answer.text()}"] += 1
                    except aiohttp.ClientConnectorError:
                        answers["refused"] += 1
                        return

        kinds = (("GET", "/api/quick", None), ("POST", "/api/upload", b"x" * 200_000))
        clients = [asyncio.create_task(client(*kinds[number % 2])) for number in range(12)]
        await eventually(lambda: set(answers) == {"200 quick", "200 200000 bytes"})
        gateway.process.send_signal(signal.SIGTERM)
        await asyncio.wait_for(asyncio.gather(*clients), PATIENCE)
        assert set(answers) == {"200 quick", "200 200000 bytes", "refused"}
        assert answers["refused"] == 12
        assert await gateway.ends() == 0


async def test_nothing_is_left_behind(tmp_path: Path) -> None:
    """The directory of the metrics and all processes are gone; a second instance can listen at once."""
    async with serving(tmp_path, workers=2) as gateway:
        children = gateway.children().values()
        maps = Path(f"/proc/{gateway.workers()['gw worker 1']}/maps").read_text()
        directory = Path(re.findall(r"(/\S*gateway-workers-\S*)/", maps)[0])
        assert directory.is_dir()
        assert await gateway.stop() == 0
        assert not directory.exists()
        assert not any(Path(f"/proc/{pid}").exists() for pid in children)
        gateway.process = await launched(gateway.config, workers=2, accept_for=0.1)
        await gateway.until("/readyz", 200)


async def test_workers_end_when_their_parent_is_killed(gateway: Serving) -> None:
    """Nobody goes on serving without supervision, and the directory of the metrics goes as well."""
    children = list(gateway.children().values())
    maps = Path(f"/proc/{gateway.workers()['gw worker 1']}/maps").read_text()
    directory = Path(re.findall(r"(/\S*gateway-workers-\S*)/", maps)[0])
    gateway.process.kill()
    async with asyncio.timeout(PATIENCE):
        while any(Path(f"/proc/{pid}").exists() for pid in children):
            await asyncio.sleep(0.05)
    assert not directory.exists()


async def test_a_killed_parent_gives_the_addresses_back_at_once(tmp_path: Path) -> None:
    """Whoever starts it again need not wait for its workers, which still finish what they have begun; nor do open
    connections to the probes and the operator's API hold anything up.
    """
    async with serving(tmp_path, workers=2, accept_for=20.0) as gateway:
        browser = gateway.browser()
        await gateway.sign_in(browser)
        slow = asyncio.create_task(browser.fetch(f"{gateway.app}/api/slow"))
        await gateway.application.asked.wait()
        kept = [
            (await asyncio.open_connection("127.0.0.1", int(address.rpartition(":")[2])))[1]
            for address in (gateway.probes, gateway.admin)
        ]
        gateway.process.kill()
        await gateway.process.wait()
        gateway.process = await launched(gateway.config, workers=2, accept_for=0.1)
        await gateway.until("/readyz", 200)
        assert not slow.done()
        gateway.application.slow.set()
        assert (await slow).text == "slow but whole"
        for each in kept:
            each.close()


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    """Whoever is in a hurry need not wait for the drain."""
    async with serving(tmp_path, workers=2, accept_for=10 * PATIENCE) as gateway:
        gateway.process.send_signal(signal.SIGINT)
        await gateway.until("/readyz", 503)
        gateway.process.send_signal(signal.SIGINT)
        await gateway.ends()


def test_without_a_temporary_directory_the_error_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read-only container has none unless it is given one."""

    def read_only(**_: object) -> str:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "mkdtemp", read_only)
    with pytest.raises(ConfigurationError, match="Read-only") as error, parent._shared_directory():
        pass
    assert "--workers 1" in error.value.fix
