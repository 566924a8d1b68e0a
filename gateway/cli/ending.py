"""What the commands have in common: their exit status, their configuration, and how they end before they are done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from gateway.config import ConfigurationErrors, load
from gateway.core.errors import GatewayError
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
