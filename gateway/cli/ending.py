"""What the commands have in common: their exit status, their configuration, and how they end before they are done."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from gateway.config import ConfigurationErrors, load
from gateway.core.errors import GatewayError
from gateway.settings.bad_value import BadValueError
from gateway.settings.model import Settings

GOOD, FINDINGS, USAGE = 0, 1, 2
CONFIG = Path("gateway.yaml")
Config = Annotated[
    Path, typer.Option("--config", "-c", exists=True, dir_okay=False, help="The configuration file.")
]


def loaded(config: Path) -> Settings:
    """The settings, or every finding on standard error and exit status 1."""
    try:
        return load(config, os.environ)
    except ConfigurationErrors as errors:
        for finding in errors.findings:
            typer.echo(str(finding), err=True)
        raise typer.Exit(FINDINGS) from None


def fail(error: GatewayError) -> NoReturn:
    """End with what an error of ours says."""
    stop("gateway: " + "; ".join(filter(None, (error.detail or error.code, error.fix))))


def stop(why: str, status: int = FINDINGS) -> NoReturn:
    """End with one line that says why."""
    typer.echo(why, err=True)
    raise typer.Exit(status)


def usable(parse: Callable[[str], object]) -> Callable[[str], str]:
    """The callback of an option which refuses what ``parse`` does, with its cause and its fix; empty is not given."""

    def looked_at(value: str) -> str:
        try:
            if value:
                parse(value)
        except BadValueError as error:
            raise typer.BadParameter(str(error)) from None
        return value

    return looked_at
