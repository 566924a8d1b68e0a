"""``gateway sessions``: list sessions and end them, through the operator's API of a running gateway."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli.ending import CONFIG, USAGE, Config, loaded, stop, usable
from gateway.settings.bad_value import BadValueError, quoted
from gateway.settings.secret_files import revealed

TIMEOUT = 10.0
"""Seconds for the API's answer."""

app = typer.Typer(help="List sessions and end them, through a running gateway.", no_args_is_help=True)

_HOST_PORT = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")


def _host_port(value: str) -> None:
    if _HOST_PORT.fullmatch(value) is None:
        raise BadValueError(f"{quoted(value)} is not a host and a port", "write it as 127.0.0.1:9090")


_Admin = Annotated[
    str,
    typer.Option(
        metavar="HOST:PORT",
        callback=usable(_host_port),
        help="Where the API is, if not where the configuration says.",
    ),
]


@app.command("list")
def show(
    config: Config = CONFIG,
    admin: _Admin = "",
    as_json: Annotated[bool, typer.Option("--json", help="The API's own answer.")] = False,
) -> None:
    """Print who is signed in: 0 the list is whole, 1 it could not be had, 2 usage."""
    answer = _asked(config, admin, "GET", "/api/sessions")
    if as_json:
        typer.echo(json.dumps(answer, indent=2))
    else:
        for line in _table(answer["sessions"]):
            typer.echo(line)
        listed, total = len(answer["sessions"]), answer["total"]
        typer.echo(
            f"{total} sessions" + (f", the {listed} last active shown" if listed < total else ""), err=True
        )
    if not answer["complete"]:
        stop(f"gateway: {answer['note']}")


@app.command()
def revoke(
    config: Config = CONFIG,
    admin: _Admin = "",
    sid: Annotated[str, typer.Option(help="One session.")] = "",
    sub: Annotated[str, typer.Option(help="Every session of this subject at the configured provider.")] = "",
    email: Annotated[str, typer.Option(help="Every session with this e-mail address.")] = "",
    everybody: Annotated[bool, typer.Option("--all", help="Every session there is.")] = False,
) -> None:
    """End sessions, at once and everywhere: 0 ended, 1 nobody had such a session, or not (yet) recorded, 2 usage."""
    given: dict[str, object] = {"sid": sid, "sub": sub, "email": email, "all": everybody}
    asked = {name: value for name, value in given.items() if value}
    if len(asked) != 1:
        stop("gateway: give exactly one of --sid, --sub, --email and --all", USAGE)
    answer = _asked(config, admin, "POST", "/api/revocations", asked)
    (name,) = asked
    what = "every session" if name == "all" else f"{name} {asked[name]}"
    if not answer["durable"]:
        stop(f"gateway: {what}: ended in that process only; the log did not take it yet, see its /readyz")
    ended, complete = answer.get("ended", 0), answer.get("complete", False)
    if complete and not ended:
        stop(f"gateway: {what}: nobody is signed in so, and nothing has ended; see `gateway sessions list`")
    if not ended:
        typer.echo(f"{what}: ended; how many sign-ins is not known, for the list of them is not whole")
    else:
        least = "" if complete else "at least "
        typer.echo(f"{what}: ended {least}{ended} {'sign-in' if ended == 1 else 'sign-ins'}")


def _asked(config: Path, admin: str, method: str, path: str, body: object = None) -> dict[str, Any]:
    """The API's answer.

    :raises typer.Exit: there is none, with one line that says why.
    """
    address, token = _found(config)
    address = admin or address
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    host, _, port = address.rpartition(":")
    connection = HTTPConnection(host.strip("[]"), int(port) if port.isdigit() else None, timeout=TIMEOUT)
    try:
        connection.request(method, path, None if body is None else json.dumps(body), headers)
        answer = connection.getresponse()
        document = json.loads(answer.read())
    except (OSError, HTTPException, ValueError) as error:
        stop(
            f"gateway: {address}: no answer from the operator's API ({error}); is the gateway running there?"
        )
    finally:
        connection.close()
    if answer.status != 200:
        stop(f"gateway: {address}: {answer.status} {document.get('title')}. {document.get('detail', '')}")
    return dict(document)


def _found(config: Path) -> tuple[str, str]:
    """Where the API of the gateway with this configuration is, and its token."""
    admin = loaded(config).admin
    token = revealed(admin.token)
    if token is None:
        stop(f"gateway: {config}: admin.token_file is not set, so the operator's API is closed")
    return str(admin.listen), token


def _table(sessions: list[dict[str, Any]]) -> list[str]:
    rows = [("SESSION", "SID", "USER", "E-MAIL", "DEVICE", "ADDRESS", "SIGNED IN", "LAST SEEN")]
    rows += [
        (
            one["session"], one["sid"], one["user"], one["email"] or "-", one["device"], one["client"] or "-",
            _moment(one["login_at"]), _moment(one["last_seen"]),
        )
        for one in sessions
    ]  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]


def _moment(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
