"""The password for Redis is replaced while the gateway runs, and nobody notices."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.app import reload
from gateway.state.redis.faults import RIGHTS
from tests.fakes.patience import PATIENCE
from tests.fakes.redis import RedisServer
from tests.flows.conftest import Stand, standing
from tests.flows.test_many_hosts import comes_to, signed_in
from tests.state.log_contract import within

STALLS = True


@pytest.fixture(params=["cookie", "ticket"])
async def stand(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Stand]:
    """One whose Redis knows a user with just the rights and a password from a file."""
    monkeypatch.setattr(reload, "EVERY", 0.05)
    with RedisServer(tmp_path / "redis", "appendonly yes") as redis:
        redis.ask(
            "ACL", "SETUSER", "gw", "reset", "on", ">old-password", *RIGHTS.replace("PREFIX", "gw").split()
        )
        write(tmp_path, "old-password")
        replaced = {
            f"sqlite://{tmp_path}/state.db": f"redis://gw@127.0.0.1:{redis.port}/0",
            "key_files: [session-key]": f"key_files: [session-key]\n  store: {request.param}",
        }
        extra = "redis: {password_file: redis-password, prefix: gw}\n"
        async with standing(tmp_path, extra=extra, replaced=replaced) as running:
            running.redis = redis  # type: ignore[attr-defined]  # a stand of this module has one
            yield running


def write(directory: Path, password: str) -> None:
    file = directory / "redis-password"
    file.write_text(password)
    file.chmod(0o600)


@pytest.mark.parametrize("file_first", [False, True])
async def test_a_new_password_needs_no_restart(stand: Stand, tmp_path: Path, file_first: bool) -> None:
    """Whichever comes first, the file or the server; all connections are then made anew, and nothing is refused."""
    redis: RedisServer = stand.redis  # type: ignore[attr-defined]  # a stand of this module has one
    _, copied = await signed_in(stand)
    login = stand.gateway._redis_login
    assert login is not None
    if not file_first:
        redis.ask("ACL", "SETUSER", "gw", "resetpass", ">new-password")
    write(tmp_path, "new-password")
    assert await within(PATIENCE, lambda: login.passwords[0] == "new-password")
    redis.ask("CLIENT", "KILL", "USER", "gw")
    await comes_to(200, stand, copied)
    if file_first:
        redis.ask("ACL", "SETUSER", "gw", "resetpass", ">new-password")
        redis.ask("CLIENT", "KILL", "USER", "gw")

    assert await within(
        PATIENCE, lambda: stand.gateway.log.age() < 1 and stand.gateway.health()["state"][:2] == "ok"
    )
    browser, another = await signed_in(stand)
    for cookie in (copied, another):  # those beside the log try again once a second
        await comes_to(200, stand, cookie)
    await stand.sign_out(browser, until="/logged-out")
    await comes_to(200, stand, copied)
    await comes_to(401, stand, another)
    assert await within(PATIENCE, lambda: stand.gateway.log.pending == 0)
    assert stand.gateway.health()["redis_password"] == "ok"
