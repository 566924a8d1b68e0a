"""``gateway demo`` and ``gateway demo idp``: the whole thing on this machine, no account, no Docker, no Node."""

from __future__ import annotations

import asyncio
import importlib.util
import signal
import socket
import tempfile
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.ending import USAGE, fail, loaded, stop
from gateway.core.errors import GatewayError
from gateway.telemetry.audit import AuditEvent, AuditKind

if TYPE_CHECKING:
    from gateway.demo.options import DemoOptions

app = typer.Typer(help="Emulated Cognito and Okta, a React application, and the gateway in front of it.")

Federation = Annotated[
    str,
    typer.Option(help="How people sign in: saml, slo, oidc, okta or cognito; docs/demo.md explains them."),
]
Switches = Annotated[
    list[str], typer.Option("--set", help="NAME=VALUE of a switch; docs/demo.md lists them.")
]

_WELCOME = """
  Open   {app}
  Sign in as  alice@example.com (admins, staff)  or  bob@example.com (staff), password  demo

  Try:   a deep link            {app}/reports/3#figures
         sign out, then         {app}/reports   in another tab, and the Back button
         who still knows you    {cognito}/__control  and  {okta}/__control
         as bob                 {app}/admin
         end it from outside    {okta}/admin
  Stop with Ctrl-C.
"""


EMULATORS = (8081, 8082)
EVERYTHING = (8080, *EMULATORS, 8083, 9090, 9091)
"""Ports on 127.0.0.1: the gateway, Cognito, Okta, the application's API, the operator's API, the probes."""
STOPS = (signal.SIGINT, signal.SIGTERM)


def register(parent: typer.Typer) -> None:
    """Add the commands."""
    parent.add_typer(app, name="demo", invoke_without_command=True)


@app.callback()
def demo(context: typer.Context, federation: Federation = "saml", switches: Switches = []) -> None:  # noqa: B006
    """Run everything: http://app.localhost:8080, http://cognito.localhost:8081, http://okta.localhost:8082."""
    if context.invoked_subcommand is not None:
        return
    options = _options(federation, switches)
    _need(EVERYTHING)
    from gateway.app import server
    from gateway.demo import configuration

    with tempfile.TemporaryDirectory(prefix="gateway-demo-") as directory:
        path = configuration.write(Path(directory), options)
        typer.echo(f"# gateway.yaml of this demo, at {path}\n{path.read_text()}")
        settings = loaded(path)
        with _Beside(options, api=True):
            try:
                status = server.serve(
                    settings, on_ready=lambda: _ready(options), on_audit=_tell, accept_for=0.0
                )
            except GatewayError as error:
                fail(error)
    raise typer.Exit(status)


@app.command()
def idp(federation: Federation = "saml", switches: Switches = []) -> None:  # noqa: B006
    """Run only the emulated Cognito and Okta, to try your own gateway.yaml against."""
    options = _options(federation, switches)
    _need(EMULATORS)
    # In the thread too, which inherits this: whoever is not waiting for them would be killed by them.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    with _Beside(options, api=False):
        typer.echo(f"Cognito {options.cognito}\nissuer  {options.issuer}\nOkta    {options.okta}")
        typer.echo("client_id demo-client, client_secret demo-secret; registered for " + options.app)
        typer.echo(f"{options.okta}/admin ends sessions; the event hook's secret is {options.hook_secret}")
        typer.echo("ready")
        signal.sigwait(STOPS)


def _options(federation: str, switches: list[str]) -> DemoOptions:
    if not all(importlib.util.find_spec(name) for name in ("gateway.demo", "lxml", "signxml")):
        stop("gateway: the demo is not installed here; pip install 'spa-auth-gateway[demo]'", USAGE)
    from gateway.demo.options import DemoOptions

    try:
        return DemoOptions(federation=federation, switches=_pairs(switches))
    except ValueError as error:
        stop(f"gateway: {error}", USAGE)


def _pairs(switches: list[str]) -> Mapping[str, str]:
    for pair in switches:
        if "=" not in pair:
            raise ValueError(f"--set takes NAME=VALUE, not {pair!r}")
    return dict(pair.split("=", 1) for pair in switches)


def _ready(options: DemoOptions) -> None:
    typer.echo(_WELCOME.format(app=options.app, cognito=options.cognito, okta=options.okta))
    typer.echo("ready")


def _tell(event: AuditEvent) -> None:
    typer.echo(f"gateway: {_sentence(event)}")


def _sentence(event: AuditEvent) -> str:
    """What happened, as one would say it."""
    who = event.user or "somebody"
    kept = "" if event.durable in {True, None} else " (not yet in the log)"
    if event.kind is AuditKind.LOGOUT_STARTED and not event.session:
        return f"a sign-out without a session began ({event.reason})"
    return {
        AuditKind.LOGIN: f"session {event.session} of {who} began",
        AuditKind.LOGIN_FAILED: f"a sign-in failed: {event.reason}",
        AuditKind.LOGOUT_STARTED: f"session {event.session} of {who} killed by {event.reason}{kept}",
        AuditKind.HOP_RETURNED: f"hop {event.hop} returned: {event.evidence}",
        AuditKind.HOP_FAILED: f"hop {event.hop} not confirmed: {event.evidence}",
        AuditKind.HOP_SKIPPED: f"hop {event.hop} skipped: {event.evidence}",
        AuditKind.LOGOUT_FINISHED: f"sign-out finished: {', '.join(event.hops) or 'no hops'}",
        AuditKind.REVOKED: f"revoked: {event.revocation}{kept}",
        AuditKind.TOKEN_REVOKED: f"the refresh token of {who} is revoked",
        AuditKind.TOKEN_NOT_REVOKED: f"the refresh token of {who} is not revoked: {event.reason}",
        AuditKind.LOG_RENEWED: f"everybody has to sign in again: the log got another id ({event.reason})",
        AuditKind.DENIED: f"{who} was refused {event.method} {event.path}: {event.reason}",
    }[event.kind]


def _need(ports: Iterable[int]) -> None:
    """Name every port that cannot be listened on, before anything is started or printed."""
    refused = {port: why for port in ports if (why := _refusal(port))}
    for port, why in refused.items():
        typer.echo(f"gateway: port {port} of 127.0.0.1 is taken: {why}; stop what listens there", err=True)
    if refused:
        raise typer.Exit(1)


def _refusal(port: int) -> str | None:
    with socket.socket() as probe:
        # As the servers do it: a connection of a demo that has just ended is no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen()
        except OSError as error:
            return error.strerror or str(error)
    return None


class _Beside:
    """The emulators, and the demo's API, in a thread of their own with a loop of their own."""

    def __init__(self, options: DemoOptions, *, api: bool) -> None:
        self._options = options
        self._api = api
        self._loop = asyncio.new_event_loop()
        self._close: list[Callable[[], Awaitable[None]]] = []
        self._thread = threading.Thread(target=self._loop.run_forever, name="demo", daemon=True)

    def __enter__(self) -> None:
        from gateway.demo.switchboard import SwitchError

        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(20)
        except OSError as error:
            why = error.strerror or error
            stop(f"gateway: cannot listen: {why}; ports 8080 to 8083, 9090 and 9091 must be free")
        except SwitchError as error:
            stop(f"gateway: {error}", USAGE)

    async def _start(self) -> None:
        from gateway.demo import api
        from gateway.demo import idp as emulators

        running = await emulators.start(self._options, on_event=typer.echo)
        self._close.append(running.close)
        if self._api:
            served = await api.start(on_event=typer.echo)
            self._close.append(served.close)

    async def _stop(self) -> None:
        for close in reversed(self._close):
            await close()

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
