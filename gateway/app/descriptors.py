"""The files that this process may have open, and who may have how many of them.

Every connection is an open file, and so is the log, a probe's connection or a static file that is being sent. Where
they run out, the event loop cannot even accept a connection in order to refuse it, and whoever asks the probes gets no
answer: one client that opens connections would take everybody's away. So the limit of the process is raised as far as
the system allows, and what there is gets shared out: some are kept free for the probes, the state and the files, some
for kept connections to upstreams, and of the rest a client's connection may take two, its own and the one to the
upstream that a WebSocket or a stream keeps for it alone.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass
from typing import Final

from gateway.telemetry.log import get_logger

ENOUGH: Final = 1 << 20
"""More is not asked for, as some systems call a thousand million their limit: no gateway carries a million streams."""
FEW: Final = 4_096
"""With less than this a warning is due: it is room for fewer than 2,000 browsers' connections."""
RESERVED: Final = (64, 4_096)
"""Least and most that are kept free: an eighth of all, between these."""
BACKLOG: Final = 2_048
_log = get_logger("server")


@dataclass(frozen=True, slots=True)
class Shares:
    """How many open files there are for whom.

    :ivar clients: connections of all clients together. :ivar client: of one address.
    :ivar pool: kept connections to each upstream. :ivar backlog: connections that may wait to be accepted; they come
        all at once, before one of them can be refused.
    """

    clients: int
    client: int
    pool: int
    backlog: int


def shares(limit: int, upstreams: int, wanted: int, clients: int = 0) -> Shares:
    """What each may have of ``limit`` open files. A client gets a quarter of all clients' share.

    :param upstreams: how many. :param wanted: connections to each, the most that is asked for.
    :param clients: connections of all clients together, the most that is asked for; 0 is all that there are.

    >>> shares(1_024, 2, 512)
    Shares(clients=336, client=84, pool=112, backlog=64)
    """
    reserved = max(RESERVED[0], min(RESERVED[1], limit // 8))
    pool = max(1, min(wanted, (limit - reserved) // 4 // max(1, upstreams)))
    room = max(1, (limit - reserved - pool * upstreams) // 2)
    clients = min(clients or room, room)
    return Shares(clients, max(1, clients // 4), pool, max(1, min(BACKLOG, reserved // 2)))


def shares_of_process(upstreams: int, wanted: int, clients: int = 0) -> Shares:
    """The same for what this process may have open now."""
    return shares(_limits()[0], upstreams, wanted, clients)


def raise_limit() -> int:
    """Raise this process's limit, and that of all that it starts, as far as it may; what it is now."""
    soft, hard = _limits()
    wanted = min(hard, ENOUGH)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        soft = wanted
    if soft < FEW:
        fix = "raise the hard limit: LimitNOFILE= of the service, --ulimit nofile= of the container, or ulimit -Hn"
        _log.warning("few_open_files", limit=soft, clients=shares(soft, 1, 1).clients, fix=fix)
    return soft


def _limits() -> tuple[int, int]:
    """Soft and hard limit; where there is none, what is enough."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _number(soft), _number(hard)


def _number(limit: int) -> int:
    return ENOUGH if limit == resource.RLIM_INFINITY else limit
