"""Addresses for whoever runs the demo, closed to web pages of other sites.

The Host must be the emulator's own to the byte, so that no name of somebody else leads here (DNS rebinding), and what
changes anything needs a JSON content type, which a cross-site page cannot send without a preflight that is never
granted.
"""

from __future__ import annotations

import json

from aiohttp import web

from gateway.demo.options import authority

JSON = "application/json"


def check_host(request: web.Request, url: str) -> None:
    """Raise 421 unless *request* names the host of *url* exactly."""
    if request.headers.get("Host") != authority(url):
        raise web.HTTPMisdirectedRequest(text="control answers to its own host name only\n")


async def json_body(request: web.Request, url: str) -> object:
    """Return the body of a change; raises 421, or 415 for another content type, and ValueError if it is no JSON."""
    check_host(request, url)
    if request.content_type != JSON:
        text = json.dumps({"error": f"Content-Type must be {JSON}"})
        raise web.HTTPUnsupportedMediaType(text=text, content_type=JSON)
    parsed: object = json.loads(await request.read())
    return parsed
