"""``gateway doctor``: everything that can be found out before the first user does."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Annotated

import typer

from gateway.cli.ending import CONFIG, FINDINGS, GOOD, Config, stop, usable
from gateway.config import examine
from gateway.settings.addresses import parse_any_origin, split_url

_METADATA = "https://idp.example.com/saml/metadata"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(
    config: Config = CONFIG,
    live: Annotated[
        bool, typer.Option("--live", help="Ask the providers too, read-only and without cookies.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object.")] = False,
    only_register: Annotated[
        bool, typer.Option("--register", help="Only print what to enter at the providers' consoles.")
    ] = False,
    saml_metadata: Annotated[
        str,
        typer.Option(
            metavar="URL",
            callback=usable(lambda url: split_url(url, _METADATA)),
            help="The SAML metadata of the provider behind Cognito, to look at too.",
        ),
    ] = "",
    forward_auth: Annotated[
        str,
        typer.Option(
            metavar="URL",
            callback=usable(parse_any_origin),
            help="Walk through the proxy in front there, as a browser without a session does.",
        ),
    ] = "",
) -> None:
    """Look at configuration, provider, hops, state and application; 0 nothing failed, 1 findings, 2 usage.

    Without --live nothing leaves the machine but what the gateway itself asks for: discovery, keys, Redis, upstreams.
    """
    from gateway.doctor import report
    from gateway.doctor.examination import examined
    from gateway.doctor.registrations import registrations

    if only_register:
        settings = examine(config, os.environ).settings
        if settings is None:
            stop(f"{config}: cannot be used; `gateway check -c {config}` says why")
        asked = registrations(settings)
        typer.echo(_json(report.register_data(asked)) if as_json else "\n".join(report.register_lines(asked)))
        return
    examination = asyncio.run(examined(config, live=live, saml_metadata=saml_metadata, front=forward_auth))
    typer.echo(_json(report.as_data(examination)) if as_json else "\n".join(report.lines(examination)))
    raise typer.Exit(GOOD if examination.sound else FINDINGS)


def _json(data: object) -> str:
    return json.dumps(data, indent=2, ensure_ascii=False)
