"""Whose address a request comes from (rule R7): the rightmost hop that is not a trusted proxy."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Networks = Sequence[IPv4Network | IPv6Network]


def is_trusted(address: str, trusted: Networks) -> bool:
    """Whether ``address`` belongs to one of the networks; anything that is not an address does not."""
    try:
        ip: IPv4Address | IPv6Address = ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, IPv6Address) and ip.ipv4_mapped is not None:  # an IPv4 peer of a listener on [::]
        ip = ip.ipv4_mapped
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
        try:
            client = str(ip_address(hop))
        except ValueError:
            return client
        if not is_trusted(client, trusted):
            return client
    return client
