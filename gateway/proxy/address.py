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

    :ivar tls: speak TLS, ask for ``host`` (SNI) and verify the certificate by it.
    :ivar ca_file: PEM file of the only authorities to trust; empty for the system's.
    """

    host: str = ""
    port: int = 0
    path: str = ""
    tls: bool = False
    ca_file: str = ""

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.tls else 'http'}://{host}:{self.port}"

    async def connect(self, factory: Callable[[], _P]) -> _P:
        """A connected protocol.

        :raises OSError: nobody answers there (``ssl.SSLError`` included).
        """
        loop = asyncio.get_running_loop()
        if self.path:
            return (await loop.create_unix_connection(factory, self.path))[1]
        context = _tls_context(self.ca_file) if self.tls else None
        return (await loop.create_connection(factory, self.host, self.port, ssl=context))[1]


@cache
def _tls_context(ca_file: str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=ca_file or None)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            "bad_ca_file",
            f"upstreams[].ca_file: {ca_file} cannot be used ({error.strerror or error}).",
            fix="Name a readable file of certificates in PEM.",
        ) from error
    context.set_alpn_protocols(["http/1.1"])
    return context


def parse_address(url: str, ca_file: str = "") -> Address:
    """The address an ``http:``, ``https:`` or ``unix:`` URL names.

    :raises ConfigurationError: ``upstream_url`` for any other, or for one with a query or user; ``bad_ca_file``.
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
    extra = parts.query or parts.fragment or parts.username
    if parts.scheme not in {"http", "https"} or not parts.hostname or extra:
        raise _refused(url)
    if parts.scheme == "http":
        return Address(host=parts.hostname, port=port or 80)
    _tls_context(ca_file)  # a file that cannot be used is found at the start
    return Address(host=parts.hostname, port=port or 443, tls=True, ca_file=ca_file)


def authority_of(url: str) -> str:
    """What Host says to the upstream at ``url`` about itself; a socket has no name but this machine's."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        return "localhost"
    return parts.netloc.removesuffix(":443" if parts.scheme == "https" else ":80")


def _refused(url: str) -> ConfigurationError:
    return ConfigurationError(
        "upstream_url",
        f"{url!r} is not an upstream.",
        fix="Use http://host:port, https://host/path, unix:/path/to.sock or file:///directory.",
    )
