"""Both emulators started and stopped: what `gateway demo idp` runs, and what tests run against."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import ClientSession, web

from gateway.demo import loopback
from gateway.demo.cognito.app import hosted_ui, issuer
from gateway.demo.cognito.state import Cognito
from gateway.demo.combinations import COMBINATIONS
from gateway.demo.control import Control
from gateway.demo.emulator import Common
from gateway.demo.listeners import close, listen
from gateway.demo.okta.app import application
from gateway.demo.okta.outbound.delivery import Post
from gateway.demo.okta.outbound.sender import Sender
from gateway.demo.okta.outbound.streams import Streams
from gateway.demo.okta.state import Okta
from gateway.demo.options import DemoOptions
from gateway.demo.switchboard import Switchboard


@dataclass(frozen=True, slots=True)
class Controls:
    """Control of each emulator, without HTTP."""

    cognito: Control
    okta: Control


@dataclass(frozen=True, slots=True)
class RunningIdp:
    """The emulators with their listeners up; close it when done."""

    options: DemoOptions
    switches: Switchboard
    cognito: Cognito
    okta: Okta
    control: Controls
    runners: list[web.AppRunner]
    http: ClientSession
    post: Post
    sender: Sender

    async def close(self) -> None:
        """Close the listeners and the connections between the emulators."""
        await close(self.runners)
        await self.post.close()
        await self.http.close()


async def start(options: DemoOptions, *, on_event: Callable[[str], None]) -> RunningIdp:
    """Start Cognito and Okta as *options* say; *on_event* gets one plain line per thing that happens.

    Raises OSError when a port is taken, SwitchError for a wrong switch.
    """
    switches = Switchboard({**COMBINATIONS[options.federation].switches, **options.switches})
    http = loopback.client(options)
    cognito = Cognito(Common(options, switches, on_event), http)
    okta = Okta(Common(options, switches, on_event))
    controls = Controls(Control(cognito), Control(okta))
    post = Post(http)
    sender = Sender(okta, post)
    sites = {
        options.cognito: hosted_ui(cognito, controls.cognito),
        options.issuer: issuer(cognito),
        options.okta: application(okta, controls.okta, sender, Streams(okta, post)),
    }
    try:
        runners = await listen(options, sites)
    except BaseException:
        await http.close()
        raise
    return RunningIdp(options, switches, cognito, okta, controls, runners, http, post, sender)
