"""What the server is and allows: looked at once, before the log is used."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gateway.core.errors import ConfigurationError
from gateway.state.redis.faults import RIGHTS, CommandRefusedError, fault_of, lacks_right
from gateway.state.redis.link import Link, Reply
from gateway.state.redis.scripts import PROBE

EXAMINE_WITHIN: Final = 1.0
OLDEST: Final = (6, 2)
"""The release that learned XTRIM MINID and NOMKSTREAM."""


@dataclass(frozen=True, slots=True)
class Advice:
    """A setting of the server under which the log can lose entries.

    :ivar code: stable. :ivar what: is so. :ivar fix: what to set.
    """

    code: str
    what: str
    fix: str


async def examine(link: Link) -> list[Advice]:
    """What to set otherwise.

    :raises ConfigurationError: a command is not allowed, or the server is too old. Raises what a link raises.
    """
    place = link.place
    probe = ("EVAL", PROBE, 3, place.meta_key, place.log_key, f"{{{place.prefix}}}:probe")
    try:
        (found,) = await link.ask(probe, within=EXAMINE_WITHIN)
    except CommandRefusedError as error:
        _require_rights([f"EVAL {error}"])
        raise
    seen, *refused = [part.decode("utf-8", "replace") for part in _texts(found)]
    facts = parse_info(seen)
    _require_version(facts)
    _require_rights(refused)
    try:
        await link.ask(("WAIT", 0, 1), within=EXAMINE_WITHIN)
    except CommandRefusedError as error:
        _require_rights([f"WAIT {error}"])
    return list(advice_on(facts))


def advice_on(facts: Mapping[str, str]) -> Iterator[Advice]:
    """What `INFO` shows that the log should not be kept with (rule R5)."""
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        what = f"Redis's maxmemory-policy is {policy}: when memory is short it may drop revocations"
        yield Advice("redis_evicts", what, "set maxmemory-policy to noeviction")
    if facts.get("aof_enabled") == "0":
        what = "Redis keeps no append-only file: a restart forgets what came since its last snapshot"
        yield Advice("redis_forgets", what, "set appendonly to yes")


def parse_info(text: str) -> dict[str, str]:
    """The `name:value` lines of INFO."""
    lines = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {name: value for name, colon, value in lines if colon}


def _require_version(facts: Mapping[str, str]) -> None:
    version = facts.get("redis_version", "")
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers and numbers < OLDEST:
        raise ConfigurationError(
            "state_too_old", f"the server is Redis {version}", fix="use Redis 6.2 or later"
        )


def _require_rights(refused: list[str]) -> None:
    """Each item is the name of a command and the error."""
    errors = [
        (name, CommandRefusedError(text)) for name, _, text in (line.partition(" ") for line in refused)
    ]
    missing = [name for name, error in errors if lacks_right(error)]
    if missing:
        raise ConfigurationError(
            "state_refused",
            f"the Redis user may not run {', '.join(missing)} on the keys of the log",
            fix=f"give it the rights {RIGHTS}",
        )
    for _, error in errors:
        fault = fault_of(error)
        if fault.code:
            raise ConfigurationError(fault.code, fault.what, fix=fault.fix)


def _texts(found: Reply) -> list[bytes]:
    return [part for part in found if isinstance(part, bytes)] if isinstance(found, list) else [b""]
