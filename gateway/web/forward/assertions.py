"""Signed identity assertions: upstreams can know that the gateway has said who somebody is, and nobody beside it.

A JWT in `X-Auth-Request-Assertion` (``headers.assertion``), for one route and a minute. It is made once in half a
minute for each identity and route, and found again for every other request.
"""

from __future__ import annotations

from collections.abc import Sequence

from gateway.core.memo import Kept
from gateway.core.session.identity_headers import HeaderPairs
from gateway.core.session.session import Principal
from gateway.oidc.jose.signing_key import SigningKey

HEADER = b"X-Auth-Request-Assertion"
LIFETIME = 60
"""Seconds for which one is good."""
USED_AGAIN = 30
"""Seconds in which the same one is sent, so that half of its life is left at least."""
KEPT, KEPT_BYTES = 4_096, 16 * 1024 * 1024


class Assertions:
    """Makes them.

    :param issuer: ``public_url``. :ivar keys: the first one signs; all of them are published, for rotation.
    """

    def __init__(self, issuer: str, keys: Sequence[SigningKey]) -> None:
        self.keys = tuple(keys)
        self._issuer = issuer
        self._made: Kept[tuple[HeaderPairs, str, int], tuple[bytes, bytes]] = Kept(
            entries=KEPT, size=KEPT_BYTES
        )

    def replace(self, keys: Sequence[SigningKey]) -> None:
        """Sign with others from now on."""
        self.keys = tuple(keys)
        self._made.forget()

    def header(
        self, identity: HeaderPairs, principal: Principal, route: str, now: int
    ) -> tuple[bytes, bytes]:
        """The header for a request of ``principal``.

        :param identity: the identity headers beside it: what it says is what they say. :param route: of the upstream.
        """
        key = identity, route, now // USED_AGAIN
        made = self._made[key]
        if made is None:
            made = HEADER, self._signed(principal, route, now)
            self._made.keep(key, made)
        return made

    def _signed(self, principal: Principal, route: str, now: int) -> bytes:
        claims = {
            "iss": self._issuer,
            "aud": route,
            "sub": principal.user,
            "email": principal.email,
            "groups": list(principal.groups),
            "preferred_username": principal.preferred_username,
            "iat": now,
            "exp": now + LIFETIME,
        }
        known = {name: value for name, value in claims.items() if value not in (None, "", [])}
        return self.keys[0].signed(known, "JWT").encode("ascii")
