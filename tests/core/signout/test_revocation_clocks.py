"""Entries that name a session at the provider: the order of the log alone decides, no clock (rule R6)."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.core.session.revocation_keys import isid_key, subject_key
from gateway.core.signout.revocation import NewEntry, RevocationIndex
from tests.fakes.signed_in import signed_in

ALICE = subject_key("https://idp.example", "alice")
NOW = 1_000_000


@given(
    event_time=st.none() | st.integers(0, 2 * NOW),
    login_at=st.integers(0, 2 * NOW),
    received_at=st.integers(NOW - 3600, NOW),
    seen=st.integers(0, 9),
    way=st.sampled_from(["placed", "late", "held"]),
)
def test_r06_an_event_that_names_the_providers_session_needs_no_clock(
    event_time: int | None, login_at: int, received_at: int, seen: int, way: str
) -> None:
    """Whoever's clock is wrong, and however late it gets into the log: the order of the log alone decides."""
    named = isid_key("https://idp.example", "their-session")
    asked = NewEntry(named, NOW + 3600, "backchannel", event_time).received(received_at)
    index = RevocationIndex()
    if way == "held":
        index.hold(asked, received_at)
    else:
        index.apply((asked.dated(received_at) if way == "late" else asked).placed(5))
    ends = way == "held" or seen < 5

    found = index.ended_by(signed_in("s", (ALICE, named), seen=seen, login_at=login_at))
    open_still = index.subject_entry_after((ALICE, named), position=seen, now=NOW, since=login_at)

    assert (found is not None) is ends
    assert (open_still is not None) is ends
    assert index.ended_by(signed_in("s", (ALICE,), login_at=login_at)) is None


def test_one_entry_is_kept_of_a_provider_that_names_a_session_again_and_again() -> None:
    """The order of its times means nothing, so it does not make the index grow."""
    named = isid_key("https://idp.example", "their-session")
    index = RevocationIndex()
    for number in range(1, 50):
        index.apply(NewEntry(named, NOW + 3600, "backchannel", NOW - number).placed(number))

    assert len(index) == 1
