"""A disk that is full: what was signed out stays so in every process of the host, or nobody is let in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core.session.revocation_keys import sid_key
from gateway.state.sqlite.log import SqliteLog
from tests.fakes.disk import Disk, mounted
from tests.fakes.patience import PATIENCE
from tests.state.log_contract import ended, new, within
from tests.state.process import Peer

ROOM = 64 * 1024


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path / "disk") as one:
        yield one


async def opened(disk: Disk, *, room: int = ROOM) -> SqliteLog:
    log = SqliteLog(disk.directory / "state.db", deadline=PATIENCE, beat=0.1, room=room)
    await log.open()
    return log


async def test_r04_what_is_spooled_on_a_full_disk_denies_in_every_process_at_once(disk: Disk) -> None:
    """Whoever was there, and whoever is killed and started meanwhile; durable once there is room."""
    one, other, peer = await opened(disk), await opened(disk), Peer(disk.directory / "state.db")
    disk.fill()
    for number in range(40):
        await one.append([new(sid_key(f"s{number}"))])
        assert other.moved() or ended(other, f"s{number}") is not None
        await other.catch_up()
        assert ended(other, f"s{number}") is not None
    assert one.pending > 0
    assert peer.ask("ended s39") == "True"
    peer.kill()
    later = Peer(disk.directory / "state.db")
    try:
        assert {later.ask(f"ended s{number}") for number in range(40)} == {"True"}
    finally:
        later.end()
    disk.free()

    assert await within(PATIENCE, lambda: one.pending == 0 and other.health().startswith("ok"))
    assert await within(PATIENCE, lambda: not one._files.spool.filled())
    assert await within(PATIENCE, lambda: len(other.index) == len(one.index) == 40)
    await one.close()
    await other.close()


async def test_r04_what_fits_nowhere_closes_the_other_processes_until_it_is_delivered(disk: Disk) -> None:
    """500 sign-outs: the owner denies them, nobody else lets anybody in, and afterwards everybody has them all."""
    one, other = await opened(disk, room=4096), await opened(disk, room=4096)
    before = one.log_id
    disk.fill()
    for number in range(500):
        await one.append([new(sid_key(f"s{number}"))])
    await other.catch_up()

    assert other.age() == float("inf")
    assert "another process has entries" in other.health()
    assert one.age() < float("inf")
    assert {ended(one, f"s{number}") is not None for number in range(500)} == {True}
    disk.free()
    assert await within(PATIENCE, lambda: one.pending == 0 and other.health().startswith("ok"))
    await other.catch_up()
    assert {ended(other, f"s{number}") is not None for number in range(500)} == {True}
    assert one.log_id == other.log_id == before
    await one.close()
    await other.close()


async def test_r04_what_fits_nowhere_and_dies_with_its_process_ends_every_session(disk: Disk) -> None:
    """While the disk is full nobody is let in, also by whoever starts; then the log has another id."""
    other = await opened(disk)
    before = other.log_id
    peer = Peer(disk.directory / "state.db")
    disk.fill()
    assert peer.ask("fill 5000") == "filled"
    await other.catch_up()
    assert other.age() == float("inf")
    peer.kill()
    assert await within(PATIENCE, lambda: "a process has died" in other.health())
    started = await opened(disk)
    assert started.age() == float("inf")
    disk.free()

    assert await within(PATIENCE, lambda: other.log_id != before and other.health().startswith("ok"))
    assert await within(PATIENCE, lambda: started.log_id == other.log_id and started.age() < PATIENCE)
    assert not started._board.marks().dead
    await other.close()
    await started.close()


async def test_a_spool_without_room_is_said(disk: Disk, capsys: pytest.CaptureFixture[str]) -> None:
    """At the start and in health, until there is room."""
    first = await opened(disk)
    await first.close()
    (disk.directory / "state.db.spool").unlink()
    disk.fill(but=ROOM)
    log = await opened(disk)

    assert "state_spool_without_room" in capsys.readouterr().out
    assert log.health().startswith("no room was reserved in ")
    disk.free()
    assert await within(PATIENCE, lambda: log.health().startswith("ok"))
    await log.close()
