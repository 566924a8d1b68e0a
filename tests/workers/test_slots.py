"""When a child is replaced, and what is told of all of them."""

from __future__ import annotations

from gateway.workers.slots import Deaths, Slot, summary


def test_who_lived_long_is_replaced_at_once() -> None:
    """However often that happens."""
    deaths = Deaths()
    assert [deaths.pause(60.0) for _ in range(20)] == [0.0] * 20


def test_who_dies_of_its_start_is_replaced_ever_later_and_then_not_at_all() -> None:
    """Five in a row are enough to know that it will not get better."""
    deaths = Deaths()
    assert [deaths.pause(0.1) for _ in range(5)] == [0.25, 0.5, 1.0, 2.0, None]


def test_a_long_life_makes_good_for_earlier_deaths() -> None:
    """The count is of deaths in a row."""
    deaths = Deaths()
    for _ in range(4):
        deaths.pause(0.1)
    deaths.pause(11.0)
    assert deaths.pause(0.1) == 0.25


def test_a_slot_is_ready_when_its_child_has_said_so() -> None:
    """Not before."""
    slot = Slot("worker 1", lambda _: 0)
    assert not slot.ready
    slot.report |= {"ready": True}
    assert slot.ready


def test_the_summary_shows_the_first_complaint() -> None:
    """What is well with one worker and not with another is not well."""
    said = [
        {"state": "ok: 3 entries", "idp": "up"},
        {"state": "out of step for 4 s: locked", "idp": "up"},
        {"state": "not loaded: x", "idp": "down (timeout); y"},
    ]
    assert summary(said) == {"state": "out of step for 4 s: locked", "idp": "down (timeout); y"}
    assert summary([]) == {}
