"""The application by another way than through the gateway: whoever reaches it there needs no session."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from gateway.doctor.check import check
from gateway.doctor.patient import Patient
from gateway.doctor.verdict import Observation, ok, unknown, warning

WITHIN = 2.0
"""Seconds until an address counts as one where nobody listens."""
_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Nothing is sent there: a datagram socket is only told which of the machine's addresses it would be sent from."""


@check("bypass", "Does an application of this machine answer on its other addresses too?")
async def bypass(patient: Patient) -> AsyncIterator[Observation]:
    proof = patient.settings.headers.assertion
    for upstream in patient.settings.upstreams:
        parts = urlsplit(str(upstream.url))
        if parts.scheme not in {"http", "https"}:
            continue
        port = parts.port or (443 if parts.scheme == "https" else 80)
        name = f"{upstream.path} → {upstream.url}"
        if not is_loopback(parts.hostname or ""):
            what = "it is on another machine: who else reaches it there cannot be seen from here"
            fix = "let its firewall or network policy admit the gateway alone"
            yield (
                ok(name, f"{what}; it can ask for proof (headers.assertion)")
                if proof
                else unknown(name, what, fix)
            )
            continue
        others = addresses()
        open_at = [one for one, answers in zip(others, await _looked(others, port), strict=True) if answers]
        if not open_at:
            yield ok(name, f"nobody answers at {', '.join(others) or 'another address'}")
            continue
        what = f"it is open at {', '.join(open_at)} port {port} too, where anybody who gets there can say who they are"
        fix = "have it listen on 127.0.0.1 alone, or close the port"
        yield warning(name, what, f"{fix}; or verify the assertion in it" if proof else fix)


def addresses() -> list[str]:
    """The addresses of this machine that others may reach it by."""
    found: dict[str, None] = {}
    for family, there in _ELSEWHERE:
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((there, 9))
            found[sock.getsockname()[0]] = None
    with contextlib.suppress(OSError):
        found |= {str(info[4][0]): None for info in socket.getaddrinfo(socket.gethostname(), None)}
    return [one for one in found if not is_loopback(one)]


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


async def _looked(others: list[str], port: int) -> list[bool]:
    return await asyncio.gather(*(_answers(one, port) for one in others))


async def _answers(address: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), WITHIN)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True


CHECKS = (bypass,)
