"""The board: a change is seen at once, a mark stands for as long as its owner, and one without an owner is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.state.contract.board import Board
from gateway.state.contract.spool import Spool


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db.spool"


@pytest.fixture
def boards(path: Path) -> Iterator[tuple[Board, Board]]:
    spools = Spool(path), Spool(path)
    for one in spools:
        one.prepare()
    yield spools[0].board, spools[1].board
    for one in spools:
        one.close()


def test_r04_a_change_is_seen_at_once(boards: tuple[Board, Board]) -> None:
    """Another mapping of the page has another stamp, without a call."""
    one, other = boards
    before = other.stamp()
    one.tell()

    assert other.stamp() != before


def test_a_mark_stands_for_others_while_its_owner_lives(boards: tuple[Board, Board]) -> None:
    """The owner does not count its own; each has one."""
    one, other = boards
    one.mark()
    one.mark()
    assert other.marks().alive == 1
    assert not one.marks().alive
    other.mark()
    assert one.marks().alive == other.marks().alive == 1
    before = other.stamp()
    one.unmark()

    assert other.stamp() != before
    assert not other.marks().alive


def test_a_mark_without_an_owner_is_found_and_forgotten(path: Path, boards: tuple[Board, Board]) -> None:
    """And nobody else takes its place before."""
    one, other = boards
    one.mark()
    one.close()
    other.mark()
    dead = other.marks().dead
    assert len(dead) == 1
    other.forget(dead)

    assert not other.marks().dead
    assert other.marked


def test_a_mark_goes_along_to_a_new_file(path: Path, boards: tuple[Board, Board]) -> None:
    """Where the file was removed, the others find it in the next one."""
    one, _ = boards
    one.mark()
    path.unlink()
    assert one.replaced()
    third = Spool(path)
    third.prepare()
    one.open()

    assert third.board.marks().alive == 1
    third.close()


def test_one_process_sends_at_a_time(boards: tuple[Board, Board]) -> None:
    """The other one is told."""
    one, other = boards
    with one.sending(), pytest.raises(BlockingIOError), other.sending():
        pass
    with other.sending():
        pass


def test_a_page_of_somebody_else_may_have_had_marks(path: Path) -> None:
    """Then something may be lost, and that is what is said; an empty page had none."""
    path.write_bytes(b"something else")
    one = Spool(path)
    one.prepare()
    assert len(one.board.marks().dead) == 1
    one.close()
    path.write_bytes(bytes(5000))
    one.prepare()

    assert not one.board.marks().dead
    one.close()


def test_a_closed_board_tells_its_last_stamp_and_takes_no_mark(boards: tuple[Board, Board]) -> None:
    """Another thread may be asking while the log closes."""
    one, _ = boards
    one.tell()
    before = one.stamp()
    one.close()
    one.close()

    assert one.stamp() == before
    assert not one.marks().dead
    with pytest.raises(OSError, match="not open"):
        one.mark()
