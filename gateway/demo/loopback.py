"""The way from one emulator to the other: always the loopback listener, whatever the names, never DNS."""

from __future__ import annotations

import socket
import ssl

from aiohttp import ClientSession, ClientTimeout, DummyCookieJar, TCPConnector
from aiohttp.abc import AbstractResolver, ResolveResult

from gateway.demo.options import DemoOptions


class LoopbackResolver(AbstractResolver):
    """Resolves every name to *address*."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._family = socket.AF_INET6 if ":" in address else socket.AF_INET

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the one address there is."""
        result = ResolveResult(
            hostname=host, host=self._address, port=port, family=self._family, proto=0, flags=0
        )
        return [result]

    async def close(self) -> None:
        """Nothing to release."""


def client(options: DemoOptions) -> ClientSession:
    """Return a client session that reaches the emulators' listeners; the caller closes it."""
    trust = ssl.create_default_context(cafile=options.ca_file) if options.ca_file else True
    connector = TCPConnector(resolver=LoopbackResolver(options.listen), ssl=trust, use_dns_cache=False)
    return ClientSession(connector=connector, timeout=ClientTimeout(total=10), cookie_jar=DummyCookieJar())
