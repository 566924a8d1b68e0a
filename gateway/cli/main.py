"""``gateway``: the commands. Exit status 0 good, 1 findings, 2 usage."""

from __future__ import annotations

import platform
from typing import Annotated

import typer

from gateway import __version__
from gateway.cli import audit, config, demo, doctor, events, policy, serve, sessions, state

app = typer.Typer(
    name="gateway",
    help="An auth gateway in front of a single-page application. Logging out really logs out.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _say_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"gateway {__version__} (Python {platform.python_version()})")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Say which version this is.", callback=_say_version, is_eager=True),
    ] = False,
) -> None: ...


serve.register(app)
config.register(app)
doctor.register(app)
demo.register(app)
app.add_typer(policy.app, name="policy")
app.add_typer(sessions.app, name="sessions")
app.add_typer(events.app, name="events")
app.add_typer(state.app, name="state")
app.add_typer(audit.app, name="audit")


def main() -> None:
    """The console script."""
    app()
