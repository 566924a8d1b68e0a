"""What the revocation log, keys and policies remember, filled with the largest that gets in."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from gateway.core.policy import policy_set as policy
from gateway.core.policy.policy_set import PolicyVerdict
from gateway.core.session.revocation_keys import email_key, isid_key, sid_key, subject_key, token_key
from gateway.core.session.sealing import KeyRing, SealingKey
from gateway.core.signout.revocation import NewEntry, RevocationIndex
from gateway.state.contract.outbox import Outbox
from tests.bounds.listed import PAGE, fill, fills, stated
from tests.bounds.test_sessions import largest
from tests.core.policy_samples import parsed

Measured = Callable[[], int]
NOW = 1_700_000_000
TIMES = 1_000
FACE = "\U0001f600"
ISSUER = "https://idp.example.com/" + "i" * 200


def sessions(at: int) -> str:
    return sid_key(f"{at:022}")


def longest(at: int) -> str:
    """Of an operator, or of a shared signal (`MAX_NAME`)."""
    return subject_key(ISSUER, f"{at}".ljust(2_048, FACE))


NAMES = {
    "sessions": sessions,
    "subjects": lambda at: subject_key(ISSUER, f"{at}".ljust(255, "s")),
    "addresses": lambda at: email_key(f"{at}".ljust(255, FACE)),
    "sessions at the provider": lambda at: isid_key(ISSUER, f"{at}".ljust(255, "s")),
    "tokens": lambda at: token_key(ISSUER, f"{at}".ljust(255, FACE)),
    "the longest there are": longest,
}


@fills(
    "core/signout/revocation.py _sids",
    "core/signout/revocation.py _named",
    "core/signout/revocation.py _soonest",
    "core/signout/revocation.py _held",
)
@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES.keys())
def test_entries_of_the_log(name: Callable[[int], str], measured: Measured) -> None:
    """Held, and then in the log, each under a name of its own."""
    index = RevocationIndex()
    place = "_sids" if name is sessions else "_named"
    before = measured()
    held = [index.hold(_new(name(at)), NOW) for at in range(TIMES)]
    assert measured() - before <= TIMES * stated("core/signout/revocation.py _held")
    while held:
        one = held.pop()
        index.release(one)
        index.apply(_new(one.key).placed(TIMES - len(held)))
    assert len(index) == TIMES
    assert not index._held
    assert measured() - before <= TIMES * stated(f"core/signout/revocation.py {place}")
    index.expire(NOW + 100_000)
    assert (len(index), index._soonest) == (0, [])
    assert measured() - before < TIMES * 64, "a dict keeps its room when it is emptied, and no more"


def _new(key: str) -> NewEntry:
    return NewEntry(key, NOW + 50_000, "security_events", event_time=NOW, barrier=NOW + 120)


def test_r25_an_entry_of_a_session_is_small(measured: Measured) -> None:
    """What the page promises of the usual one: a sign-out takes about half a kilobyte."""
    index = RevocationIndex()
    before = measured()
    for at in range(TIMES):
        index.apply(NewEntry(sessions(at), NOW + at, "logout", barrier=NOW).placed(at + 1))
    assert measured() - before <= TIMES * 512


@fills("state/contract/outbox.py _batches")
def test_entries_on_their_way(measured: Measured) -> None:
    """Those of sign-outs, with what they hold of the index."""
    made = Outbox(RevocationIndex())
    before = measured()
    for at in range(TIMES):
        made.take([_new(longest(at))], NOW)
    assert measured() - before <= TIMES * (
        stated("state/contract/outbox.py _batches") + stated("core/signout/revocation.py _held")
    )


@fills("core/session/sealing.py _by_id", "core/session/sealing.py _first_seen")
def test_keys(measured: Measured) -> None:
    """Each with its cipher."""
    keys = [SealingKey.of(at.to_bytes(32, "big")) for at in range(200)]
    before = measured()
    ring = KeyRing(keys, now=NOW)
    assert len(ring._by_id) == len(ring._first_seen) == 200
    assert measured() - before <= 200 * (
        stated("core/session/sealing.py _by_id") + stated("core/session/sealing.py _first_seen")
    )


@fills("core/policy/policy_set.py _memo")
@pytest.mark.parametrize("size", [0, 40_000])
def test_decisions(size: int, measured: Measured, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of principals with many groups, and of paths that are just short enough, none of which comes again."""
    made = parsed(WHOLE, memo_size=policy.MEMO_SIZE)
    monkeypatch.setattr(
        made, "_ask", lambda *_, **__: PolicyVerdict(True, ("all",))
    )  # what Cedar says has no part in it
    memory, rest = made._memo, FACE * min(size, policy.MEMO_PATH - 8)
    before = measured() - memory.taken

    def add(at: int) -> None:
        who = largest(at, size).principal
        made.decide(
            principal=who,
            method="GET",
            route="/",
            host=f"h{at}",
            path=f"/{at}{rest}",
            client="192.0.2.1",
            now=NOW,
        )

    fill(memory, add, 4_200 if size < 1_000 else 900)
    assert memory.kept > 8
    assert measured() - before <= memory.taken <= memory.size == stated("core/policy/policy_set.py _memo")


WHOLE = '@id("all") permit (principal is User, action, resource) when { context.path == context.host };'
"""What is compared with another text of the request's has to be kept whole."""

_ENTITIES = """
from gateway.core.session.session import Principal
from tests.bounds.listed import resident
from tests.bounds.test_log import WHOLE
from tests.core.policy_samples import parsed

def add(first, times, groups):
    for at in range(first, first + times):
        names = tuple(f"group {at} {n} " + "x" * 40 for n in range(groups))
        made._entities_of(Principal("i", f"s{at}", f"u{at}", groups=names))

made = parsed(WHOLE)
add(0, 40, 10)
made._entities.forget()
before = resident()
for groups, times in ((0, 1_200), (40, 800), (200, 300)):
    add(10_000 * groups, times, groups)
    assert 8 < made._entities.kept <= 512
print(resident() - before)
"""


@fills("core/policy/policy_set.py _entities")
def test_principals_as_cedar_reads_them() -> None:
    """They are out of Python's sight: a process of its own shows by its resident memory what they take."""
    ran = subprocess.run(
        [sys.executable, "-c", _ENTITIES], check=True, capture_output=True, text=True, cwd=PAGE.parents[1]
    )
    assert int(ran.stdout) <= stated("core/policy/policy_set.py _entities") + SLACK


SLACK = 4 * 1024 * 1024
"""Bytes that the allocator keeps of what is freed, and that the work itself takes."""
