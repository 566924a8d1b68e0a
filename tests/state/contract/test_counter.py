"""The shared counter: seen at once, never going back, rebuilt when it is no counter."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.state.contract.counter import SIZE, Counter
from tests.fakes.patience import PATIENCE

LOG = "00112233445566778899aabbccddeeff"
OTHER = "f" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db.seq"


@pytest.fixture
def counter(path: Path) -> Iterator[Counter]:
    one = Counter(path)
    one.open()
    with one.locked(patience=PATIENCE):
        one.begin(LOG, 5)
    yield one
    one.close()


def test_r04_a_raised_counter_is_seen_at_once(path: Path, counter: Counter) -> None:
    """Another mapping of the file reads the new value without a call."""
    other = Counter(path)
    other.open()
    counter.raise_to(7)

    assert other.value() == 7
    other.close()


def test_the_counter_never_goes_back(counter: Counter) -> None:
    """A slower process that committed earlier does not undo a later one."""
    counter.raise_to(9)
    counter.raise_to(6)

    assert counter.value() == 9


def test_it_remembers_for_its_own_log_only(path: Path, counter: Counter) -> None:
    """What was counted for another log says nothing about this one."""
    again = Counter(path)
    assert again.remembered(LOG) is None
    again.open()

    assert again.remembered(LOG) == 5
    assert again.remembered(OTHER) is None
    again.close()


def test_a_closed_counter_still_tells_its_last_value(counter: Counter) -> None:
    """Another thread may be asking while the log closes."""
    counter.raise_to(8)
    counter.close()
    counter.close()

    assert counter.value() == 8
    assert Counter(Path("/nowhere")).value() == 0


def test_a_stopped_process_does_not_silence_the_others(path: Path, counter: Counter) -> None:
    """When the lock is not to be had the value is raised all the same."""
    fd = os.open(path, os.O_RDWR)
    fcntl.flock(fd, fcntl.LOCK_EX)
    counter.raise_to(6, patience=0.02)

    assert counter.value() == 6
    with counter.locked(patience=0.01) as mine:
        assert not mine
    os.close(fd)


def test_it_notices_that_its_file_was_replaced(path: Path, counter: Counter) -> None:
    """Removed, cut or replaced: the others would look elsewhere."""
    assert not counter.replaced()
    path.rename(path.with_suffix(".old"))
    assert counter.replaced()
    path.write_bytes(bytes(SIZE))
    assert counter.replaced()


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(content=st.binary(max_size=100))
def test_any_file_can_be_opened_and_begun(path: Path, content: bytes) -> None:
    """Short, long or foreign content: never an error, never a wrong memory after it was begun."""
    path.write_bytes(content)
    one = Counter(path)
    one.open()

    assert one.remembered(LOG) is None
    with one.locked(patience=PATIENCE) as mine:
        assert mine
        one.begin(LOG, 3)
    assert one.remembered(LOG) == 3
    assert path.stat().st_size >= SIZE
    one.close()


def test_a_new_counter_has_its_block_on_the_disk(path: Path, counter: Counter) -> None:
    """A store into a hole of a mapped file would kill the process on a full disk."""
    assert counter.value() == 5
    assert path.stat().st_blocks > 0
