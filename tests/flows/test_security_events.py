"""Shared signals over real sockets: pushed (RFC 8935), and fetched from Okta's emulator (RFC 8936)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.core import clock
from gateway.oidc.events.security_event import CAEP, RISC
from tests.fakes.door import eventually
from tests.fakes.forge import ABSENT
from tests.fakes.patience import PATIENCE
from tests.fakes.transmitter import TOKEN, transmitting
from tests.flows.conftest import Stand
from tests.flows.inbound import (
    EVENTS,
    blocked,
    closed_with,
    counted,
    forge,
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
    "test_r05_nothing_is_acknowledged_before_the_log_has_it",
}

WAY = "security_events"
PATH = "security-events"
TYPE = "Content-Type: application/secevent+jwt"
REVOKED = CAEP + "session-revoked"
ALICE = {"format": "email", "email": "alice@example.com"}


def opening(**more: str) -> str:
    """The configuration of the way in, with more keys."""
    return EVENTS.replace("}\n", "".join(f", {name}: {value}" for name, value in more.items()) + "}\n")


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """Okta pushes; what it sends is signed, and nothing else is asked for."""
    async with opened(tmp_path, EVENTS) as running:
        yield running


def token(stand: Stand, kind: str = REVOKED, payload: Any = None, **changes: Any) -> bytes:
    """A token of the org's, with ``changes``; `ABSENT` takes a claim out."""
    now = clock.now()
    claims = {
        "iss": stand.okta, "aud": stand.app, "jti": f"set-{now}", "iat": now, "sub_id": ALICE,
        "events": {kind: {} if payload is None else payload}, **changes,
    }  # fmt: skip
    claims = {name: value for name, value in claims.items() if value is not ABSENT}
    return forge(stand).signed(claims, header={"typ": "secevent+jwt"}).encode()


async def pushed(stand: Stand, body: bytes, *headers: str) -> tuple[int, bytes]:
    """The status and body that a push of our own gets."""
    code, _, told = await posted(stand, PATH, body, *(headers or (TYPE,)))
    return code, told


@pytest.mark.parametrize("shape", ["okta", "final"])
@pytest.mark.parametrize("form", ["iss_sub", "email", "opaque", "complex"])
async def test_a_session_revoked_ends_the_user_s_sessions(stand: Stand, shape: str, form: str) -> None:
    """In Okta's shape and in that of SSF 1.0, whichever way the user is named; nobody else's end."""
    alice, bob = await signed_in(stand), await signed_in(stand, "bob@example.com")
    assert await sent(stand, "security_event", shape=shape, format=form, events=["session-revoked"]) == [202]
    assert [await status(stand, each) for each in (alice, bob)] == [401, 200]
    assert counted(stand, WAY, "ended")
    assert stand.audit[-1].reason == "session_revoked"


async def test_live_connections_end_and_the_next_navigation_walks_the_chain(stand: Stand) -> None:
    """As with any way in (rule R1)."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    async with websocket(stand, browser.cookie_header(stand.app)) as sock:
        assert await sent(stand, "security_event", events=["session-revoked"]) == [202]
        assert await closed_with(sock) == 4401
    end = await browser.goto(f"{stand.app}/api/me")
    assert end.path == "/logged-out"


async def test_r06_an_event_of_long_ago_ends_the_very_session_that_it_names(tmp_path: Path) -> None:
    """By the user's name it spares a sign-in that came after it; the provider's own session needs no clock."""
    async with opened(tmp_path, EVENTS, federation="okta") as stand:
        cookie = await signed_in(stand)
        (one,) = (await stand.gateway.sign_ins.all(limit=1)).sign_ins
        sid = next(alias for alias in one.aliases if alias.startswith("isid:")).rpartition("|")[2]
        yesterday = {"event_timestamp": clock.now() - 86_400}
        assert (await pushed(stand, token(stand, payload=yesterday, jti="1")))[0] == 202
        assert await status(stand, cookie) == 200
        session = {"format": "complex", "session": {"format": "opaque", "id": sid}}
        assert (await pushed(stand, token(stand, payload=yesterday, sub_id=session, jti="2")))[0] == 202
        assert await status(stand, cookie) == 401


@pytest.mark.parametrize(
    ("kind", "payload", "ends"),
    [
        (RISC + "account-disabled", {"reason": "hijacking"}, True),
        (RISC + "account-purged", {}, True),
        (RISC + "credential-compromise", {"credential_type": "password"}, True),
        (CAEP + "credential-change", {"credential_type": "password", "change_type": "update"}, False),
        (CAEP + "token-claims-change", {"claims": {"role": "x"}}, False),
        (CAEP + "device-compliance-change", {}, False),
        ("https://schemas.example/event-type/unheard-of", {}, False),
    ],
)
async def test_the_operator_says_which_events_end_sessions(
    stand: Stand, kind: str, payload: dict[str, Any], ends: bool
) -> None:
    """By default those that say that somebody should be out; all others are acknowledged."""
    cookie = await signed_in(stand)
    assert await pushed(stand, token(stand, kind, payload)) == (202, b"")
    assert await status(stand, cookie) == (401 if ends else 200)


async def test_a_change_of_credentials_ends_sessions_where_it_is_asked_for(tmp_path: Path) -> None:
    """Not when one was added; and what is not listed any more ends nothing."""
    async with opened(tmp_path, opening(events="[credential-change]")) as stand:
        cookie = await signed_in(stand)
        kind = CAEP + "credential-change"
        assert (await pushed(stand, token(stand, kind, {"change_type": "create"}, jti="1")))[0] == 202
        assert (await pushed(stand, token(stand, jti="2")))[0] == 202
        assert await status(stand, cookie) == 200
        assert (await pushed(stand, token(stand, kind, {"change_type": "revoke"}, jti="3")))[0] == 202
        assert await status(stand, cookie) == 401


async def test_r21_our_own_hop_does_not_end_the_user_elsewhere(stand: Stand) -> None:
    """Okta's word of a sign-out that began here spares the other browser; an administrator's does not."""
    browser = stand.browser()
    await stand.sign_in(browser, "/api/me")
    elsewhere = await signed_in(stand)
    await stand.sign_out(browser)
    assert await sent(stand, "security_event", events=["session-revoked"]) == [202]
    assert counted(stand, WAY, "own_hop")
    assert await status(stand, elsewhere) == 200
    by_admin = token(stand, payload={"initiating_entity": "admin"})
    assert (await pushed(stand, by_admin))[0] == 202
    assert await status(stand, elsewhere) == 401


REFUSED = {
    "invalid_request": (
        "wrong_typ", "no_typ", "no_jti", "from_the_future", "alg_none", "hs256_with_the_public_key", "no_events",
        "no_subject", "iat_is_text", "wrong_content_type",
    ),
    "invalid_issuer": ("wrong_iss",),
    "invalid_audience": ("wrong_aud",),
    "invalid_key": ("wrong_key",),
}  # fmt: skip


async def test_what_is_wrong_has_its_code_and_ends_nothing(stand: Stand) -> None:
    """The codes of RFC 8935 §2.4."""
    for code, variants in REFUSED.items():
        for variant in variants:
            answers = await stand.idp.sender.send(
                "security_event", variant=variant, events=["session-revoked"]
            )
            assert [(each.status, json_of(each.body.encode())["err"]) for each in answers] == [(400, code)], (
                variant
            )
    assert stand.gateway.log.index.live(clock.now()) == []


async def test_a_refusal_says_why_and_in_which_language(stand: Stand) -> None:
    """RFC 8935 §2.3; nothing of it is kept by anybody on the way."""
    code, headers, body = await posted(stand, PATH, token(stand, aud="https://other.example"), TYPE)
    assert (code, headers["content-type"], headers["content-language"]) == (400, "application/json", "en")
    assert headers["cache-control"] == "no-store"
    assert json_of(body) == {"err": "invalid_audience", "description": "aud: the token is for another client"}
    code, headers, _ = await posted(stand, PATH, b"", method="GET")
    assert (code, headers["allow"]) == (405, "POST")


async def test_what_is_far_too_large_is_not_read(stand: Stand) -> None:
    """Nobody has to be believed before they are cut off."""
    assert (await posted(stand, PATH, b"x" * 70_000, TYPE))[0] == 413


async def test_a_key_that_nobody_knows_is_asked_for_once(stand: Stand) -> None:
    """Then it is unknown; while asking again is not due, nobody can say."""
    assert await sent(stand, "security_event", variant="unknown_kid") == [400]
    assert await sent(stand, "security_event", variant="unknown_kid") == [503]


@pytest.mark.parametrize("variant", ["sub_at_the_top", "exp_at_the_top", "too_old"])
async def test_what_others_send_besides_is_tolerated(stand: Stand, variant: str) -> None:
    """What SSF forbids because of ID tokens is harmless under a type of its own; old news is news."""
    assert await sent(stand, "security_event", variant=variant, events=["session-revoked"]) == [202]


@pytest.mark.parametrize(
    ("subject", "what"),
    [
        (ABSENT, "missing"),
        ({"format": "phone_number", "phone_number": "+1"}, "phone_number"),
        ({"format": "iss_sub", "iss": "https://elsewhere.example", "sub": "alice"}, "elsewhere"),
        ({"format": "complex", "tenant": {"format": "opaque", "id": "T"}}, "complex"),
    ],
)
async def test_r19_whom_we_cannot_know_is_refused_and_not_passed_over(
    stand: Stand, subject: Any, what: str
) -> None:
    """The description says why; an event that ends nothing anyway is acknowledged all the same."""
    code, body = await pushed(stand, token(stand, sub_id=subject))
    assert (code, json_of(body)["err"]) == (400, "invalid_request")
    assert what in json_of(body)["description"]
    harmless = token(stand, CAEP + "token-claims-change", sub_id=subject, jti="harmless")
    assert await pushed(stand, harmless) == (202, b"")


async def test_a_replay_is_acknowledged_again_and_does_nothing(stand: Stand) -> None:
    """RFC 8935 §2: duplicates are answered alike."""
    assert await sent(stand, "security_event", times=2, events=["session-revoked"]) == [202, 202]
    assert counted(stand, WAY, "ended")
    assert counted(stand, WAY, "replayed")


async def test_old_news_spares_who_signed_in_since(stand: Stand) -> None:
    """By the event's own time, in Okta's milliseconds (rule R6)."""
    cookie = await signed_in(stand)
    yesterday = (clock.now() - 86_400) * 1000
    assert (await pushed(stand, token(stand, payload={"event_timestamp": yesterday})))[0] == 202
    assert await status(stand, cookie) == 200


async def test_events_about_the_stream_are_acknowledged(stand: Stand) -> None:
    """Verification, with and without a state, and news of the stream itself."""
    for wishes in ({"events": ["verification"]}, {"events": ["verification"], "variant": "unasked_state"}):
        assert await sent(stand, "security_event", **wishes) == [202]
    assert await sent(stand, "security_event", events=["stream-updated"]) == [202]


async def test_a_secret_in_authorization_is_asked_for_where_one_is_agreed(tmp_path: Path) -> None:
    """Beside the signature."""
    async with opened(tmp_path, opening(secret="agreed-upon-secret")) as stand:
        code, body = await pushed(stand, token(stand))
        assert (code, json_of(body)["err"]) == (400, "authentication_failed")
        wrong = "Authorization: another"
        assert (await pushed(stand, token(stand), TYPE, wrong))[0] == 400
        assert (await pushed(stand, token(stand), TYPE, "Authorization: agreed-upon-secret"))[0] == 202


async def test_r05_what_the_log_cannot_hold_is_not_acknowledged(stand: Stand, tmp_path: Path) -> None:
    """Dead here at once, 503 to the transmitter; the same token is taken once the log has it."""
    cookie, body = await signed_in(stand), token(stand)
    with blocked(tmp_path):
        assert (await pushed(stand, body))[0] == 503
        assert await status(stand, cookie) == 401
    await eventually(lambda: not stand.gateway.log.pending, seconds=PATIENCE)

    async def again() -> int:
        return (await pushed(stand, body))[0]

    assert await taken(again) == 202


async def test_events_can_be_fetched(tmp_path: Path) -> None:
    """From a transmitter that loses an answer and repeats itself: each is done once, acknowledged or refused."""
    async with transmitting() as transmitter:
        way = opening(poll_endpoint=transmitter.address, token=TOKEN)
        async with opened(tmp_path, way) as stand:
            cookie = await signed_in(stand)
            transmitter.troubles = ["lose"]
            transmitter.waiting["good"] = token(stand, jti="good").decode()
            transmitter.waiting["bad"] = token(stand, jti="bad", aud="https://other.example").decode()
            await eventually(lambda: "good" in transmitter.acknowledged, seconds=PATIENCE)
            assert await status(stand, cookie) == 401
            assert counted(stand, WAY, "ended")
            assert transmitter.refused["bad"]["err"] == "invalid_audience"
            await eventually(lambda: stand.gateway.health()["security_events"] == "ok")


async def test_r05_nothing_is_acknowledged_before_the_log_has_it(tmp_path: Path) -> None:
    """What was fetched while the log takes nothing is fetched again."""
    async with transmitting() as transmitter:
        way = opening(poll_endpoint=transmitter.address, token=TOKEN)
        async with opened(tmp_path, way) as stand:
            cookie = await signed_in(stand)
            await eventually(lambda: bool(transmitter.asked), seconds=PATIENCE)
            with blocked(tmp_path):
                transmitter.waiting["one"] = token(stand, jti="one").decode()
                await eventually(lambda: counted(stand, WAY, "not_durable"), seconds=PATIENCE)
                assert await status(stand, cookie) == 401
                assert transmitter.acknowledged == []
            await eventually(lambda: transmitter.acknowledged == ["one"], seconds=PATIENCE)
