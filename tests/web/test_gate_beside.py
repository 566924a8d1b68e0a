"""What the gate does beside forwarding: activity, refreshes, and sessions that have to be fetched."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from gateway.core.errors import ProviderError
from gateway.core.session.session import Session
from gateway.web.session.session import NOTHING, Carried, Sessions
from tests.fakes.deciding import (
    FETCH,
    HERE,
    LIMITS,
    NAVIGATION,
    NOW,
    facts,
    header,
    session,
)
from tests.fakes.gating import Away, Lab

SOON = 100
"""Seconds after which activity is worth a new cookie."""


@pytest.fixture
def lab(at: Callable[[int], None]) -> Lab:
    return Lab()


def moved(lab: Lab, answer_of: Sequence[str]) -> int | None:
    """The idle deadline in these Set-Cookie values, from NOW on; None when there are none."""
    if not answer_of:
        return None
    found = lab.sessions.carried((header(*answer_of),), NOW).session
    assert found is not None
    return found.idle_until - NOW


PASSIVE: dict[str, tuple[dict[str, Any], dict[str, Any], bool]] = {
    "a fetch": ({}, FETCH, True),
    "a fetch that says it is passive": ({}, {**FETCH, "x-auth-passive": "1"}, False),
    "a fetch below a passive route": ({"passive": ("/reports",)}, FETCH, False),
    "a fetch elsewhere": ({"passive": ("/api",)}, FETCH, True),
    "a handshake": ({}, {"upgrade": "websocket", "connection": "Upgrade", "origin": HERE}, False),
    "by input: a fetch": ({"by_input": True}, FETCH, False),
    "by input: a navigation": ({"by_input": True}, NAVIGATION, True),
    "by input: a change": ({"by_input": True}, {**FETCH, "method": "POST"}, True),
    "by input: a passive change": (
        {"by_input": True},
        {**FETCH, "method": "POST", "x-auth-passive": "1"},
        False,
    ),
}


@pytest.mark.parametrize(("options", "how", "counts"), PASSIVE.values(), ids=PASSIVE.keys())
async def test_r16_what_counts_as_activity_moves_the_idle_deadline(
    options: dict[str, Any], how: dict[str, Any], counts: bool, at: Callable[[int], None]
) -> None:
    """By a new cookie with the answer, and by nothing else."""
    lab = Lab(**options)
    at(SOON)
    await lab.ask(facts("/reports/1", cookie=lab.cookie(), **how))
    assert moved(lab, lab.upstream.sent[0].set_cookies) == (LIMITS.idle + SOON if counts else None)


async def test_r16_what_the_tab_reports_counts_as_activity(lab: Lab, at: Callable[[int], None]) -> None:
    """It is not forwarded, so that its cookie comes with our own answer."""
    carried = lab.sessions.carried((lab.cookie(),), NOW)
    assert lab.gate.prolonged(carried, NOW, "192.0.2.1") == []
    assert moved(lab, lab.gate.prolonged(carried, NOW + SOON, "192.0.2.1")) == LIMITS.idle + SOON
    assert lab.gate.prolonged(lab.sessions.carried((b"a=b",), NOW), NOW, "192.0.2.1") == ()


async def test_r16_a_report_is_no_cookie_while_the_next_generation_is_on_its_way(lab: Lab) -> None:
    """The two answers could cross, and the older one win."""
    due = session(refresh_at=NOW, idle_until=NOW + 600)
    carried = lab.sessions.carried((lab.cookie(due),), NOW)
    assert lab.gate.prolonged(carried, NOW, "192.0.2.1") == ()
    lab.refresher.busy = False
    assert moved(lab, lab.gate.prolonged(carried, NOW, "192.0.2.1")) == LIMITS.idle


# Refresh (rule R10)

DUE = session(refresh_at=NOW, refresh_token="of-0")
LATER = replace(
    DUE,
    generation=1,
    refresh_at=NOW + 3_600,
    refresh_token="of-1",
    principal=replace(DUE.principal, groups=("new",)),
)


async def test_r10_nobody_waits_for_a_refresh(lab: Lab, at: Callable[[int], None]) -> None:
    """The request goes on with what there is; its cookie is not set anew meanwhile."""
    at(SOON)
    await lab.ask(facts(cookie=lab.cookie(DUE), **FETCH))
    assert lab.refresher.begun == [DUE]
    (sent,) = lab.upstream.sent
    assert (sent.session, sent.set_cookies) == (DUE, ())


async def test_r10_a_refresh_that_was_put_off_keeps_nobody_from_being_active(
    lab: Lab, at: Callable[[int], None]
) -> None:
    """The provider is away: the session goes on as it is, and its idle deadline moves."""
    lab.refresher.busy = False
    at(SOON)
    await lab.ask(facts(cookie=lab.cookie(DUE), **FETCH))
    assert moved(lab, lab.upstream.sent[0].set_cookies) == LIMITS.idle + SOON


async def test_r10_the_successor_takes_the_place_of_a_copy_that_is_due(lab: Lab) -> None:
    """Upstreams hear of its groups, and the browser gets it."""
    lab.refresher.later = LATER
    await lab.ask(facts(cookie=lab.cookie(DUE), **FETCH))
    (sent,) = lab.upstream.sent
    assert sent.session == LATER
    assert (b"X-Auth-Request-Groups", b"new") in sent.identity
    assert lab.sessions.carried((header(*sent.set_cookies),), NOW).session == LATER
    assert lab.refresher.begun == []


async def test_r10_a_successor_does_not_outlive_its_session(lab: Lab) -> None:
    """The log is asked about the copy that counts, as about any other."""
    lab.refresher.later = LATER
    lab.log.index.apply(lab.signed_out().placed(1))
    assert (await lab.ask(facts(cookie=lab.cookie(DUE), **FETCH))).status == 401
    assert lab.upstream.sent == []


EXPIRED = session(access_token="old", access_until=NOW, refresh_at=NOW, refresh_token="of-0")


async def test_a_request_waits_for_the_access_token_that_its_upstream_wants(lab: Lab) -> None:
    """It has expired: the next one is fetched first, and is what the upstream gets."""
    fresh = replace(EXPIRED, generation=1, access_token="new", access_until=NOW + 600, refresh_at=NOW + 500)

    def renew() -> None:
        lab.refresher.later = fresh

    lab.refresher.waits = renew
    await lab.ask(facts(cookie=lab.cookie(EXPIRED), **FETCH))
    assert [sent.session for sent in lab.upstream.sent] == [fresh]


async def test_whoever_was_signed_out_while_waiting_is_not_forwarded(lab: Lab) -> None:
    """The session is judged again, by a log that has moved meanwhile."""
    fresh = replace(EXPIRED, generation=1, access_token="new", access_until=NOW + 600, refresh_at=NOW + 500)

    def renew() -> None:
        lab.refresher.later = fresh
        lab.log.behind = [lab.signed_out()]

    lab.refresher.waits = renew
    assert (await lab.ask(facts(cookie=lab.cookie(EXPIRED), **FETCH))).status == 401
    assert lab.upstream.sent == []


async def test_r10_a_provider_that_is_away_ends_no_session(lab: Lab) -> None:
    """The request fails, to be tried again; it is not forwarded with a token that has expired."""
    lab.refresher.later = EXPIRED
    with pytest.raises(ProviderError) as failed:
        await lab.ask(facts(cookie=lab.cookie(EXPIRED), **FETCH))
    assert (failed.value.code, failed.value.retryable) == ("provider_unreachable", True)
    assert (lab.upstream.sent, lab.log.appended) == ([], [])


async def test_r10_whom_nobody_can_refresh_is_asked_to_sign_in(lab: Lab) -> None:
    """Waiting would not help; the session itself is not ended, and serves wherever no access token is wanted."""
    lab.refresher.later, lab.refresher.alone = EXPIRED, True
    answer = await lab.ask(facts(cookie=lab.cookie(EXPIRED), **FETCH))
    assert (answer.status, json.loads(answer.body)["reason"]) == (401, "access_expired")
    assert (lab.upstream.sent, lab.log.appended) == ([], [])


async def test_the_hint_of_the_next_generation_goes_out_with_it(lab: Lab) -> None:
    """What names the session to its provider is renewed with the tokens, and only then."""
    await lab.ask(facts(cookie=lab.cookie(), **FETCH))
    assert lab.logout.hints == []
    lab.refresher.later = replace(LATER, hint="of-1")
    await lab.ask(facts(cookie=lab.cookie(DUE), **FETCH))
    assert lab.logout.hints == [lab.refresher.later]
    assert lab.upstream.sent[1].set_cookies[-1].startswith("__Secure-session-hint=")


async def test_an_access_token_that_nothing_can_renew_is_a_challenge(lab: Lab) -> None:
    """There is no refresh token: signing in gets another."""
    answer = await lab.ask(facts(cookie=lab.cookie(replace(EXPIRED, refresh_token=None)), **FETCH))
    assert (answer.status, json.loads(answer.body)["reason"]) == (401, "access_expired")
    assert lab.upstream.sent == []


# Sessions that are elsewhere (``session.store: ticket``)


async def test_a_session_is_fetched_before_it_is_judged(at: Callable[[int], None]) -> None:
    """Once, however often it is asked for afterwards."""
    lab = Lab(Away)
    assert isinstance(lab.sessions, Away)
    said = facts(cookie=lab.cookie(), **FETCH)
    assert lab.standing.waits(said)
    for _ in range(2):
        await lab.ask(said)
    assert (len(lab.upstream.sent), lab.sessions.fetched) == (2, 1)


async def test_a_session_that_cannot_be_fetched_is_nobody_s_fault(at: Callable[[int], None]) -> None:
    """503: nobody is let through, and nobody signed out."""
    lab = Lab(Away)
    assert isinstance(lab.sessions, Away)
    lab.sessions.lost = True
    said = facts(cookie=lab.cookie(), **NAVIGATION)
    assert (await lab.ask(said)).status == 503
    assert (lab.upstream.sent, lab.logout.asked) == ([], [])


@pytest.mark.parametrize("kind", [Sessions, Away])
async def test_what_a_proxy_in_front_forwards_is_activity_where_no_cookie_is_needed(
    kind: type[Sessions], at: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cookie might not arrive; a session that is kept elsewhere is moved there (rule R10)."""
    lab = Lab(kind)
    told: list[bool] = []

    def renewed(_: Session, __: Carried, ___: int, *, active: bool, client: str) -> list[str]:
        told.append(active)
        return []

    monkeypatch.setattr(lab.sessions, "renewed", renewed)
    for how in (FETCH, {**FETCH, "x-auth-passive": "1"}):
        lab.gate.passed(facts(**how), NOTHING, session())
    assert told == ([] if kind is Sessions else [True, False])
