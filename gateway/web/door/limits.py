"""What a client may take: bytes, seconds, connections. Each number has a precedent."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_network

from gateway.core.http.addresses import Networks

KEEP_ALIVE = 75.0
"""Seconds between two requests: nginx's keepalive_timeout."""
HEAD_SECONDS = 30.0
"""Seconds from a head's first byte to its last: Kestrel's RequestHeadersTimeout; Apache gives 20 to 40, nginx 60."""
HANDSHAKE = 10.0
"""Seconds until a connection speaks HTTP, its PROXY header and its TLS handshake: Kestrel's HandshakeTimeout."""
BODY_WINDOW = 60.0
"""Seconds in which a body must have come on: nginx's client_body_timeout."""
BODY_RATE = 240
"""Bytes a second within each window: Kestrel's MinRequestBodyDataRate; Apache's MinRate is 500."""
SEND_SECONDS = 60.0
"""Seconds in which a client must take something of what waits for it: nginx's send_timeout."""
LINGER = 2.0
"""Seconds in which a client that still sends what nobody wants must go on with it: Apache's SECONDS_TO_LINGER."""
LINGER_MOST = 30.0
"""Seconds in which such bytes are read over in all: Apache's MAX_SECS_TO_LINGER, nginx's lingering_time."""
HALF_CLOSED = 5.0
"""Seconds in which something of the answer must go out when the client has closed its side: one that has left looks the
same, and what it asked for should not go on for long. nginx takes all of them for gone, Apache none."""
LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
"""Who connects from here is a proxy in front of us, or owns the machine."""
_SWEEP = 1.0
"""Seconds between two looks at all connections, at the most."""


@dataclass(frozen=True, slots=True)
class DoorLimits:
    """What a client may take.

    :ivar header: bytes of the request line, and of all header lines. :ivar body: bytes; 0 is no limit.
    :ivar handshake: seconds until it speaks HTTP.
    :ivar head_seconds: for a whole head. :ivar body_window, body_rate: seconds, and bytes a second in each of them.
    :ivar keep_alive, send_seconds, linger, linger_most, half_closed: seconds; see the constants.
    :ivar per_client: connections of one address, 0 is no limit; nor is there one for ``proxies`` and this machine.
    :ivar together: connections of everybody, ``proxies`` and this machine included; 0 is no limit.
    :ivar proxied: from where connections begin with a PROXY header; from anywhere else there are none then.
    """

    header: int
    body: int
    handshake: float = HANDSHAKE
    head_seconds: float = HEAD_SECONDS
    body_window: float = BODY_WINDOW
    body_rate: float = BODY_RATE
    keep_alive: float = KEEP_ALIVE
    send_seconds: float = SEND_SECONDS
    linger: float = LINGER
    linger_most: float = LINGER_MOST
    half_closed: float = HALF_CLOSED
    per_client: int = 0
    together: int = 0
    proxies: Networks = LOOPBACK
    proxied: Networks = ()

    @property
    def tick(self) -> float:
        """Seconds between two looks at all connections: a deadline is missed by two of them at the most."""
        return min(
            _SWEEP,
            self.handshake / 4,
            self.head_seconds / 4,
            self.body_window / 4,
            self.keep_alive / 4,
            self.linger,
            self.half_closed,
        )
