"""``gateway events``: set up the stream by which a transmitter sends its security events here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.ending import CONFIG, USAGE, Config, fail, loaded, stop
from gateway.core import dice
from gateway.core.errors import GatewayError
from gateway.oidc.events import ssf_stream
from gateway.oidc.events.security_event import ENDING
from gateway.oidc.events.ssf_stream import StreamEndpoints, Wanted
from gateway.oidc.wire import ProviderRequest, ProviderResponse
from gateway.settings.model import Settings
from gateway.settings.secret_files import revealed
from gateway.settings.session_sections import SecurityEventsSection

app = typer.Typer(
    help="Set up the stream of security events at the transmitter of inbound.security_events.",
    no_args_is_help=True,
)
_Stream = Annotated[str, typer.Option(metavar="ID", help="Which stream, where there are several.")]


@dataclass(frozen=True, slots=True)
class Station:
    """The transmitter, as far as the commands need it."""

    settings: Settings
    asked: SecurityEventsSection
    token: str
    endpoints: StreamEndpoints
    send: Callable[[ProviderRequest], Awaitable[ProviderResponse]]


@app.command()
def create(
    config: Config = CONFIG,
    poll: Annotated[
        bool, typer.Option("--poll", help="Fetch the events instead of having them sent.")
    ] = False,
) -> None:
    """Make the stream, with the events that end sessions here: 0 made, 1 not, 2 usage."""

    async def make(station: Station) -> None:
        settings, asked = station.settings, station.asked
        wanted = Wanted(
            events=[kind for kind, name in ENDING.items() if name in asked.events],
            push_to=None if poll else f"{settings.public_url}{settings.prefix}/security-events",
            secret=revealed(asked.secret),
        )
        request = ssf_stream.create_request(station.endpoints, wanted, station.token)
        configuration = ssf_stream.parse_stream(await station.send(request))
        _print(configuration)
        delivery = configuration.get("delivery")
        if poll and isinstance(delivery, dict):
            typer.echo(
                f"set inbound.security_events.poll_endpoint to {delivery.get('endpoint_url')}", err=True
            )

    _at_the_transmitter(config, make)


@app.command()
def status(config: Config = CONFIG, stream: _Stream = "") -> None:
    """Print the stream as the transmitter knows it, and its status: 0 told, 1 not, 2 usage."""

    async def show(station: Station) -> None:
        configuration = dict(await _stream(station, stream))
        if station.endpoints.status is not None:
            request = ssf_stream.show_request(
                station.endpoints.status, station.token, str(configuration.get("stream_id"))
            )
            configuration["status"] = ssf_stream.parse_stream(await station.send(request)).get("status")
        _print(configuration)

    _at_the_transmitter(config, show)


@app.command()
def verify(config: Config = CONFIG, stream: _Stream = "") -> None:
    """Have the transmitter send a verification event: 0 asked for, 1 not, 2 usage."""

    async def ask(station: Station) -> None:
        if station.endpoints.verification is None:
            stop("gateway: the transmitter verifies no streams")
        found, state = await _stream(station, stream), dice.token(12)
        request = ssf_stream.verify_request(
            station.endpoints.verification, station.token, str(found.get("stream_id")), state
        )
        ssf_stream.check_done(await station.send(request))
        typer.echo(f"asked for; the gateway's log should say stream_verified, with {state}")

    _at_the_transmitter(config, ask)


@app.command()
def delete(config: Config = CONFIG, stream: _Stream = "") -> None:
    """End the stream: 0 ended, 1 not, 2 usage."""

    async def end(station: Station) -> None:
        request = ssf_stream.delete_request(station.endpoints, station.token, stream or None)
        ssf_stream.check_done(await station.send(request))
        typer.echo("ended")

    _at_the_transmitter(config, end)


async def _stream(station: Station, stream: str) -> Mapping[str, object]:
    request = ssf_stream.show_request(station.endpoints.configuration, station.token, stream or None)
    return ssf_stream.parse_stream(await station.send(request))


def _at_the_transmitter(config: Path, work: Callable[[Station], Awaitable[None]]) -> None:
    """Do ``work`` with the transmitter of this configuration.

    :raises typer.Exit: it could not be done, with one line that says why.
    """
    settings = loaded(config)
    asked = settings.inbound.security_events
    if asked is None:
        stop(f"gateway: {config}: inbound.security_events is not set", USAGE)
    token = revealed(asked.token)
    if token is None:
        stop(
            f"gateway: {config}: inbound.security_events.token_file is not set, and its API asks for a token",
            USAGE,
        )
    try:
        asyncio.run(_work(settings, asked, token, work))
    except GatewayError as error:
        fail(error)


async def _work(
    settings: Settings, asked: SecurityEventsSection, token: str, work: Callable[[Station], Awaitable[None]]
) -> None:
    # Late: it brings the metrics along, which must not be loaded before the directory of their files is set.
    from gateway.app.options import transport

    link = transport(settings)
    try:
        answer = await link.send(ssf_stream.stream_metadata_request(asked.issuer))
        endpoints = ssf_stream.parse_stream_metadata(answer, issuer=asked.issuer)
        await work(Station(settings, asked, token, endpoints, link.send))
    finally:
        await link.close()


def _print(configuration: Mapping[str, object]) -> None:
    typer.echo(json.dumps(configuration, indent=2))
