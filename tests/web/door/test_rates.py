"""How often one source may try."""

from __future__ import annotations

from gateway.web.door.rates import SOURCES, TriesPerSource


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def spent(tries: TriesPerSource, client: str, times: int) -> bool:
    for _ in range(times):
        tries.spend(client)
    return tries.exhausted(client)


def test_a_source_has_a_burst_and_gets_tries_back_by_the_second() -> None:
    """Half a second for each of them here."""
    clock = Clock()
    tries = TriesPerSource(burst=3, each_second=2, clock=clock)
    assert not spent(tries, "192.0.2.1", 2)
    assert spent(tries, "192.0.2.1", 1)
    clock.now += 0.49
    assert tries.exhausted("192.0.2.1")
    clock.now += 0.02
    assert not tries.exhausted("192.0.2.1")
    assert spent(tries, "192.0.2.1", 1)
    clock.now += 1_000
    assert not spent(tries, "192.0.2.1", 2)


def test_trying_on_without_tries_does_not_run_up_a_debt() -> None:
    """A source that floods is let in again as soon as it stops."""
    clock = Clock()
    tries = TriesPerSource(burst=3, each_second=1, clock=clock)
    assert spent(tries, "192.0.2.1", 1_000)
    clock.now += 1
    assert not tries.exhausted("192.0.2.1")


def test_sources_are_told_apart() -> None:
    """In IPv4 by the address, in IPv6 by the subscriber's network."""
    tries = TriesPerSource(burst=2, clock=Clock())
    assert spent(tries, "192.0.2.1", 2)
    assert not tries.exhausted("192.0.2.2")
    assert spent(tries, "2001:db8::1", 2)
    assert tries.exhausted("2001:db8::ffff:2")
    assert not tries.exhausted("2001:db8:0:1::1")
    assert spent(tries, "", 2)


def test_memory_is_bounded_and_keeps_who_is_busy() -> None:
    """However many addresses somebody has."""
    tries = TriesPerSource(burst=2, clock=Clock())
    spent(tries, "192.0.2.1", 2)
    for number in range(SOURCES - 1):
        tries.spend(f"10.0.{number >> 8}.{number & 255}")
    assert tries.exhausted("192.0.2.1")
    tries.spend("192.0.2.1")
    tries.spend("198.51.100.1")
    assert tries.exhausted("192.0.2.1")
    assert SOURCES // 2 <= tries._left.kept <= SOURCES
