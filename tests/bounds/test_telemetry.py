"""What is counted and told, filled with the largest that gets in; and that no client makes a metric grow."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable

import pytest

from gateway.app.wiring import Gateway
from gateway.config import load
from gateway.telemetry import metrics as module
from gateway.telemetry.log import AccessLines
from gateway.telemetry.metrics import OTHER, TABLE, Family, Metrics
from gateway.telemetry.seldom import Seldom
from gateway.web.door.connection import Connection
from tests.bench.pure import HOST, Collector, settings_for
from tests.bounds.listed import fills, stated
from tests.fakes.patience import PATIENCE

Measured = Callable[[], int]
FAMILIES = [row.name.removeprefix("gateway_") for row in TABLE if row.labels]


@fills("telemetry/log.py _lines")
@pytest.mark.parametrize("path", ["/", '/"' + "p" * 200, '/"' * 16_380], ids=["short", "usual", "longest"])
def test_access_lines_until_they_are_written(path: str, measured: Measured) -> None:
    """As much as is written together, and then the longest line there is: each character of its path is escaped."""
    made = AccessLines(Nowhere())
    before = measured()
    for at in range(60):
        _line(made, path)
        if at % 15 == 14:
            assert measured() - before <= stated("telemetry/log.py _lines")
    assert made._lines


def _line(made: AccessLines, path: str) -> None:
    made.access(
        method="GET", path=path, parameters=("a" * 32,) * 20, status=200, seconds=0.1, sent=1, sid="s" * 22, request_id="r-1"
    )  # fmt: skip


class Nowhere(io.StringIO):
    """Takes everything and keeps nothing."""

    def write(self, text: str) -> int:
        return len(text)


@fills("telemetry/metrics.py _values")
def test_durations_until_they_are_handed_over(measured: Measured) -> None:
    """One for each request."""
    timing = Metrics().request_duration_seconds["/"]
    before = measured()
    for at in range(10_000):
        timing.observe(at / 7)
    assert measured() - before <= 10_000 * stated("telemetry/metrics.py _values")
    timing.settle()
    assert measured() - before < 4_096


@fills(*(f"telemetry/metrics.py {name}" for name in FAMILIES))
@pytest.mark.parametrize("name", FAMILIES)
def test_children_of_a_metric(name: str, measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each combination takes no more than it may, in prometheus-client as well; and beyond a number they are one."""
    family: Family[object] = getattr(Metrics(), name)
    wide = len(family._metric._labelnames)
    family.clear()
    family._metric.clear()
    before = measured()
    for at in range(200):
        family[_labels(at, wide)]
    assert measured() - before <= 200 * stated(f"telemetry/metrics.py {name}")
    monkeypatch.setattr(module, "COMBINATIONS", 200)
    for at in range(200, 500):
        assert family[_labels(at, wide)] is family[OTHER if wide == 1 else (OTHER,) * wide]
    assert len(family) == len(family._metric._metrics) == 201


def _labels(at: int, wide: int) -> str | tuple[str, ...]:
    each = f"a label value of some length {at}"
    return each if wide == 1 else (each,) * wide


@fills("telemetry/seldom.py _next", "telemetry/seldom.py _times")
def test_when_a_line_is_due(measured: Measured) -> None:
    """By kinds that the code names."""
    seldom = Seldom(lambda: 0.0)
    kinds = [f"kind_{at}" for at in range(500)]
    before = measured()
    for kind in kinds:
        seldom.due(kind)
    taken = measured() - before
    assert taken <= 500 * (stated("telemetry/seldom.py _next") + stated("telemetry/seldom.py _times"))


HOSTILE = [
    "GET /{n} HTTP/1.1\r\nHost: {host}\r\n", "GET /{n} HTTP/1.1\r\nHost: evil-{n}.example\r\n", "X{n} / HTTP/1.1\r\nHost: {host}\r\n",
    "GET /oauth2/{n} HTTP/1.1\r\nHost: {host}\r\n", "POST /oauth2/{n}/x HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n",
    "GET /oauth2/callback?error=e{n}&state=s{n} HTTP/1.1\r\nHost: {host}\r\n", "GET http://h{n}/ HTTP/1.1\r\nHost: h{n}\r\n",
    "GET /oauth2/returned/h{n}/t{n}?state={n} HTTP/1.1\r\nHost: {host}\r\n", "GET /logout?target=t{n} HTTP/1.1\r\nHost: {host}\r\n",
    "GET /%{n} HTTP/1.1\r\nHost: {host}\r\n", "OPTIONS *{n} HTTP/1.1\r\nHost: {host}\r\n", "{n}\r\n", "GET / HTTP/{n}\r\nHost: {host}\r\n",
    "GET /oauth2/auth HTTP/1.1\r\nHost: {host}\r\nX-Original-Method: M{n}\r\nX-Original-URL: http://h{n}/\r\n",
    "GET /oauth2/frontchannel?iss=i{n}&sid=s{n} HTTP/1.1\r\nHost: {host}\r\n", "GET /a/{n} HTTP/1.1\r\nHost: {host}\r\nOrigin: http://o{n}\r\n",
    "POST /oauth2/start?rd=/{n} HTTP/1.1\r\nHost: {host}\r\nTransfer-Encoding: t{n}\r\n",
]  # fmt: skip
"""Requests that differ each time in whatever a label could be made of."""
OURS = "idp_requests_total"
"""Of what the gateway asks, whenever it does."""


async def test_no_client_makes_a_metric_grow() -> None:
    """Methods, hosts, paths, parameters and what is no request at all fold into the values that the code names."""
    with settings_for(access=False) as path:
        gateway = Gateway(load(path, {}))
        await gateway.open()
        try:
            seen = []
            for numbers in (range(1, 4), range(1_000, 1_200)):
                for number in numbers:
                    for head in HOSTILE:
                        await _ask(gateway, head.format(n=number, host=HOST))
                seen.append({name: set(getattr(gateway.metrics, name)) for name in FAMILIES if name != OURS})
            assert seen[0] == seen[1]
            assert {route for route, _ in seen[0]["requests_total"]} == {"/", "own"}
            assert seen[0]["unreadable_requests_total"]
        finally:
            await gateway.close()


class Wire(Collector):
    """Of a client that is there as long as it is asked to."""

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        """Nothing more comes."""

    pause_reading = resume_reading = write_eof


async def _ask(gateway: Gateway, head: str) -> None:
    client, wire = Connection(gateway.door.listener()), Wire()
    client.connection_made(wire)
    client.data_received(f"{head}Sec-Fetch-Mode: cors\r\n\r\n".encode())
    async with asyncio.timeout(PATIENCE):
        while not wire.last:
            await asyncio.sleep(0)
    client.connection_lost(None)
