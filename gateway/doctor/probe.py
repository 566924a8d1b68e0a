"""One look at a URL: a request without cookies that follows nothing, bounded in time and size."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import aiohttp
from yarl import URL

from gateway.idp.transport import DIRECTLY, NamedAddresses
from gateway.idp.way import ProviderWay, Through
from gateway.oidc.urls import form
from gateway.oidc.wire import printable

WITHIN = 10.0
"""Seconds for one look."""
ENOUGH = 512 * 1024
"""Bytes of a body that are read; the rest is left."""


def parts_of(url: str) -> SplitResult:
    """The parts of a stranger's URL; all empty where it is none."""
    try:
        return urlsplit(url)
    except ValueError:
        return SplitResult("", "", "", "", "")


class NoAnswerError(Exception):
    """There was none; the text says why, fit to be shown."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer.

    :ivar headers: in order, names in lower case. :ivar body: its beginning.
    """

    status: int
    headers: tuple[tuple[str, str], ...]
    body: str = field(repr=False)

    def header(self, name: str) -> str:
        """All values of a header together, as RFC 9110 §5.2 combines them; empty without one."""
        return ", ".join(value for key, value in self.headers if key == name)

    @property
    def location(self) -> str:
        return next((value for key, value in self.headers if key == "location"), "")

    @property
    def redirects(self) -> bool:
        return 300 <= self.status < 400 and bool(self.location)

    @property
    def is_html(self) -> bool:
        return self.header("content-type").lower().startswith("text/html")

    @property
    def unwell(self) -> bool:
        """Whether the server says that it cannot answer now, which is no verdict on what was asked."""
        return self.status == 429 or self.status >= 500


class Probe:
    """Looks at URLs.

    :param ca_file: certificates in PEM to trust, beside the system's: not all that is looked at is under one authority.
    :param resolve: as ``provider.resolve``.
    :param way: through which proxy, if any.
    :param socket: a Unix socket behind which every name is.
    """

    def __init__(
        self,
        *,
        ca_file: Path | None = None,
        resolve: Mapping[str, str] | None = None,
        way: ProviderWay = DIRECTLY,
        socket: Path | None = None,
        within: float = WITHIN,
    ) -> None:
        self._ca_file = ca_file
        self._resolve = dict(resolve or {})
        self._way = replace(way, past=(*way.past, *self._resolve))
        self._socket = socket
        self._within = within

    async def get(self, url: str, headers: Mapping[str, str] | None = None) -> Reply:
        """What is at ``url``.

        :raises NoAnswerError: nothing came, or it was no HTTP.
        """
        return await self._look("GET", url, headers or {}, None)

    async def ask(self, method: str, url: str, headers: Mapping[str, str]) -> Reply:
        """The same by another method, without a body. Raises as :meth:`get`."""
        return await self._look(method, url, headers, None)

    async def post(self, url: str, fields: Iterable[tuple[str, str]]) -> Reply:
        """What ``url`` answers to a form. Raises as :meth:`get`."""
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await self._look("POST", url, kind, form(fields))

    async def _look(self, method: str, url: str, headers: Mapping[str, str], body: bytes | None) -> Reply:
        try:
            async with asyncio.timeout(self._within), self._session(tls=url.startswith("https:")) as session:
                return await _exchange(session, method, url, headers, body, self._way.through(url))
        except TimeoutError:
            raise NoAnswerError(f"no answer within {self._within:g} s") from None
        except aiohttp.ClientConnectorCertificateError as error:
            raise NoAnswerError(
                f"its certificate is not trusted ({_reason(error.certificate_error)})"
            ) from None
        except aiohttp.ClientHttpProxyError as error:
            raise NoAnswerError(f"the proxy {self._way.proxy} answered {error.status}") from None
        except aiohttp.ClientConnectorError as error:
            raise NoAnswerError(f"no connection ({_reason(error.os_error)})") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise NoAnswerError(f"the exchange broke ({type(error).__name__})") from None

    def _session(self, *, tls: bool) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=self._connector(tls=tls),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None),  # one deadline is kept, in get
            auto_decompress=False,
            trust_env=False,
        )

    def _connector(self, *, tls: bool) -> aiohttp.BaseConnector:
        if self._socket is not None:
            return aiohttp.UnixConnector(str(self._socket))
        resolver = NamedAddresses(self._resolve)
        if not (tls or str(self._way.proxy).startswith("https:")):  # reading all authorities takes a while
            return aiohttp.TCPConnector(resolver=resolver)
        context = ssl.create_default_context()
        if self._ca_file is not None:
            context.load_verify_locations(cafile=str(self._ca_file))
        return aiohttp.TCPConnector(ssl=context, resolver=resolver)


def _reason(error: Exception) -> str:
    """The system's own words, without the event loop's."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return printable(error.verify_message)
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return os.strerror(error.errno)
    return printable(str(error))


async def _exchange(
    session: aiohttp.ClientSession,
    method: str,
    url: str,
    headers: Mapping[str, str],
    form_body: bytes | None,
    through: Through,
) -> Reply:
    asked = {"accept": "text/html,*/*;q=0.8", "accept-encoding": "identity", **headers}
    async with session.request(
        method, URL(url, encoded=True), data=form_body, headers=asked, allow_redirects=False, **through
    ) as response:
        body = bytearray()
        if response.status != 101:  # what has become a tunnel has no body, and no end
            async for piece in response.content.iter_any():
                body += piece
                if len(body) >= ENOUGH:
                    break
        raw = response.raw_headers
        found = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in raw)
        return Reply(response.status, found, bytes(body[:ENOUGH]).decode("utf-8", "replace"))
