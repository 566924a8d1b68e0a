"""One line says what a reason is on the wire, wherever it is answered."""

from __future__ import annotations

import ast
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from gateway.core.http.facts import DoorRules, RequestFacts
from gateway.core.http.forwarded import AskingProxy
from gateway.core.session.identity_headers import IdentityOptions
from gateway.web.endpoints.forward_auth import ForwardAuth
from gateway.web.endpoints.inbound.okta_events import OktaEvents
from gateway.web.endpoints.session.session import LiveSession
from gateway.web.messages import Response
from gateway.web.pages import errors
from gateway.web.signout.inbound import try_again
from gateway.web.statuses import SPECIAL, STATUSES, UNIVERSAL_LOGOUT, for_proxy, status_of
from tests.fakes.deciding import FETCH, NAVIGATION, NOW, facts, request
from tests.fakes.gating import Lab

WEB = Path(__file__).parents[2] / "gateway" / "web"
NO_REFUSALS = {
    ("messages.py", 499): "nobody is there to hear it; it is for the access log",
    ("session/storage.py", 512): "bytes",
}


@pytest.fixture
def lab(at: Callable[[int], None]) -> Iterator[Lab]:
    errors._prepared.forget()
    yield Lab()
    errors._prepared.forget()


async def answered(answer: object) -> int:
    while isinstance(answer, Awaitable):
        answer = await answer
    assert isinstance(answer, Response)
    return answer.status


def proxy_of(lab: Lab, said: RequestFacts) -> Callable[[], object]:
    """Forward-auth for a request that nginx asks about."""
    made = ForwardAuth(
        callers=cast("Any", None), path="/oauth2/auth", identity=IdentityOptions(),
        standing=lab.standing, unauthorized=lab.unauthorized, gate=lab.gate, forwarder=cast("Any", lab.upstream),
        events=cast("Any", lab.events),
    )  # fmt: skip
    nginx = AskingProxy("nginx", (), DoorRules("https", frozenset({"app.example.com"})))
    return lambda: made._decide(
        nginx, request(said), said, lab.upstream.route_for(said.path), lab.standing.revocations()
    )


async def test_who_is_not_signed_in_is_told_so_in_one_way(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the gate to programs and forms, by our own endpoints, and by a proxy in front."""
    monkeypatch.setitem(SPECIAL, "login_required", 418)
    program = facts(**FETCH)
    form = facts(method="POST", origin="https://app.example.com", content_type="text/plain", **NAVIGATION)
    assert [(await lab.ask(said)).status for said in (program, form)] == [418, 418]
    assert await answered(LiveSession(lab.standing, lab.unauthorized)(program, NOW)) == 418
    assert await answered(proxy_of(lab, program)()) == 418
    assert lab.unauthorized.program("logout_in_progress").status == 401


async def test_what_is_denied_and_what_proxies_hear_of_it(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most reasons are one to a proxy, those that it can act upon are themselves."""
    cookie = lab.cookie()
    program, person = (facts("/admin", cookie=cookie, **how) for how in (FETCH, NAVIGATION))
    monkeypatch.setitem(STATUSES, "denied", 418)
    assert [(await lab.ask(said)).status for said in (program, person)] == [418, 418]
    assert await answered(proxy_of(lab, program)()) == 403
    monkeypatch.setitem(STATUSES, "misasked", 423)
    errors._prepared.forget()
    assert await answered(proxy_of(lab, program)()) == 423
    monkeypatch.setitem(STATUSES, "state_stale", 424)
    lab.log.staleness = 301
    assert [(await lab.ask(program)).status, await answered(proxy_of(lab, program)())] == [424, 424]


async def test_what_those_hear_who_end_sessions_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the same lines."""
    monkeypatch.setitem(SPECIAL, "no_challenge", 418)
    monkeypatch.setitem(SPECIAL, "not_durable", 423)
    okta = OktaEvents(secret="s", namespace=None, by_users=False, inbound=cast("Any", None))
    assert (await okta.verify(request(facts()), facts())).status == 418
    assert try_again().status == 423


def test_each_reason_has_one_status() -> None:
    """And it is one of a refusal; proxies in front know three kinds of those."""
    assert STATUSES.keys().isdisjoint(SPECIAL)
    every = [*map(status_of, (*STATUSES, *SPECIAL)), *UNIVERSAL_LOGOUT.values()]
    assert all(400 <= status < 600 for status in every)
    assert {for_proxy(reason) for reason in (*STATUSES, "policy_error")} == {403, 503}
    with pytest.raises(KeyError):
        status_of("nobody_thought_of_this")


def test_nothing_else_in_this_room_knows_a_status_of_a_refusal() -> None:
    """Comparisons and sums are none, and what protoc has generated has offsets."""
    found = set()
    for path in (each for each in WEB.rglob("*.py") if not each.name.endswith("_pb2.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        sums = [node for node in ast.walk(tree) if isinstance(node, ast.Compare | ast.BinOp)]
        skipped = {id(inner) for node in sums for inner in ast.walk(node)}
        found |= {
            (path.relative_to(WEB).as_posix(), node.value)
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and type(node.value) is int and 400 <= node.value < 600
            if id(node) not in skipped
        }
    assert {place for place in found if place[0] != "statuses.py"} == NO_REFUSALS.keys()
