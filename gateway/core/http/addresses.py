"""Whose address a request comes from (rule R7): the rightmost hop that is not a trusted proxy.

What trusted proxies write is read as they write it: with ports (Azure), in brackets and quotes (RFC 7239), with a port
behind a bare IPv6 (CloudFront). What cannot be read makes an unknown client, never one with a proxy's address: whoever
counts by address, or keeps something for one, would take all clients behind that proxy for one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from gateway.core.memo import Memo

Networks = Sequence[IPv4Network | IPv6Network]
ForwardedHeaders = Sequence[tuple[bytes, bytes]]
"""Lower-case names and values of the headers in which proxies say who their client is, in order."""

LONGEST = 64
"""Characters of an address: 45 of IPv6 with IPv4 in it, and a zone, which is the name of an interface (15 on Linux)."""
UNKNOWN = "unknown"
"""The client of whom trusted proxies say nothing that can be read; RFC 7239 §6.2 has the word, and Squid writes it."""
CLIENT_HEADERS: Mapping[bytes, str] = {
    name.lower().encode(): name
    for name in (
        "X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP", "True-Client-IP", "Fastly-Client-IP",
        "X-Azure-ClientIP", "X-Envoy-External-Address", "CloudFront-Viewer-Address",
    )
}  # fmt: skip
_NODE = re.compile(r"(?:\[([^\]]{1,64})\]|([^:\]]{1,64}))(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]{1,64}))?")
"""An address in brackets or without a colon, and a port (RFC 7239 §6)."""
_PAIR = re.compile(
    rb'[ \t]*(?:([!#-\'*+.^_`|~0-9A-Za-z-]+)=(?:([^\s"\\;,]+)|"((?:[^"\\]|\\.)*)")[ \t]*)?([;,]|$)'
)
_QUOTED = re.compile(rb"\\(.)")


def is_trusted(address: str, trusted: Networks) -> bool:
    """Whether ``address`` belongs to one of the networks; anything that is not an address does not."""
    read = _read(address)
    if read is None:
        return False
    ip, _ = read
    for network in trusted:  # noqa: SIM110 -- `any` costs more than what it asks, at two or three places of a request
        if ip in network:
            return True
    return False


def client_address(
    peer: str, forwarded: ForwardedHeaders, trusted: Networks, header: bytes = b"x-forwarded-for"
) -> str:
    """The client's address, or `UNKNOWN`.

    :param peer: the address of the connection. :param forwarded: believed only as far as trusted proxies wrote it.
    :param header: the one of them in which they say it.
    """
    if not forwarded or not trusted or not is_trusted(peer, trusted):
        return peer
    hops, client = _hops(forwarded, header), UNKNOWN
    while hops:
        read = _address(hops.pop(), port_behind=header == b"cloudfront-viewer-address")
        if read is None:
            return UNKNOWN
        client = read
        if not hops or not is_trusted(client, trusted):
            break
    return client


def why_unknown(forwarded: ForwardedHeaders, header: bytes) -> str:
    """Why the client is not known, for the log: ``missing``, ``empty``, ``unknown``, ``hidden`` or ``malformed``."""
    hops = _hops(forwarded, header)
    if not hops:
        return "empty" if any(name == header for name, _ in forwarded) else "missing"
    odd = next((hop for hop in reversed(hops) if _address(hop) is None), "").strip(' \t"').lower()
    return (
        "unknown" if odd.partition(":")[0] == "unknown" else "hidden" if odd.startswith("_") else "malformed"
    )


def _hops(forwarded: ForwardedHeaders, header: bytes) -> list[str]:
    values = [value for name, value in forwarded if name == header]
    if header == b"forwarded":
        return [hop for value in values for hop in _elements(value)]
    return [hop for value in values for hop in value.decode("latin-1").split(",") if hop.strip(" \t")]


def _elements(line: bytes) -> list[str]:
    """The ``for`` of each element, empty where there is none; of a line that is no ``Forwarded`` one empty.

    Each line is read by itself, so that nothing in a client's own reaches into the one that a proxy has added.
    """
    found: list[str] = []
    node, any_pair, at = "", False, 0
    while True:
        pair = _PAIR.match(line, at)
        if pair is None:
            return [""]
        name, token, quoted, end = pair.groups()
        if name is not None:
            any_pair = True
            if name.lower() == b"for":
                node = (
                    (token if quoted is None else _QUOTED.sub(rb"\1", quoted)).decode("latin-1")
                    if not node
                    else '"'
                )
        if end != b";":
            if any_pair:
                found.append(node)
            node, any_pair = "", False
        if not end:
            return found
        at = pair.end()


def _address(hop: str, *, port_behind: bool = False) -> str | None:
    """The address of a hop, as it is written everywhere; None for what is none."""
    hop = hop.strip(" \t")
    if len(hop) > 1 and hop[0] == hop[-1] == '"':
        hop = hop[1:-1]
    if port_behind:
        hop = hop.rpartition(":")[0].strip("[]")
    read = _read(hop)
    if read is None and (node := _NODE.fullmatch(hop)) is not None:
        read = _read(node[1] or node[2])
    return None if read is None else read[1]


def _read(address: str) -> tuple[IPv4Address | IPv6Address, str] | None:
    """An address as it is compared, and as it is written."""
    return _known[address] if len(address) <= LONGEST else None


def _parse(address: str) -> tuple[IPv4Address | IPv6Address, str] | None:
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None  # an IPv4 peer of a listener on [::]
    return mapped or ip, str(mapped or ip)


_known = Memo(_parse, entries=4_096, size=4 * 1024 * 1024, weigh=lambda address, _: 560 + 4 * len(address))
"""The same few come with request after request. Half of the weight is that of an address object with its text."""
