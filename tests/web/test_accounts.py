"""After the answer: one access line and the counts of it (rule R34)."""

from __future__ import annotations

import json

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from gateway.core.facts import DoorRules, build
from gateway.telemetry.metrics import Metrics
from gateway.web.accounts import ROUTE, SID, Accounts

RULES = DoorRules("https", frozenset({"app.example.com"}))


def test_r34_a_line_has_names_and_no_values(capsys: pytest.CaptureFixture[str]) -> None:
    """Path and parameter names, a hash for the session, a number for the request; no value of anything."""
    request = make_mocked_request("GET", "/a?token=zzz&b=zzz")
    request[ROUTE], request[SID] = "/", "sid-zzz"
    facts = build("GET", "/a?token=zzz&b=zzz", [(b"Host", b"app.example.com")], "192.0.2.1", RULES)
    Accounts(Metrics(), access=True).note(request, facts, web.Response(status=204), 0.25)
    (line,) = capsys.readouterr().out.splitlines()
    told = json.loads(line)
    assert (told["path"], told["parameters"], told["status"]) == ("/a", ["token", "b"], 204)
    assert "zzz" not in line


def test_a_request_that_could_not_be_read_has_a_line_without_a_path(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Nothing of it is repeated in the log either."""
    Accounts(Metrics(), access=True).note(
        make_mocked_request("GET", "/zzz"), None, web.Response(status=400), 0.1
    )
    assert "zzz" not in capsys.readouterr().out


def test_answers_are_counted_by_route_and_class(capsys: pytest.CaptureFixture[str]) -> None:
    """Also without access lines; our own answers are one route."""
    metrics = Metrics()
    accounts = Accounts(metrics, access=False)
    request = make_mocked_request("GET", "/a")
    accounts.note(request, None, web.Response(status=302), 0.1)
    request[ROUTE] = "/api/"
    accounts.note(request, None, web.Response(status=500), 0.1)
    exposed = metrics.exposition().decode()
    assert 'route="own"' in exposed
    assert 'route="/api/"' in exposed
    assert capsys.readouterr().out == ""
