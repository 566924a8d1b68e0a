"""A request to a receiver, and its answer."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from aiohttp import ClientError, ClientSession, ClientTimeout

PATIENCE = ClientTimeout(total=3)
"""Seconds, as Okta's event hooks have it."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request; *headers* may hold a secret."""

    url: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    method: str = "POST"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a receiver said; *status* is 0 when it could not be reached, and *body* then says why."""

    status: int
    body: str


def is_local(url: str) -> bool:
    """Say whether *url* is http(s) to this machine: the emulators reach nothing else."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in {"http", "https"} or parts.username is not None:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


class Post:
    """Brings deliveries to their receivers; close it when done."""

    def __init__(self, http: ClientSession) -> None:
        self._http = http
        self._under_way: set[asyncio.Task[Answer]] = set()

    async def send(self, delivery: Delivery) -> Answer:
        """Send *delivery* once, following no redirect."""
        try:
            async with self._http.request(
                delivery.method,
                delivery.url,
                data=delivery.body or None,
                headers=dict(delivery.headers),
                timeout=PATIENCE,
                allow_redirects=False,
            ) as response:
                return Answer(response.status, await response.text(errors="replace"))
        except (ClientError, TimeoutError) as error:
            return Answer(0, type(error).__name__)

    def send_soon(self, delivery: Delivery) -> None:
        """Send *delivery* beside what goes on; nobody waits for the answer."""
        task = asyncio.get_running_loop().create_task(self.send(delivery))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def close(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._under_way)
