"""The gate's acts, by what it promises: who reaches an upstream, what everybody else hears, and what is done beside it.

The verdict itself is `core/gate.py`'s and has its tests there; here are real cookies and verdicts, and fakes around.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Never

import pytest
import structlog

from gateway.core.errors import DownstreamError
from gateway.core.gate import Allow, Challenge, Deny
from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.http.routes import match_route
from gateway.core.session.revocation_keys import sid_key
from gateway.core.session.session import Session
from gateway.core.signout import chain as chains
from gateway.core.signout.chain import ChainLimits
from gateway.core.signout.revocation import NewEntry
from gateway.web.messages import Response, Sent
from gateway.web.pages.catalogue import message
from tests.fakes.deciding import (
    FETCH,
    HERE,
    NAVIGATION,
    NOW,
    facts,
    request,
    session,
)
from tests.fakes.gating import ROUTES, Lab


@pytest.fixture
def lab(at: Callable[[int], None]) -> Lab:
    return Lab()


def problem(answer: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.body)
    assert (found["status"], answer.headers["Content-Type"]) == (answer.status, "application/problem+json")
    assert "no-store" in answer.headers["Cache-Control"]
    return found


# Who reaches the upstream (guarantee 1)


ACTS: list[dict[str, Any]] = [{"method": "POST", **FETCH}, {"method": "DELETE", **FETCH}, NAVIGATION]


@pytest.mark.parametrize("asked", ACTS)
async def test_the_applications_own_sign_out_is_one_of_ours(lab: Lab, asked: dict[str, Any]) -> None:
    """`upstreams[].sign_out_on`: it ends the session first, and the application hears whose it was and answers."""
    said = facts("/api/sign-out", cookie=lab.cookie(), **asked)
    answer: Any = lab.gate.handle(request(said), said)
    assert not isinstance(await answer, Sent)
    assert [how for _, how in lab.logout.started] == ["application"]
    (sent,) = lab.upstream.sent
    assert (sent.session, sent.set_cookies) == (None, ["__Host-logout=begun; Path=/"])
    assert (b"X-Auth-Request-User", b"alice") in sent.identity


ACTS_NOT: list[dict[str, Any]] = [
    FETCH,
    {**NAVIGATION, "sec-fetch-site": "cross-site"},
    {"accept": "text/html"},
    {**NAVIGATION, "sec-purpose": "prefetch"},
    {**FETCH, "sec-fetch-dest": "image", "sec-fetch-mode": "no-cors"},
]


@pytest.mark.parametrize("asked", ACTS_NOT)
async def test_r13_nothing_else_is_the_applications_sign_out(lab: Lab, asked: dict[str, Any]) -> None:
    """An image, a prefetch, a fetch by GET or another site's link reaches the application, and ends nothing here."""
    said = facts("/api/sign-out", cookie=lab.cookie(), **asked)
    assert isinstance(lab.gate.handle(request(said), said), Response)
    assert lab.logout.started == []
    assert lab.upstream.sent[0].session == session()


async def test_a_live_session_is_forwarded_with_its_identity(lab: Lab) -> None:
    """By the longest route, without a cookie to set while the one there is recent enough; the books know whose it was."""
    said = facts("/api/me", cookie=lab.cookie(), **FETCH)
    asked = request(said)
    answer = lab.gate.handle(asked, said)
    assert isinstance(answer, Response), "a session at hand is waited for by nobody"
    (sent,) = lab.upstream.sent
    assert (sent.session, sent.route.path, sent.set_cookies) == (session(), "/api/", [])
    assert (b"X-Auth-Request-User", b"alice") in sent.identity
    assert (asked.route, asked.sid) == ("/api/", "sid-1")
    assert [type(verdict) for verdict in lab.events.verdicts] == [Allow]


async def test_r04_a_session_that_has_seen_more_has_the_log_asked(lab: Lab) -> None:
    """A log that has that much was only ahead of the index; one that has not is an older copy, and lets it in no more."""
    lab.log.end = 7
    ahead = session(seen=7)
    assert (await lab.ask(facts("/api/me", cookie=lab.cookie(ahead), **FETCH))).status == 200
    assert lab.log.shown == [7]
    lab.log.end = 7
    answer = await lab.ask(facts("/api/me", cookie=lab.cookie(session(seen=8)), **FETCH))

    assert (answer.status, problem(answer)["reason"]) == (401, "log_lost")
    assert lab.log.shown == [7, 8]
    assert len(lab.upstream.sent) == 1
    for cookie in (lab.cookie(session(seen=7)), lab.cookie(session(seen=0))):
        assert (await lab.ask(facts("/api/me", cookie=cookie, **FETCH))).status == 401
    assert lab.log.shown == [7, 8]


async def test_r04_a_log_that_cannot_be_asked_is_believed_for_as_long_as_ever(lab: Lab) -> None:
    """Its age decides, and the next request asks again."""
    said = facts("/api/me", cookie=lab.cookie(session(seen=8)), **FETCH)
    assert (await lab.ask(said)).status == 200
    lab.log.staleness = 301
    assert (await lab.ask(said)).status == 503
    lab.log.staleness = 0
    assert (await lab.ask(said)).status == 200
    assert lab.log.shown == [8, 8]


DEAD = {
    "no cookie": None,
    "another log": session(log_id="lost"),
    "idle too long": session(idle_until=NOW),
    "at its end": session(absolute_until=NOW),
    "revoked": session(sid="ended"),
}


@pytest.mark.parametrize("who", DEAD.values(), ids=DEAD.keys())
@pytest.mark.parametrize("how", [NAVIGATION, FETCH], ids=["navigation", "fetch"])
async def test_nobody_else_is(lab: Lab, who: Session | None, how: dict[str, Any]) -> None:
    """People are sent to sign in, with the way back; programs hear where that is."""
    lab.log.index.apply(NewEntry(sid_key("ended"), NOW + 9, "admin").placed(1))
    cookie = lab.cookie(who) if who else b""
    answer = await lab.ask(facts("/reports/7?a=b%26c", cookie=cookie, **how))
    assert lab.upstream.sent == []
    if how is NAVIGATION:
        assert (answer.status, answer.headers["Location"]) == (
            302, "/oauth2/start?rd=/reports/7%3Fa%3Db%2526c",
        )  # fmt: skip
    else:
        assert (answer.status, problem(answer)["code"]) == (401, "login_required")
        assert problem(answer)["login_url"] == f"{HERE}/oauth2/start"
        assert answer.headers["WWW-Authenticate"].startswith("Session")


@pytest.mark.parametrize("who", DEAD.values(), ids=DEAD.keys())
async def test_r09_what_is_open_to_anonymous_is_forwarded_without_any_identity(
    lab: Lab, who: Session | None
) -> None:
    """A dead session says nothing there, and neither does a living one that the policy did not ask for."""
    lab.log.index.apply(NewEntry(sid_key("ended"), NOW + 9, "admin").placed(1))
    await lab.ask(facts("/public", cookie=lab.cookie(who) if who else b"", **FETCH))
    assert [(sent.session, sent.identity, sent.set_cookies) for sent in lab.upstream.sent] == [(None, (), ())]


async def test_a_policy_that_crashes_is_no_pass(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error goes to the door, which makes a 500 of it."""

    def crash(**_: object) -> Never:
        raise RuntimeError("broken")

    monkeypatch.setattr(lab.policy, "decide", crash)
    for cookie in (b"", lab.cookie()):
        with pytest.raises(RuntimeError):
            await lab.ask(facts(cookie=cookie, **NAVIGATION))
    assert lab.upstream.sent == []


@pytest.mark.parametrize("how", [NAVIGATION, FETCH], ids=["navigation", "fetch"])
async def test_a_user_without_the_right_is_told_so(lab: Lab, how: dict[str, Any]) -> None:
    """403, for signing in again would not help; it is written down with whose session it was."""
    answer = await lab.ask(facts("/admin", cookie=lab.cookie(), **how))
    assert answer.status == 403
    assert (lab.upstream.sent, lab.logout.asked) == ([], [])
    assert lab.events.denials == [("denied", "sid-1")]


async def test_r08_another_site_s_request_is_refused_and_written_down(lab: Lab) -> None:
    """Also with a good session, which is just what it was after."""
    said = facts(method="POST", cookie=lab.cookie(), origin="https://evil.example")
    answer = await lab.ask(said)
    assert (answer.status, problem(answer)["code"]) == (403, "cross_origin")
    assert (lab.upstream.sent, lab.events.denials) == ([], [("cross_origin", "sid-1")])


@pytest.mark.parametrize(("origin", "status"), [(HERE, 204), ("https://evil.example", 403)])
async def test_r08_a_preflight_is_answered_here(lab: Lab, origin: str, status: int) -> None:
    """It carries no cookie, so that an upstream could decide who may use a session that it never saw."""
    said = facts(method="OPTIONS", cookie=lab.cookie(), origin=origin, access_control_request_method="DELETE")
    assert (await lab.ask(said)).status == status
    assert (lab.upstream.sent, lab.events.verdicts) == ([], [])


async def test_a_path_without_a_route_reaches_nobody(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """404, before anything is read of the session."""
    monkeypatch.setattr(lab.upstream, "route_for", lambda path: match_route(ROUTES[:1], path))
    with pytest.raises(DownstreamError):
        await lab.ask(facts("/elsewhere", cookie=lab.cookie(), **FETCH))
    assert lab.upstream.sent == []


# The log (rules R4, R5)


async def test_r04_an_entry_of_another_process_counts_at_once(lab: Lab) -> None:
    """The log has moved: it is read before anything is decided."""
    lab.log.behind = [lab.signed_out()]
    said = facts(cookie=lab.cookie(), **FETCH)
    assert lab.standing.waits(said)
    answer = await lab.ask(said)
    assert (answer.status, lab.upstream.sent, lab.log.reads) == (401, [], 1)
    assert not lab.standing.waits(said)
    await lab.ask(facts(cookie=lab.cookie(session(sid="other")), **FETCH))
    assert (len(lab.upstream.sent), lab.log.reads) == (1, 1), "it has not moved since"


async def test_r05_a_log_out_of_reach_lets_nobody_in(lab: Lab) -> None:
    """503 with a time to come back; nobody is sent to sign in, for the session may be good."""
    lab.log.staleness = 301.0
    for how in (NAVIGATION, FETCH):
        answer = await lab.ask(facts(cookie=lab.cookie(), **how))
        assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
    assert (lab.upstream.sent, lab.logout.asked, lab.events.denials) == ([], [], [])


# Signing out (rules R1, R2, R13)


async def test_r01_a_navigation_with_an_ended_session_asks_the_logout_first(lab: Lab) -> None:
    """What it answers is what the browser gets; it is told which entry ended the session."""
    lab.logout.first = Response(302, body=b"the chain")
    lab.log.index.apply(lab.signed_out().placed(7))
    answer = await lab.ask(facts(cookie=lab.cookie(), **NAVIGATION))
    assert answer is lab.logout.first
    (state,) = lab.logout.asked
    assert isinstance(state, Challenge)
    assert state.revoked is not None
    assert (state.reason, state.revoked.position) == ("revoked", 7)


@pytest.mark.parametrize("chain", [False, True], ids=["entry", "chain"])
@pytest.mark.parametrize("how", [NAVIGATION, FETCH], ids=["navigation", "fetch"])
async def test_r02_nobody_signs_in_while_a_logout_is_under_way(
    lab: Lab, chain: bool, how: dict[str, Any]
) -> None:
    """The log's entry alone says so, without the chain's cookie; a fetch hears it, a navigation goes on signing out."""
    lab.logout.first = Response(body=b"waiting")
    lab.log.index.apply(lab.signed_out(barrier=NOW + 120).placed(1))
    under_way = chains.begin(["cognito"], ChainLimits(30, 120), now=NOW - 1).chain
    lines = lab.sessions.seal_chain(under_way, NO_COOKIES, NOW) if chain else []
    answer = await lab.ask(facts(cookie=lab.cookie(session(), *lines), **how))
    assert lab.upstream.sent == []
    assert lab.events.verdicts == [Deny("logout_in_progress")]
    assert lab.events.denials == [], "it is nothing that anybody did wrong"
    if how is NAVIGATION:
        assert answer is lab.logout.first
    else:
        assert (answer.status, problem(answer)["code"]) == (401, "logout_in_progress")
        assert "login_url" not in problem(answer)


@pytest.mark.parametrize(
    "how", [FETCH, {**NAVIGATION, "sec-purpose": "prefetch"}, {**NAVIGATION, "sec-fetch-dest": "iframe"}]
)
async def test_r13_nothing_but_a_navigation_begins_anything(lab: Lab, how: dict[str, Any]) -> None:
    """A prefetch, an iframe and a fetch with an ended session are told, and neither sign in nor out (rule R35)."""
    lab.log.index.apply(lab.signed_out().placed(1))
    answer = await lab.ask(facts(cookie=lab.cookie(), **how))
    assert (answer.status, "Location" in answer.headers, lab.logout.asked) == (401, False, [])


async def test_p22_what_a_person_typed_into_a_form_is_not_lost_silently(lab: Lab) -> None:
    """A page that says what to do; while a sign-out is under way, with that as its reason."""
    posted = facts(method="POST", **{**NAVIGATION, "sec-fetch-site": "same-origin"})
    page = await lab.ask(posted)
    assert page.status == 401
    assert message("reason.login_required.form_what").encode() in page.body
    assert b"401 login_required" in page.body
    lab.log.index.apply(lab.signed_out(barrier=NOW + 120).placed(1))
    leaving = await lab.ask(posted._replace(cookies=(lab.cookie(),)))
    assert b"401 logout_in_progress" in leaving.body
    assert lab.upstream.sent == []


async def test_p23_cookies_that_contradict_each_other_go_with_the_challenge(lab: Lab) -> None:
    """Else this browser could never sign in."""
    twice = b"__Host-session=a; __Host-session=b"
    for how in (NAVIGATION, FETCH):
        answer = await lab.ask(facts(cookie=twice, **how))
        expired = answer.headers.getall("Set-Cookie")
        assert any(line.startswith("__Host-session=;") and "Max-Age=0" in line for line in expired)


async def test_an_address_too_long_to_come_back_to_leads_to_the_start_page(lab: Lab) -> None:
    """A target that no sign-in can carry."""
    answer = await lab.ask(facts("/" + "a" * 9_000, **NAVIGATION))
    assert answer.headers["Location"] == "/oauth2/start?rd=/"


# Service workers (rule R14)


async def test_r14_a_service_worker_is_warned_of_once(lab: Lab) -> None:
    """It may answer /logout from its cache; the operator hears it once, not with every request."""
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            await lab.ask(facts("/sw.js", cookie=lab.cookie(), service_worker="script"))
    assert [line["event"] for line in lines] == ["service_worker_seen"]
    assert len(lab.upstream.sent) == 3


@pytest.mark.parametrize("wanted", [False, True])
async def test_r14_a_worker_is_removed_where_that_is_configured_and_nobody_is_signed_in(
    wanted: bool, at: Callable[[int], None]
) -> None:
    """Its script is then one that unregisters itself; signed in, it is the application's."""
    lab = Lab(unregister_workers=wanted)
    answer = await lab.ask(facts("/sw.js", service_worker="script"))
    assert (answer.status, b"unregister" in answer.body) == ((200, True) if wanted else (401, False))
    await lab.ask(facts("/sw.js", cookie=lab.cookie(), service_worker="script"))
    assert len(lab.upstream.sent) == 1
