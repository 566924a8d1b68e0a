"""Okta event hooks over real sockets (facts B.8, rule R21)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gateway.core import clock
from gateway.core.signout.revocation import NewEntry
from gateway.demo.okta.outbound.event_hook import ADMIN
from gateway.demo.options import HOOK_SECRET
from gateway.demo.people import PEOPLE
from gateway.state.contract.log import Appended
from tests.fakes.door import eventually
from tests.fakes.patience import PATIENCE
from tests.flows.conftest import Stand
from tests.flows.inbound import (
    HOOK,
    blocked,
    closed_with,
    counted,
    json_of,
    opened,
    posted,
    sent,
    signed_in,
    status,
    taken,
    websocket,
)

STALLS = {
    "test_r05_what_the_log_cannot_hold_is_not_acknowledged",
}

WAY = "okta_event_hook"
PATH = "okta-events"
SECRET = f"Authorization: {HOOK_SECRET}"
BY_USERS = HOOK.replace("ignore", "user")
PEOPLE_AT_OKTA = {
    person.email: {"id": person.user_id, "type": "User", "alternateId": person.email} for person in PEOPLE
}


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """A plain sign-out at Okta ends nothing here."""
    async with opened(tmp_path, HOOK) as running:
        yield running


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[Stand]:
    """A plain sign-out at Okta ends all sessions of its user."""
    async with opened(tmp_path, BY_USERS) as running:
        yield running


def event(kind: str, user: str = "alice@example.com", *, by: Any = None, uuid: str = "u-1") -> dict[str, Any]:
    """An event as Okta's System Log has it."""
    person = PEOPLE_AT_OKTA[user]
    return {
        "uuid": uuid, "eventType": kind, "actor": by or person, "target": [person] if by else None,
        "outcome": {"result": "SUCCESS"},
    }  # fmt: skip


async def delivered(stand: Stand, *events: dict[str, Any]) -> int:
    """The status that a delivery of our own gets."""
    body = json.dumps({"data": {"events": events}}).encode()
    return (await posted(stand, PATH, body, SECRET, "Content-Type: application/json"))[0]


@pytest.mark.parametrize(
    "kind", ["user.session.clear", "user.lifecycle.deactivate", "user.lifecycle.suspend"]
)
async def test_r21_what_an_administrator_does_ends_the_user_s_sessions(stand: Stand, kind: str) -> None:
    """Whatever is said of plain sign-outs; nobody else's session ends, the administrator's least of all."""
    alice, bob = await signed_in(stand), await signed_in(stand, "bob@example.com")
    assert await sent(stand, WAY.removeprefix("okta_"), events=[kind]) == [204]
    assert [await status(stand, each) for each in (alice, bob)] == [401, 200]
    assert counted(stand, WAY, "ended")
    assert stand.audit[-1].reason == kind.replace(".", "_")


async def test_r21_a_plain_sign_out_ends_nothing_unless_it_is_asked_for(stand: Stand) -> None:
    """``session_end: ignore``; but whom an administrator or a policy signs out is signed out."""
    cookie = await signed_in(stand)
    assert await sent(stand, "event_hook", events=["user.session.end"]) == [204]
    assert await status(stand, cookie) == 200
    assert counted(stand, WAY, "ignored")
    assert await delivered(stand, event("user.session.end", by=ADMIN)) == 204
    assert await status(stand, cookie) == 401


async def test_r21_a_plain_sign_out_ends_the_user_s_sessions_where_it_is_asked_for(strict: Stand) -> None:
    """``session_end: user``, in all browsers, live connections too."""
    cookies = [await signed_in(strict), await signed_in(strict)]
    async with websocket(strict, cookies[0]) as sock:
        assert await sent(strict, "event_hook", events=["user.session.end"]) == [204]
        assert await closed_with(sock) == 4401
    assert [await status(strict, each) for each in cookies] == [401, 401]


async def test_r21_our_own_hop_does_not_end_the_user_elsewhere(strict: Stand) -> None:
    """Signing out here ends Okta's session; Okta's own word of it spares the other browser, an administrator's not."""
    browser = strict.browser()
    await strict.sign_in(browser, "/api/me")
    elsewhere = await signed_in(strict)
    strict.set(event_hook=True)
    await strict.sign_out(browser)
    await eventually(lambda: counted(strict, WAY, "own_hop"), seconds=PATIENCE)
    assert await status(strict, elsewhere) == 200
    assert await sent(strict, "event_hook", events=["user.session.clear"]) == [204]
    assert await status(strict, elsewhere) == 401


async def test_several_events_come_in_one_delivery(stand: Stand) -> None:
    """Each is done, those of other kinds are acknowledged."""
    alice, bob = await signed_in(stand), await signed_in(stand, "bob@example.com")
    events = [
        event("user.session.clear", by=ADMIN, uuid="a"),
        event("user.session.start", uuid="b"),
        event("user.session.clear", "bob@example.com", by=ADMIN, uuid="c"),
        event("group.user_membership.add", uuid="d"),
    ]
    assert await delivered(stand, *events) == 204
    assert [await status(stand, each) for each in (alice, bob)] == [401, 401]


async def test_an_event_of_yesterday_spares_who_signed_in_since(stand: Stand) -> None:
    """Deliveries lag; the event's own time counts (rule R6)."""
    cookie = await signed_in(stand)
    assert await sent(stand, "event_hook", variant="late", events=["user.session.clear"]) == [204]
    assert await status(stand, cookie) == 200


async def test_the_same_event_counts_once(stand: Stand) -> None:
    """At least once is what Okta promises."""
    assert await sent(stand, "event_hook", times=2, events=["user.session.clear"]) == [204, 204]
    assert counted(stand, WAY, "ended")
    assert counted(stand, WAY, "replayed")


@pytest.mark.parametrize("secret", ["wrong", "missing"])
async def test_without_the_secret_nothing_happens(stand: Stand, secret: str) -> None:
    """It is all there is to believe."""
    cookie = await signed_in(stand)
    assert await sent(stand, "event_hook", secret=secret, events=["user.session.clear"]) == [401]
    assert await status(stand, cookie) == 200
    assert counted(stand, WAY, "wrong_secret")


async def test_a_secret_that_comes_twice_is_none(stand: Stand) -> None:
    """Two readers may pick different ones."""
    assert (await posted(stand, PATH, b'{"data":{"events":[]}}', SECRET, SECRET))[0] == 401


async def test_what_cannot_be_done_is_acknowledged_and_counted(stand: Stand) -> None:
    """Okta would not send it better a second time; nobody is signed out in its place."""
    assert await sent(stand, "event_hook", variant="no_user", events=["user.session.clear"]) == [204]
    assert counted(stand, WAY, "unmapped_subject")
    assert stand.gateway.log.index.live(clock.now()) == []
    assert await sent(stand, "event_hook", variant="malformed_body") == [400]


async def test_r05_what_the_log_cannot_hold_is_not_acknowledged(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dead here at once, 503 to Okta within its three seconds: however many events there are, all wait together."""
    cookie = await signed_in(stand)
    events = [event("user.session.clear", by=ADMIN, uuid=f"u-{number}") for number in range(30)]
    append, begun, ended = stand.gateway.log.append, [0], list[int]()

    def noted(entries: Sequence[NewEntry]) -> asyncio.Future[Appended]:
        begun[0] += 1
        appending = asyncio.ensure_future(append(entries))
        appending.add_done_callback(lambda _: ended.append(begun[0]))
        return appending

    monkeypatch.setattr(stand.gateway.log, "append", noted)
    with blocked(tmp_path):
        assert await delivered(stand, *events) == 503
        assert ended[0] == len(events)  # when the first was given up, all were on their way
        assert await status(stand, cookie) == 401
    await eventually(lambda: not stand.gateway.log.pending, seconds=PATIENCE)
    assert await taken(lambda: delivered(stand, *events)) == 204


async def test_okta_s_question_is_answered_with_itself(stand: Stand) -> None:
    """Without the secret, for Okta asks before it sends one; and only with what is harmless in a page or a header."""
    assert await sent(stand, "event_hook", variant="challenge") == [200]
    asked = "X-Okta-Verification-Challenge: abc-123"
    code, headers, body = await posted(stand, PATH, b"", asked, method="GET")
    assert (code, headers["content-type"], json_of(body)) == (
        200,
        "application/json",
        {"verification": "abc-123"},
    )
    for hostile in ("X-Okta-Verification-Challenge: <script>", "X-Other: 1", f"{asked}\r\n{asked}"):
        assert (await posted(stand, PATH, b"", hostile, method="GET"))[0] == 400
