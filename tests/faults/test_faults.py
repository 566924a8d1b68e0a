"""``make faults`` and ``make soak``, for seconds: that they run, that they find what is wrong, and that they are bounded."""

from __future__ import annotations

import argparse
import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.fakes.browser import Browser, Seen
from tests.faults import run, soak
from tests.faults.stands import one_host, two_hosts
from tests.faults.visitors import PATH, Crowd, Visitor


async def test_a_fault_of_one_host_is_played() -> None:
    """Whoever was told so is signed out at every worker, and who is signed in is served."""
    lines, wrong = await run.on(one_host, users=3, seconds=0.5, only={"workers are killed"})
    assert wrong == []
    assert [line.startswith("workers are killed") for line in lines] == [True]


async def test_a_fault_of_two_hosts_is_played() -> None:
    """The same on a Redis."""
    lines, wrong = await run.on(two_hosts, users=3, seconds=0.5, only={"Redis hangs"})
    assert wrong == []
    assert len(lines) == 1


async def test_a_soak_is_begun(tmp_path: Path) -> None:
    """Over a restart or two, and nothing is wrong."""
    async with one_host(tmp_path) as stand:
        crowd = await soak.soak(stand, minutes=0.05, users=4, every=0.5, patient=True)
    assert soak.verdict(crowd) == []
    assert "worker 2: " in soak.told(stand, crowd, 1) or crowd.counts["restarts"] > 0


class Liar:
    """A gateway that forgets sign-outs, and signs people out for nothing."""

    app = "http://app.localhost"
    places = ("here",)
    renewed = 0.0

    def __init__(self, serves: int) -> None:
        self.serves = serves

    def browser(self) -> Browser:
        return Browser.open()

    async def status(self, cookie: str) -> int:
        return self.serves

    async def statuses(self, place: str, cookies: Sequence[str]) -> list[int]:
        return [self.serves for _ in cookies]

    async def well(self) -> None:
        await asyncio.sleep(0)


@pytest.mark.parametrize(("serves", "wrong"), [(200, "revived"), (401, "ended")])
async def test_what_is_wrong_is_found(serves: int, wrong: str) -> None:
    """Of who was signed out, and of who was not."""
    crowd = Crowd(Liar(serves))
    for fate, group in (("alive", crowd.alive), ("ended", crowd.ended)):
        group.append(Visitor("alice", Browser.open(), "cookie", "alice-sub", fate))  # type: ignore[arg-type]  # one of its own
    await crowd.judged()
    await crowd.close()
    assert crowd.counts[wrong] == len(crowd.wrong) == 1


@pytest.mark.parametrize(("serves", "wrong"), [(200, "revived"), (401, "ended")])
async def test_a_sign_in_of_a_log_that_is_no_more_must_be_refused(serves: int, wrong: str) -> None:
    """One of the log that came after it must not."""
    stand = Liar(serves)
    stand.renewed = 2.0
    crowd = Crowd(stand)
    crowd.alive += [Visitor("alice", Browser.open(), "cookie", "alice-sub", since=at) for at in (1.0, 3.0)]
    await crowd.judged()
    await crowd.close()
    assert crowd.counts[wrong] == len(crowd.wrong) == 1


async def test_somebody_else_s_name_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer for another one."""
    crowd = Crowd(Liar(200), users={"alice": "alice-sub", "bob": "bob-sub"})
    visitor = Visitor("alice", Browser.open(), "cookie", "alice-sub")

    async def answered(*_: object, **__: object) -> Seen:
        return Seen(crowd.stand.app + PATH, 200, [], "bob-sub")

    monkeypatch.setattr(visitor.browser, "fetch", answered)
    await crowd.ask(visitor)
    await visitor.browser.close()
    assert crowd.counts["wrong identity"] == 1
    assert crowd.wrong


def test_a_rig_in_which_nothing_happens_passes_nothing() -> None:
    """Nor one that loses requests."""
    crowd = Crowd(Liar(401))
    assert soak.verdict(crowd) == ["nothing happened"]
    crowd.counts = Counter({"signed out: durable": 1, "replayed": 1, "restarts": 1, "not served": 2})
    assert soak.verdict(crowd) == ["2 not served"]


@pytest.mark.parametrize("minutes", [0, -1, soak.LONGEST + 1])
async def test_a_soak_is_bounded(minutes: float, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither nothing nor for ever."""
    assert await soak.main(argparse.Namespace(minutes=minutes, users=1, every=1)) == 2
    assert "SOAK_MINUTES" in capsys.readouterr().err
