"""Listeners on loopback, one per port; what is behind one port is told apart by the Host header."""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence

from aiohttp import web
from aiohttp.typedefs import Handler

from gateway.demo.options import DemoOptions, authority, port_of

LONGEST_LINE = 65536  # a SAML message or an ID token hint in a URL is longer than aiohttp's 8190 bytes


async def listen(options: DemoOptions, sites: Mapping[str, web.Application]) -> list[web.AppRunner]:
    """Serve each application of *sites* (by URL) on its port; returns the runners, to be cleaned up in reverse.

    Raises OSError when a port is taken, after everything already opened has been closed again.
    """
    by_port: dict[int, dict[str, web.Application]] = {}
    for url, app in sites.items():
        by_port.setdefault(port_of(url), {})[authority(url)] = app
    runners: list[web.AppRunner] = []
    try:
        for port, hosts in by_port.items():
            runners.append(_runner(hosts))
            await runners[-1].setup()
            await web.TCPSite(runners[-1], options.listen, port, ssl_context=_tls(options)).start()
    except BaseException:
        await close(runners)
        raise
    return runners


async def close(runners: Sequence[web.AppRunner]) -> None:
    """Close what `listen` opened."""
    for runner in reversed(runners):
        await runner.cleanup()


def _runner(hosts: Mapping[str, web.Application]) -> web.AppRunner:
    return web.AppRunner(
        _dispatching(hosts),
        handle_signals=False,
        access_log=None,
        shutdown_timeout=1,
        max_line_size=LONGEST_LINE,
        max_field_size=LONGEST_LINE,
    )


def _dispatching(hosts: Mapping[str, web.Application]) -> web.Application:
    @web.middleware
    async def known_host(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Host", "").lower() not in hosts:
            raise web.HTTPMisdirectedRequest(text=f"this listener answers for {', '.join(hosts)}\n")
        return await handler(request)

    app = web.Application(middlewares=[known_host])
    for host, site in hosts.items():
        app.add_domain(host, site)
    return app


def _tls(options: DemoOptions) -> ssl.SSLContext | None:
    if not options.cert_file:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(options.cert_file, options.key_file)
    return context
