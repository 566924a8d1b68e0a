"""The files of one log together: opening, sending, and agreeing with the counter."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from gateway.core.errors import ConfigurationError
from gateway.core.signout.revocation import NewEntry
from gateway.state.contract.renewal import LogRenewal, RenewalCause
from gateway.state.contract.spool import Batch, Spool
from gateway.state.sqlite.faults import explain
from gateway.state.sqlite.files import IndexPosition, LogFiles
from gateway.state.sqlite.table import Table
from tests.fakes.patience import PATIENCE

ENTRY = NewEntry("sid:s", 100, "logout")


@pytest.fixture
def files(tmp_path: Path) -> Iterator[LogFiles]:
    one = LogFiles(tmp_path / "state.db", patience=0.05)
    one.start()
    yield one
    one.close()


def known(files: LogFiles) -> IndexPosition:
    tail = files.load()
    return IndexPosition(tail.log_id, tail.position)


def cause(files: LogFiles) -> RenewalCause | None:
    """Why the log got the id that it has."""
    renewal = files.load().renewal
    return None if renewal is None else renewal.cause


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another program holds the write lock of the file."""
    db = sqlite3.connect(path, timeout=PATIENCE, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        db.execute("ROLLBACK")
        db.close()


def test_starting_makes_everything_once(tmp_path: Path, files: LogFiles) -> None:
    """The second process finds a log."""
    other = LogFiles(tmp_path / "state.db", patience=0.05)
    other.start()

    assert files.made
    assert not other.made
    assert known(other) == known(files)
    assert other.counter.value() == files.counter.value() == files.load().position
    other.close()


def test_writing_tells_position_counter_and_tail(files: LogFiles) -> None:
    """One job does all that an append needs."""
    written = files.write([ENTRY, ENTRY], known(files))

    assert files.counter.value() == written.position == written.tail.position
    assert len(written.tail.entries) == 2


class Vanishing(Table):
    """A table whose file is removed while it commits."""

    def append(self, entries: Sequence[NewEntry]) -> int:
        position = super().append(entries)
        self.path.unlink()
        return position


def test_a_commit_into_a_removed_file_is_none(tmp_path: Path) -> None:
    """It must not be acknowledged: nobody will ever open that file again."""
    files = LogFiles(tmp_path / "state.db", patience=0.05)
    files.table = Vanishing(tmp_path / "state.db", patience=0.05)
    files.start()
    with pytest.raises(FileNotFoundError):
        files.write([ENTRY], known(files))
    files.close()


def test_another_log_is_read_from_its_start(files: LogFiles) -> None:
    """Whoever knew a lost log gets the whole of this one, whatever position it was at."""
    files.write([ENTRY], known(files))

    assert len(files.read(IndexPosition("0" * 32, 1 << 60)).entries) == 1
    assert files.read(known(files)).entries == ()


def test_sending_takes_memory_and_spool_together(files: LogFiles) -> None:
    """Each batch once, but for those that are known to be in the log; then the spool is empty."""
    before = known(files)
    files.spool.put(Batch("both", (ENTRY,)))
    files.spool.put(Batch("late", (ENTRY,)))
    files.spool.put(Batch("other process", (ENTRY,)))
    tail = files.send([Batch("both", (ENTRY,)), Batch("memory", (ENTRY,))], {"late"}, before)

    assert len(tail.entries) == 3
    assert files.counter.value() == tail.position
    assert not files.look(known(files)).seen.spooled


def test_sending_waits_its_turn(files: LogFiles) -> None:
    """Another process at the spool: nothing is sent twice, nothing forgotten."""
    other = Spool(files.spool.path)
    other.prepare()
    with other.board.sending(), pytest.raises(BlockingIOError):
        files.send([Batch("a", (ENTRY,))], set(), known(files))
    other.close()

    assert files.load().entries == ()


def test_looking_brings_the_counter_up(files: LogFiles) -> None:
    """A process that died between commit and raise left it behind."""
    before = known(files)
    position = files.table.append([ENTRY])
    assert files.counter.value() < position
    looked = files.look(before)

    assert files.counter.value() == position
    assert len(looked.seen.tail.entries) == 1


def test_r04_a_table_behind_its_counter_is_renewed(tmp_path: Path, files: LogFiles) -> None:
    """The counter is raised after a synced commit only, so the table has lost something; others see a later position."""
    before = known(files)
    files.counter.raise_to(before.position + 10)
    files.close()
    again = LogFiles(tmp_path / "state.db", patience=0.05)
    again.start()

    assert cause(again) is RenewalCause.COUNTER
    assert known(again).log_id != before.log_id
    assert known(again).position == before.position + 11
    again.close()


@pytest.mark.parametrize(
    "name", [RenewalCause.COUNTER, RenewalCause.WITNESS, RenewalCause.INDEX, RenewalCause.SESSION]
)
def test_r04_whoever_has_seen_more_than_the_table_renews_it(files: LogFiles, name: RenewalCause) -> None:
    """At work, by the next look: once, with a position that nobody has seen, and then all is well."""
    before = known(files)
    position = before.position + 5
    if name is RenewalCause.COUNTER:
        files.counter.raise_to(position)
    elif name is RenewalCause.WITNESS:
        files.witness.note(before.log_id, position)
    elif name is RenewalCause.SESSION:
        files.prove(IndexPosition(before.log_id, position), before)
    looked = files.look(IndexPosition(before.log_id, position) if name is RenewalCause.INDEX else before)

    assert cause(files) is name
    assert looked.seen.older is None
    assert looked.renewal is not None
    after = known(files)
    assert after.log_id != before.log_id
    assert after.position == position + 1
    assert files.look(after).renewal is None
    assert known(files) == after


def test_r04_what_is_merely_behind_renews_nothing(files: LogFiles) -> None:
    """Somebody has committed since, and told nobody yet: an index, a counter and a witness that lag prove nothing."""
    before = known(files)
    position = files.table.append([ENTRY])
    seen = files.prove(IndexPosition(before.log_id, position), before)

    assert seen.older is None
    assert seen.tail.position == position
    assert files.look(before).renewal is None
    assert files.load().log_id == before.log_id


def test_a_proof_of_another_log_is_none(files: LogFiles) -> None:
    """Sessions of a log that was lost are refused for that, and say nothing of this one."""
    before = known(files)
    files.prove(IndexPosition("0" * 32, before.position + 5), before)

    assert known(files) == before


def test_r04_of_many_that_find_out_one_renews(tmp_path: Path, files: LogFiles) -> None:
    """The comparison is part of the transaction, so who comes second finds another log."""
    before, together = known(files), Barrier(4, timeout=PATIENCE)
    proof = IndexPosition(before.log_id, before.position + 5)

    def find_out(_: int) -> tuple[str, LogRenewal | None]:
        one = LogFiles(tmp_path / "state.db", patience=PATIENCE)
        one.start()
        together.wait()
        seen = one.prove(proof, before)
        renewal = one.look(known(one)).renewal
        one.close()
        return seen.tail.log_id, renewal

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(find_out, range(4)))

    assert {log_id for log_id, _ in found} == {known(files).log_id}
    assert known(files).position == before.position + 6
    assert len([renewal for _, renewal in found if renewal is not None]) == 1


def test_r04_an_older_copy_that_cannot_be_written_is_told_until_it_can(
    tmp_path: Path, files: LogFiles
) -> None:
    """Its proof is kept, in the counter too, for whoever starts meanwhile."""
    before = known(files)
    files.counter.raise_to(before.position + 5)
    with locked(tmp_path / "state.db"):
        assert files.look(before).seen.older is RenewalCause.COUNTER
        assert files.load().log_id == before.log_id
    assert files.counter.value() == before.position + 5
    looked = files.look(before)

    assert looked.seen.older is None
    assert looked.seen.tail.log_id != before.log_id


def test_r04_a_retired_id_that_comes_back_is_an_older_copy(tmp_path: Path, files: LogFiles) -> None:
    """However far it is: it was replaced, and no session of it was to count any more."""
    before = known(files)
    copy = {file: file.read_bytes() for file in tmp_path.glob("state.db*") if file.suffix != ".db-shm"}
    files.renew(RenewalCause.OPERATOR)
    after = known(files)
    files.close()
    for file in tmp_path.glob("state.db*"):
        file.unlink()
    for file, content in copy.items():
        file.write_bytes(content)
    again = LogFiles(tmp_path / "state.db", patience=0.05)
    again.start()

    assert known(again).log_id not in {before.log_id, after.log_id}
    assert cause(again) is RenewalCause.WITNESS
    assert known(again).position < 1 << 60
    again.close()


def test_a_counter_that_cannot_be_made_is_a_finding(tmp_path: Path) -> None:
    """Without it the processes of the host would not hear of each other."""
    (tmp_path / "state.db.seq").mkdir()
    with pytest.raises(ConfigurationError) as caught:
        LogFiles(tmp_path / "state.db", patience=0.05).start()

    assert caught.value.code == "state_not_writable"
    assert "state.db.seq" in caught.value.detail


def test_a_missing_directory_is_a_finding_with_its_fix(tmp_path: Path) -> None:
    """A mount that is missing must not become an empty log somewhere else."""
    with pytest.raises(ConfigurationError) as caught:
        LogFiles(tmp_path / "none" / "state.db", patience=0.05).start()

    assert caught.value.code == "state_directory_missing"
    assert "mkdir" in caught.value.fix
    assert not (tmp_path / "none").exists()


def test_trouble_is_explained_in_one_line() -> None:
    """With the fix where it is known, and without a traceback in any case."""
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorname = "SQLITE_FULL"

    assert explain(full) == "database or disk is full; free space on the disk"
    assert explain(ConfigurationError("x", "it is so", fix="do this")) == "it is so; do this"
    assert explain(FileNotFoundError(2, "No such file", "x")) == "No such file"
    assert explain(TimeoutError("late")) == "late"
    assert explain(KeyError("k")) == "KeyError"
