"""The revocation log: can it be kept where ``state`` says, and does what is acknowledged stay?"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from gateway.app.options import state_place
from gateway.core import clock
from gateway.core.errors import ConfigurationError
from gateway.doctor.check import check
from gateway.doctor.patient import Patient, ahead
from gateway.doctor.verdict import Observation, failed, ok, warning
from gateway.settings.secret_files import revealed
from gateway.settings.state_urls import RedisUrl, SqliteUrl
from gateway.state.contract import board, spool
from gateway.state.redis.place import RedisPlace

_NETWORK_NAMES = """
    9p afs beegfs ceph cifs coda
    fuse.ceph fuse.glusterfs fuse.s3fs fuse.sshfs glusterfs gpfs lustre ncpfs nfs nfs4 ocfs2
    smb2 smb3 smbfs vboxsf virtiofs
"""
NETWORK = frozenset(_NETWORK_NAMES.split())
"""File systems on which locks or shared memory do not hold between machines."""
COPYING = frozenset({"bcachefs", "btrfs", "zfs"})
"""File systems that write to another place what is written a second time."""
LITTLE = 64 * 1024 * 1024
"""Bytes of disk below which the log may stop being written."""
APART = 2
"""Seconds that Redis's clock and ours may differ without a word."""
NEAR = 0.25
"""Seconds that a request waits for an answer."""
TRIES = 4
"""How often a Redis that does not answer in time is asked."""
T = TypeVar("T")
_MOUNTS = Path("/proc/self/mounts")


@check("state-file", "Can the revocation log be kept in this file?")
async def state_file(patient: Patient) -> AsyncIterator[Observation]:
    url = patient.settings.state
    if not isinstance(url, SqliteUrl):
        return
    directory = url.path.parent
    kind = file_system_of(directory.resolve(), _mounts())
    if kind in NETWORK:
        what = f"it is on a network file system ({kind}), where SQLite's locks do not hold and revocations get lost"
        yield failed(str(directory), what, "use a local disk, or a redis:// URL for several hosts")
    if url.path.exists() and not (url.path.is_file() and os.access(url.path, os.W_OK)):
        what = f"it is no file that user {os.geteuid()}, who asks, may write"
        yield failed(str(url.path), what, "give it to the gateway's user, or run the doctor as that user")
        return
    free = _free(directory)
    if free < LITTLE:
        yield warning(
            str(directory),
            f"{free // 1024} KiB are free",
            "make room: a logout that cannot be written is not durable",
        )
    yield ok(str(url.path), f"can be written, on {kind or 'a file system'} of this host")


@check("state-spool", "Is there room for the revocations that the log cannot take?")
async def state_spool(patient: Patient) -> AsyncIterator[Observation]:
    url, directory = patient.settings.state, patient.settings.redis.spool
    if isinstance(url, SqliteUrl):
        file = spool.beside(url.path)
    elif directory is not None:
        file = directory / spool.FILE
    else:
        return  # `gateway check` says what that means
    directory, looked_at = file.parent, str(file)
    if file.exists() and not (file.is_file() and os.access(file, os.W_OK)):
        what = f"it is no file that user {os.geteuid()}, who asks, may write"
        yield failed(looked_at, what, "give it to the gateway's user, or run the doctor as that user")
        return
    if not os.access(directory, os.W_OK | os.X_OK):
        what = f"user {os.geteuid()}, who asks, may write no file there"
        yield failed(str(directory), what, "give it to the gateway's user, or run the doctor as that user")
        return
    if (kind := file_system_of(directory.resolve(), _mounts())) in COPYING:
        what = f"on {kind} what is reserved may have no room when the disk is full: it writes to other places"
        yield warning(looked_at, what, "use another file system, or see that the disk does not fill")
    size = patient.settings.state_spool
    missing = board.SIZE + size - (file.stat().st_blocks * 512 if file.exists() else 0)
    if missing > (free := _free(directory)):
        what = f"{missing // 1024} KiB are still to be reserved, and {free // 1024} KiB are free"
        fix = "make room: on a full disk, a sign-out that fits nowhere lets nobody in at the host's other processes"
        yield failed(looked_at, what, fix)
    else:
        how = "are reserved" if missing <= 0 else "can be reserved"
        yield ok(looked_at, f"{size // 1024} KiB {how} for what the log cannot take")


@check("state-redis", "Does this Redis keep what it has acknowledged, and may we use it?")
async def state_redis(patient: Patient) -> AsyncIterator[Observation]:
    url = patient.settings.state
    if not isinstance(url, RedisUrl):
        return
    place = state_place(patient.settings)
    assert isinstance(place, RedisPlace)
    try:
        observations = await _redis(place, str(url), tickets=patient.settings.session.store == "ticket")
    except ConfigurationError as error:
        observations = [failed(str(url), error.detail, error.fix)]
    for each in observations:
        yield each
    if revealed(patient.settings.redis.password) is None and url.password is None:
        yield warning(
            str(url), "it asks for no password", "give the gateway a user of its own (docs/redis.md)"
        )


async def _redis(place: RedisPlace, looked_at: str, *, tickets: bool) -> list[Observation]:
    from gateway.state.redis.faults import CommandRefusedError, LostError, fault_of
    from gateway.state.redis.link import Link
    from gateway.state.redis.server import EXAMINE_WITHIN, examine

    link = Link(place)
    try:
        advice = await _patiently(lambda: examine(link))
        asked = clock.now()
        (server_time,) = await link.ask(("TIME",), within=EXAMINE_WITHIN)
        received = clock.now()
        usual = link.pace.usual
    except (CommandRefusedError, LostError, OSError, TimeoutError) as error:
        fault = fault_of(error)
        return [
            failed(looked_at, fault.what or "it does not answer", fault.fix or "see that Redis runs there")
        ]
    finally:
        await link.close()
    found = [
        failed(looked_at, each.what, each.fix)
        if each.code == "redis_evicts"
        else warning(looked_at, each.what, each.fix)
        for each in advice
    ]
    found.append(_clocks(server_time, asked, received, looked_at))
    found += _distance(usual, looked_at, tickets=tickets)
    return [*found, ok(looked_at, "it answers, is recent enough, and we have the rights we need")]


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """The answer, also of a server that is far away: with each try there is more time for it."""
    for _ in range(TRIES - 1):
        with suppress(TimeoutError):
            return await ask()
    return await ask()


def _distance(usual: float, looked_at: str, *, tickets: bool) -> list[Observation]:
    """Whether a request, which has a quarter of a second for it, gets its answers.

    :param usual: seconds that answers take.
    """
    if usual < NEAR:
        return []
    what = f"its answers take {usual * 1_000:.0f} ms, and a request waits for {NEAR * 1_000:.0f} ms"
    if tickets:
        return [
            failed(
                looked_at,
                f"{what}: no session that is kept there is read in time",
                "use a Redis that is near",
            )
        ]
    return [
        warning(looked_at, f"{what}: sign-outs are said to be pending elsewhere", "use a Redis that is near")
    ]


def _clocks(server_time: object, asked: int, received: int, looked_at: str) -> Observation:
    seconds = (
        int(server_time[0])
        if isinstance(server_time, list) and server_time and isinstance(server_time[0], bytes | int)
        else 0
    )
    apart = abs(ahead(seconds, asked, received))
    if apart > APART:
        what = f"its clock and this machine's are {apart} s apart; events with a time of their own are compared by it"
        return warning(looked_at, what, "keep the time of both with NTP")
    return ok(looked_at, f"its clock and this machine's are within {APART} s")


def file_system_of(directory: Path, mounts: Iterable[str]) -> str:
    """The type of the file system that holds ``directory``, from lines of ``/proc/mounts``; empty when unknown."""
    best, kind = "", ""
    for line in mounts:
        fields = line.split()
        if len(fields) < 3:
            continue
        point = fields[1].replace("\\040", " ")
        inside = directory.as_posix() == point or directory.as_posix().startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):  # the last mount on a point is the one that is seen
            best, kind = point, fields[2]
    return kind


def _mounts() -> list[str]:
    try:
        return _MOUNTS.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []


def _free(directory: Path) -> int:
    found = os.statvfs(directory)
    return found.f_bavail * found.f_frsize


CHECKS = (state_file, state_spool, state_redis)
