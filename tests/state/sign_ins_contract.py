"""What every list of sign-ins must do, whatever it is kept in; see `refreshes_contract.py` for how it is taken."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.core import clock
from gateway.core.session.revocation_keys import isid_key, subject_key
from gateway.core.session.sign_in import Sighting, SignIn
from gateway.state.contract.sign_ins import Listed, SignIns

Make = Callable[[], SignIns]
ISSUER = "https://idp.example"


def sign_in(sid: str, *, subject: str = "alice", lives: int = 3_600, **changes: Any) -> SignIn:
    now = clock.now()
    made = SignIn(
        sid=sid, issuer=ISSUER, subject=subject, log_id="log", position=7, user="alice", email="alice@example.com",
        aliases=(subject_key(ISSUER, subject), isid_key("https://idp.example", sid), isid_key("odd", "|\n'\"%\u00e9\ud83d")),
        login_at=now, until=now + lives, agent="Firefox/140.0 '); --", client="192.0.2.1", seen_at=now,
    )  # fmt: skip
    return replace(made, **changes)


class SignInsContract:
    """The tests. `one` and `other` are two lists over one place, open."""

    @pytest.fixture
    async def one(self, make: Make) -> AsyncIterator[SignIns]:
        made = make()
        await made.open()
        yield made
        await made.close()

    @pytest.fixture
    async def other(self, make: Make, one: SignIns) -> AsyncIterator[SignIns]:
        made = make()
        await made.open()
        yield made
        await made.close()

    async def test_what_one_process_recorded_every_process_lists(self, one: SignIns, other: SignIns) -> None:
        """Whole, and only the subject's own."""
        mine, theirs = sign_in("a"), sign_in("b", subject="bob")
        assert await one.record(mine)
        assert await one.record(theirs)

        assert await other.of(ISSUER, "alice", limit=10) == Listed((mine,), 1)
        assert (await other.all(limit=10)).total == 2
        assert await other.of("https://other.example", "alice", limit=10) == Listed((), 0)

    async def test_those_last_seen_come_first(self, one: SignIns) -> None:
        """And of more than asked for the number is told."""
        now = clock.now()
        for number in range(5):
            await one.record(sign_in(f"s{number}", login_at=now - number, seen_at=now - number))
        listed = await one.of(ISSUER, "alice", limit=3)

        assert [each.sid for each in listed.sign_ins] == ["s0", "s1", "s2"]
        assert listed.total == 5
        assert listed.complete

    async def test_activity_is_noted(self, one: SignIns, other: SignIns) -> None:
        """The later one counts, from whichever process it comes; what is not recorded is not made up."""
        await one.record(sign_in("a"))
        now = clock.now()
        await other.note({"a": Sighting(now + 60, "192.0.2.7"), "unknown": Sighting(now, "192.0.2.8")})
        await one.note({"a": Sighting(now + 30, "192.0.2.9")})

        (found,) = (await one.all(limit=10)).sign_ins
        assert (found.seen_at, found.client) == (now + 60, "192.0.2.7")

    async def test_what_is_over_is_not_listed(self, one: SignIns) -> None:
        """Neither after its deadline nor when it was ended."""
        await one.record(sign_in("old", lives=0))
        await one.record(sign_in("ended"))
        await one.record(sign_in("alive"))
        await one.forget(["ended", "unknown"])

        assert [each.sid for each in (await one.all(limit=10)).sign_ins] == ["alive"]

    async def test_r20_sessions_at_the_provider_are_known_if_recorded(
        self, one: SignIns, other: SignIns
    ) -> None:
        """By their whole key, whatever characters are in it, and only while the sign-in can be alive."""
        await one.record(sign_in("a"))
        await one.record(sign_in("old", lives=0))

        for key in sign_in("a").aliases:
            assert await other.known(key) is True
        for key in ("isid:https://idp.example|", "isid:https://idp.example|old", "a", "", "%"):
            assert await other.known(key) is False

    async def test_a_closed_list_says_so(self, make: Make) -> None:
        """Closing twice is closing."""
        made = make()
        await made.open()
        await made.close()
        await made.close()
        with pytest.raises(RuntimeError):
            await made.all(limit=1)
