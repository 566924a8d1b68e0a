"""The table: what it refuses to be, and what survives in it."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.core import clock
from gateway.core.errors import ConfigurationError
from gateway.core.signout.revocation import NewEntry
from gateway.state.contract.renewal import RenewalCause
from gateway.state.sqlite.table import GAPS, STRETCH, VERSION, Table
from tests.fakes.patience import PATIENCE


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state #1?.db"


@pytest.fixture
def table(path: Path) -> Iterator[Table]:
    one = Table(path, patience=0.05)
    assert one.open()
    yield one
    one.close()


def refusal(path: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as caught:
        Table(path, patience=0.05).open()
    return caught.value


def execute(path: Path, *statements: str) -> None:
    db = sqlite3.connect(path, timeout=PATIENCE)
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()


def test_entries_come_back_as_they_were(table: Table) -> None:
    """With their positions, in order, after the one asked for."""
    entries = [NewEntry("sid:s", 5, "logout", None, 7), NewEntry("sub:i|\u00e9\x00", 6, "event", 3, None)]
    first = table.tail(-1).position
    last = table.append(entries)

    assert last == first + 2
    assert table.tail(-1).entries == (entries[0].placed(last - 1), entries[1].placed(last))
    assert table.tail(last - 1).entries == (entries[1].placed(last),)
    assert table.tail(last).entries == ()
    assert table.tail(last).position == last


def test_a_batch_is_all_or_nothing(table: Table) -> None:
    """An entry that cannot be stored takes its companions along, and the connection stays usable."""
    before = table.tail(-1)
    with pytest.raises(sqlite3.Error):
        table.append([NewEntry("sid:a", 5, "x"), NewEntry("sid:b", None, "x")])  # type: ignore[arg-type]  # just what is wrong

    assert table.tail(-1) == before
    assert table.append([NewEntry("sid:a", 5, "x")]) == before.position + 1


def test_positions_are_not_given_twice(table: Table) -> None:
    """Trimming everything does not start them over."""
    last = table.append([NewEntry("sid:a", 5, "x"), NewEntry("sid:b", 50, "x")])

    assert table.trim(5, limit=10) == 1
    assert table.trim(50, limit=10) == 1
    assert table.trim(50, limit=10) == 0
    assert table.tail(-1).position == last
    assert table.append([NewEntry("sid:c", 5, "x")]) == last + 1


def test_trimming_is_bounded(table: Table) -> None:
    """A write of another process waits for a bounded number of rows."""
    table.append([NewEntry(f"sid:{n}", n, "x") for n in range(10)])

    assert table.trim(100, limit=4) == 4
    assert len(table.tail(-1).entries) == 6


def test_trimming_is_kept_in_mind(table: Table) -> None:
    """Up to which expiry entries were removed: whoever opens the log later knows that they may be missing."""
    table.append([NewEntry("sid:a", 5, "x"), NewEntry("sid:b", 50, "x"), NewEntry("sid:c", 60, "x")])
    assert table.tail(-1).forgotten == 0
    table.trim(55, limit=1)
    assert table.tail(-1).forgotten == 5
    table.trim(55, limit=10)
    assert table.tail(-1).forgotten == 50


def test_whoever_comes_learns_the_pace(table: Table) -> None:
    """Another boot learns how late it was, no more; so does whoever has no id of its boot."""
    assert table.pace("boot") == (math.inf, 0, 0)
    table.keep_pace("boot", 100.5, 7.5, 8.5)
    assert table.pace("boot") == (100.5, 7.5, 8.5)
    assert table.pace("later") == (math.inf, 7.5, 8.5)
    table.keep_pace("", 300.0, 8.5, 9.5)
    assert table.pace("") == (math.inf, 8.5, 9.5)


def test_r04_a_renewed_log_has_another_id_and_later_positions(table: Table) -> None:
    """Its sessions are refused, and no position that one of them saw is given again."""
    before = table.tail(-1)
    assert table.renew(before.position + 100, RenewalCause.OPERATOR)
    after = table.tail(-1)

    assert after.log_id != before.log_id
    assert after.position == before.position + 100
    assert table.renew(0, RenewalCause.COUNTER)
    assert table.tail(-1).position == after.position


def test_r04_a_log_that_was_renewed_meanwhile_stays_as_it_is(table: Table) -> None:
    """Nor is one that has come as far as it was said to lack."""
    before = table.tail(-1)

    assert not table.renew(0, RenewalCause.SESSION, unless=(before.log_id, before.position))
    assert not table.renew(0, RenewalCause.SESSION, unless=("0" * 32, before.position + 1))
    assert table.tail(-1) == before
    assert table.renew(0, RenewalCause.SESSION, unless=(before.log_id, before.position + 1))


def test_r04_a_log_that_is_opened_gives_no_position_again(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on with the time of then, unless that was done just now; what lies between is a gap."""
    end = table.append([NewEntry("sid:s", 100, "logout")])
    table.go_on()
    assert (table.tail(-1).position, table.tail(-1).gaps) == (end, ())
    later = end / 1000 + STRETCH / 1000
    monkeypatch.setattr(clock, "precise", lambda: later)
    table.go_on()
    table.go_on()

    begun = table.tail(-1).position
    assert begun == pytest.approx(later * 1000, abs=1)
    assert table.tail(-1).gaps == ((end, begun),)
    assert table.append([NewEntry("sid:s", 100, "logout")]) == begun + 1
    monkeypatch.setattr(clock, "precise", lambda: 1.0)
    table.go_on()
    assert table.tail(-1).position == begun + 1


def test_gaps_are_kept_for_so_many_starts(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    """The latest ones; another log has none."""
    start = table.tail(-1).position / 1000
    for number in range(1, GAPS + 3):
        monkeypatch.setattr(clock, "precise", lambda number=number: start + 100 * number)
        table.go_on()
    gaps = table.tail(-1).gaps

    assert len(gaps) == GAPS
    assert gaps[-1][1] == table.tail(-1).position
    before = table.tail(-1)
    assert not table.renew(0, RenewalCause.SESSION, unless=(before.log_id, gaps[0][1]))
    assert table.renew(0, RenewalCause.SESSION, unless=(before.log_id, gaps[0][1] - 1))
    assert table.tail(-1).gaps == ()


def test_a_renewal_is_told_by_one(table: Table) -> None:
    """It is in the log, with its cause and time, whether it was told or not."""
    assert table.tail(-1).renewal is None
    table.renew(0, RenewalCause.WITNESS)
    renewal = table.tail(-1).renewal

    assert renewal is not None
    assert (renewal.cause, renewal.reported) == (RenewalCause.WITNESS, False)
    assert abs(renewal.at - clock.now()) < 60
    assert table.claim_telling(renewal)
    assert not table.claim_telling(renewal)
    told = table.tail(-1).renewal
    assert told is not None
    assert told.reported


def test_r04_positions_start_at_the_time_of_making(table: Table) -> None:
    """A later log's positions are later than a lost one's, in milliseconds."""
    assert abs(table.tail(-1).position / 1000 - clock.now()) < 60


def test_every_commit_is_synced(table: Table) -> None:
    """WAL and synchronous=FULL: an acknowledged entry survives a power cut."""
    db = table._connection()

    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_a_closed_table_raises_what_callers_expect(table: Table) -> None:
    """Never an AttributeError on the way of a logout."""
    table.close()
    table.close()

    assert table.lost()
    with pytest.raises(sqlite3.Error):
        table.tail(0)


def test_a_removed_file_is_noticed(path: Path, table: Table) -> None:
    """Also when another has taken its place, and when only the write-ahead log is gone."""
    assert not table.lost()
    wal = path.with_name(path.name + "-wal")
    wal.rename(path.with_name("aside"))
    assert table.lost()
    path.with_name("aside").rename(wal)
    assert not table.lost()
    path.unlink()
    assert table.lost()
    path.write_bytes(b"")
    assert table.lost()


def test_a_newer_format_is_refused(path: Path, table: Table) -> None:
    """An older release must not write into what it does not understand."""
    table.close()
    execute(path, f"PRAGMA user_version = {VERSION + 1}")
    error = refusal(path)

    assert error.code == "state_too_new"
    assert str(VERSION + 1) in error.detail
    assert "newer release" in error.fix


def test_a_database_of_another_program_is_refused(path: Path) -> None:
    """A path that was mistyped must not cost somebody else's data."""
    execute(path, "CREATE TABLE theirs (x)")

    assert refusal(path).code == "state_foreign"


def test_broken_pages_are_found_at_the_start(path: Path, table: Table) -> None:
    """The header alone does not make a log."""
    table.append([NewEntry(f"sid:{n:0>50}", 5, "x") for n in range(200)])
    table.close()
    content = bytearray(path.read_bytes())
    content[4096 * 2 :] = b"\xa5" * (len(content) - 4096 * 2)
    path.write_bytes(content)
    error = refusal(path)

    assert error.code == "state_corrupt"
    assert "move it" in error.fix


def test_a_file_locked_for_good_is_a_finding(
    path: Path, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opening waits for another process, but not for ever."""
    monkeypatch.setattr("gateway.state.sqlite.table.OPEN_PATIENCE", 0.05)
    table._connection().execute("BEGIN IMMEDIATE")
    error = refusal(path)

    assert error.code == "state_locked"
    assert "lock" in error.fix


def test_an_empty_file_becomes_a_log(path: Path) -> None:
    """As made by a mount or by touch; its mode is narrowed."""
    path.write_bytes(b"")
    path.chmod(0o644)
    table = Table(path, patience=0.05)

    assert table.open()
    assert path.stat().st_mode & 0o777 == 0o600
    table.close()


def test_a_directory_at_the_path_is_refused(path: Path) -> None:
    """Kubernetes makes a directory where a file to mount is missing."""
    path.mkdir()

    assert refusal(path).code == "state_not_writable"
