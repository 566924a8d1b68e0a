"""``gateway state renew``: after a restore, have everybody sign in again (rule R4)."""

from __future__ import annotations

import asyncio
import os
import pwd
import sqlite3
from pathlib import Path

import typer

from gateway.cli.ending import CONFIG, Config, fail, loaded, stop
from gateway.core.errors import GatewayError
from gateway.state.contract.renewal import RenewalCause
from gateway.state.redis.place import RedisPlace

PATIENCE = 5.0
"""Seconds to wait for others that write."""

app = typer.Typer(help="What the instances of a deployment share.", no_args_is_help=True)


@app.callback()
def _state() -> None:
    """What the instances of a deployment share."""


@app.command()
def renew(
    config: Config = CONFIG,
) -> None:
    """Have everybody sign in again, as after a restored backup: 0 done, 1 not, 2 usage.

    The revocation log gets another id. Works while the gateway is stopped and while it runs.
    """
    from gateway.app.options import state_place  # late: it knows of every part of a gateway

    settings = loaded(config)
    if settings.state_loss == "accept":
        what = "with `state_loss: accept` another id signs nobody out"
        stop(f"gateway: {what}; run `gateway sessions revoke --all` instead")
    place = state_place(settings)
    try:
        done = asyncio.run(_in_redis(place)) if isinstance(place, RedisPlace) else _in_file(place)
    except GatewayError as error:
        fail(error)
    if not done:
        typer.echo(
            f"{place}: there is no revocation log yet; the first start makes one, and nobody is signed in under it"
        )
        return
    typer.echo(f"{place}: the revocation log has another id now")
    typer.echo("Everybody who was signed in has to sign in again; who signs in from now on stays signed in.")
    typer.echo(
        "Sign-outs that the log has go on to count. A gateway that runs follows within a second or two."
    )


def _in_file(path: Path) -> bool:
    """Whether there was a log.

    :raises GatewayError: it cannot be written.
    """
    # Late, as the rest of what only one kind of state needs.
    from gateway.state.sqlite.faults import explain
    from gateway.state.sqlite.files import LogFiles

    if not path.exists():
        return False
    owner = path.stat().st_uid
    if owner != os.geteuid():
        stop(
            f"gateway: {path} belongs to {_name(owner)}, and files made beside it must too; run this as that user"
        )
    files = LogFiles(path, patience=PATIENCE)
    try:
        files.start()
        files.renew(RenewalCause.OPERATOR)
    except (sqlite3.Error, OSError) as error:
        stop(f"gateway: {path}: {explain(error)}")
    finally:
        files.close()
    return True


async def _in_redis(place: RedisPlace) -> bool:
    """The same.

    :raises ConfigurationError: of the connection.
    """
    from gateway.state.contract.renewal import new_log_id
    from gateway.state.redis.faults import CommandRefusedError, fault_of
    from gateway.state.redis.stream import ReadTo, Stream

    stream = Stream(place)
    try:
        return await stream.renew(ReadTo(), new_log_id(), RenewalCause.OPERATOR) == "renewed"
    except (OSError, CommandRefusedError) as error:
        fault = fault_of(error)
        stop(f"gateway: {place}: {fault}")
    finally:
        await stream.link.close()


def _name(user: int) -> str:
    try:
        return f"user {pwd.getpwuid(user).pw_name}"
    except KeyError:
        return f"user {user}"
