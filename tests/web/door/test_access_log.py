"""After the answer: one access line and the counts of it (rule R34)."""

from __future__ import annotations

import json
from errno import ENOSPC
from types import SimpleNamespace
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateway.core.http.facts import DoorRules, build
from gateway.core.http.request_head import RequestHead, read_block
from gateway.telemetry.metrics import Metrics
from gateway.web.door.access_log import AccessLog
from gateway.web.messages import Request, Response

RULES = DoorRules("https", frozenset({"app.example.com"}))


def asked() -> Request:
    connection: Any = SimpleNamespace(peer="192.0.2.1")
    return Request(connection, RequestHead("GET", "/zzz", False, read_block(b"", 100)), None)


def test_r34_a_line_has_names_and_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    """Path and parameter names, a hash for the session, a number for the request; no value of anything."""
    request = asked()
    request.route, request.sid = "/", "sid-zzz"
    facts = build("GET", "/a?token=zzz&b=zzz", [(b"Host", b"app.example.com")], "192.0.2.1", RULES)
    access_log = AccessLog(Metrics(), access=True)
    access_log.note(request, facts, Response(204), 0.25)
    access_log.flush()
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["path"], told["parameters"], told["status"]) == ("/a", ["token", "b"], 204)
    assert "zzz" not in line


def test_a_request_that_could_not_be_read_has_a_line_without_a_path(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing of it is repeated in the log either."""
    access_log = AccessLog(Metrics(), access=True)
    access_log.note(asked(), None, Response(400), 0.1)
    access_log.flush()
    told = capsys.readouterr().out
    assert '"status":400' in told
    assert "zzz" not in told


def test_answers_are_counted_by_route_and_class(capsys: pytest.CaptureFixture[str]) -> None:
    """Also without access lines; our own answers are one route."""
    metrics = Metrics()
    access_log = AccessLog(metrics, access=False)
    request = asked()
    access_log.note(request, None, Response(302), 0.1)
    request.route = "/api/"
    access_log.note(request, None, Response(500), 0.1)
    access_log.flush()
    exposed = metrics.exposition().decode()
    assert 'route="own"' in exposed
    assert 'route="/api/"' in exposed
    assert capsys.readouterr().out == ""


class Full:
    """A disk without room."""

    def __init__(self) -> None:
        self.asked = 0

    def write(self, _: str) -> int:
        self.asked += 1
        raise OSError(ENOSPC, "No space left on device")


def test_a_full_disk_costs_lines_and_no_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log of the program says so, now and then; what could not be written does not pile up."""
    disk = Full()
    monkeypatch.setattr("sys.stdout", disk)
    access_log = AccessLog(Metrics(), access=True)
    with capture_logs() as told:
        for _ in range(2_000):
            access_log.note(asked(), None, Response(204), 0.1)
        access_log.flush()
        access_log.flush()
    assert disk.asked > 2
    assert [line["why"] for line in told] == ["No space left on device"]
    assert access_log._log is not None
    assert access_log._log._lines == []


def test_what_is_no_request_is_counted_and_told_now_and_then() -> None:
    """Each fault by itself."""
    metrics = Metrics()
    access_log = AccessLog(metrics, access=False)
    with capture_logs() as told:
        for code in ("malformed_request", "malformed_request", "too_slow"):
            access_log.unreadable("192.0.2.1", code)
    exposed = metrics.exposition().decode()
    assert 'gateway_unreadable_requests_total{reason="malformed_request"} 2.0' in exposed
    assert 'gateway_unreadable_requests_total{reason="too_slow"} 1.0' in exposed
    assert [(line["reason"], line["client"]) for line in told] == [
        ("malformed_request", "192.0.2.1"),
        ("too_slow", "192.0.2.1"),
    ]
