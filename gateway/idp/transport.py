"""The connection to the provider: bounded in time and size, no redirects, no cookies, one kind of error."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver
from yarl import URL

from gateway.core.errors import ConfigurationError, ProviderError
from gateway.idp.way import ProviderWay, Through
from gateway.oidc.urls import is_loopback
from gateway.oidc.wire import ProviderRequest, ProviderResponse, printable

MAX_BODY = 1 << 20  # bytes; CVE-2026-26998: an authentication server's answer read without bound
TIMEOUT = 10.0  # seconds for the whole of one exchange
LOOPBACK = "127.0.0.1"
DIRECTLY = ProviderWay()


class Transport:
    """Sends `ProviderRequest` values and returns `ProviderResponse` values.

    :param ca_file: PEM file of the only authorities to trust; the system's when absent.
    :param resolve: host name to address, as ``curl --resolve``; ``localhost`` and ``*.localhost`` are
        loopback always.
    :param way: through which proxy, if any; names that have an address in ``resolve`` are reached without.
    :raises ConfigurationError: the CA file cannot be used, or a name is given something that is no address.
    """

    def __init__(
        self,
        *,
        ca_file: str | Path | None = None,
        resolve: Mapping[str, str] | None = None,
        way: ProviderWay = DIRECTLY,
        timeout: float = TIMEOUT,
    ) -> None:
        self._tls = _tls_context(ca_file)
        self._resolve = {name.lower(): _address(name, address) for name, address in (resolve or {}).items()}
        self._way = replace(way, past=(*way.past, *self._resolve))
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None

    async def send(self, request: ProviderRequest, *, timeout: float | None = None) -> ProviderResponse:
        """The provider's answer, whatever its status.

        :param timeout: seconds for the whole exchange, if not the usual.
        :raises ProviderError: ``provider_unreachable`` (retryable), or ``bad_response`` when the answer is
            too large or compressed, which was not asked for.
        """
        host, through = URL(request.url, encoded=True).host, self._way.through(request.url)
        try:
            async with asyncio.timeout(self._timeout if timeout is None else timeout):
                return await self._exchange(request, through)
        except TimeoutError as error:
            raise _unreachable(f"{host}: no answer in time{_by(through)}") from error
        except aiohttp.ClientHttpProxyError as error:
            what = printable(f"{host}: answered {error.status} {error.message}")
            raise _unreachable(f"{what}{_by(through)}", acted=False) from error
        except aiohttp.ClientConnectorError as error:
            raise _unreachable(f"{printable(str(error))}{_by(through)}", acted=False) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _unreachable(f"{host}: {type(error).__name__}{_by(through)}") from error

    async def close(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.close()

    async def _exchange(self, request: ProviderRequest, through: Through) -> ProviderResponse:
        async with self._opened().request(
            request.method,
            URL(request.url, encoded=True),
            headers={**request.headers, "accept-encoding": "identity"},
            data=request.body or None,
            allow_redirects=False,
            **through,
        ) as response:
            if response.headers.get("content-encoding", "identity") != "identity":
                raise ProviderError("bad_response", "the answer is compressed, which was not asked for")
            body = await _bounded_body(response)
            headers = {name.lower(): value for name, value in response.headers.items()}
            return ProviderResponse(response.status, headers, body)

    def _opened(self) -> aiohttp.ClientSession:
        """The client session, made at the first use because it belongs to the running event loop."""
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls, resolver=NamedAddresses(self._resolve)),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),  # one deadline is kept, in send
                auto_decompress=False,
                trust_env=False,
            )
        return self._session


class NamedAddresses(AbstractResolver):
    """Name resolution with fixed addresses first; ``*.localhost`` among them, for glibc does not know it."""

    def __init__(self, addresses: Mapping[str, str]) -> None:
        self._addresses = addresses
        self._system = ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of ``host``."""
        address = LOOPBACK if is_loopback(host) else self._addresses.get(host.lower())
        if address is None:
            return await self._system.resolve(host, port, family)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Release the system's resolver."""
        await self._system.close()


def _unreachable(detail: str, *, acted: bool = True) -> ProviderError:
    return ProviderError("provider_unreachable", detail, retryable=True, acted=acted)


def _by(through: Through) -> str:
    return f" (through the proxy {through['proxy']})" if through else ""


async def _bounded_body(response: aiohttp.ClientResponse) -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > MAX_BODY:
            raise ProviderError("bad_response", f"the answer is larger than {MAX_BODY} bytes")
    return bytes(body)


def _address(name: str, address: str) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        raise ConfigurationError(
            "bad_address", f"provider.resolve: {name} has no IP address", fix="name: 192.0.2.1"
        ) from None


def _tls_context(ca_file: str | Path | None) -> ssl.SSLContext | bool:
    """The context that trusts ``ca_file`` alone; True for the client's own, which trusts what the system trusts."""
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            "bad_ca_file", f"provider.ca_file: {error.strerror or error}", fix="a readable PEM file"
        ) from error
