"""The outbox: entries deny from the moment they are taken until the index has them in its own right."""

from __future__ import annotations

import pytest

from gateway.core.session.revocation_keys import sid_key
from gateway.core.signout.revocation import NewEntry, RevocationIndex
from gateway.state.contract.outbox import Outbox
from gateway.state.contract.spool import Batch
from tests.fakes.signed_in import signed_in

NOW = 1000
ENTRY = NewEntry(sid_key("s"), NOW + 100, "logout")


@pytest.fixture
def index() -> RevocationIndex:
    return RevocationIndex()


@pytest.fixture
def outbox(index: RevocationIndex) -> Outbox:
    return Outbox(index)


def ended(index: RevocationIndex) -> bool:
    return index.ended_by(signed_in("s")) is not None


def test_what_is_taken_denies(index: RevocationIndex, outbox: Outbox) -> None:
    """And is dated, because it may have to be sent later."""
    one = outbox.take([ENTRY], NOW)

    assert ended(index)
    assert one.batch.entries[0].event_time == NOW
    assert outbox.in_flight()
    assert len(outbox) == 1
    assert outbox.unspooled() == [one]


def test_it_is_released_when_the_index_has_read_it(index: RevocationIndex, outbox: Outbox) -> None:
    """Not when it was committed: there is no moment in which neither denies."""
    one = outbox.take([ENTRY], NOW)
    one.position = 5
    outbox.settle()
    assert len(index) == 1
    assert outbox.committed() == {one.batch.id}
    index.apply(ENTRY.placed(5))
    outbox.settle()

    assert len(index) == 1
    assert ended(index)
    assert outbox.committed() == set()
    assert not outbox.in_flight()


def test_a_failed_batch_is_unsent_and_denies(index: RevocationIndex, outbox: Outbox) -> None:
    """It stays until a later try succeeds."""
    one = outbox.take([ENTRY], NOW)
    one.failed = True
    outbox.settle()

    assert outbox.unsent() == [one]
    assert not outbox.in_flight()
    assert ended(index)


def test_a_spooled_batch_is_remembered_until_the_spool_is_cleared(
    index: RevocationIndex, outbox: Outbox
) -> None:
    """Else whoever clears the spool would send it a second time."""
    one = outbox.take([ENTRY], NOW)
    one.spooled = True
    one.position = 5
    index.apply(ENTRY.placed(5))
    outbox.settle()
    assert outbox.committed() == {one.batch.id}
    outbox.spool_cleared({one.batch.id, "another's"})

    assert outbox.committed() == set()
    assert len(outbox) == 0


def test_what_another_process_spooled_denies_here_too(index: RevocationIndex, outbox: Outbox) -> None:
    """It is sent, and not spooled a second time."""
    batch = Batch("theirs", (ENTRY.dated(NOW - 5),))
    outbox.adopt(batch, NOW)

    assert ended(index)
    assert "theirs" in outbox
    assert outbox.waiting() == []  # while its owner may be alive
    assert outbox.rouse()
    assert not outbox.rouse()
    assert [one.new for one in outbox.waiting()] == [batch.entries]
    assert outbox.unspooled() == []


def test_what_the_log_has_lost_waits_once_and_holds_nothing(index: RevocationIndex, outbox: Outbox) -> None:
    """The index has it anyway, at the position that it keeps."""
    entry = ENTRY.placed(3)
    outbox.restore("again", entry)
    outbox.restore("again", entry)

    assert len(outbox) == 1
    assert len(index) == 0
    assert outbox.waiting()[0].batch.entries == (entry,)
    assert outbox.unspooled() == []


def test_what_is_found_in_the_log_waits_no_more(index: RevocationIndex, outbox: Outbox) -> None:
    """Batches of other processes are none of ours."""
    one = outbox.take([ENTRY], NOW)
    one.failed = True
    outbox.found("theirs", 4)
    outbox.found(one.batch.id, 5)

    assert one.position == 5
    assert outbox.waiting() == outbox.unsent() == []
    assert len(outbox) == 0
