"""A log gets another id: why, and what people are told of it (rule R4).

Under another id no session of before counts, so everybody signs in again. That is done where acknowledged entries may
be missing, for nobody can say whom they had signed out. What the log has goes on to count.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final

from gateway.core import dice
from gateway.telemetry.log import get_logger

_log = get_logger("state")

REPORTED_FOR: Final = 86_400
"""Seconds for which `/readyz` tells of it."""


def new_log_id() -> str:
    """32 hexadecimal digits."""
    return base64.urlsafe_b64decode(dice.token(16) + "==").hex()


class RenewalCause(Enum):
    """Why. The values are written into the log."""

    SESSION = "session"
    INDEX = "index"
    COUNTER = "counter"
    WITNESS = "witness"
    UNWRITTEN = "unwritten"
    UNVOUCHED = "unvouched"
    OPERATOR = "operator"


_WORDS: Final[Mapping[RenewalCause, str]] = {
    RenewalCause.SESSION: "a browser has seen more of it than it has: it is an older copy",
    RenewalCause.INDEX: "a process has read more of it than it has: it is an older copy",
    RenewalCause.COUNTER: "its counter has seen more of it than it has: it is an older copy",
    RenewalCause.WITNESS: "this host has seen more of it than it has: it is an older copy",
    RenewalCause.UNWRITTEN: "a process has died with entries that neither it nor the spool had room for",
    RenewalCause.UNVOUCHED: "nobody vouched for what Redis has",
    RenewalCause.OPERATOR: "somebody asked for it (gateway state renew)",
}

_VALUES: Final = frozenset(cause.value for cause in RenewalCause)


@dataclass(frozen=True, slots=True)
class LogRenewal:
    """One of them. ``at``: seconds. ``reported``: some process has told of it."""

    cause: RenewalCause
    at: int
    reported: bool = False

    def written(self) -> str:
        """As the log keeps it."""
        return f"{self.at} {self.cause.value}"

    def note(self, now: int) -> str:
        """For a line of `/readyz`; empty when it is long ago."""
        if now - self.at > REPORTED_FOR:
            return ""
        at = datetime.fromtimestamp(self.at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
        return f"; it got another id at {at}, everybody had to sign in again: {why(self.cause)}"


def why(cause: RenewalCause) -> str:
    """The cause in words."""
    return _WORDS[cause]


def tell_of_renewal(cause: RenewalCause) -> None:
    """A line about it."""
    _log.error("state_log_renewed", cause=cause.value, why=why(cause))


def read(text: str) -> LogRenewal | None:
    """What `LogRenewal.written` wrote, with ``told`` behind it where that was done; None for anything else."""
    match text.split(" "):
        case [at, cause, *reported] if at.isdigit() and cause in _VALUES:
            return LogRenewal(RenewalCause(cause), int(at), reported=reported == ["told"])
    return None
