"""Addresses: what we listen on, what we are called, where the application is.

Each is parsed once, into a value that is right by construction and prints as people write it.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, quote, urlsplit

from gateway.settings.bad_value import BadValueError, quoted

_DEFAULT_PORTS = {"http": 80, "https": 443}
_BASE = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,=:@-]+)*")
_HOST_LABELS = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*", re.ASCII)


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A listener: IP address (or ``localhost``) and port; port 0 takes a free one."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_loopback(self) -> bool:
        return self.host == "localhost" or ipaddress.ip_address(self.host).is_loopback


class Origin(str):
    """Scheme, host and port of a URL, written as browsers write ``Origin``: lower case, no default port.

    It is its own text, so it can be compared with the header and put in front of a path.
    """

    __slots__ = ()

    @property
    def scheme(self) -> str:
        return self.partition("://")[0]

    @property
    def authority(self) -> str:
        """Host and, where it is not the default, port: the ``Host`` header a browser sends."""
        return self.partition("://")[2]

    @property
    def host(self) -> str:
        """Without brackets for IPv6."""
        return urlsplit(self).hostname or ""

    @property
    def port(self) -> int:
        return urlsplit(self).port or _DEFAULT_PORTS[self.scheme]

    @property
    def is_local(self) -> bool:
        return is_local(self.host)


@dataclass(frozen=True, slots=True)
class UpstreamUrl:
    """Where an upstream is.

    :ivar kind: ``http``, ``https``, ``unix`` or ``file``.
    :ivar host: name or address, for http and https; empty otherwise.
    :ivar port: 0 for unix and file.
    :ivar path: the socket, or the directory that is served; None for http and https.
    :ivar base: path that goes in front of every target, without a slash at its end.
    """

    kind: str
    host: str = ""
    port: int = 0
    path: Path | None = None
    base: str = ""

    def __str__(self) -> str:
        if self.path is not None:
            return f"unix:{self.path}" if self.kind == "unix" else f"file://{quote(str(self.path))}"
        return f"{self.kind}://{ListenAddress(self.host, self.port)}{self.base}"


def is_local(host: str) -> bool:
    """Names that browsers hold to be this machine and a secure context (W3C Secure Contexts §3.1)."""
    return host == "localhost" or host.endswith(".localhost")


def parse_address(value: object) -> ListenAddress:
    """``0.0.0.0:8080``, ``[::]:8080``, ``localhost:9090``."""
    fix = "write an IP address and a port, such as 0.0.0.0:8080"
    host, colon, port = value.rpartition(":") if isinstance(value, str) else ("", "", "")
    if not colon or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise BadValueError(f"{quoted(value)} is not an address to listen on", fix)
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise BadValueError(f"{quoted(value)} is an IPv6 address without brackets", "write it as [::1]:8080")
    if host != "localhost" and not _is_ip(host):
        raise BadValueError(f"{quoted(value)} does not begin with an IP address", fix)
    return ListenAddress(host, int(port))


def parse_origin(value: object) -> Origin:
    """An ``https`` origin; ``http`` on localhost only."""
    origin = parse_any_origin(value)
    if origin.scheme == "http" and not origin.is_local:
        raise BadValueError(
            f"{quoted(value)} is not https", "write https://…; http is for localhost and *.localhost only"
        )
    return origin


def parse_any_origin(value: object) -> Origin:
    """An ``http`` or ``https`` origin; whether http is acceptable is for a cross-field rule to say."""
    parts = split_url(value, "https://app.example.com")
    if parts.path not in {"", "/"} or parts.query or parts.fragment or "?" in str(value) or "#" in str(value):
        raise BadValueError(
            f"{quoted(value)} has more than scheme, host and port", "leave out path, query and fragment"
        )
    return origin_of(parts)


def origin_of(parts: SplitResult) -> Origin:
    """The origin of a URL that :func:`split_url` accepted."""
    host = parts.hostname or ""
    bracketed = f"[{host}]" if ":" in host else host
    default = parts.port is None or parts.port == _DEFAULT_PORTS[parts.scheme]
    return Origin(f"{parts.scheme}://{bracketed}" + ("" if default else f":{parts.port}"))


def split_url(value: object, example: str) -> SplitResult:
    """The parts of an absolute http or https URL without user name and password."""
    fix = f"write it as {example}"
    if (
        not isinstance(value, str)
        or not value.isascii()
        or not value.isprintable()
        or set(value) & set(" \\<>\"'")
    ):
        raise BadValueError(f"{quoted(value) if '@' not in str(value) else 'the value'} is not a URL", fix)
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise BadValueError("is not a URL: its host or port cannot be read", fix) from None
    if "@" in parts.netloc:
        raise BadValueError("holds a user name or password", "leave them out")
    if parts.scheme not in _DEFAULT_PORTS or port == 0 or not is_host(parts.hostname or ""):
        raise BadValueError(f"{quoted(value)} is not an http or https URL", fix)
    return parts


def is_host(name: str) -> bool:
    """An IP address or a DNS name in lower case."""
    return _is_ip(name) or (len(name) <= 253 and _HOST_LABELS.fullmatch(name) is not None)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def parse_upstream(value: object, base: Path) -> UpstreamUrl:
    """``http://127.0.0.1:3000``, ``unix:/run/app.sock``, ``file:///srv/spa``.

    :param base: the directory that relative paths count from.
    """
    kind, _, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
    if kind in {"unix", "file"}:
        path = rest.removeprefix("//") if rest.startswith("///") else rest
        if not path or path.startswith("//"):
            raise BadValueError(f"{quoted(value)} names no path", f"write {kind}:/absolute/path")
        return UpstreamUrl(kind, path=base / path)
    parts = split_url(value, "http://127.0.0.1:3000, unix:/run/app.sock or file:///srv/spa")
    if parts.query or parts.fragment:
        raise BadValueError(f"{quoted(value)} has a query or fragment", "leave it out")
    front = parts.path.rstrip("/")
    if _BASE.fullmatch(front) is None or any(segment in {".", ".."} for segment in front.split("/")):
        raise BadValueError(
            f"{quoted(value)} has no plain path", "write one such as http://127.0.0.1:3000/app"
        )
    port = parts.port or _DEFAULT_PORTS[parts.scheme]
    return UpstreamUrl(parts.scheme, parts.hostname or "", port, base=front)


def parse_path(value: object, base: Path) -> Path:
    """A file or directory; a relative one counts from ``base``."""
    if not isinstance(value, str) or not value or "\0" in value:
        raise BadValueError(f"{quoted(value)} is not the name of a file", "write the path of one file")
    return base / value
