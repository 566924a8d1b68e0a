"""Has the person proved who they are, and when? What a sign-in asked for, held against what came of it.

A provider that remembers somebody lets them in without a question. So ``prompt=login`` and ``max_age`` are asked for
where that is not enough. Both travel in an address that whoever sits at the browser can change, and some providers do
not know them; only ``auth_time`` in the ID token says what was done (OpenID Connect Core §3.1.2.1). Of some providers
not even that: one that asks another provider behind it stamps the time at which that one answered, although it may only
have remembered the person. There (``provider.auth_time_proves``) nothing is known.

All times are seconds by our own clock; `IdTokenClaims.authenticated_at` brings the provider's to it.
"""

from __future__ import annotations

from enum import Enum

from gateway.core.session.attempt import Attempt
from gateway.core.session.revocation_keys import names_provider_session
from gateway.core.signout.revocation import EVENT_SKEW, Entry


class Freshness(Enum):
    """What is known of the age of a proof."""

    FRESH = "fresh"
    STALE = "stale"
    UNKNOWN = "unknown"


def freshness(attempt: Attempt, authenticated_at: int | None) -> Freshness:
    """Whether the proof is as recent as ``attempt`` asked for; always, where it asked for nothing.

    It counts from the begin of the attempt, so that nobody is refused for having been slow, with a minute for clocks.

    :param authenticated_at: None where it is not known.
    """
    if attempt.max_age is None:
        return Freshness.FRESH
    if authenticated_at is None:
        return Freshness.UNKNOWN
    oldest = attempt.started - attempt.max_age - EVENT_SKEW
    return Freshness.FRESH if authenticated_at >= oldest else Freshness.STALE


def answers(entry: Entry, attempt: Attempt, authenticated_at: int | None) -> bool:
    """Whether a proof came after ``entry``, so that no provider's memory undoes what it ended (rule R1).

    It did where the attempt began with the entry in the log, and the proof was given in the course of it: then no clock
    but our own and the order of the log decide. Where the event brought its own time, a proof that is clearly later
    counts as well. An entry that names the provider's own session is over with that session, not with a proof.

    :param attempt: of the log that the entry is in. :param authenticated_at: None where it is not known.
    """
    if authenticated_at is None or names_provider_session(entry.key):
        return False
    if entry.position <= attempt.seen and authenticated_at >= attempt.started:
        return True
    return entry.event_time is not None and authenticated_at > entry.event_time + EVENT_SKEW
