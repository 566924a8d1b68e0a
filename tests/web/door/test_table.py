"""Which paths are our own (rule R37)."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest

from gateway.core.http.facts import DoorRules, RequestFacts, build
from gateway.web.door.table import EndpointTable
from gateway.web.messages import Request, Response

RULES = DoorRules("https", frozenset({"app.example.com"}))
UNREAD: Any = None
"""The request, which no endpoint here looks at."""


async def get(_: Request, facts: RequestFacts) -> Response:
    return Response(body=b"get")


async def auth(_: Request, facts: RequestFacts) -> Response:
    return Response(body=b"auth")


EXACT = {"/logout": {"GET": get, "POST": get}, "/logged-out": {"GET": get}, "/oauth2/start": {"GET": get}}
CLOSED, OPEN = EndpointTable(EXACT, "/oauth2"), EndpointTable(EXACT, "/oauth2", ("/oauth2/auth", auth))


def facts(target: str, method: str = "GET") -> RequestFacts:
    return build(method, target, [(b"Host", b"app.example.com")], "192.0.2.1", RULES)


async def status(table: EndpointTable, target: str, method: str = "GET") -> int | None:
    """The status of the endpoint's answer; None when it is the gate's."""
    endpoint = table.find(facts(target, method))
    if endpoint is None:
        return None
    answer = endpoint(UNREAD, facts(target, method))
    if not isinstance(answer, Response):
        assert isinstance(answer, Awaitable)
        answer = await answer
    assert isinstance(answer, Response)
    return answer.status


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("/logout", 200), ("/logout?to=x", 200), ("/oauth2/start?rd=/", 200), ("/logged-out", 200),
        ("/logout/", 404), ("/logout/x", 404), ("/logged-out/x", 404), ("/oauth2", 404), ("/oauth2/", 404),
        ("/oauth2/x/y", 404), ("/%6Cogout", 404), ("/logou%74", 404), ("/oauth2/%73tart", 404), ("/%6fauth2/x", 404),
        ("/", None), ("/logoutx", None), ("/logouts/x", None), ("/logged-outx", None), ("/oauth2x", None), ("/log", None),
        ("/LOGOUT", None), ("/x/logout", None), ("/login", None), ("/oauth", None), ("/x?/logout", None),
    ],
)  # fmt: skip
async def test_r37_exact_paths_answer_and_their_trees_are_reserved(target: str, expected: int | None) -> None:
    """The raw path finds an endpoint; any spelling of anything below our paths is 404 and never an upstream's."""
    assert await status(CLOSED, target) == expected


@pytest.mark.parametrize("target", ["/logout", "/logged-out", "/oauth2/start?rd=/"])
async def test_head_works_wherever_get_does(target: str) -> None:
    """By the same endpoint, unless there is one of its own for it."""
    assert await status(CLOSED, target, "HEAD") == 200
    looked = EndpointTable({"/logout": {"GET": get, "HEAD": auth}}, "/oauth2")
    assert looked.find(facts("/logout", "HEAD")) is auth
    assert looked.find(facts("/logout")) is get


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_where_there_is_no_get_there_is_no_head(method: str) -> None:
    """An endpoint that takes POST alone."""
    only = EndpointTable({"/oauth2/activity": {"POST": get}}, "/oauth2")
    assert await status(only, "/oauth2/activity", method) == 405


@pytest.mark.parametrize("method", ["DELETE", "PUT", "OPTIONS", "get", "X"])
async def test_r37_a_wrong_method_is_405(method: str) -> None:
    """With the methods that there are."""
    endpoint = CLOSED.find(facts("/logout", method))
    assert endpoint is not None
    answer = endpoint(UNREAD, facts("/logout", method))
    assert isinstance(answer, Response)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, POST")


@pytest.mark.parametrize("method", ["GET", "POST", "X"])
@pytest.mark.parametrize(
    "target", ["/oauth2/auth", "/oauth2/auth/", "/oauth2/auth/any/path", "/oauth2/auth?x"]
)
async def test_forward_auth_takes_everything_below_its_path(target: str, method: str) -> None:
    """Where it is configured; where it is not, it is 404 like anything else."""
    assert await status(OPEN, target, method) == 200
    assert await status(CLOSED, target, method) == 404
    assert await status(OPEN, "/oauth2/authx", method) == 404
