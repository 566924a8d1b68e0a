"""The PROXY protocol, versions 1 and 2: who connects, by the word of a proxy in front of the first byte.

The specification is HAProxy's ``doc/proxy-protocol.txt``. It is read strictly: what is no header is refused with its
connection, for there is nobody who it could be from.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address

from gateway.core.errors import DownstreamError
from gateway.core.http.addresses import UNKNOWN

LONGEST = 4_096
"""Bytes of a header of version 2 with what is details besides; nginx reads as many. Version 1 has 107."""
_LONGEST_LINE = 107
_SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"
_NUMBER = rb"(0|[1-9][0-9]{0,4})"
_LINE = re.compile(
    rb"PROXY TCP([46]) ([0-9A-Fa-f.:]{2,45}) ([0-9A-Fa-f.:]{2,45}) " + _NUMBER + b" " + _NUMBER + rb"\r\n"
)
_LOCAL, _PROXY = 0, 1
_INET, _INET6, _UNIX = 1, 2, 3


def bytes_missing(header: bytes) -> int:
    """How many more bytes surely belong to a header that has begun so; 0 when it is whole.

    So that nothing of what comes behind it is read: that is TLS, or a request.

    :raises DownstreamError: ``malformed_request``: it is none, or too long.
    """
    if len(header) < len(_SIGNATURE):
        if not (_SIGNATURE.startswith(header) or b"PROXY ".startswith(header[:6])):
            raise _none("no PROXY header")
        return len(_SIGNATURE) - len(header)
    if header.startswith(_SIGNATURE):
        if len(header) < 16:
            return 16 - len(header)
        complete = 16 + int.from_bytes(header[14:16], "big")
        if complete > LONGEST:
            raise _none("PROXY header too long")
        return complete - len(header)
    if header.endswith(b"\r\n"):
        return 0
    if not header.startswith(b"PROXY ") or b"\n" in header or len(header) >= _LONGEST_LINE:
        raise _none("no PROXY header")
    return 1 if header.endswith(b"\r") else 2


def proxied_client(header: bytes) -> str | None:
    """The client's address of a whole header; `UNKNOWN` where the proxy does not say it, None for a connection of the
    proxy's own (a health check).

    :raises DownstreamError: ``malformed_request``.
    """
    return _binary(header) if header.startswith(_SIGNATURE) else _text(header)


def _text(line: bytes) -> str:
    if line == b"PROXY UNKNOWN\r\n" or line.startswith(b"PROXY UNKNOWN "):
        return UNKNOWN
    found = _LINE.fullmatch(line)
    if found is None or max(int(found[4]), int(found[5])) > 65_535:
        raise _none("malformed PROXY line")
    kind = IPv4Address if found[1] == b"4" else IPv6Address
    try:
        client, _ = kind(found[2].decode()), kind(found[3].decode())
    except ValueError:
        raise _none("no address in a PROXY line") from None
    return _written(client)


def _binary(header: bytes) -> str | None:
    version, command = header[12] >> 4, header[12] & 15
    family, transport = header[13] >> 4, header[13] & 15
    if version != 2 or command > _PROXY or family > _UNIX or transport > 2:
        raise _none("unknown PROXY header")
    if command == _LOCAL:
        return None
    details = header[16:]
    if len(details) < (0, 12, 36, 216)[family]:
        raise _none("PROXY header too short")
    if family == _INET and transport == 1:
        return _written(IPv4Address(details[:4]))
    return _written(IPv6Address(details[:16])) if family == _INET6 and transport == 1 else UNKNOWN


def _written(address: IPv4Address | IPv6Address) -> str:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)


def _none(detail: str) -> DownstreamError:
    return DownstreamError("malformed_request", detail)
