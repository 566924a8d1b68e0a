"""Probes and metrics on a read-only listener of their own (rule R12, pain P18).

``/startupz`` and ``/readyz`` answer by configuration, keys and the loaded index alone; what the gateway depends on is
told in the body of ``/readyz``, because an identity provider that is down must not take every replica out of service.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

from aiohttp import web

from gateway.web.statuses import status_of


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether requests are answered, and how the dependencies are."""

    ready: bool
    started: bool
    details: dict[str, str] = field(default_factory=dict)


def probe_application(readiness: Callable[[], Readiness], exposition: Callable[[], bytes]) -> web.Application:
    """The application of the probe listener.

    :param exposition: the metrics in Prometheus' text format.
    """

    async def startup(_: web.Request) -> web.Response:
        return _answer(readiness().started, "started", {})

    async def alive(_: web.Request) -> web.Response:
        return _answer(True, "alive", {})

    async def ready(_: web.Request) -> web.Response:
        now = readiness()
        return _answer(now.ready, "ready", now.details)

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=exposition(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )

    app = web.Application()
    app.router.add_get("/startupz", startup)
    app.router.add_get("/livez", alive)
    app.router.add_get("/readyz", ready)
    app.router.add_get("/metrics", metrics)
    return app


def _answer(good: bool, name: str, details: dict[str, str]) -> web.Response:
    body = json.dumps({name: good, **details}).encode() + b"\n"
    headers = {"Content-Type": "application/json", "Cache-Control": "no-store"}
    return web.Response(status=200 if good else status_of("not_ready"), body=body, headers=headers)
