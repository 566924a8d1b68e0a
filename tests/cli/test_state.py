"""``gateway state renew``: one command after which a restored backup revives nobody."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from gateway.cli import state
from gateway.cli.main import app
from gateway.core.session.revocation_keys import sid_key
from gateway.demo import configuration
from gateway.demo.options import DemoOptions
from gateway.state.contract.renewal import RenewalCause
from gateway.state.sqlite.files import LogFiles
from gateway.state.sqlite.table import Tail
from tests.fakes.patience import PATIENCE
from tests.fakes.pieces import put
from tests.fakes.redis import RedisServer
from tests.state.log_contract import ended, new
from tests.state.redis.test_log import opened
from tests.state.sqlite.test_files import locked


def run(config: Path) -> Result:
    return CliRunner().invoke(app, ["state", "renew", "-c", str(config)])


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configuration.write(tmp_path, DemoOptions())


def loaded(path: Path) -> Tail:
    """What the file has, as the gateway reads it when it starts."""
    files = LogFiles(path, patience=PATIENCE)
    files.start()
    tail = files.load()
    files.close()
    return tail


def test_r04_the_log_gets_another_id_and_keeps_what_it_has(tmp_path: Path, config: Path) -> None:
    """In plain words; the log tells of it to whoever opens it."""
    path = tmp_path / "state.db"
    files = LogFiles(path, patience=PATIENCE)
    files.start()
    position = files.table.append([new(sid_key("s"))])
    files.close()
    before = loaded(path)
    done = run(config)

    assert done.exit_code == 0
    assert f"{path}: the revocation log has another id now" in done.output
    assert "Everybody who was signed in has to sign in again" in done.output
    after = loaded(path)
    assert after.log_id != before.log_id
    assert after.position > position
    assert [entry.key for entry in after.entries] == ["sid:s"]
    assert after.renewal is not None
    assert after.renewal.cause is RenewalCause.OPERATOR
    assert run(config).exit_code == 0
    assert loaded(path).log_id != after.log_id


def test_where_there_is_no_log_nothing_is_made(tmp_path: Path, config: Path) -> None:
    """The first start makes one with an id of its own."""
    done = run(config)

    assert done.exit_code == 0
    assert "there is no revocation log yet" in done.output
    assert list(tmp_path.glob("state.db*")) == []


def test_only_the_file_s_owner_may(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that somebody else makes beside it would keep the gateway out."""
    before = loaded(tmp_path / "state.db")
    monkeypatch.setattr(state.os, "geteuid", lambda: 12_345)  # type: ignore[attr-defined]  # the module's own name of os
    done = run(config)
    monkeypatch.undo()

    assert done.exit_code == 1
    assert "belongs to user" in done.output
    assert "run this as that user" in done.output
    assert loaded(tmp_path / "state.db") == before


def test_a_file_that_cannot_be_written_is_a_finding(
    tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the fix, and status 1: nothing was done."""
    monkeypatch.setattr(state, "PATIENCE", 0.05)
    monkeypatch.setattr("gateway.state.sqlite.table.OPEN_PATIENCE", 0.05)
    before = loaded(tmp_path / "state.db")
    with locked(tmp_path / "state.db"):
        done = run(config)
    assert done.exit_code == 1
    assert "locked" in done.output
    assert "another id" not in done.output
    assert loaded(tmp_path / "state.db") == before
    (tmp_path / "state.db").write_bytes(b"no database at all" * 100)
    assert "move it" in run(config).output


def test_where_the_loss_is_accepted_it_would_end_nobody(tmp_path: Path, config: Path) -> None:
    """Then nothing is done, and what does end them is named."""
    before = loaded(tmp_path / "state.db")
    config.write_text(config.read_text() + "state_loss: accept\n")
    done = run(config)

    assert done.exit_code == 1
    assert "gateway sessions revoke --all" in done.output
    assert loaded(tmp_path / "state.db") == before


def test_a_configuration_that_cannot_be_used_is_said(config: Path) -> None:
    """As `gateway check` says it."""
    config.write_text(config.read_text() + "unknown_key: 1\n")
    done = run(config)

    assert done.exit_code == 1
    assert "unknown_key" in done.output


@pytest.fixture
def in_redis(tmp_path: Path, config: Path) -> Iterator[RedisServer]:
    """The configuration with its log in a server of this test's own."""
    with RedisServer(tmp_path / "redis", "appendonly yes") as server:
        url = f"redis://127.0.0.1:{server.port}/0"
        config.write_text(put(config.read_text(), {f"sqlite://{tmp_path}/state.db": url}))
        yield server


async def test_r04_instances_on_redis_follow(config: Path, in_redis: RedisServer) -> None:
    """One that runs has the other id within a beat, and still ends what it ended; one tells of it."""
    async with opened(in_redis.place()) as log:
        told: list[RenewalCause] = []
        log.on_renewed = told.append
        await log.append([new(sid_key("s"))])
        before = log.log_id
        done = await asyncio.to_thread(run, config)
        assert done.exit_code == 0
        assert f"127.0.0.1:{in_redis.port}: the revocation log has another id now" in done.output
        await log.catch_up()

        assert log.log_id != before
        assert ended(log, "s") is not None
        assert told == [RenewalCause.OPERATOR]


def test_a_redis_that_has_no_log_or_does_not_answer(config: Path, in_redis: RedisServer) -> None:
    """The one needs nothing, the other is a finding."""
    assert "there is no revocation log yet" in run(config).output
    in_redis.kill()
    done = run(config)

    assert done.exit_code == 1
    assert str(in_redis.port) in done.output
    assert "another id" not in done.output


def test_damage_is_told_with_its_cause(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever SQLite says in the middle of it."""
    loaded(tmp_path / "state.db")

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(LogFiles, "renew", full)
    done = run(config)

    assert done.exit_code == 1
    assert "database or disk is full" in done.output
