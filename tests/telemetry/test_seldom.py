"""Lines that clients can bring about are few."""

from __future__ import annotations

from gateway.telemetry.seldom import EVERY, Seldom


def test_one_line_in_a_while_tells_how_many_there_were() -> None:
    """Each kind by itself; the first one at once."""
    now = 1_000.0
    seldom = Seldom(lambda: now)
    assert [seldom.due("a") for _ in range(4)] == [1, 0, 0, 0]
    assert seldom.due("b") == 1
    now += EVERY / 2
    assert seldom.due("a") == 0
    now += EVERY / 2
    assert seldom.due("a") == 5
    assert seldom.due("a") == 0
    now += 10 * EVERY
    assert [seldom.due("a"), seldom.due("b")] == [2, 1]
