"""What the instances of a deployment share: files of their one host, or a Redis of many. Chosen here alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gateway.state.contract.log import RevocationLog
from gateway.state.contract.refreshes import Refreshes
from gateway.state.contract.sign_ins import SignIns
from gateway.state.contract.spool import SIZE
from gateway.state.contract.tickets import Tickets
from gateway.state.contract.token_revocations import TokenRevocations
from gateway.state.redis.place import Login, RedisPlace


@dataclass(frozen=True, slots=True)
class Backends:
    """Not opened yet; see each contract.

    :ivar tickets: None where sessions can only be kept in their cookies. :ivar login: None where there is none.
    """

    log: RevocationLog
    refreshes: Refreshes
    sign_ins: SignIns
    token_revocations: TokenRevocations
    tickets: Tickets | None = None
    login: Login | None = None


def backends_at(
    place: Path | RedisPlace, *, spool: Path | None, room: int = SIZE, state_loss_accepted: bool
) -> Backends:
    """`place`: the file of the log, beside which the others have theirs, or a Redis. `spool`: for Redis. `room`: bytes
    to reserve for what the log cannot take.
    """
    # Late: redis-py costs every process half a second and 30 MiB, and SQLite is not needed beside it.
    if isinstance(place, RedisPlace):
        from gateway.state.redis.log import RedisLog
        from gateway.state.redis.refreshes import RedisRefreshes
        from gateway.state.redis.sign_ins import RedisSignIns
        from gateway.state.redis.tickets import RedisTickets
        from gateway.state.redis.token_revocations import RedisTokenRevocations

        refreshes = RedisRefreshes(place)
        log = RedisLog(
            place,
            spool=spool,
            room=room,
            state_loss_accepted=state_loss_accepted,
            on_epoch=refreshes.say_again,
        )
        return Backends(
            log,
            refreshes,
            RedisSignIns(place),
            RedisTokenRevocations(place),
            RedisTickets(place),
            place.login,
        )
    from gateway.state.sqlite.log import SqliteLog
    from gateway.state.sqlite.refreshes import SqliteRefreshes
    from gateway.state.sqlite.sign_ins import SqliteSignIns
    from gateway.state.sqlite.token_revocations import SqliteTokenRevocations

    return Backends(
        SqliteLog(place, state_loss_accepted=state_loss_accepted, room=room),
        SqliteRefreshes(place),
        SqliteSignIns(place),
        SqliteTokenRevocations(place),
    )
