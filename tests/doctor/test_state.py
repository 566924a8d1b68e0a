"""The revocation log's place: a file system, or a real Redis in several conditions."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.doctor.state import file_system_of
from gateway.state.contract.spool import Spool
from tests.doctor.deployment import FAILED, OK, WARNING, Deployment
from tests.fakes.disk import mounted
from tests.fakes.patience import PATIENCE
from tests.fakes.ports import free_port
from tests.fakes.redis import RedisServer
from tests.fakes.slow_way import SlowWay

MOUNTS = [
    "/dev/vda1 / ext4 rw 0 0",
    "proc /proc proc rw 0 0",
    "server:/export /srv nfs4 rw 0 0",
    "/dev/vdb1 /srv/local ext4 rw 0 0",
    r"//server/share /mnt/with\040space cifs rw 0 0",
    "tmpfs /srv/local/over tmpfs rw 0 0",
    "server:/x /srv/local/over nfs rw 0 0",
    "broken",
    "",
]


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        ("/var/lib", "ext4"),
        ("/srv", "nfs4"),
        ("/srv/state", "nfs4"),
        ("/srv/local/state", "ext4"),
        ("/srv/localhost", "nfs4"),
        ("/mnt/with space/a", "cifs"),
        ("/srv/local/over", "nfs"),
    ],
)
def test_which_file_system_holds_a_directory(directory: str, kind: str) -> None:
    """The longest mount point, and of two on one point the later."""
    assert file_system_of(Path(directory), MOUNTS) == kind
    assert file_system_of(Path(directory), []) == ""


@given(st.lists(st.text()))
def test_no_list_of_mounts_is_a_surprise(mounts: list[str]) -> None:
    """The kernel writes it; other file systems name themselves in it."""
    file_system_of(Path("/var/lib"), mounts)


async def test_a_local_directory_is_good(cognito: Deployment) -> None:
    """The file need not be there yet."""
    seen = await cognito.seen("state-file")
    assert seen[-1].verdict is OK
    assert await cognito.seen("state-redis") == []


async def test_a_network_file_system_fails(
    cognito: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Locks do not hold there; several hosts want a Redis."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"server:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr("gateway.doctor.state._MOUNTS", mounts)
    seen = (await cognito.seen("state-file"))[0]
    assert seen.verdict is FAILED
    assert "nfs4" in seen.what
    assert "redis://" in seen.fix


async def test_a_file_that_cannot_be_written_fails(cognito: Deployment, tmp_path: Path) -> None:
    """Somebody else's, or no file at all."""
    (tmp_path / "state.db").mkdir()
    assert [each.verdict for each in await cognito.seen("state-file")] == [FAILED]


async def test_a_disk_that_is_nearly_full_is_said(
    cognito: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A logout that cannot be written is not durable."""
    monkeypatch.setattr("gateway.doctor.state.LITTLE", 1 << 60)
    assert [each.verdict for each in await cognito.seen("state-file")] == [WARNING, OK]


async def test_the_room_of_the_spool_can_be_had(cognito: Deployment, tmp_path: Path) -> None:
    """Beside the log; once it is reserved, that is said, also on a disk that is full by now."""
    (seen,) = await cognito.seen("state-spool")
    assert (seen.verdict, seen.what) == (OK, "1024 KiB can be reserved for what the log cannot take")
    one = Spool(tmp_path / "state.db.spool")
    one.prepare()
    one.close()
    (seen,) = await cognito.seen("state-spool")
    assert (seen.verdict, seen.what) == (OK, "1024 KiB are reserved for what the log cannot take")


async def test_a_spool_that_no_room_is_left_for_fails(cognito: Deployment, tmp_path: Path) -> None:
    """On a real disk that is full; what that means stands beside it. For a Redis it is in a directory of its own."""
    with (
        RedisServer(tmp_path / "redis", "appendonly yes", "appendfsync everysec") as server,
        mounted(tmp_path / "disk") as disk,
    ):
        cognito.pieces["state"] = f"redis://127.0.0.1:{server.port}/0"
        assert await cognito.seen("state-spool") == []
        cognito.pieces["redis"] = {"spool": "disk"}
        cognito.pieces["state_spool"] = "512KiB"
        assert [each.verdict for each in await cognito.seen("state-spool")] == [OK]
        disk.fill(but=256 * 1024)
        (seen,) = await cognito.seen("state-spool")
    assert seen.verdict is FAILED
    assert seen.what == "516 KiB are still to be reserved, and 256 KiB are free"
    assert "lets nobody in" in seen.fix


async def test_a_spool_that_cannot_be_written_fails(cognito: Deployment, tmp_path: Path) -> None:
    """No file at all; the root of tests may write whatever is one."""
    (tmp_path / "state.db.spool").mkdir()
    assert [each.verdict for each in await cognito.seen("state-spool")] == [FAILED]


async def test_a_spool_in_a_directory_that_may_only_be_read_fails(
    cognito: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for whoever is not root."""
    monkeypatch.setattr("gateway.doctor.state.os.access", lambda *_: False)
    (seen,) = await cognito.seen("state-spool")
    assert (seen.verdict, "may write no file there" in seen.what) == (FAILED, True)


async def test_a_spool_on_a_file_system_that_copies_is_said(
    cognito: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is reserved there is not what is written."""
    mounts = tmp_path / "mounts"
    mounts.write_text(f"pool {tmp_path} zfs rw 0 0\n")
    monkeypatch.setattr("gateway.doctor.state._MOUNTS", mounts)
    warned, _ = await cognito.seen("state-spool")
    assert (warned.verdict, "on zfs" in warned.what) == (WARNING, True)


async def test_r05_a_redis_that_keeps_everything_is_good(
    cognito: Deployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Append-only, without eviction, with the rights we need, its clock beside ours."""
    monkeypatch.setattr("gateway.doctor.state.NEAR", PATIENCE)  # how far away it is, is another test's
    with RedisServer(tmp_path / "redis", "appendonly yes") as server:
        cognito.pieces["state"] = f"redis://127.0.0.1:{server.port}/0"
        seen = await cognito.seen("state-redis")
    assert [each.verdict for each in seen] == [OK, OK, WARNING], seen
    assert "no password" in seen[-1].what


async def test_r05_a_redis_that_may_drop_revocations_fails(cognito: Deployment, tmp_path: Path) -> None:
    """The doctor requires noeviction, and asks for an append-only file."""
    with RedisServer(tmp_path / "redis", "maxmemory-policy allkeys-lru") as server:
        cognito.pieces["state"] = f"redis://127.0.0.1:{server.port}/0"
        seen = await cognito.seen("state-redis")
    assert (seen[0].verdict, "noeviction" in seen[0].fix) == (FAILED, True)
    assert (seen[1].verdict, "appendonly" in seen[1].fix) == (WARNING, True)


async def test_a_user_without_rights_fails(cognito: Deployment, tmp_path: Path) -> None:
    """The rights to give are in the fix, and the password is nowhere."""
    with RedisServer(
        tmp_path / "redis", "user poor on >a-password-of-redis ~* +@read +@connection"
    ) as server:
        cognito.pieces["state"] = f"redis://poor:a-password-of-redis@127.0.0.1:{server.port}/0"
        (seen,) = await cognito.seen("state-redis")
        cognito.pieces["state"] = f"redis://poor:another-one@127.0.0.1:{server.port}/0"
        (wrong,) = await cognito.seen("state-redis")
    assert (seen.verdict, wrong.verdict) == (FAILED, FAILED)
    assert "+eval" in seen.fix
    assert "password" in wrong.what
    assert "a-password-of-redis" not in repr(seen) + repr(wrong)


async def test_a_redis_that_is_not_there_fails(cognito: Deployment) -> None:
    """Nobody listens."""
    cognito.pieces["state"] = f"redis://127.0.0.1:{free_port()}/0"
    seen = (await cognito.seen("state-redis"))[0]
    assert (seen.verdict, bool(seen.fix)) == (FAILED, True)


@pytest.mark.parametrize(
    "answer",
    [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"-ERR your password is s3cret-of-redis\r\n" * 3, b"", b"*-5\r\n"],
)
async def test_something_else_in_its_place_fails(cognito: Deployment, answer: bytes) -> None:
    """Whatever it says, and a secret that it repeats is hidden."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    cognito.pieces["state"] = f"redis://:s3cret-of-redis@127.0.0.1:{port}/0"
    seen = await cognito.seen("state-redis")
    server.close()
    assert seen[0].verdict is FAILED, seen
    assert "s3cret-of-redis" not in repr(seen)


@pytest.mark.parametrize(("store", "verdict"), [("cookie", WARNING), ("ticket", FAILED)])
async def test_a_redis_that_is_far_away_is_named(
    cognito: Deployment, tmp_path: Path, store: str, verdict: object
) -> None:
    """It is no dead one; whether a request can do without its answers depends on what is kept there."""
    with RedisServer(tmp_path / "redis", "appendonly yes") as server:
        async with SlowWay(server.port, round_trip=0.3) as way:
            cognito.pieces["state"] = f"redis://127.0.0.1:{way.port}/0"
            cognito.pieces["session"] = {"key_files": ["session-key"], "store": store}
            seen = await cognito.seen("state-redis")
    assert [each.verdict for each in seen if "answers take" in each.what] == [verdict]
