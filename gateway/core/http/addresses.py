"""Whose address a request comes from (rule R7): the rightmost hop that is not a trusted proxy."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from gateway.core.memo import Memo

Networks = Sequence[IPv4Network | IPv6Network]

LONGEST = 64
"""Characters of an address: 45 of IPv6 with IPv4 in it, and a zone, which is the name of an interface (15 on Linux)."""


def is_trusted(address: str, trusted: Networks) -> bool:
    """Whether ``address`` belongs to one of the networks; anything that is not an address does not."""
    read = _read(address)
    if read is None:
        return False
    ip, _ = read
    return any(ip.version == network.version and ip in network for network in trusted)


def client_address(peer: str, forwarded_for: Sequence[bytes], trusted: Networks) -> str:
    """The client's address.

    :param peer: the address of the connection.
    :param forwarded_for: all X-Forwarded-For values, in order; believed only as far as trusted proxies wrote them.
    """
    if not forwarded_for or not trusted or not is_trusted(peer, trusted):
        return peer
    hops = [hop.strip() for value in forwarded_for for hop in value.decode("latin-1").split(",")]
    client = peer
    for hop in reversed(hops):
        read = _read(hop)
        if read is None:
            return client
        _, client = read
        if not is_trusted(client, trusted):
            return client
    return client


def _read(address: str) -> tuple[IPv4Address | IPv6Address, str] | None:
    """An address as it is compared, and as it is written."""
    return _known[address] if len(address) <= LONGEST else None


def _parse(address: str) -> tuple[IPv4Address | IPv6Address, str] | None:
    try:
        ip = ip_address(address)
    except ValueError:
        return None
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None  # an IPv4 peer of a listener on [::]
    return mapped or ip, str(ip)


_known = Memo(_parse, entries=4_096, size=4 * 1024 * 1024, weigh=lambda address, _: 560 + 4 * len(address))
"""The same few come with request after request. Half of the weight is that of an address object with its text."""
