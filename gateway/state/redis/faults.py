"""What can go wrong with Redis, in words for people: what happened, the fix, and whether waiting can help."""

from __future__ import annotations

import os
import re
import ssl
from dataclasses import dataclass
from typing import Final

from gateway.core.errors import ConfigurationError

RIGHTS: Final = "+@read +@write +@connection -@dangerous +eval +info +time ~{PREFIX}:*"
"""Of the Redis user, as ACL SETUSER takes them; the braces are part of the keys' names."""


class CommandRefusedError(Exception):
    """The server's answer to a command that it refuses.

    :ivar code: its first word, such as ``NOAUTH``.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = text.partition(" ")[0]


class GarbledError(ConnectionError):
    """What came is not what was asked for; the connection cannot be read on."""


class LostError(ConnectionError):
    """The connection ended in mid-command: a new one may be tried at once."""


class UnvouchedError(Exception):
    """Redis was restarted or replaced, keeps no append-only file, and nobody vouches for what it has."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Trouble, explained.

    :ivar code: stable, for a ConfigurationError; empty where the trouble may pass by itself.
    """

    what: str
    fix: str = ""
    code: str = ""

    def __str__(self) -> str:
        return f"{self.what}; {self.fix}" if self.fix else self.what


_NAMED: Final = {
    "NOAUTH": Fault("Redis asks for a password", "set `redis.password_file`", "state_refused"),
    "WRONGPASS": Fault(
        "Redis refuses the user name or the password", "fix them in `state` and `redis`", "state_refused"
    ),
    "NOPERM": Fault("the Redis user lacks a right", f"give it the rights {RIGHTS}", "state_refused"),
    "DENIED": Fault("Redis is in protected mode", "give it a password", "state_refused"),
    "WRONGTYPE": Fault(
        "the keys of the log are another program's", "choose another `redis.prefix`", "state_foreign"
    ),
    "FORMAT": Fault(
        "the log has a format that this release does not know", "run the newer release", "state_too_new"
    ),
    "NOTPRIMARY": Fault("the server is a replica", "name the primary, or its Sentinels, in `state`"),
    "READONLY": Fault("the server is a replica", "name the primary, or its Sentinels, in `state`"),
    "LOADING": Fault("Redis is still loading its data"),
    "UNSTEADY": Fault("the log changes faster than it can be read"),
    "BUSY": Fault("Redis is busy with somebody's script"),
    "OOM": Fault("Redis is out of memory", "raise `maxmemory`, or take other data elsewhere"),
    "MISCONF": Fault("Redis cannot write to its disk and takes nothing", "look at Redis's log and its disk"),
    "NOREPLICAS": Fault("Redis has fewer replicas than `min-replicas-to-write`", "bring the replicas back"),
    "MASTERDOWN": Fault("the server has lost its primary"),
    "CLUSTERDOWN": Fault("the cluster is down", "look at `redis-cli cluster info`"),
    "MOVED": Fault("the cluster has moved the log to another node"),
    "ASK": Fault("the cluster is moving the log to another node"),
    "TRYAGAIN": Fault("the cluster is moving the log to another node"),
}
_NAMES: Final = re.compile(r"\b(" + "|".join(_NAMED) + r")\b")
_WORDS: Final = (
    ("can't run this command", "NOPERM"),
    ("can't access at least one of the ", "NOPERM"),
    ("ACL failure in script", "NOPERM"),
    ("without any password configured", "WRONGPASS"),
)
MOVES: Final = frozenset({"NOTPRIMARY", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "MOVED", "ASK", "LOADING"})
"""Refusals that say that another server may be the right one by now."""


def fault_of(error: BaseException) -> Fault:
    """What an exception of the link or the log means."""
    if isinstance(error, CommandRefusedError):
        return _refusal(error)
    if isinstance(error, ConfigurationError):
        return Fault(error.detail, error.fix, error.code)
    if isinstance(error, UnvouchedError):
        fix = "turn on `appendonly`, so that a restart of everything at once loses nothing"
        return Fault(
            "Redis was restarted or replaced without an append-only file, and may lack the latest entries",
            fix,
        )
    if isinstance(error, ssl.SSLCertVerificationError):
        fix = "set `redis.ca_file`, or name the host as its certificate does"
        return Fault(f"Redis's certificate cannot be trusted ({error.verify_message})", fix, "state_refused")
    if isinstance(error, TimeoutError):
        return Fault("Redis does not answer in time")
    if isinstance(error, OSError):
        # The event loops have words of their own for the same numbers.
        why = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
        return Fault(f"no connection to Redis: {why}")
    return Fault(type(error).__name__)


def refuses_password(error: CommandRefusedError) -> bool:
    """Whether the server knows no such password."""
    return fault_of(error) is _NAMED["WRONGPASS"]


def lacks_right(error: CommandRefusedError) -> bool:
    """Whether the user may not do that, in whichever words this release of Redis says so."""
    return fault_of(error) is _NAMED["NOPERM"]


def _refusal(error: CommandRefusedError) -> Fault:
    text = str(error)
    # Redis before 7 wraps an error that a script met in one of its own.
    names = [error.code, *_NAMES.findall(text), *(name for words, name in _WORDS if words in text)]
    for name in names:
        if name in _NAMED:
            return _NAMED[name]
    if "DB index is out of range" in text or "SELECT is not allowed" in text:
        return Fault("Redis has no such database", "fix the number at the end of `state`", "state_refused")
    if "unknown command" in text.lower():
        return Fault("the server lacks a command", "use Redis 6.2 or later", "state_too_old")
    return Fault(f"Redis refuses: {text}")
