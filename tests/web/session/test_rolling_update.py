"""While replicas are replaced: one that is still to be updated gets cookies of a later release, works on them, and hands
them back with all that it does not know of.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.core.http import own_cookies
from gateway.core.http.own_cookies import NO_COOKIES
from gateway.core.session import session as sessions
from gateway.core.session import ticket as tickets
from gateway.core.session.attempt import FORMAT as ATTEMPT
from gateway.core.session.attempt import Attempt
from gateway.core.session.cookies import (
    SealedCookie,
    attempt_cookie,
    logout_cookie,
    session_cookie,
    ticket_cookie,
)
from gateway.core.session.lifecycle import successor
from gateway.core.session.revocation_keys import sid_key
from gateway.core.session.sealing import Opened
from gateway.core.session.session import Husk, Session
from gateway.core.signout import chain as chains
from gateway.core.signout.chain import ChainLimits
from gateway.core.signout.evidence import Asked, Evidence
from gateway.core.signout.revocation import NewEntry
from gateway.web.session.attempts import Attempts
from gateway.web.session.session import Sessions
from tests.fakes.ticketing import FIRST, HERE, LIMITS, NOW, SECOND, Replica, header, session
from tests.fakes.tickets import Vault

LATER: dict[str, Any] = {"zz": {"n": [1, None]}, "y9": "é"}
RING = Replica(Vault()).ring
AGENT = Attempts(Sessions(RING, HERE, LIMITS))


def sealed(cookie: SealedCookie, plain: dict[str, Any]) -> tuple[bytes, ...]:
    """The Cookie header of a browser that was given this by a later release."""
    return header(cookie.set(plain, RING, HERE, now=NOW, carried=NO_COOKIES))


def opened(
    cookie: SealedCookie, headers: tuple[bytes, ...], replica: Replica | None = None
) -> dict[str, Any]:
    """What the later release finds in its cookie."""
    found = cookie.open(own_cookies.read(headers), replica.ring if replica else RING, HERE, now=NOW)
    assert isinstance(found, Opened)
    return dict(found.plain)


def test_activity_loses_nothing_of_a_session() -> None:
    """Only its idle deadline moves."""
    plain = sessions.FORMAT.plain(session()) | LATER
    made = Sessions(RING, HERE, LIMITS)
    carried = made.carried(sealed(session_cookie(60), plain), NOW)
    assert isinstance(carried.session, Session)
    lines = made.renewed(carried.session, carried, NOW + 900, active=True, client="192.0.2.1")
    assert opened(session_cookie(60), header(lines)) == plain | {"d": NOW + 900 + LIMITS.idle}


def test_a_refresh_loses_nothing_of_a_session_nor_of_its_principal() -> None:
    """Though the principal is as the provider says now."""
    plain = sessions.FORMAT.plain(session())
    plain = {**plain, **LATER, "p": plain["p"] | LATER}
    read = sessions.FORMAT.read(plain)
    assert read is not None
    later = successor(
        read, replace(session().principal, user="Alice"), (),
        refresh_token="r", access_token=None, access_until=0, refresh_at=NOW + 9,
    )  # fmt: skip
    assert sessions.FORMAT.plain(later) == plain | {
        "g": 1,
        "r": "r",
        "t": NOW + 9,
        "p": plain["p"] | {"u": "Alice"},
    }


async def test_neither_activity_nor_a_new_key_loses_anything_of_a_ticket_or_what_is_kept() -> None:
    """The browser's half and ours."""
    vault = Vault()
    one = Replica(vault)
    before = await one.sign_in()
    plain = opened(ticket_cookie(60), before) | LATER
    ticket = tickets.FORMAT.read(plain)
    assert ticket is not None
    kept = sessions.FORMAT.read(sessions.FORMAT.plain(session()) | LATER)
    assert kept is not None
    revision, _, until = vault.kept["sid-1"]
    vault.kept["sid-1"] = revision, tickets.sealed(replace(kept, ticket=ticket), HERE), until
    two = Replica(vault, SECOND, FIRST)
    lines = await two.act(sealed(ticket_cookie(60), plain))

    assert opened(ticket_cookie(60), header(lines), two) == plain
    now_kept = tickets.opened(vault.kept["sid-1"][1], ticket, HERE)
    assert now_kept is not None
    assert now_kept.idle_until > kept.idle_until
    assert sessions.FORMAT.plain(now_kept) == sessions.FORMAT.plain(kept) | {"d": now_kept.idle_until}
    assert now_kept.more == kept.more != ""


def test_no_step_of_an_attempt_loses_anything() -> None:
    """Finished at one replica, landed at another."""
    attempt = Attempt("s" * 22, NOW, "/reports/3")
    cookie = attempt_cookie(attempt.attempt_id)
    headers = sealed(cookie, ATTEMPT.plain(attempt) | LATER)
    for step, changes in ((AGENT.finish, {"f": NOW}), (AGENT.land, {"n": True, "d": ""})):
        own = own_cookies.read(headers)
        found = AGENT.find(own, attempt.attempt_id, NOW)
        assert found is not None
        before, headers = opened(cookie, headers), header(step(found, own, NOW))
        assert opened(cookie, headers) == before | changes


def test_no_step_of_a_sign_out_loses_anything() -> None:
    """Of the chain, and of each hop."""
    limits = ChainLimits(30, 120)
    chain = chains.begin(["cognito", "okta"], limits, now=NOW, nonce="n", sid="sid-1").chain
    plain = chains.FORMAT.plain(chain)
    plain = {**plain, **LATER, "h": [hop | LATER for hop in plain["h"]]}
    made = Sessions(RING, HERE, LIMITS)
    for hop in ("cognito", "okta"):
        read = made.carried(sealed(logout_cookie(60), plain), NOW).chain
        assert read is not None
        step = chains.returned(
            chains.sent(read, Asked.PLAINLY), hop, Evidence.ADDRESS_REACHED, limits, now=NOW + 5
        )
        assert step is not None
        plain = opened(logout_cookie(60), header(made.seal_chain(step.chain, NO_COOKIES, NOW)))
        assert LATER.items() <= plain.items()
        assert all(LATER.items() <= each.items() for each in plain["h"])
    assert (plain["c"], [each["s"] for each in plain["h"]]) == (NOW + 5, ["returned", "returned"])


@pytest.mark.parametrize("name", ["Jk", "Ap"])
async def test_what_narrows_a_session_lets_nobody_in_who_does_not_know_it(name: str) -> None:
    """A session bound to a device's key is none where nobody looks at the key; it can be ended there."""
    made, one = Sessions(RING, HERE, LIMITS), Replica(Vault())
    plain = sessions.FORMAT.plain(session()) | {name: "x"}
    in_cookie = made.carried(sealed(session_cookie(60), plain), NOW)
    ticket = opened(ticket_cookie(60), await one.sign_in()) | {name: "x"}
    with_ticket = await one.read(sealed(ticket_cookie(60), ticket))
    for found in (in_cookie.session, with_ticket):
        assert isinstance(found, Husk)
        assert (found.sid, found.who[:2], found.seen) == ("sid-1", ("https://idp", "s-1"), 5)
        assert NewEntry(sid_key("sid-1"), NOW + 9, "logout").placed(6).ends(found)
    assert in_cookie.identity == ()
