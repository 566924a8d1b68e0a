"""Answers an endpoint gives instead of working, when its switch says so."""

from __future__ import annotations

import asyncio

from aiohttp import web

from gateway.demo.answers import ANY_ORIGIN, json_answer
from gateway.demo.switchboard import Switchboard

ERRORS = {
    "429": ("TooManyRequestsException", "Rate exceeded"),
    "500": ("InternalErrorException", "Internal error"),
    "503": ("ServiceUnavailable", "Service unavailable"),
}


async def fault(switches: Switchboard, endpoint: str) -> web.Response | None:
    """Wait as `<endpoint>_delay_seconds` says, then return what `<endpoint>_answer` wants, None for normal work."""
    delays = {"token", "revoke"}
    if endpoint in delays:
        await asyncio.sleep(switches.number(f"{endpoint}_delay_seconds"))
    answer = switches.word(f"{endpoint}_answer")
    if answer == "normal":
        return None
    code, text = ERRORS[answer]
    return json_answer({"error": code, "error_description": text}, status=int(answer), headers=ANY_ORIGIN)
