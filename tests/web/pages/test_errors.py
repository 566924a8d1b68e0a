"""Reasons become HTTP in one place."""

from __future__ import annotations

import json
import re

import pytest

from gateway.core.errors import (
    ConfigurationError,
    DownstreamError,
    GatewayError,
    ProviderError,
    UpstreamError,
)
from gateway.core.http.facts import DoorRules, RequestFacts, build
from gateway.web.pages.catalogue import message
from gateway.web.pages.errors import refuse, refuse_error
from gateway.web.pages.pages import Offer
from gateway.web.statuses import STATUSES

RULES = DoorRules("https", frozenset({"app.example.com"}))


def facts(*, person: bool) -> RequestFacts:
    accept = b"text/html" if person else b"*/*"
    return build("GET", "/zzz", [(b"Host", b"app.example.com"), (b"Accept", accept)], "192.0.2.1", RULES)


@pytest.mark.parametrize("reason", STATUSES)
def test_every_reason_has_a_page_and_a_problem(reason: str) -> None:
    """People get a page that names the code and a fix, programs a problem document; neither is cached."""
    page, problem = refuse(facts(person=True), reason), refuse(facts(person=False), reason)
    assert page.status == problem.status == STATUSES[reason]
    assert page.headers["Content-Type"].startswith("text/html")
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert reason in page.body.decode()
    data = json.loads(problem.body)
    assert (data["code"], data["status"], data["type"]) == (reason, page.status, "about:blank")
    for answer in (page, problem):
        assert answer.headers["Cache-Control"] == "no-store"
        with_form = b"<form" in answer.body  # rule R13: an Origin goes with it
        assert answer.headers["Referrer-Policy"] == ("same-origin" if with_form else "no-referrer")


def test_a_request_that_could_not_be_read_gets_a_page() -> None:
    """There is nothing to tell a program by."""
    assert refuse(None, "malformed_request").headers["Content-Type"].startswith("text/html")


def test_a_forgotten_reason_is_ours_to_answer_for() -> None:
    """A code without a row is a 500, never a pass."""
    assert refuse(facts(person=True), "nobody_thought_of_this").status == 500


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (DownstreamError("ambiguous_target", "It is ambiguous."), 400),
        (DownstreamError("bad_callback", "zzz"), 400),
        (DownstreamError("unknown_host"), 421),
        (DownstreamError("too_large"), 413),
        (ProviderError("provider_unreachable", "zzz-inside"), 502),
        (ProviderError("invalid_client", "zzz-inside"), 502),
        (UpstreamError("connect_failed", "zzz-inside"), 502),
        (UpstreamError("first_byte_timeout", "zzz-inside"), 504),
        (UpstreamError("upstream_busy", "zzz-inside"), 503),
        (UpstreamError("something_new", "zzz-inside"), 502),
        (ConfigurationError("bad_key", "zzz-inside"), 500),
        (GatewayError("anything", "zzz-inside"), 500),
    ],
)
def test_an_error_is_answered_by_its_side(error: GatewayError, status: int) -> None:
    """4xx is the client's fault, 5xx is not; only the client's own errors speak in their own words."""
    answer = refuse_error(facts(person=False), error)
    assert answer.status == status
    assert b"zzz-inside" not in answer.body


def test_r34_a_page_offers_a_way_on() -> None:
    """An action is a link, and cookies go along."""
    answer = refuse_error(
        facts(person=True),
        ProviderError("x", retryable=True),
        cookies=["a=b"],
        offers=[Offer(message("page.try_again"), "/oauth2/start?rd=/a")],
    )
    assert re.search(r'href="/oauth2/start\?rd=/a"[^>]*>Try again<', answer.body.decode())
    assert answer.headers.getall("Set-Cookie") == ["a=b"]
