"""Every metric of the gateway, in one table.

`docs/metrics.md` is `reference()` and a test holds the two together. A metric with labels is a `Family`:
asking it for label values is a dictionary look-up after the first time, which is all that the way of a
request pays.

With several workers each writes its values to files in `PROMETHEUS_MULTIPROC_DIR`, and whoever answers
`/metrics` adds them up. The variable must be set before this module is first imported: prometheus-client
looks at it then.
"""

from __future__ import annotations

import os
import platform
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, Literal, TypeVar, cast

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from gateway import __version__

COMBINATIONS: Final = 4_096
"""Of label values for one metric: of some hundred routes with each of their outcomes."""
OTHER: Final = "other"
CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
MULTIPROC_DIR: Final = "PROMETHEUS_MULTIPROC_DIR"
Mode = Literal["livesum", "livemax", "livemin"]
_Child = TypeVar("_Child")

_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_COOKIE_BYTES: Final = (500.0, 1000.0, 1500.0, 2000.0, 3000.0, 3800.0, 4500.0, 5500.0, 7000.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `mode` says how a gauge adds up over workers; `buckets` belong to a histogram."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    help: str
    mode: Mode | None = None
    buckets: tuple[float, ...] = ()


TABLE: Final = (
    Metric("gateway_requests_total", "counter", ("route", "outcome"),
           "Requests answered, by upstream route (its path prefix, or `own` for the gateway's endpoints) and "
           "outcome."),
    Metric("gateway_request_duration_seconds", "histogram", ("route",),
           "Time from a request's first byte read to its response's last byte written.", buckets=_SECONDS),
    Metric("gateway_unreadable_requests_total", "counter", ("reason",),
           "What came from clients and is no request, by the reason it was refused for; not in the requests "
           "answered."),
    Metric("gateway_verdicts_total", "counter", ("verdict", "reason"),
           "Decisions of the gate: allow, challenge, refresh or deny, and why."),
    Metric("gateway_forward_auth_refused_total", "counter", ("caller", "reason"),
           "Questions of proxies in front that are none, so 403: by who asked (`nobody` where the address is no "
           "caller's) and why."),
    Metric("gateway_logins_total", "counter", ("result",),
           "Sign-ins that ended: ok, or what was wrong, also before the identity provider was asked."),
    Metric("gateway_refreshes_total", "counter", ("result",),
           "Refreshes of sessions: renewed, adopted from another process, refused, doubted, failed, or dropped."),
    Metric("gateway_logouts_total", "counter", ("how",),
           "Logouts begun, by what began them."),
    Metric("gateway_hops_total", "counter", ("hop", "status"),
           "Hops of logout chains: returned, skipped or failed."),
    Metric("gateway_revocations_total", "counter", ("reason", "durable"),
           "Revocation entries written; durable is `no` for those that the log did not take at once."),
    Metric("gateway_token_revocations_total", "counter", ("result",),
           "Refresh tokens at the identity provider after a sign-out, try by try: revoked, refused, no_endpoint "
           "(it has none), or unanswered; given_up, no_room and unreadable count tokens that nobody asks for "
           "again."),
    Metric("gateway_token_revocations_waiting", "gauge", (),
           "Refresh tokens that are still to be revoked; of all who share the state.", mode="livemax"),
    Metric("gateway_inbound_total", "counter", ("way", "result"),
           "Calls of others that want sessions ended, by the way they came: ended, replayed, not durable, or why "
           "refused."),
    Metric("gateway_state_log_age_seconds", "gauge", (),
           "Time since the revocation index was last in step with a log that takes entries; the worst worker.",
           mode="livemax"),
    Metric("gateway_state_log_entries", "gauge", (),
           "Entries in the revocation index; the fullest worker.", mode="livemax"),
    Metric("gateway_state_log_pending", "gauge", (),
           "Revocation entries that the log has not taken yet; all workers.", mode="livesum"),
    Metric("gateway_state_log_renewals_total", "counter", ("cause",),
           "Times that the revocation log got another id, for it may lack entries; everybody had to sign in again."),
    Metric("gateway_state_spool_used_ratio", "gauge", (),
           "Part of `state_spool` that holds what the log has not taken; what fits neither there nor on its disk "
           "lets nobody in at the other workers.", mode="livemax"),
    Metric("gateway_sessions_sealed_total", "counter", (),
           "Session cookies sealed: sign-ins, activity and key changes."),
    Metric("gateway_cookie_bytes", "histogram", (),
           "Size of the session cookies sent, all pieces together.", buckets=_COOKIE_BYTES),
    Metric("gateway_upstream_requests_total", "counter", ("route", "result"),
           "Requests sent to upstreams, by result: ok, or the code of the failure."),
    Metric("gateway_upstream_connections", "gauge", (),
           "Open connections to upstreams; all workers.", mode="livesum"),
    Metric("gateway_live_connections", "gauge", ("kind",),
           "Long-lived connections that end with their session, by kind; all workers.", mode="livesum"),
    Metric("gateway_idp_up", "gauge", (),
           "1 while the identity provider's metadata and keys are known, 0 while they are not; the worst worker.",
           mode="livemin"),
    Metric("gateway_idp_requests_total", "counter", ("endpoint", "result"),
           "Requests to the identity provider, by endpoint and result."),
    Metric("gateway_policy_decisions_total", "counter", ("policy", "decision"),
           "Requests that policies let through, or denied to somebody signed in, by the @id that determined it; "
           "`none` where no policy matched."),
    Metric("gateway_build_info", "gauge", ("version", "python"),
           "Always 1; its labels say what runs.", mode="livemax"),
)  # fmt: skip


class Tally:
    """A counter that is asked on every request: it adds up here, and tells prometheus-client now and then.

    Counting there takes a lock and several calls, five times a request.
    """

    __slots__ = ("_count", "_counter")

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._count = 0

    def inc(self, count: int = 1) -> None:
        """So many more."""
        self._count += count

    def settle(self) -> None:
        """Hand over."""
        count, self._count = self._count, 0
        if count:
            self._counter.inc(count)


class Timing:
    """The same for a histogram."""

    __slots__ = ("_histogram", "_values", "observe")

    def __init__(self, histogram: Histogram) -> None:
        self._histogram = histogram
        self._values: list[float] = []
        self.observe = self._values.append

    def settle(self) -> None:
        """Hand over: what ``Histogram.observe`` does for each value, with one addition for each bucket.

        There is no public name for it; a test holds it to ``observe``.
        """
        values = self._values
        if not values:
            return
        histogram = self._histogram
        bounds = histogram._upper_bounds  # noqa: SLF001
        counts = [0] * len(bounds)
        for value in values:
            counts[bisect_left(bounds, value)] += 1
        histogram._sum.inc(sum(values))  # noqa: SLF001
        for bucket, count in zip(histogram._buckets, counts, strict=True):  # noqa: SLF001
            if count:
                bucket.inc(count)
        values.clear()


class Family(dict[str | tuple[str, ...], _Child], Generic[_Child]):
    """The children of a metric by their label values: `family["/", "ok"].inc()`, `family["websocket"].inc()`.

    Label values come from a closed set, for each combination is kept for ever. Should one not be closed, what comes
    after ``COMBINATIONS`` of them counts as ``other``.

    :param child: what a child of prometheus-client is wrapped in, if anything.
    """

    def __init__(
        self, metric: Counter | Gauge | Histogram, child: Callable[[Any], _Child] = lambda bare: bare
    ) -> None:
        super().__init__()
        self._metric = metric
        self._child = child

    def __missing__(self, values: str | tuple[str, ...]) -> _Child:
        labels = (values,) if isinstance(values, str) else values
        if len(self) >= COMBINATIONS and set(labels) != {OTHER}:
            return self[OTHER if isinstance(values, str) else (OTHER,) * len(labels)]
        child = self[values] = self._child(self._metric.labels(*labels))
        return child


class Metrics:
    """The metrics of one process, on a registry of their own. Attributes are the names without the prefix.

    :param replica: False for a process that answers no requests: it counts, but has no gauges, whose zeros would be
        taken for a worker's.
    """

    def __init__(self, *, replica: bool = True) -> None:
        disable_created_metrics()
        self.registry = CollectorRegistry()
        rows = [row for row in TABLE if replica or row.kind != "gauge"]
        made = {row.name.removeprefix("gateway_"): _make(row, self.registry) for row in rows}

        def counters(name: str) -> Family[Counter]:
            return Family(made[name])

        def tallies(name: str) -> Family[Tally]:
            return Family(made[name], Tally)

        def gauge(name: str) -> Gauge:
            return cast("Gauge", made[name])

        self.requests_total = tallies("requests_total")
        self.request_duration_seconds = Family(made["request_duration_seconds"], Timing)
        self.unreadable_requests_total = counters("unreadable_requests_total")
        self.verdicts_total = tallies("verdicts_total")
        self.forward_auth_refused_total = counters("forward_auth_refused_total")
        self.logins_total = counters("logins_total")
        self.refreshes_total = counters("refreshes_total")
        self.logouts_total = counters("logouts_total")
        self.hops_total = counters("hops_total")
        self.revocations_total = counters("revocations_total")
        self.token_revocations_total = counters("token_revocations_total")
        self.state_log_renewals_total = counters("state_log_renewals_total")
        self.inbound_total = counters("inbound_total")
        self.sessions_sealed_total = cast("Counter", made["sessions_sealed_total"])
        self.cookie_bytes = cast("Histogram", made["cookie_bytes"])
        self.upstream_requests_total = tallies("upstream_requests_total")
        self.idp_requests_total = counters("idp_requests_total")
        self.policy_decisions_total = tallies("policy_decisions_total")
        if not replica:
            return
        self.state_log_age_seconds = gauge("state_log_age_seconds")
        self.state_log_entries = gauge("state_log_entries")
        self.state_log_pending = gauge("state_log_pending")
        self.state_spool_used_ratio = gauge("state_spool_used_ratio")
        self.token_revocations_waiting = gauge("token_revocations_waiting")
        self.upstream_connections = gauge("upstream_connections")
        self.live_connections: Family[Gauge] = Family(gauge("live_connections"))
        self.idp_up = gauge("idp_up")
        self.build_info: Family[Gauge] = Family(gauge("build_info"))
        self.build_info[__version__, platform.python_version()].set(1)

    def settle(self) -> None:
        """Hand what was counted on the way of requests to prometheus-client: now and then, and before it is asked."""
        tallies = (
            self.requests_total, self.verdicts_total, self.upstream_requests_total, self.policy_decisions_total,
        )  # fmt: skip
        for tally in (each for family in tallies for each in family.values()):
            tally.settle()
        for timing in self.request_duration_seconds.values():
            timing.settle()

    def exposition(self) -> bytes:
        """The text for `/metrics` (`CONTENT_TYPE`): of this process, or of all workers added up."""
        self.settle()
        if MULTIPROC_DIR not in os.environ:
            return generate_latest(self.registry)
        every_worker = CollectorRegistry()
        MultiProcessCollector(every_worker)
        return generate_latest(every_worker)


def worker_ended(pid: int) -> None:
    """Forget the gauges of a worker that has ended; its counts stay."""
    if MULTIPROC_DIR in os.environ:
        mark_process_dead(pid)


def reference() -> str:
    """The text of `docs/metrics.md`."""
    lines = [_HEAD, "| metric | kind | labels | meaning |", "|---|---|---|---|"]
    for row in TABLE:
        labels = ", ".join(f"`{label}`" for label in row.labels)
        lines.append(f"| `{row.name}` | {row.kind} | {labels} | {row.help} |")
    return "\n".join(lines) + "\n"


def _make(row: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if row.kind == "counter":
        return Counter(row.name, row.help, row.labels, registry=registry)
    if row.kind == "histogram":
        return Histogram(row.name, row.help, row.labels, registry=registry, buckets=row.buckets)
    return Gauge(row.name, row.help, row.labels, registry=registry, multiprocess_mode=row.mode or "livesum")


_HEAD: Final = """# Metrics

What `/metrics` on the probe listener shows. This page is made from the table in `gateway/telemetry/metrics.py`;
after a change there:

```
python -c "from gateway.telemetry.metrics import reference as r; print(r(), end='')" > docs/metrics.md
```
"""
