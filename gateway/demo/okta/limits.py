"""Okta's rate limit: so many requests per path in ten seconds, then 429 with the X-Rate-Limit headers."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from gateway.demo import clock
from gateway.demo.answers import json_answer
from gateway.demo.switchboard import Switchboard

WINDOW = 10


def limiter(switches: Switchboard) -> Middleware:
    """Return the middleware that counts requests by path; the switch okta_rate_limit is the number allowed."""
    counts: dict[tuple[str, int], int] = {}

    @web.middleware
    async def limit(request: web.Request, handler: Handler) -> web.StreamResponse:
        allowed = switches.number("okta_rate_limit")
        if not allowed or request.path.startswith("/__"):
            return await handler(request)
        window = clock.now() // WINDOW
        for stale in [key for key in counts if key[1] != window]:
            del counts[stale]
        used = counts[request.path, window] = counts.get((request.path, window), 0) + 1
        response = await handler(request) if used <= allowed else _too_many()
        response.headers["X-Rate-Limit-Limit"] = str(allowed)
        response.headers["X-Rate-Limit-Remaining"] = str(max(0, allowed - used))
        response.headers["X-Rate-Limit-Reset"] = str((window + 1) * WINDOW)
        return response

    return limit


def _too_many() -> web.Response:
    payload = {
        "errorCode": "E0000047",
        "errorSummary": "API call exceeded rate limit due to too many requests.",
    }
    return json_answer(payload, status=429)
