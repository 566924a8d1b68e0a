"""The metrics: one table, its page, its exposition in one process and in several."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry.metrics import _SECONDS, TABLE, Family, Metrics, reference, worker_ended

ROOT = Path(__file__).resolve().parents[2]


def value(text: bytes, name: str, **labels: str) -> float | None:
    """One sample of an exposition."""
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            if sample.name == name and labels.items() <= sample.labels.items():
                return sample.value
    return None


def test_the_page_is_the_table() -> None:
    """docs/metrics.md names exactly the metrics there are, with kind, labels and help."""
    page = (ROOT / "docs" / "metrics.md").read_text()

    assert page == reference()
    assert re.findall(r"^\| `(gateway_\w+)`", page, re.MULTILINE) == [row.name for row in TABLE]


def test_every_metric_is_exposed_and_nothing_else() -> None:
    """The registry has the table's metrics, each with its help."""
    text = Metrics().exposition().decode()
    exposed = dict(re.findall(r"^# HELP (\w+) (.*)$", text, re.MULTILINE))

    assert exposed == {row.name: row.help for row in TABLE}
    assert "_created" not in text


def test_every_metric_can_be_reached_by_its_name() -> None:
    """An attribute for each row, with as many label values as the row has labels."""
    metrics = Metrics()
    for row in TABLE:
        found = getattr(metrics, row.name.removeprefix("gateway_"))
        assert isinstance(found, Family) == bool(row.labels)
        if row.labels:
            child = found[tuple("x" for _ in row.labels)]
            assert child is found[tuple("x" for _ in row.labels)]


def test_names_follow_the_custom() -> None:
    """Prefix, unit and _total where they belong; gauges say how they add up."""
    for row in TABLE:
        assert row.name.startswith("gateway_")
        assert row.name.endswith("_total") == (row.kind == "counter")
        assert (row.mode is not None) == (row.kind == "gauge")
        assert bool(row.buckets) == (row.kind == "histogram")
        assert row.help.endswith(".")
    assert len({row.name for row in TABLE}) == len(TABLE)


def test_what_is_counted_on_the_way_of_requests_is_counted_as_prometheus_does() -> None:
    """Pins the private names by which many durations are handed over at once: every bucket, the sum, the count."""
    seconds = (0.0, 0.0005, 0.001, 0.0011, 0.3, 30.0, 31.0, 1e9)
    metrics, registry = Metrics(), CollectorRegistry()
    plain = Histogram("plain", "x", registry=registry, buckets=_SECONDS)
    for _ in range(2):
        for each in seconds:
            metrics.request_duration_seconds["/"].observe(each)
            plain.observe(each)
        metrics.settle()
    (mine,) = [each for each in metrics.registry.collect() if each.name == "gateway_request_duration_seconds"]
    (theirs,) = registry.collect()
    assert [s.labels.get("le") for s in mine.samples] == [s.labels.get("le") for s in theirs.samples]
    assert [s.value for s in mine.samples] == pytest.approx([s.value for s in theirs.samples])


def test_counting_is_seen() -> None:
    """Labelled counters, gauges and histograms."""
    metrics = Metrics()
    metrics.requests_total["/", "ok"].inc()
    metrics.requests_total["/", "ok"].inc()
    metrics.live_connections["websocket"].set(3)
    metrics.request_duration_seconds["/"].observe(0.004)
    metrics.cookie_bytes.observe(1200)
    metrics.sessions_sealed_total.inc()
    text = metrics.exposition()

    assert value(text, "gateway_requests_total", route="/", outcome="ok") == 2
    assert value(text, "gateway_live_connections", kind="websocket") == 3
    assert value(text, "gateway_request_duration_seconds_bucket", route="/", le="0.005") == 1
    assert value(text, "gateway_cookie_bytes_bucket", le="1500.0") == 1
    assert value(text, "gateway_sessions_sealed_total") == 1
    assert value(text, "gateway_build_info") == 1


def test_two_sets_of_metrics_do_not_meet() -> None:
    """Each has its own registry, so that two gateways fit in one process."""
    one, other = Metrics(), Metrics()
    one.logins_total["ok"].inc()

    assert value(other.exposition(), "gateway_logins_total", result="ok") is None


WORKER = """
import os, sys
from gateway.telemetry.metrics import Metrics, worker_ended
metrics = Metrics()
pids = []
for number in (1, 2):
    pid = os.fork()
    if not pid:
        metrics.requests_total["/", "ok"].inc(number)
        metrics.request_duration_seconds["/"].observe(0.1)
        metrics.state_log_age_seconds.set(number)
        metrics.upstream_connections.set(number)
        metrics.idp_up.set(number - 1)
        metrics.settle()
        sys.stdout.flush()
        os._exit(0)
    pids.append(pid)
    os.waitpid(pid, 0)
sys.stdout.buffer.write(metrics.exposition() + b"=====")
worker_ended(pids[1])
sys.stdout.buffer.write(metrics.exposition())
"""


def test_r12_the_metrics_of_all_workers_are_added_up(tmp_path: Path) -> None:
    """Counters and histograms sum; gauges sum or take the worst; those of an ended worker go."""
    run = subprocess.run(
        [sys.executable, "-c", WORKER],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)},
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    both, left = run.stdout.split(b"=====")

    assert value(both, "gateway_requests_total", route="/", outcome="ok") == 3
    assert value(both, "gateway_request_duration_seconds_count", route="/") == 2
    assert value(both, "gateway_state_log_age_seconds") == 2
    assert value(both, "gateway_upstream_connections") == 3
    assert value(both, "gateway_idp_up") == 0
    assert value(left, "gateway_requests_total", route="/", outcome="ok") == 3
    assert value(left, "gateway_state_log_age_seconds") == 1


def test_an_ended_worker_is_nothing_to_a_single_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the directory there is nothing to forget."""
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    worker_ended(12345)

    assert value(Metrics().exposition(), "gateway_build_info") == 1
