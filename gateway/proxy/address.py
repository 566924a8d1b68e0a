"""Where an upstream listens, and how to reach it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TypeVar
from urllib.parse import urlsplit

from gateway.core.errors import ConfigurationError

_P = TypeVar("_P", bound=asyncio.Protocol)


@dataclass(frozen=True, slots=True)
class Address:
    """A host and port, or a Unix socket's path.

    :ivar tls: speak TLS and verify the certificate against the system's authorities, by ``host``.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    tls: bool = False

    async def connect(self, factory: Callable[[], _P]) -> _P:
        """A connected protocol.

        :raises OSError: nobody answers there (``ssl.SSLError`` included).
        """
        loop = asyncio.get_running_loop()
        if self.path:
            return (await loop.create_unix_connection(factory, self.path))[1]
        context = _tls_context() if self.tls else None
        return (await loop.create_connection(factory, self.host, self.port, ssl=context))[1]


@cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()


def parse_address(url: str) -> Address:
    """The address an ``http:``, ``https:`` or ``unix:`` URL names.

    :raises ConfigurationError: ``upstream_url`` for any other, or for one with a path, query or user.
    """
    if url.startswith("unix:"):
        path = url.removeprefix("unix:").removeprefix("//")
        if path.startswith("/"):
            return Address(path=path)
        raise _refused(url)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refused(url) from None
    extra = parts.path.strip("/") or parts.query or parts.fragment or parts.username
    if parts.scheme not in {"http", "https"} or not parts.hostname or extra:
        raise _refused(url)
    tls = parts.scheme == "https"
    return Address(host=parts.hostname, port=port or (443 if tls else 80), tls=tls)


def _refused(url: str) -> ConfigurationError:
    return ConfigurationError(
        "upstream_url",
        f"{url!r} is not an upstream.",
        mend="Use http://host:port, https://host, unix:/path/to.sock or file:///directory; no path after a host.",
    )
