"""Signing out, by what it promises: dead here at once, walked through its hops, and nothing claimed that was not seen."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from gateway.core.session.revocation_keys import sid_key
from gateway.core.session.session import Session
from gateway.core.signout.chain import FAILED, PENDING, RETURNED, SKIPPED, begin
from gateway.core.signout.reach import Reach
from gateway.core.signout.revocation import ENTRY_MARGIN, NewEntry
from gateway.telemetry.audit import AuditKind
from gateway.web.messages import Response
from gateway.web.signout.hops import LOGGED_OUT
from tests.fakes.deciding import NOW, SUBJECT, session
from tests.fakes.leaving import COGNITO, GOOGLE, OKTA, Jar, Lab

FIRST, SECOND = "https://c.example.com/logout?", "https://okta.example.com/login/signout?"
WHO = session(refresh_token="of-0", generation=0)


@pytest.fixture
async def lab() -> Lab:
    return Lab()


def leads_to(answer: Response | None, place: str) -> bool:
    assert answer is not None
    return answer.headers.get("Location", "").startswith(place)


def waits(answer: Response | None) -> bool:
    """Whether it is the page that waits for another tab."""
    assert answer is not None
    return answer.status == 401 and b"/logout" in answer.body and "Location" not in answer.headers


async def walked(lab: Lab, jar: Jar) -> None:
    """Through the whole chain, as it should go."""
    await lab.begin(jar)
    await lab.back(jar, "cognito")
    assert leads_to(await lab.back(jar, "okta_signout", now=NOW + 2), LOGGED_OUT)


@pytest.mark.parametrize("form", [False, True], ids=["redirect", "page"])
async def test_r02_one_answer_has_everything_in_it(lab: Lab, form: bool) -> None:
    """The entry with its barrier is in the log, cookies of session and attempts are gone, the chain is at its first hop."""
    jar = lab.browser(WHO)
    jar.cookies |= {"__Host-login_0a1b2c3d": "attempt", "application": "keeps this"}
    if form:
        answer = jar.took(await lab.logout.leave(lab.carried(jar), how="post", now=NOW))
        assert (answer.status, FIRST.encode() in answer.body) == (200, True)
    else:
        answer = await lab.begin(jar)
        assert (answer.status, leads_to(answer, FIRST)) == (302, True)
    entry = NewEntry(sid_key("sid-1"), WHO.absolute_until + ENTRY_MARGIN, "logout", barrier=NOW + 120)
    assert lab.log.appended == [entry]
    assert jar.cookies.keys() == {"__Host-logout", "application"}
    assert lab.statuses(jar) == {"cognito": PENDING, "okta_signout": PENDING}
    assert (lab.chain(jar).durable, lab.chain(jar).had_session) == (True, True)


async def test_live_connections_end_before_the_disk_has_answered(lab: Lab) -> None:
    """And so does every other request of the session: only the answer to the sign-out itself waits for the log."""
    ended: list[str] = []
    lab.live.add("sid-1", ended.append)
    lab.live.add("sid-2", ended.append)
    lab.log.disk.clear()
    leaving = asyncio.ensure_future(lab.begin(lab.browser(WHO)))
    while not ended:
        await asyncio.sleep(0)
    assert lab.log.index.sign_out_of("sid-1") is not None
    assert not leaving.done()
    lab.log.disk.set()
    assert leads_to(await leaving, FIRST)
    assert ended == ["logout"]


async def test_r04_a_log_that_cannot_be_written_stops_nobody_from_leaving(lab: Lab) -> None:
    """Dead here, and the chain goes on; that it is not durable is kept for the receipt, also when asked again."""
    lab.log.durable = False
    jar = lab.browser(WHO)
    copied = Jar(dict(jar.cookies))
    assert leads_to(await lab.begin(jar), FIRST)
    assert lab.log.index.sign_out_of("sid-1") is not None
    await lab.begin(copied)
    await lab.begin(jar, now=NOW + 1)
    assert not (lab.chain(jar).durable or lab.chain(copied).durable)
    lab.log.index.release(held := lab.log.index.live(NOW)[0])
    for durable in (False, True):  # another process took it, and has it to send; then the log has it
        await lab.begin(jar, now=NOW + 2)
        assert lab.chain(jar).durable is durable
        lab.log.index.apply(held.placed(7))


async def test_a_second_click_adds_nothing_and_is_as_durable(lab: Lab) -> None:
    """Whoever sends a dead cookie again and again makes neither the log grow nor the provider work."""
    lab.log.disk.clear()
    jar = lab.browser(WHO)
    copies = [Jar(dict(jar.cookies)) for _ in range(3)]
    leaving = []
    for each in copies:  # over connections of their own, the first two in one turn of the event loop
        leaving.append(asyncio.ensure_future(lab.begin(each)))
        for _ in range(0 if each is copies[0] else 3):
            await asyncio.sleep(0)
    lab.log.disk.set()
    await asyncio.gather(*leaving)
    await lab.begin(jar, now=NOW + 50)
    for each in copies:
        await walked(lab, each)
    assert len(lab.log.appended) == 1
    assert [told[:2] for told in lab.tokens.told] == [("ended", "sid-1")]
    assert all(lab.chain(each).durable for each in (jar, *copies))


async def test_without_a_session_the_chain_is_walked_all_the_same(lab: Lab) -> None:
    """The provider's session may stand; nothing is written of one that there was not."""
    jar = lab.browser()
    assert leads_to(await lab.begin(jar), FIRST)
    assert (lab.log.appended, lab.tokens.told, lab.chain(jar).had_session) == ([], [], False)


async def test_asked_again_the_receipt_forgets_nothing(lab: Lab) -> None:
    """The first asking ended the session, which the browser does not have any more."""
    jar = lab.browser(WHO)
    await lab.begin(jar)
    before = lab.chain(jar)
    await lab.begin(jar, now=NOW + 5)
    after = lab.chain(jar)
    assert (after.started, after.had_session, after.sid, after.who) == (NOW + 5, True, "sid-1", before.who)
    await walked(lab, jar)
    await lab.begin(jar, now=NOW + 60)
    assert not lab.chain(jar).had_session, "that is another sign-out, with nobody signed in"


async def test_what_a_predecessor_left_is_expired(lab: Lab) -> None:
    """Names that the operator gave, as the browser sent them."""
    leaving = Lab(expire_cookies=("_oauth2_proxy", "AWSELB*"), host="app.example.com")
    answer = await leaving.begin(leaving.browser(WHO), sent=(b"AWSELBAuth-0=x; other=y",))
    expired = {line.partition("=")[0] for line in answer.headers.getall("Set-Cookie") if "Max-Age=0" in line}
    assert {"_oauth2_proxy", "AWSELBAuth-0"} <= expired
    assert "other" not in expired


# What else ends (rules R1, R30)


async def test_r01_the_refresh_token_is_handed_over_before_the_browser_hears(lab: Lab) -> None:
    """Once the log has the entry, so that no refresh can bring another; then whoever revokes it hears of every hop."""
    jar = lab.browser(WHO)
    lab.log.disk.clear()
    leaving = asyncio.ensure_future(lab.begin(jar))
    for _ in range(5):
        await asyncio.sleep(0)
    assert lab.tokens.told == []
    lab.log.disk.set()
    await leaving
    assert lab.tokens.told == [("ended", "sid-1", True)]
    await lab.back(jar, "cognito")
    await lab.back(jar, "okta_signout", now=NOW + 2)
    assert [[hop.status for hop in chain.hops] for chain in lab.tokens.followed] == [
        [PENDING, PENDING], [RETURNED, PENDING], [RETURNED, RETURNED],
    ]  # fmt: skip
    assert {chain.sid for chain in lab.tokens.followed} == {"sid-1"}


async def test_r04_a_token_is_handed_over_without_a_log_as_well(lab: Lab) -> None:
    """Told that nobody else may know of the end, so that nobody waits for the state a second time."""
    lab.log.durable = False
    await lab.begin(lab.browser(WHO))
    assert lab.tokens.told == [("ended", "sid-1", False)]


@pytest.mark.parametrize(
    ("who", "others"),
    [
        (WHO, {SUBJECT}),
        (replace(WHO, idle_until=NOW), set()),
        (replace(WHO, absolute_until=NOW), set()),
    ],
    ids=["living", "idle", "over"],
)
async def test_r30_only_a_living_session_reaches_further_than_itself(who: Session, others: set[str]) -> None:
    """Else whoever has a copy of an old cookie could end what its user has begun since; no barrier is others' to bear."""
    lab = Lab(reach=Reach(every_session_of_user=True))
    await lab.begin(lab.browser(who))
    own, *beside = lab.log.appended
    assert own.key == sid_key("sid-1")
    assert {(entry.key, entry.barrier) for entry in beside} == {(key, None) for key in others}
    told = {event.revocation for event in lab.told if event.kind is AuditKind.REVOKED}
    assert told == others


async def test_r01_a_session_ended_by_others_leaves_no_barrier(lab: Lab) -> None:
    """Nobody is signing out in that browser; its next navigation walks the chain."""
    ended: list[str] = []
    lab.live.add("sid-1", ended.append)
    await lab.logout.end(WHO, "refresh_refused")
    assert lab.log.appended == [
        NewEntry(sid_key("sid-1"), WHO.absolute_until + ENTRY_MARGIN, "refresh_refused")
    ]
    assert ended == ["refresh_refused"]
    (event,) = lab.told
    assert (event.kind, event.reason, event.durable) == (AuditKind.REVOKED, "refresh_refused", True)
    assert lab.tokens.told == [("ended elsewhere", "sid-1", True)]


async def test_a_token_of_nobody_is_revoked_too(lab: Lab) -> None:
    """Of a sign-in that became no session: at once, or with the chain that its browser walks first."""
    lab.logout.discard(None)
    lab.logout.discard("of a refused sign-in")
    await lab.begin(lab.browser(), unused="of an overtaken one")
    assert lab.tokens.told == [
        ("at once", "of a refused sign-in", True),
        ("unused", "of an overtaken one", True),
    ]


# The hops (rules R3, R28)


async def test_r28_every_return_is_seen_and_told(lab: Lab) -> None:
    """In their order, with what shows it; the audit has who it was from the first event on."""
    jar = lab.browser(WHO)
    await lab.begin(jar)
    assert leads_to(await lab.back(jar, "cognito"), SECOND)
    assert lab.statuses(jar) == {"cognito": RETURNED, "okta_signout": PENDING}
    assert leads_to(await lab.back(jar, "okta_signout", now=NOW + 2), LOGGED_OUT)
    assert lab.statuses(jar) == {"cognito": RETURNED, "okta_signout": RETURNED}
    assert lab.chain(jar).closed == NOW + 2
    assert [event.kind for event in lab.told] == [
        AuditKind.LOGOUT_STARTED, AuditKind.HOP_RETURNED, AuditKind.HOP_RETURNED, AuditKind.LOGOUT_FINISHED,
    ]  # fmt: skip
    assert (lab.told[0].subject, lab.told[-1].user) == ("s-1", "alice")


FALSE: dict[str, dict[str, Any]] = {
    "another hop's": {"hop": "okta_signout"},
    "with a nonce that this hop has none of": {"hop": "cognito", "nonce": "x"},
    "of no hop": {"hop": "elsewhere"},
    "sent by one of our own pages": {"hop": "cognito", "from_here": True},
}


@pytest.mark.parametrize("said", FALSE.values(), ids=FALSE.keys())
async def test_r28_what_is_no_return_changes_nothing(lab: Lab, said: dict[str, Any]) -> None:
    """The hop may be under way in another tab, so the browser waits."""
    jar = lab.browser(WHO)
    await lab.begin(jar)
    before = lab.chain(jar)
    assert waits(await lab.back(jar, **said))
    assert lab.chain(jar) == before
    assert [event.kind for event in lab.told] == [AuditKind.LOGOUT_STARTED]


@pytest.mark.parametrize("nonce", ["", "guessed", "\udcff"])
async def test_r28_a_return_without_its_nonce_is_none(lab: Lab, nonce: str) -> None:
    """Anybody can lead a browser to the address; only the provider has this chain's return nonce."""
    jar = lab.browser(WHO)
    await lab.begin(jar)
    await lab.back(jar, "cognito")
    assert waits(await lab.back(jar, "okta_signout", nonce=nonce))
    assert lab.statuses(jar)["okta_signout"] == PENDING


@pytest.mark.parametrize("walk", [False, True], ids=["never began", "over"])
async def test_a_return_to_no_chain_leads_to_the_receipt(lab: Lab, walk: bool) -> None:
    """A bookmark of the address, or Back; nothing begins by it."""
    jar = lab.browser(WHO if walk else None)
    if walk:
        await walked(lab, jar)
    for answer in (
        await lab.logout.returned(lab.carried(jar), "cognito", "", None, now=NOW + 9, from_here=False),
        await lab.logout.at_hop(lab.carried(jar), now=NOW + 9),
    ):
        assert leads_to(answer, LOGGED_OUT)
        assert answer.headers.getall("Set-Cookie", []) == []


async def test_r03_a_broken_hop_is_tried_twice_and_locks_nobody_out(lab: Lab) -> None:
    """Waiting before its deadline, once more after it, then it has failed and the next hop is walked."""
    jar = lab.browser(WHO)
    await lab.begin(jar)
    assert waits(await lab.navigate(jar, NOW + 29))
    assert leads_to(await lab.navigate(jar, NOW + 30), FIRST)
    assert waits(await lab.navigate(jar, NOW + 59))
    assert leads_to(await lab.navigate(jar, NOW + 60), SECOND)
    assert lab.statuses(jar) == {"cognito": FAILED, "okta_signout": PENDING}
    assert leads_to(await lab.back(jar, "okta_signout", now=NOW + 61), LOGGED_OUT)
    assert lab.statuses(jar) == {"cognito": FAILED, "okta_signout": RETURNED}
    assert AuditKind.HOP_FAILED in {event.kind for event in lab.told}
    assert await lab.navigate(jar, NOW + 62) is None, "and now they may sign in"


async def test_looking_at_a_hop_again_is_no_try(lab: Lab) -> None:
    """Back and forward lead there; only a deadline or a person's wish counts."""
    jar = lab.browser(WHO)
    await lab.begin(jar)
    for second in range(3):
        answer = jar.took(await lab.logout.at_hop(lab.carried(jar), now=NOW + second))
        assert leads_to(answer, FIRST)
    assert lab.chain(jar).hops[0].tries == 1


async def test_a_hop_with_nothing_to_ask_is_skipped_with_its_reason() -> None:
    """It asks nothing of the browser, so the receipt comes at once, and does not say that it returned."""
    lab = Lab(GOOGLE)
    jar = lab.browser(WHO)
    assert leads_to(await lab.begin(jar), LOGGED_OUT)
    assert lab.statuses(jar) == {"google": SKIPPED}
    assert [event.kind for event in lab.told] == [
        AuditKind.LOGOUT_STARTED, AuditKind.HOP_SKIPPED, AuditKind.LOGOUT_FINISHED,
    ]  # fmt: skip


async def test_a_hop_that_is_not_configured_any_more_has_failed() -> None:
    """A chain of before a restart: the browser may have been there, which nobody can know."""
    before, after = Lab(OKTA, COGNITO), Lab(COGNITO)
    jar = before.browser(WHO)
    await before.begin(jar)
    assert leads_to(await after.navigate(jar, NOW + 30), FIRST)
    assert after.statuses(jar) == {"okta_signout": FAILED, "cognito": PENDING}


async def test_the_page_that_waits_looks_again_soon_and_at_no_provider(lab: Lab) -> None:
    """A tab that nobody touches never goes there by itself (rule R35)."""
    chain = begin(["cognito"], lab.logout.options.limits, now=NOW).chain
    for second, after in ((0, 5), (27, 3), (29, 2), (90, 2)):
        page = lab.logout.waiting(chain, NOW + second).body.decode()
        assert f'content="{after};url=/logged-out?waiting"' in page.replace("; url=", ";url=")
        assert "c.example.com" not in page
        assert "/logout/continue" in page


# Before a sign-in (rules R1, R2)


async def test_r01_whoever_was_signed_out_from_elsewhere_walks_the_chain_first(lab: Lab) -> None:
    """Else the provider's session would let them straight in again."""
    lab.log.index.apply(NewEntry(sid_key("sid-1"), NOW + 50_000, "admin").placed(1))
    jar = lab.browser(WHO)
    assert leads_to(await lab.navigate(jar, NOW), FIRST)
    assert lab.told[0].reason == "revoked:admin"
    await lab.back(jar, "cognito")
    await lab.back(jar, "okta_signout", now=NOW + 2)
    assert await lab.navigate(jar, NOW + 3) is None


async def test_r02_another_tab_waits_while_the_entry_s_barrier_stands(lab: Lab) -> None:
    """Its browser has not the chain's cookie yet: it waits and begins none of its own."""
    await lab.begin(lab.browser(WHO))
    other = lab.browser(WHO)
    assert waits(await lab.navigate(other, NOW + 119))
    assert "__Host-logout" not in other.cookies
    assert leads_to(await lab.navigate(other, NOW + 120), FIRST)
    assert len(lab.log.appended) == 1


async def test_r01_a_complete_chain_answers_what_was_ended_before_it_and_nothing_later(lab: Lab) -> None:
    """By the log's positions, not by anybody's clock; a chain of a lost log answers nothing."""
    jar = lab.browser(WHO)
    await walked(lab, jar)
    stale = Jar({**lab.browser(WHO).cookies, **jar.cookies})
    assert await lab.navigate(stale, NOW + 200) is None
    later = Jar({**lab.browser(replace(WHO, sid="sid-2", login_at=NOW + 50)).cookies, **jar.cookies})
    lab.log.index.apply(NewEntry(sid_key("sid-2"), NOW + 50_000, "admin").placed(lab.log.index.position + 1))
    assert leads_to(await lab.navigate(later, NOW + 200), FIRST)


@pytest.mark.parametrize("way", ["navigation", "return", "hop"])
async def test_r02_a_session_whose_callback_was_overtaken_is_ended(lab: Lab, way: str) -> None:
    """It was under way when this browser signed out, and set its cookie afterwards."""
    jar = lab.browser()
    await lab.begin(jar)
    late = session(sid="late", login_at=NOW, refresh_token="of-late")
    jar.cookies |= lab.browser(late).cookies
    if way == "navigation":
        await lab.navigate(jar, NOW + 1)
    elif way == "return":
        await lab.back(jar, "cognito")
    else:
        jar.took(await lab.logout.at_hop(lab.carried(jar), now=NOW + 1))
    assert [entry.key for entry in lab.log.appended] == [sid_key("late")]
    assert "__Host-session" not in jar.cookies
    assert lab.tokens.told == [("ended", "late", True)]


async def test_a_session_that_began_after_the_sign_out_is_left_alone(lab: Lab) -> None:
    """Somebody has signed in since; the old chain's memory goes."""
    jar = lab.browser(WHO)
    await walked(lab, jar)
    jar.cookies |= lab.browser(session(sid="new", login_at=NOW + 10)).cookies
    await lab.logout.at_hop(lab.carried(jar), now=NOW + 11)
    assert len(lab.log.appended) == 1
    jar.take(lab.logout.forget())
    assert "__Host-logout" not in jar.cookies
